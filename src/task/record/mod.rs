//! A recording: the sources as they were when a host that can reach them read them.
//!
//! It is made where the sources can be read and used where they cannot. It holds everything that a
//! comparison needs of a source, unfiltered, so that `-a` and `--os` may be chosen later.

mod format;
mod making;
mod reading;

pub use format::{FORMAT, Source, footer, header};
pub use making::Recorder;
pub use reading::{Recording, RecordingError};
