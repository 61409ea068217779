//! Reporting: one thread, the writer, owns standard output, the progress bar, the summary and the files
//! of a run: failed list, report, metrics, recording. Everybody else sends it events and sees nothing
//! of its state.

mod code;
mod event;
mod failed;
mod json;
mod line;
mod metrics;
mod output;
mod progress;
mod recording;
mod spool;
mod summary;
mod writer;

pub use code::Code;
pub use event::{Event, Finding, Level, Logger, Numbered, Outcome};
pub use failed::FailedList;
pub use json::{Looked, Report};
pub use metrics::Metrics;
pub use output::{FAILED_LIST, Kind, METRICS, OutputError, RECORDING, REPORT, refuse_shared};
pub use progress::Progress;
pub use recording::{RecordError, RecordingFile};
pub use summary::Work;
pub use writer::Writer;
