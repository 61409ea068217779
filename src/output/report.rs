//! The report: what became of each line of the list, for programs. One JSON document, described by
//! `fixtures/report.schema.json`; each line's object stands in one line of text.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;

use super::file::Output;
use super::json;
use super::line::one_line;
use super::spool::Spool;
use super::{Entry, Kind, Opened, OutputError, RunEnd, RunSettings, Sink};
use crate::list::List;
use crate::manifest::{Digest, Referrer, Spec};
use crate::task::Words;
use crate::verdict::{Class, Code, Finding, Outcome, Why};

/// `--report`.
pub static REPORT: Kind = Kind {
    what: "report",
    content: "the report",
    flag: "--report",
    open,
};

/// Version of the format: it grows when a field goes or changes its meaning.
const VERSION: u64 = 1;

/// What the field `format` of every report says.
const FORMAT: &str = "image-tools report";

/// One line of the list.
#[derive(Serialize)]
struct LineObject<'a> {
    line: u64,
    m_id: Option<u64>,
    source: Option<String>,
    destination: Option<String>,
    tag: Option<&'a str>,
    destination_tag: Option<&'a str>,
    outcome: &'a str,
    code: Option<Code>,
    message: Option<String>,
    details: Vec<String>,
    source_digest: Option<&'a Digest>,
    destination_digest: Option<&'a Digest>,
    source_spec: Option<&'a [Spec]>,
    destination_spec: Option<&'a [Spec]>,
    absent: &'a [String],
    why: &'a [Why],
    accepted: &'a [Class],
    referrers_without_type: &'a [Referrer],
    requests: u64,
    milliseconds: u64,
    same_as_line: Option<u64>,
}

/// A report being written.
struct Report {
    /// The run's settings, as JSON.
    run: String,
    words: &'static Words,
    lines: Spool<u64>,
    begun: DateTime<Utc>,
    list: String,
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<Opened, OutputError> {
    Ok(Some(Box::new(Report {
        run: json::line(settings),
        words: settings.words,
        lines: Spool::new(Output::create(&REPORT, name, input, settings)?),
        begun: Utc::now(),
        list: input.name().to_owned(),
    })))
}

impl Sink for Report {
    fn take(&mut self, entry: &Entry<'_>) {
        let finding = entry.finding;
        let reason = finding.outcome.reason();
        let image = entry.image;
        let object = LineObject {
            line: entry.line.number,
            m_id: image.map(|image| image.number),
            source: image.map(|image| image.image.source.to_string()),
            destination: image
                .filter(|_| self.words.compares)
                .map(|image| image.image.destination.to_string()),
            tag: image.map(|image| image.image.source_reference.as_str()),
            destination_tag: image
                .filter(|_| self.words.compares)
                .map(|image| image.image.destination_reference.as_str()),
            outcome: match finding.outcome {
                Outcome::Passed => self.words.passed,
                Outcome::Failed(_) => "failed",
                Outcome::NotValidated(_) => "not_validated",
            },
            code: reason.map(|reason| reason.code),
            message: reason.map(|reason| one_line(&reason.message)),
            details: details(finding),
            source_digest: finding.source_digest.as_ref(),
            destination_digest: finding.destination_digest.as_ref(),
            source_spec: finding.source.as_deref(),
            destination_spec: finding.destination.as_deref(),
            absent: &finding.absent,
            why: &finding.why,
            accepted: &finding.accepted,
            referrers_without_type: &finding.referrers_without_type,
            requests: finding.requests,
            milliseconds: u64::try_from(finding.time.as_millis()).unwrap_or(u64::MAX),
            same_as_line: finding.same_as,
        };
        self.lines.add(object.line, json::line(&object).as_bytes());
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.lines.write().map(|_| ())
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let before = format!(
            "{{\n\"format\": {},\n\"version\": {VERSION},\n\"tool\": {},\n\"begun\": {},\n\"ended\": {},\n\"list\": {},\n\"run\": {},\n\"lines\": [\n",
            json!(FORMAT),
            json!(concat!("image-tools ", env!("CARGO_PKG_VERSION"))),
            json!(time(self.begun)),
            json!(time(Utc::now())),
            json::line(&self.list),
            self.run,
        );
        let totals = json!({
            "lines": end.totals.images(),
            "passed": end.totals.counts.passed,
            "failed": end.totals.counts.failed,
            "not_validated": end.totals.counts.not_validated,
            "requests": end.totals.requests,
            "milliseconds": u64::try_from(end.elapsed.as_millis()).unwrap_or(u64::MAX),
            "exit_code": end.totals.exit().code(),
            "signal": end.totals.signal,
        });
        let after = format!("],\n\"totals\": {totals}\n}}\n");
        self.lines.commit(",\n", before.as_bytes(), |_| after)?;
        Ok(Vec::new())
    }
}

/// The details of a failure and what to do about it, or the differences with which an image passed.
fn details(finding: &Finding) -> Vec<String> {
    if let Some(reason) = finding.outcome.reason() {
        let lines = reason.details.iter().chain(&reason.hints);
        return lines.map(|line| one_line(line)).collect();
    }
    if finding.accepted.is_empty() {
        return Vec::new();
    }
    let accepted = finding.why.iter().map(|why| {
        let platform = why.platform.as_deref().unwrap_or("?");
        format!("{platform}: {}: {}", why.class.as_str(), why.evidence)
    });
    accepted
        .chain([
            "accepted with other digests: signatures of the source do not match the destination's manifests"
                .to_owned(),
        ])
        .collect()
}
