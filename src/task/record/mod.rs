//! A recording: the sources as they were when a host that can reach them read them.
//!
//! It is made where the sources can be read and used where they cannot. It holds everything that a
//! comparison needs of a source, unfiltered, so that `-a` and `--os` may be chosen later.

//!
//! A list of digests that somebody else published is used like one, but knows less.

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

/// What `--recorded` takes.
pub enum Recorded {
    /// A recording.
    Sources(Recording),
    /// Digests that a vendor published.
    Digests(Published),
}

impl Recorded {
    /// Reads a file; `replaced`: the registry that `-s` puts in place of those of sources.
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
