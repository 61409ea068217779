//! The report: what became of each line of the list, for programs. One JSON document, described by
//! `fixtures/report.schema.json`; each line's object stands in one line of text.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;

use super::code::Code;
use super::event::{Finding, Numbered, Outcome};
use super::line::one_line;
use super::output::{Output, OutputError, REPORT};
use super::spool::Spool;
use super::summary::{Totals, Work};
use crate::list::{Line, List};
use crate::manifest::Spec;

/// Version of the format: it grows when a field goes or changes its meaning.
const VERSION: u64 = 1;

/// What the field `format` of every report says.
const FORMAT: &str = "image-tools report";

/// One line of the list.
#[derive(Serialize)]
struct Entry<'a> {
    line: u64,
    m_id: Option<u64>,
    source: Option<String>,
    destination: Option<String>,
    tag: Option<&'a str>,
    outcome: &'a str,
    code: Option<Code>,
    message: Option<String>,
    details: Vec<String>,
    source_spec: Option<&'a [Spec]>,
    destination_spec: Option<&'a [Spec]>,
    requests: u64,
    milliseconds: u64,
    same_as_line: Option<u64>,
}

/// What a run looked at: what an outcome means depends on it.
#[derive(Debug, Serialize)]
pub struct Looked {
    /// What it did.
    pub work: Work,
    /// `-a`, in Go's names.
    pub arch: Vec<String>,
    /// `--os`, in Go's names; none: all.
    pub os: Option<Vec<String>>,
    /// `--allow-single`.
    pub allow_single: bool,
    /// `--deep`: `blobs` or `full`; none: not.
    pub deep: Option<&'static str>,
    /// `--referrers`.
    pub referrers: bool,
    /// The recording that the sources were taken from; none: they were read.
    pub recorded: Option<String>,
    /// `--shard`; none: the whole list.
    pub shard: Option<String>,
}

/// A report being written.
pub struct Report {
    run: Looked,
    lines: Spool<u64>,
    begun: DateTime<Utc>,
    list: String,
}

impl Report {
    /// Opens `<name>.partial`.
    ///
    /// # Errors
    /// [`OutputError`]; nothing has been changed then.
    pub fn create(name: &Path, input: &List, run: Looked) -> Result<Self, OutputError> {
        Ok(Self {
            run,
            lines: Spool::new(Output::create(REPORT, name, input)?),
            begun: Utc::now(),
            list: input.name().to_owned(),
        })
    }

    /// Takes up what became of an image.
    pub fn add(&mut self, line: &Line, image: &Numbered, finding: &Finding) {
        let (outcome, code, message, details) = match &finding.outcome {
            Outcome::Passed => ("passed", None, None, &[][..]),
            Outcome::Recorded(_) => ("recorded", None, None, &[][..]),
            Outcome::Failed {
                code,
                details,
                reason,
                ..
            } => ("failed", Some(*code), Some(one_line(reason)), &details[..]),
            Outcome::NotValidated { code, cause } => {
                ("not_validated", Some(*code), Some(one_line(cause)), &[][..])
            }
            Outcome::Interrupted => (
                "not_validated",
                Some(Code::Interrupted),
                Some("the run was interrupted".to_owned()),
                &[][..],
            ),
        };
        self.put(&Entry {
            line: line.number,
            m_id: Some(image.number),
            source: Some(image.image.source.to_string()),
            destination: match self.run.work {
                Work::Validating => Some(image.image.destination.to_string()),
                Work::Recording => None,
            },
            tag: Some(image.image.reference.as_str()),
            outcome,
            code,
            message,
            details: details.iter().map(|detail| one_line(detail)).collect(),
            source_spec: finding.source.as_deref(),
            destination_spec: finding.destination.as_deref(),
            requests: finding.requests,
            milliseconds: u64::try_from(finding.time.as_millis()).unwrap_or(u64::MAX),
            same_as_line: finding.same_as,
        });
    }

    /// Takes up a line that is not an image, or that was never begun.
    pub fn add_line(&mut self, line: &Line, code: Code, message: &str) {
        self.put(&Entry {
            line: line.number,
            m_id: None,
            source: None,
            destination: None,
            tag: None,
            outcome: "not_validated",
            code: Some(code),
            message: Some(one_line(message)),
            details: Vec::new(),
            source_spec: None,
            destination_spec: None,
            requests: 0,
            milliseconds: 0,
            same_as_line: None,
        });
    }

    /// Puts what was taken up into the partial file.
    ///
    /// # Errors
    /// [`OutputError::Left`] where the disk refuses.
    pub fn write(&mut self) -> Result<(), OutputError> {
        self.lines.write().map(|_| ())
    }

    /// Puts the report in its place.
    ///
    /// # Errors
    /// [`OutputError::Left`]; what was taken up is in the partial file then.
    pub fn finish(mut self, totals: &Totals) -> Result<(), OutputError> {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let ended = Utc::now();
        let before = format!(
            "{{\n\"format\": {},\n\"version\": {VERSION},\n\"tool\": {},\n\"begun\": {},\n\"ended\": {},\n\"list\": {},\n\"run\": {},\n\"lines\": [\n",
            json!(FORMAT),
            json!(concat!("image-tools ", env!("CARGO_PKG_VERSION"))),
            json!(time(self.begun)),
            json!(time(ended)),
            json!(self.list),
            json!(self.run),
        );
        let totals = json!({
            "lines": totals.images(),
            "passed": totals.counts.passed,
            "failed": totals.counts.failed,
            "not_validated": totals.counts.not_validated,
            "requests": totals.requests,
            "milliseconds": (ended - self.begun).num_milliseconds().max(0),
            "exit_code": totals.exit().code(),
            "signal": totals.signal,
        });
        let after = format!("],\n\"totals\": {totals}\n}}\n");
        self.lines.commit(",\n", before.as_bytes(), |_| after)
    }

    fn put(&mut self, entry: &Entry<'_>) {
        // Strings and numbers into memory: neither can fail.
        if let Ok(json) = serde_json::to_vec(entry) {
            self.lines.add(entry.line, &json);
        }
    }
}
