//! Flags of `remedy`.

use super::{Flag, FlagValue, Group, PLAIN};
use crate::registry::InsecureHosts;
use crate::remedy::Tool;

#[derive(Debug, Default)]
pub struct RemedyFlags {
    pub tool: Option<Tool>,
    pub insecure: InsecureHosts,
}

pub const GROUP: Group = Group {
    title: "Remedy",
    flags: &[
        Flag {
            names: &["--for"],
            takes: FlagValue::Choice(Tool::NAMES, |flags, name| {
                flags.remedy.tool = Tool::of(name);
            }),
            help: "the tool to copy images with: skopeo, regctl, crane or oras (prints a shell script), regsync, image-syncer or hangar (prints its configuration file)",
            ..PLAIN
        },
        Flag {
            names: &["--tls-verify"],
            takes: FlagValue::Switch(|flags, on| flags.remedy.insecure.all = !on),
            help: "'--tls-verify=false' adds the tool's own flags that disable certificate verification",
            ..PLAIN
        },
        Flag {
            names: &["--insecure"],
            takes: FlagValue::Text("HOSTS", |flags, text| {
                for host in text.split(',').map(str::trim) {
                    let host = host
                        .parse()
                        .map_err(|_| "hosts as in the list, HOST[:PORT], separated by commas")?;
                    flags.remedy.insecure.hosts.push(host);
                }
                Ok(())
            }),
            help: "'--tls-verify=false' for these registries only, separated by commas",
            accumulates: true,
            ..PLAIN
        },
    ],
};
