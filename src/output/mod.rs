//! Outputs: the files that a run writes. Each form is a [`Sink`] in its own module, registered by the
//! [`OutputForm`] of its flag.
//!
//! The log, the progress bar and the summary are here too.

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

use crate::list::{Line, List, NumberedImage, Shard};
use crate::manifest::Digest;
use crate::verdict::{Class, Finding};

pub use causes::Causes;
pub use conflicts::{is_apart, refuse_shared};
pub use error::{OutputError, show};
pub use failed::{FAILED_LIST, NOT_VALIDATED_LIST};
pub use file::{Output, PARTIAL, suffixed};
pub use json::line as json_line;
pub use metrics::{METRICS, write_failed_start};
pub use outcome_log::OutcomeLog;
pub use progress::{Display, Progress};
pub use recording::RECORDING;
pub use report::{
    JsonForm, MergedForm, NewReport, STANDARD_OUTPUT, kind as report_kind, merged_form,
    object as report_object,
};
pub use summary::{Counts, Totals, duration};

/// An output that takes the result of every line.
pub trait Sink: Send {
    /// Called before the first line.
    /// [`OutputError`] where the file cannot be written.
    fn begin(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn take(&mut self, entry: &LineResult<'_>);

    /// Writes the lines since the last call to the partial file.
    ///
    /// # Errors
    /// [`OutputError::Left`] where the write fails, for example on a full disk.
    fn flush(&mut self) -> Result<(), OutputError>;

    /// Called after each attempt of `--wait`: writes the final file as of now, and removes every line that
    /// did not pass, because the next attempt takes it again.
    ///
    /// # Errors
    /// As [`Sink::finish`].
    fn restart(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError>;

    /// Renames the partial file to its final name, and returns notes for the summary.
    ///
    /// # Errors
    /// [`OutputError`]; the lines are in the partial file then.
    fn finish(self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError>;

    /// Whether the run ends when this sink cannot be written, because the log may only name failures
    /// that are on disk.
    fn is_vital(&self) -> bool {
        false
    }
}

#[derive(Clone, Copy)]
pub struct LineResult<'a> {
    pub line: &'a Line,
    /// `None`: the line is not an image.
    pub image: Option<&'a NumberedImage>,
    pub finding: &'a Finding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEnd {
    /// The list was read to its end, and did not change during the run.
    Whole,
    /// The list was not read to its end: earlier files are neither replaced nor removed.
    Cut,
    /// The images were typed: lines that did not pass are written, and no earlier file is removed.
    Typed,
}

pub struct RunEnd<'a> {
    pub totals: &'a Totals,
    pub elapsed: Duration,
    pub list: ListEnd,
    /// [`List::digest`]; `None`: the list was not read to its end, or the images were typed.
    pub list_digest: Option<&'a Digest>,
}

/// The settings that decide what an outcome means, as the report has them.
#[derive(Debug, Serialize)]
pub struct RunSettings {
    /// The task: `validate` or `record`.
    pub work: &'static str,
    /// `-a`, as `GOARCH` spells them.
    pub arch: Vec<String>,
    /// `--os`, as `GOOS` spells them; `None`: all.
    pub os: Option<Vec<String>>,
    /// `-s` or `$SOURCE_REGISTRY`; `None`: the registries of the list.
    pub source: Option<String>,
    /// `-d` or `$DEST_REGISTRY`; `None`: the registries of the list.
    pub destination: Option<String>,
    pub default_project: String,
    pub allow_single: bool,
    pub require_arch: bool,
    pub accept: Vec<Class>,
    /// `--deep`: `blobs` or `full`.
    pub deep: Option<&'static str>,
    pub referrers: bool,
    /// `--recorded`.
    pub recorded: Option<String>,
    pub tls_verify: bool,
    /// `--shard`; `None`: the whole list.
    #[serde(serialize_with = "as_text")]
    pub shard: Option<Shard>,
    /// `--not-validated`: lines that could not be validated are not in the failed list.
    #[serde(skip)]
    pub splits_failed: bool,
    #[serde(skip)]
    pub words: &'static crate::task::TaskWording,
}

fn as_text<S: serde::Serializer>(shard: &Option<Shard>, serializer: S) -> Result<S::Ok, S::Error> {
    shard.map(|shard| shard.to_string()).serialize(serializer)
}

/// A form of output, and its flag.
pub struct OutputForm {
    /// Name of the output, for messages.
    pub what: &'static str,
    /// Content of the partial file, for messages.
    pub content: &'static str,
    pub flag: &'static str,
    pub open: OpenOutput,
}

pub type OpenOutput = fn(&Path, &List, &RunSettings) -> Result<OpenedOutput, OutputError>;

/// `None`: the output is not written (`/dev/null`).
pub type OpenedOutput = Option<Box<dyn Sink>>;

/// An output that a flag requests.
#[derive(Clone)]
pub struct OutputRequest {
    pub kind: &'static OutputForm,
    pub path: PathBuf,
}

impl OutputRequest {
    pub fn is_standard_output(&self) -> bool {
        self.path == Path::new(STANDARD_OUTPUT)
    }
}

impl std::fmt::Debug for OutputRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.flag, self.path.display())
    }
}

/// Opens all outputs, so that one that cannot be written is an error before the first request.
///
/// # Errors
/// [`OutputError`]; no file has been changed then.
pub fn open(
    requests: &[OutputRequest],
    list: &List,
    settings: &RunSettings,
) -> Result<Vec<Box<dyn Sink>>, OutputError> {
    let mut sinks = Vec::new();
    for request in requests {
        sinks.extend((request.kind.open)(&request.path, list, settings)?);
    }
    Ok(sinks)
}
