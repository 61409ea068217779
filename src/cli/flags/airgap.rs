//! Flags of recordings.

use std::path::PathBuf;

use super::{Conflict, Flag, FlagValue, Group, PLAIN};
use crate::output::RECORDING;

/// For every flag that `--record` would ignore.
pub const READS_SOURCES_ONLY: Conflict = Conflict {
    with: "--record",
    why: "--record reads only the sources",
};

#[derive(Debug, Default)]
pub struct AirGapFlags {
    /// `--record`; the file is among the output requests.
    pub records: bool,
    pub recorded: Option<PathBuf>,
}

pub const GROUP: Group = Group {
    title: "Air gap",
    flags: &[
        Flag {
            names: &["--record"],
            takes: FlagValue::Path("file", |flags, path| {
                flags.airgap.records = true;
                flags.output.request(&RECORDING, path);
            }),
            help: "record the sources in this file for '--recorded'; an existing recording is extended",
            ..PLAIN
        },
        Flag {
            names: &["--recorded"],
            takes: FlagValue::Path("file", |flags, path| flags.airgap.recorded = Some(path)),
            help: "compare with the sources recorded in this file; only the destination is contacted",
            conflicts: &[Conflict {
                with: "--record",
                why: "--record writes a recording, and --recorded reads one",
            }],
            ..PLAIN
        },
    ],
};
