//! The command `list`: what it prints of the lists.

use std::path::PathBuf;

use super::{Conflict, Flag, Group, PLAIN, Takes, compare};
use crate::list::{Renaming, names};

/// The form in which a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Lines,
    Json,
}

#[derive(Debug, Default)]
pub struct ListFlags {
    /// Files that are given as `mirror-validate` takes them.
    pub files: Vec<PathBuf>,
    pub renaming: Renaming,
    pub unique: bool,
    pub form: Form,
    /// The files are recordings.
    pub digests: bool,
}

/// Of every flag that a recording would ignore.
const PRINTS_A_RECORDING: Conflict = Conflict {
    with: "--digests",
    why: "a recording is printed as it is",
};

pub const GROUP: Group = Group {
    title: "What to print",
    flags: &[
        Flag {
            names: &["-f", "--file"],
            takes: Takes::Path("string", |flags, path| flags.list.files.push(path)),
            help: "image list file, as FILE; may be repeated",
            accumulates: true,
            ..PLAIN
        },
        Flag {
            names: &["-s", "--source"],
            takes: Takes::Text("string", |flags, text| {
                flags.list.renaming.source = Some(compare::registry(text)?);
                Ok(())
            }),
            help: "override the source registry; without it the names stay as written",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["-d", "--destination"],
            takes: Takes::Text("string", |flags, text| {
                flags.list.renaming.destination = Some(compare::registry(text)?);
                Ok(())
            }),
            help: "override the destination registry; without it the names stay as written",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["-default-project"],
            takes: Takes::Text("string", |flags, text| {
                if !names::is_project(text) {
                    return Err(compare::PROJECT.into());
                }
                flags.list.renaming.default_project = Some(text.to_owned());
                Ok(())
            }),
            help: "project put into a destination that has none; without it library where -d is given",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["--unique"],
            takes: Takes::Switch(|flags, on| flags.list.unique = on),
            help: "print each pair of source and destination once",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["--format"],
            takes: Takes::Choice(&["lines", "json"], |flags, word| {
                flags.list.form = match word {
                    "json" => Form::Json,
                    _ => Form::Lines,
                };
            }),
            help: "form of the list: lines, one image per line under a comment with FILE:LINE; json, an array with one object per image",
            default: "lines",
            conflicts: &[PRINTS_A_RECORDING],
            ..PLAIN
        },
        Flag {
            names: &["--digests"],
            takes: Takes::Switch(|flags, on| flags.list.digests = on),
            help: "the files are recordings of '--record': print the name and digest of each source, NAME:TAG sha256:HEX",
            ..PLAIN
        },
    ],
};
