//! The failed list: the lines that failed or could not be validated, byte for byte as in the input.
//! With `--not-validated` the lines that could not be validated go to a second list.
//!
//! The input is never written to before the run ends, so `-o` may name the image list itself.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::error::show;
use super::file::{Output, Removed};
use super::place::follow;
use super::spool::Spool;
use super::{
    LineResult, ListEnd, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink,
};
use crate::list::List;
use crate::verdict::{Code, Outcome};

/// `-o`.
pub static FAILED_LIST: OutputForm = OutputForm {
    what: "failed list",
    content: "failed lines",
    flag: "-o",
    open: |name, input, settings| {
        let lines = if settings.splits_failed {
            OutcomeFilter::Failed
        } else {
            OutcomeFilter::All
        };
        open(&FAILED_LIST, lines, name, input, settings)
    },
};

/// `--not-validated`.
pub static NOT_VALIDATED_LIST: OutputForm = OutputForm {
    what: "list of images that were not validated",
    content: "lines that were not validated",
    flag: "--not-validated",
    open: |name, input, settings| {
        open(
            &NOT_VALIDATED_LIST,
            OutcomeFilter::NotValidated,
            name,
            input,
            settings,
        )
    },
};

/// Whether an output may replace the image list of its run.
pub fn may_replace_list(kind: &'static OutputForm) -> bool {
    [&raw const FAILED_LIST, &raw const NOT_VALIDATED_LIST]
        .into_iter()
        .any(|other| std::ptr::eq(kind, other))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutcomeFilter {
    /// Failed and not validated.
    All,
    Failed,
    NotValidated,
}

struct FailedList {
    kind: &'static OutputForm,
    wanted: OutcomeFilter,
    lines: Spool<u64>,
    /// The run validates a shard, which may be empty.
    is_shard: bool,
    /// All new lines are of interrupted images. The log does not name these, so they need not be on disk
    /// before it is printed.
    only_interrupted: bool,
    /// An attempt of this run has put its list in place.
    has_restarted: bool,
    /// The name under which the image list was kept.
    list_kept: Option<String>,
}

fn open(
    kind: &'static OutputForm,
    wanted: OutcomeFilter,
    name: &Path,
    input: &List,
    settings: &RunSettings,
) -> Result<OpenedOutput, OutputError> {
    // `-o /dev/null`: no list.
    let is_null = |path: PathBuf| fs::symlink_metadata(path).is_ok_and(|found| is_null(&found));
    if follow(name).is_ok_and(is_null) {
        return Ok(None);
    }
    let output = Output::create(kind, name, input, settings)?;
    Ok(Some(Box::new(FailedList {
        kind,
        wanted,
        lines: Spool::new(output),
        is_shard: settings.shard.is_some(),
        only_interrupted: true,
        has_restarted: false,
        list_kept: None,
    })))
}

/// Linux, `Documentation/admin-guide/devices.txt`: character device 1, 3.
fn is_null(found: &Metadata) -> bool {
    const NULL: u64 = 1 << 8 | 3;
    found.file_type().is_char_device() && found.rdev() == NULL
}

impl Sink for FailedList {
    fn take(&mut self, entry: &LineResult<'_>) {
        match &entry.finding.outcome {
            Outcome::Failed(_) if self.wanted != OutcomeFilter::NotValidated => {
                self.only_interrupted = false;
            }
            Outcome::NotValidated(reason) if self.wanted != OutcomeFilter::Failed => {
                self.only_interrupted &= reason.code == Code::Interrupted;
            }
            _ => return,
        }
        self.lines.add(entry.line.number, false, &entry.line.bytes);
    }

    /// Every failure is on disk before its log line is printed.
    fn flush(&mut self) -> Result<(), OutputError> {
        if std::mem::replace(&mut self.only_interrupted, true) {
            self.lines.write().map(|_| ())
        } else {
            self.lines.sync()
        }
    }

    fn restart(&mut self, _: &RunEnd<'_>) -> Result<(), OutputError> {
        let lines = &mut self.lines;
        lines.sync()?;
        let kept = if lines.is_empty() {
            match lines.output().remove()? {
                Removed::Kept(name) => Some(name),
                Removed::Nothing | Removed::Earlier => None,
            }
        } else {
            lines.place("\n", b"", |_| String::new())?
        };
        self.list_kept = self.list_kept.take().or(kept);
        self.has_restarted = true;
        self.lines.forget_unsettled()
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        let what = self.kind.what;
        let lines = &mut self.lines;
        lines.sync()?;
        match (end.list, lines.is_empty()) {
            // The failed list's note says that the list was not read to its end.
            (ListEnd::Cut, true) if self.wanted == OutcomeFilter::NotValidated => Ok(Vec::new()),
            (ListEnd::Cut, false) if self.wanted == OutcomeFilter::NotValidated => {
                Ok(vec![format!(
                    "lines not validated until then: {}",
                    lines.output().partial_name()
                )])
            }
            (ListEnd::Cut, true) => Ok(vec!["the image list was not read to its end".to_owned()]),
            (ListEnd::Cut, false) => Ok(vec![format!(
                "the image list was not read to its end; lines that did not pass until then: {}",
                lines.output().partial_name()
            )]),
            // A run that validated nothing removes nothing.
            (ListEnd::Whole, true) if end.totals.images() == 0 && !self.is_shard => {
                lines.output().discard()?;
                Ok(Vec::new())
            }
            (ListEnd::Typed, true) => {
                lines.output().discard()?;
                Ok(Vec::new())
            }
            (ListEnd::Whole, true) => {
                let removed = lines.output().remove()?;
                lines.output().discard()?;
                let list_kept = match removed {
                    Removed::Kept(name) => Some(name),
                    Removed::Earlier if !self.has_restarted => {
                        return Ok(vec![format!("removed the {what} of an earlier run")]);
                    }
                    Removed::Nothing | Removed::Earlier => self.list_kept,
                };
                Ok(list_kept.as_deref().map(kept).into_iter().collect())
            }
            (ListEnd::Whole | ListEnd::Typed, false) => {
                let previous = if lines.is_in_order() {
                    lines.output().commit()?
                } else {
                    let previous = lines.place("\n", b"", |_| String::new())?;
                    lines.output().discard()?;
                    previous
                };
                let mut notes = vec![format!("{what}: {}", show(lines.output().name()))];
                notes.extend(self.list_kept.or(previous).as_deref().map(kept));
                Ok(notes)
            }
        }
    }

    fn is_vital(&self) -> bool {
        true
    }
}

/// The note for a failed list that replaced its own image list.
fn kept(name: &str) -> String {
    format!("the previous image list is {name}")
}
