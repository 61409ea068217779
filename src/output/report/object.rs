//! The objects of the report's JSON forms, as `fixtures/report.schema.json` describes them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::list::{List, Shard};
use crate::manifest::{Digest, Referrer, Spec};
use crate::output::line::one_line;
use crate::output::{LineResult, RunEnd, RunSettings, json};
use crate::task::TaskWording;
use crate::verdict::{Class, Code, Finding, Outcome, PlatformDifference};

/// The field `format`.
pub const FORMAT: &str = "image-tools report";

/// The field `version`: incremented when a field is removed or changes its meaning.
pub const VERSION: u64 = 1;

/// The field `tool`.
pub const TOOL: &str = concat!("image-tools ", env!("CARGO_PKG_VERSION"));

/// Fields of the report that are known at the start of a run.
pub struct ReportHeader {
    pub words: &'static TaskWording,
    pub begun: DateTime<Utc>,
    pub list: String,
    pub shard: Option<Shard>,
    /// [`RunSettings`] as JSON.
    pub run: String,
}

impl ReportHeader {
    /// For a run that starts now.
    pub fn new(list: &List, settings: &RunSettings) -> Self {
        Self {
            words: settings.words,
            begun: Utc::now(),
            list: list.name().to_owned(),
            shard: settings.shard,
            run: json::line(settings),
        }
    }
}

/// RFC 3339, in UTC.
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The object of one line of the list.
#[derive(Serialize)]
pub struct LineObject<'a> {
    pub line: u64,
    pub place: String,
    pub m_id: Option<u64>,
    pub source: Option<String>,
    pub destination: Option<String>,
    pub tag: Option<&'a str>,
    pub destination_tag: Option<&'a str>,
    pub outcome: &'a str,
    pub code: Option<Code>,
    pub message: Option<String>,
    pub details: Vec<String>,
    pub source_digest: Option<&'a Digest>,
    pub destination_digest: Option<&'a Digest>,
    pub source_spec: Option<&'a [Spec]>,
    pub destination_spec: Option<&'a [Spec]>,
    pub absent: &'a [String],
    pub why: &'a [PlatformDifference],
    pub accepted: &'a [Class],
    pub referrers_without_type: &'a [Referrer],
    pub requests: u64,
    pub milliseconds: u64,
    pub same_as_line: Option<u64>,
}

impl<'a> LineObject<'a> {
    pub fn new(entry: &LineResult<'a>, words: &TaskWording) -> Self {
        let finding = entry.finding;
        let reason = finding.outcome.reason();
        let image = entry.image.map(|image| &image.image);
        let compared = image.filter(|_| words.compares);
        Self {
            line: entry.line.number,
            place: entry.line.place.to_string(),
            m_id: entry.image.map(|image| image.number),
            source: image.map(|image| image.source.to_string()),
            destination: compared.map(|image| image.destination.to_string()),
            tag: image.map(|image| image.source_reference.as_str()),
            destination_tag: compared.map(|image| image.destination_reference.as_str()),
            outcome: match finding.outcome {
                Outcome::Passed => words.passed,
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
        }
    }
}

/// Details and hints of a failure, or the accepted differences of an image that passed.
pub fn details(finding: &Finding) -> Vec<String> {
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
            "the digests differ, so signatures of the source do not match the manifests at the destination"
                .to_owned(),
        ])
        .collect()
}

/// The code as the report spells it.
pub fn word(code: &Code) -> String {
    json::line(code).trim_matches('"').to_owned()
}

pub fn headline(end: &RunEnd<'_>, words: &TaskWording) -> String {
    let (counts, images) = (end.totals.counts, end.totals.images());
    let s = if images == 1 { "" } else { "s" };
    let result = if counts.failed > 0 {
        format!("{} of {images} image{s} failed", counts.failed)
    } else if counts.not_validated > 0 {
        format!(
            "{} of {images} image{s} {}",
            counts.not_validated, words.not_passed
        )
    } else {
        format!("{images} image{s} {}", words.passed)
    };
    match (
        end.totals.signal,
        end.totals.broke || end.totals.lacks_lines,
    ) {
        (Some(_), _) => format!("Interrupted: {result}"),
        (None, true) => format!("Incomplete run: {result}"),
        (None, false) => result,
    }
}

/// The field `totals`.
pub fn totals(end: &RunEnd<'_>) -> Value {
    json!({
        "lines": end.totals.images(),
        "passed": end.totals.counts.passed,
        "failed": end.totals.counts.failed,
        "not_validated": end.totals.counts.not_validated,
        "requests": end.totals.requests,
        "milliseconds": u64::try_from(end.elapsed.as_millis()).unwrap_or(u64::MAX),
        "exit_code": end.totals.exit().code(),
        "signal": end.totals.signal,
    })
}
