//! Reporting: one thread, the writer, owns standard output, the failed list, the progress bar and
//! the summary. Everybody else sends it events and sees nothing of its state.

mod event;
mod failed;
mod line;
mod progress;
mod summary;
mod writer;

pub use event::{Event, Level, Logger, Outcome};
pub use failed::{FailedList, FailedListError};
pub use progress::Progress;
pub use writer::Writer;
