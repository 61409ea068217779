//! The image list: its files and lines, the images that they name, and the part of it that this run
//! takes.
//!
//! `files` reads files one after the other, `hashed` takes their digest, `lines` one of them line by line, `document` the YAML and
//! JSON files. Each line becomes an `entry`, names as written, in one of the `forms`, and with `-s` and
//! `-d` an `image`.

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
pub use image::{Image, Numbered, Rules};
pub use lines::{Line, Place};
pub use names::Override;
pub use renaming::{Renaming, identity};
pub use shard::Shard;
