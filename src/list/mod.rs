//! The image list: its lines, the images that they name, and the part of it that this run takes.

mod image;
mod lines;
pub mod names;
mod shard;

pub use image::{Image, Numbered, Rules};
pub use lines::{Line, List, ListError, is_comment};
pub use names::Override;
pub use shard::Shard;
