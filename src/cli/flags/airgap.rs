//! Air gap: recordings of sources, made on one side and compared on the other.

use std::path::PathBuf;

use super::{Conflict, Flag, Group, PLAIN, Takes};
use crate::output::RECORDING;

/// Of every flag that a recording would ignore.
pub const READS_SOURCES_ONLY: Conflict = Conflict {
    with: "--record",
    why: "only the sources are read for a recording",
};

#[derive(Debug, Default)]
pub struct AirGapFlags {
    /// The sources are recorded; the file is among the outputs.
    pub records: bool,
    pub recorded: Option<PathBuf>,
}

pub const GROUP: Group = Group {
    title: "Air gap",
    flags: &[
        Flag {
            names: &["--record"],
            takes: Takes::Path("file", |flags, path| {
                flags.airgap.records = true;
                flags.output.request(&RECORDING, path);
            }),
            help: "read only the sources and write to this file what they are, for '--recorded'; a file that is there is extended",
            ..PLAIN
        },
        Flag {
            names: &["--recorded"],
            takes: Takes::Path("file", |flags, path| flags.airgap.recorded = Some(path)),
            help: "take from this file what the sources are, and ask the destination only",
            conflicts: &[Conflict {
                with: "--record",
                why: "the one writes a recording, the other reads one",
            }],
            ..PLAIN
        },
    ],
};
