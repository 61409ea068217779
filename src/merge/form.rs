//! Merged reports in the forms that are not JSON: each line is read back into what a run would have given
//! to the sink of the form.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use serde::Deserialize;

use super::error::MergeError;
use super::report::{LineLocation, Report};
use super::reports::MergedReport;
use super::shards::ShardSelection;
use crate::list::{Image, Line, NumberedImage, Place};
use crate::manifest::{Digest, Referrer, Spec};
use crate::output::report_object::ReportHeader;
use crate::output::{Counts, LineResult, ListEnd, NewReport, Output, RunEnd, Sink, Totals};
use crate::reference::{Reference, Repository, check_path, check_registry};
use crate::report_reading::Outcome as ReportOutcome;
use crate::task::{self, TaskWording};
use crate::verdict::{Class, Code, Finding, Outcome, PlatformDifference, Reason};

/// Lines between two writes to the disk.
const LINES_AT_ONCE: usize = 1000;

/// A merged report in a form that is not JSON.
pub struct OtherForm<'a> {
    pub new: NewReport,
    pub reports: &'a [(usize, Report)],
    pub lines: &'a [LineLocation],
}

impl OtherForm<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// [`MergeError`]; `output` is not there then.
    pub fn write(
        &self,
        output: Output,
        whole: &MergedReport,
        choice: &ShardSelection,
    ) -> Result<(), MergeError> {
        let Some((_, first)) = self.reports.first() else {
            return Ok(());
        };
        let run = first.settings_of_all();
        let words = words(&run);
        let begun = DateTime::parse_from_rfc3339(&whole.begun).unwrap_or_default();
        let mut sink = (self.new)(
            output,
            ReportHeader {
                words,
                begun: begun.to_utc(),
                list: first.list.clone(),
                shard: None,
                run,
            },
        );
        for lines in self.lines.chunks(LINES_AT_ONCE) {
            for kept in lines {
                self.take(kept, &mut *sink)?;
            }
            sink.flush()?;
        }
        let digest = self.reports.iter().find_map(|(_, report)| {
            let digest = report.list_digest.as_deref()?;
            digest.parse::<Digest>().ok()
        });
        let totals = Totals {
            counts: Counts {
                passed: whole.passed,
                failed: whole.failed,
                not_validated: whole.not_validated,
            },
            requests: whole.requests,
            lacks_lines: !choice.is_whole(),
            ..Totals::default()
        };
        sink.finish(&RunEnd {
            totals: &totals,
            elapsed: Duration::from_millis(whole.milliseconds),
            list: ListEnd::Whole,
            list_digest: digest.as_ref(),
        })?;
        Ok(())
    }

    fn take(&self, kept: &LineLocation, sink: &mut dyn Sink) -> Result<(), MergeError> {
        let report = &self.reports[usize::from(kept.file)].1;
        let name = || report.part.name.clone();
        let object = report
            .line(kept)
            .map_err(|error| MergeError::Io(name(), error))?;
        let damaged = |why: String| {
            let why = format!("line {} of the list: {why}", kept.line);
            MergeError::Damaged(name(), why)
        };
        let object: LineObject = serde_json::from_str(&format!("{{{object}"))
            .map_err(|error| damaged(error.to_string()))?;
        let line = object.list_line();
        let image = object.image().map_err(damaged)?;
        let passed = matches!(
            kept.outcome,
            ReportOutcome::Passed | ReportOutcome::Recorded
        );
        if object.code.is_none() != passed {
            return Err(damaged(
                "its code and its outcome contradict each other".to_owned(),
            ));
        }
        let finding = object.finding();
        sink.take(&LineResult {
            line: &line,
            image: image.as_ref(),
            finding: &finding,
        });
        Ok(())
    }
}

/// The words of the task that these settings name.
fn words(run: &str) -> &'static TaskWording {
    #[derive(Deserialize)]
    struct Work {
        work: String,
    }
    match serde_json::from_str::<Work>(run) {
        Ok(work) if work.work == task::RECORD.task => &task::RECORD,
        _ => &task::VALIDATE,
    }
}

/// A line as a report has it.
#[derive(Deserialize)]
struct LineObject {
    line: u64,
    #[serde(default)]
    place: String,
    m_id: Option<u64>,
    source: Option<String>,
    destination: Option<String>,
    tag: Option<String>,
    destination_tag: Option<String>,
    code: Option<Code>,
    message: Option<String>,
    #[serde(default)]
    details: Vec<String>,
    source_digest: Option<Digest>,
    destination_digest: Option<Digest>,
    source_spec: Option<Vec<Spec>>,
    destination_spec: Option<Vec<Spec>>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    why: Vec<PlatformDifference>,
    #[serde(default)]
    accepted: Vec<Class>,
    #[serde(default)]
    referrers_without_type: Vec<Referrer>,
    #[serde(default)]
    requests: u64,
    #[serde(default)]
    milliseconds: u64,
    same_as_line: Option<u64>,
}

impl LineObject {
    fn list_line(&self) -> Line {
        let place = self.place.rsplit_once(':');
        let place = place.and_then(|(file, line)| Some((file, line.parse().ok()?)));
        let (file, line) = place.unwrap_or((&self.place, self.line));
        Line {
            number: self.line,
            place: Place {
                file: Arc::from(file),
                line,
            },
            bytes: Vec::new(),
            refusal: None,
            shows_place: false,
        }
    }

    /// `None`: the line is no image.
    fn image(&self) -> Result<Option<NumberedImage>, String> {
        let (Some(number), Some(source), Some(tag)) = (self.m_id, &self.source, &self.tag) else {
            return Ok(None);
        };
        let source = repository(source)?;
        let source_reference = reference(tag)?;
        // A recording has no destinations.
        let destination = match &self.destination {
            Some(destination) => repository(destination)?,
            None => source.clone(),
        };
        let destination_reference = match &self.destination_tag {
            Some(tag) => reference(tag)?,
            None => source_reference.clone(),
        };
        Ok(Some(NumberedImage {
            number,
            image: Arc::new(Image {
                source,
                source_reference,
                destination,
                destination_reference,
                platforms: None,
            }),
        }))
    }

    fn finding(self) -> Finding {
        let outcome = match self.code {
            None => Outcome::Passed,
            Some(code) => Outcome::from(Reason {
                details: self.details,
                ..Reason::new(code, self.message.unwrap_or_default())
            }),
        };
        Finding {
            source_digest: self.source_digest,
            destination_digest: self.destination_digest,
            source: self.source_spec,
            destination: self.destination_spec,
            absent: self.absent,
            why: self.why,
            accepted: self.accepted,
            referrers_without_type: self.referrers_without_type,
            requests: self.requests,
            time: Duration::from_millis(self.milliseconds),
            same_as: self.same_as_line,
            ..Finding::from(outcome)
        }
    }
}

fn repository(text: &str) -> Result<Repository, String> {
    let (registry, path) = text
        .split_once('/')
        .ok_or_else(|| format!("{text:?} is not a name with its registry"))?;
    check_registry(registry)
        .and_then(|()| check_path(path))
        .map_err(|error| format!("{text:?}: {error}"))?;
    Ok(Repository {
        registry: registry.to_owned(),
        path: path.to_owned(),
    })
}

fn reference(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}
