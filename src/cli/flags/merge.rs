//! Flags of `merge`.

use std::path::PathBuf;

use super::{Flag, FlagValue, Group, PLAIN};

#[derive(Debug, Default)]
pub struct MergeFlags {
    /// The image list, for the order of the merged failed list.
    pub list: Option<PathBuf>,
}

pub const GROUP: Group = Group {
    title: "How to merge",
    flags: &[Flag {
        names: &["--list"],
        takes: FlagValue::Path("FILE", |flags, path| flags.merge.list = Some(path)),
        help: "sort the merged failed list in the order of this image list; default: the order of the input files",
        ..PLAIN
    }],
};
