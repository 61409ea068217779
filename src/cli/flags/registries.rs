//! Registries, credentials, TLS.

use std::path::PathBuf;

use super::{Flag, FlagValue, Group, PLAIN};
use crate::registry::{HostPattern, Side};

#[derive(Debug, Default)]
pub struct RegistryFlags {
    pub tls_verify: bool,
    pub ca_files: Vec<PathBuf>,
    /// Hosts, and the side for which they are insecure; `None`: both.
    pub insecure: Vec<(Option<Side>, HostPattern)>,
}

pub const GROUP: Group = Group {
    title: "Registries, credentials, TLS",
    flags: &[
        Flag {
            names: &["--tls-verify"],
            takes: FlagValue::Switch(|flags, on| flags.registries.tls_verify = on),
            help: "verify TLS certificates; '--tls-verify=false' disables this, and tries plain HTTP if HTTPS fails",
            default: "true",
            ..PLAIN
        },
        Flag {
            names: &["--insecure"],
            takes: FlagValue::Text("HOSTS", |flags, text| {
                for host in text.split(',').map(str::trim) {
                    let (side, host) = match host.split_once('=') {
                        Some(("source", host)) => (Some(Side::Source), host),
                        Some(("destination", host)) => (Some(Side::Destination), host),
                        _ => (None, host),
                    };
                    let host = host.parse().map_err(
                        |_| "hosts as in the list, HOST[:PORT], separated by commas; source=HOST or destination=HOST for one side",
                    )?;
                    flags.registries.insecure.push((side, host));
                }
                Ok(())
            }),
            help: "'--tls-verify=false' for these registries only, separated by commas; 'source=HOST' or 'destination=HOST' for one side",
            accumulates: true,
            ..PLAIN
        },
        Flag {
            names: &["--ca-file"],
            takes: FlagValue::Path("file", |flags, path| flags.registries.ca_files.push(path)),
            help: "also trust the certificates in this PEM file",
            accumulates: true,
            ..PLAIN
        },
    ],
};
