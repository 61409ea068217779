//! Outputs: the files that a run leaves. Each form is a [`Sink`] in a file of its own, registered by
//! a [`Kind`] that its flag names; nobody else knows the forms.
//!
//! The log, the bar and the summary are here too, because they speak of the same findings.

mod causes;
mod conflicts;
mod error;
mod failed;
mod file;
mod hints;
mod json;
pub mod line;
mod metrics;
mod outcome_log;
mod place;
mod progress;
mod recording;
mod report;
mod spool;
mod summary;
mod user;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::list::{Line, List, Numbered, Shard};
use crate::manifest::Digest;
use crate::verdict::{Class, Finding};

pub use causes::Causes;
pub use conflicts::{is_apart, refuse_shared};
pub use error::{OutputError, show};
pub use failed::{FAILED_LIST, NOT_VALIDATED_LIST};
pub use file::{Output, PARTIAL, suffixed};
pub use json::line as json_line;
pub use metrics::{METRICS, write_unbegun};
pub use outcome_log::OutcomeLog;
pub use progress::{Display, Progress};
pub use recording::RECORDING;
pub use report::{
    STANDARD_OUTPUT, kind as report_kind, object as report_object, of_lines as report_of_lines,
};
pub use summary::{Counts, Totals, duration};

/// One form of output.
pub trait Sink: Send {
    /// The run begins.
    ///
    /// # Errors
    /// [`OutputError`] where the file cannot be written after all.
    fn begin(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    /// Takes a line of the list with its finding.
    fn take(&mut self, entry: &Entry<'_>);

    /// Puts what was taken since the last time into the partial file.
    ///
    /// # Errors
    /// [`OutputError::Left`] where the disk refuses (full, gone).
    fn flush(&mut self) -> Result<(), OutputError>;

    /// An attempt of `--wait` has ended: puts the file in its place as of now, and forgets every line that
    /// did not pass. Each of these is taken again.
    ///
    /// # Errors
    /// As [`Sink::finish`].
    fn restart(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError>;

    /// Puts the file in its place; the notes are for the summary.
    ///
    /// # Errors
    /// [`OutputError`]; what was taken is in the partial file then.
    fn finish(self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError>;

    /// Whether the run ends when this sink cannot be written, because nothing may be printed that
    /// is not on disk.
    fn is_vital(&self) -> bool {
        false
    }
}

/// A line of the list with its finding.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The line.
    pub line: &'a Line,
    /// Its image; `None`: it is not one.
    pub image: Option<&'a Numbered>,
    /// The finding.
    pub finding: &'a Finding,
}

/// How far the list was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEnd {
    /// To its end, and it did not change meanwhile.
    Whole,
    /// Not to its end: nothing that was found may replace or remove an earlier file.
    Cut,
    /// The images were typed: what did not pass is written, and nothing is removed.
    Typed,
}

/// The end of a run.
pub struct RunEnd<'a> {
    /// The totals.
    pub totals: &'a Totals,
    /// How long the run took.
    pub elapsed: Duration,
    /// How far the list was read.
    pub list: ListEnd,
    /// The digest of the bytes of the list, by [`List::digest`]; `None`: it was not read to its end, or
    /// typed.
    pub list_digest: Option<&'a Digest>,
}

/// The settings of a run that the meaning of an outcome depends on, as the report shows them.
#[derive(Debug, Serialize)]
pub struct RunSettings {
    /// The task: `validate` or `record`.
    pub work: &'static str,
    /// `-a`, in Go's names.
    pub arch: Vec<String>,
    /// `--os`, in Go's names; `None`: all.
    pub os: Option<Vec<String>>,
    /// The registry of every source: `-s`, or `$SOURCE_REGISTRY`; `None`: the list's.
    pub source: Option<String>,
    /// The registry of every destination: `-d`, or `$DEST_REGISTRY`; `None`: the list's.
    pub destination: Option<String>,
    /// `-default-project`.
    pub default_project: String,
    /// `--allow-single`.
    pub allow_single: bool,
    /// `--require-arch`.
    pub require_arch: bool,
    /// `--accept`.
    pub accept: Vec<Class>,
    /// `--deep`: `blobs` or `full`.
    pub deep: Option<&'static str>,
    /// `--referrers`.
    pub referrers: bool,
    /// The recording that the sources were taken from.
    pub recorded: Option<String>,
    /// `--tls-verify`.
    pub tls_verify: bool,
    /// `--shard`; `None`: the whole list.
    #[serde(serialize_with = "as_text")]
    pub shard: Option<Shard>,
    /// `--not-validated`: what could not be validated is not in the failed list.
    #[serde(skip)]
    pub splits_failed: bool,
    /// The words of the task.
    #[serde(skip)]
    pub words: &'static crate::task::Words,
}

fn as_text<S: serde::Serializer>(shard: &Option<Shard>, serializer: S) -> Result<S::Ok, S::Error> {
    shard.map(|shard| shard.to_string()).serialize(serializer)
}

/// A form of output, as its flag names it.
pub struct Kind {
    /// Its name, for messages.
    pub what: &'static str,
    /// The content of its partial file, for messages.
    pub content: &'static str,
    /// The flag that names the file.
    pub flag: &'static str,
    /// Opens it.
    pub open: Open,
}

/// Opens an output.
pub type Open = fn(&Path, &List, &RunSettings) -> Result<Opened, OutputError>;

/// An open sink; `None`: nothing is to be written.
pub type Opened = Option<Box<dyn Sink>>;

/// An output that the user asked for.
#[derive(Clone)]
pub struct Request {
    /// Its form.
    pub kind: &'static Kind,
    /// The file.
    pub path: PathBuf,
}

impl Request {
    /// Whether standard output is its file.
    pub fn is_standard_output(&self) -> bool {
        self.path == Path::new(STANDARD_OUTPUT)
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.flag, self.path.display())
    }
}

/// Opens all outputs, so that what cannot be written is known before the first request.
///
/// # Errors
/// [`OutputError`]; nothing has been changed then.
pub fn open(
    requests: &[Request],
    list: &List,
    settings: &RunSettings,
) -> Result<Vec<Box<dyn Sink>>, OutputError> {
    let mut sinks = Vec::new();
    for request in requests {
        sinks.extend((request.kind.open)(&request.path, list, settings)?);
    }
    Ok(sinks)
}
