//! Flags of `list`.

use std::path::PathBuf;

use super::{Conflict, Flag, FlagValue, Group, PLAIN, compare};
use crate::list::{Renaming, names};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Lines,
    Json,
}

#[derive(Debug, Default)]
pub struct ListFlags {
    /// Values of `-f`, as in `mirror-validate`.
    pub files: Vec<PathBuf>,
    pub renaming: Renaming,
    pub unique: bool,
    pub form: Form,
    pub digests: bool,
}

/// For every flag that `--digests` would ignore.
const PRINTS_A_RECORDING: Conflict = Conflict {
    with: "--digests",
    why: "--digests prints the names of the recording unchanged",
};

pub const GROUP: Group = Group {
    title: "What to print",
    flags: &[
        Flag {
            names: &["-f", "--file"],
            takes: FlagValue::Path("string", |flags, path| flags.list.files.push(path)),
            help: "image list file, same as FILE; may be repeated",
            accumulates: true,
            ..PLAIN
        },
        Flag {
            names: &["-s", "--source"],
            takes: FlagValue::Text("string", |flags, text| {
                flags.list.renaming.source = Some(compare::registry(text)?);
                Ok(())
            }),
            help: "override the source registry; default: names are printed as written",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["-d", "--destination"],
            takes: FlagValue::Text("string", |flags, text| {
                flags.list.renaming.destination = Some(compare::registry(text)?);
                Ok(())
            }),
            help: "override the destination registry; default: names are printed as written",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["-default-project"],
            takes: FlagValue::Text("string", |flags, text| {
                if !names::is_project(text) {
                    return Err(compare::PROJECT.into());
                }
                flags.list.renaming.default_project = Some(text.to_owned());
                Ok(())
            }),
            help: "project for destinations without one; default: library if -d is given",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["--unique"],
            takes: FlagValue::Switch(|flags, on| flags.list.unique = on),
            help: "print each pair of source and destination once",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["--format"],
            takes: FlagValue::Choice(&["lines", "json"], |flags, word| {
                flags.list.form = match word {
                    "json" => Form::Json,
                    _ => Form::Lines,
                };
            }),
            help: "output format: lines (one image per line, after a comment with FILE:LINE) or json (an array with one object per image)",
            default: "lines",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["--digests"],
            takes: FlagValue::Switch(|flags, on| flags.list.digests = on),
            help: "read recordings of '--record', and print the name and digest of each source as NAME:TAG sha256:HEX",
            ..PLAIN
        },
    ],
};
