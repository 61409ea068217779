//! Registries, credentials, TLS.

use std::path::PathBuf;

use super::{Flag, Group, PLAIN, Takes};

#[derive(Debug, Default)]
pub struct RegistryFlags {
    pub tls_verify: bool,
    pub ca_files: Vec<PathBuf>,
}

pub const GROUP: Group = Group {
    title: "Registries, credentials, TLS",
    flags: &[
        Flag {
            names: &["--tls-verify"],
            takes: Takes::Switch(|flags, on| flags.registries.tls_verify = on),
            help: "verify certificates; '--tls-verify=false' does not, and tries plain HTTP after HTTPS",
            default: "true",
            ..PLAIN
        },
        Flag {
            names: &["--ca-file"],
            takes: Takes::Path("file", |flags, path| flags.registries.ca_files.push(path)),
            help: "trust also the certificates in this PEM file",
            accumulates: true,
            ..PLAIN
        },
    ],
};
