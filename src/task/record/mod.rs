//! Recordings: the state of sources, read by a host that can reach them.
//!
//! A recording is used on a host that cannot reach the sources. It has everything that a comparison
//! needs, unfiltered, so that `-a` and `--os` can be chosen later.

//!
//! A list of published digests can be used instead, but has less information.

mod format;
mod making;
mod published;
mod reading;

use std::path::Path;

use crate::list::Override;

pub use format::{FORMAT, Source, footer, header};
pub use making::{Recorder, WORDS};
pub use published::Published;
pub use reading::{Recording, RecordingError};

/// The file of `--recorded`.
pub enum Recorded {
    Sources(Recording),
    /// A list of digests that a vendor publishes.
    Digests(Published),
}

impl Recorded {
    /// Reads a file; `replaced`: the registry of `-s`.
    ///
    /// # Errors
    /// [`RecordingError`] where it is neither.
    pub fn load(path: &Path, replaced: Option<&Override>) -> Result<Self, RecordingError> {
        match Recording::load(path) {
            Ok(recording) => Ok(Self::Sources(recording)),
            Err(error @ RecordingError::Other(..)) => match Published::load(path, replaced)? {
                Some(published) => Ok(Self::Digests(published)),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}
