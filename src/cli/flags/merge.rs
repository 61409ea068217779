//! The command `merge`: what orders its result.

use std::path::PathBuf;

use super::{Flag, Group, PLAIN, Takes};

#[derive(Debug, Default)]
pub struct MergeFlags {
    /// The image list, for the order of failed lists.
    pub list: Option<PathBuf>,
}

pub const GROUP: Group = Group {
    title: "How to merge",
    flags: &[Flag {
        names: &["--list"],
        takes: Takes::Path("FILE", |flags, path| flags.merge.list = Some(path)),
        help: "put failed lists into the order of this image list; without it the lines of the first file stand first",
        ..PLAIN
    }],
};
