//! The image list: its files and lines, the images in them, and the shard that this run validates.
//!
//! `files` reads the files in order, `hashed` computes their digest, `lines` reads one file, `document`
//! parses YAML and JSON files. A line is parsed to an `entry` by one of the `forms`; `-s` and `-d`
//! resolve an entry to an `image`.

mod document;
mod entry;
mod error;
mod files;
#[cfg(test)]
mod fixtures;
mod forms;
mod hashed;
mod image;
mod lines;
mod mistake;
pub mod names;
mod renaming;
mod shard;

pub use entry::Entry;
pub use error::ListError;
pub use files::List;
pub use image::{Image, NameRules, NumberedImage};
pub use lines::{Line, Place};
pub use names::Override;
pub use renaming::{Renaming, identity};
pub use shard::Shard;
