//! The metrics of a run, for `node_exporter`'s textfile collector.
//!
//! Format: Prometheus, "Exposition formats", text-based. The label `list` keeps apart the files of
//! several lists in one directory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use chrono::Utc;

use super::file::Output;
use super::{Counts, Entry, Kind, Opened, OutputError, RunEnd, RunSettings, Sink};
use crate::list::List;
use crate::task::Words;
use crate::verdict::Code;

/// `--metrics`.
pub static METRICS: Kind = Kind {
    what: "metrics",
    content: "the metrics",
    flag: "--metrics",
    open,
};

/// A metrics file to be written at the end.
struct Metrics {
    output: Output,
    words: &'static Words,
    labels: String,
    by_registry: BTreeMap<String, Counts>,
    by_code: BTreeMap<Code, u64>,
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<Opened, OutputError> {
    let output = Output::create(&METRICS, name, input, settings)?;
    let mut labels = format!("list=\"{}\"", value(input.name()));
    if let Some(shard) = settings.shard {
        // Writing to a String cannot fail.
        let _ = write!(labels, ",shard=\"{shard}\"");
    }
    Ok(Some(Box::new(Metrics {
        output,
        words: settings.words,
        labels,
        by_registry: BTreeMap::new(),
        by_code: BTreeMap::new(),
    })))
}

impl Sink for Metrics {
    fn take(&mut self, entry: &Entry<'_>) {
        if let Some(reason) = entry.finding.outcome.reason() {
            *self.by_code.entry(reason.code).or_default() += 1;
        }
        if let Some(image) = entry.image {
            let registry = &image.image.destination.registry;
            self.by_registry
                .entry(registry.clone())
                .or_default()
                .add(&entry.finding.outcome);
        }
    }

    /// The totals are known at the end only.
    fn flush(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        let text = self.text(end, Utc::now().timestamp());
        let written = self.output.file().write_all(text.as_bytes());
        written.map_err(|error| self.output.left(error))?;
        self.output.commit()?;
        Ok(Vec::new())
    }
}

impl Metrics {
    fn text(&self, end: &RunEnd<'_>, now: i64) -> String {
        let (totals, words) = (end.totals, self.words);
        let labels = &self.labels;
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, values: &[(String, String)]| {
            let name = format!("mirror_validate_{name}");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (more, value) in values {
                let _ = writeln!(text, "{name}{{{labels}{more}}} {value}");
            }
        };
        let counts = |more: &str, counts: &Counts| {
            let outcomes = [
                (words.passed, counts.passed),
                ("failed", counts.failed),
                (words.not_passed, counts.not_validated),
            ];
            outcomes.map(|(outcome, count)| {
                let outcome = outcome.replace(' ', "_");
                (format!("{more},outcome=\"{outcome}\""), count.to_string())
            })
        };
        let one = |value: String| [(String::new(), value)];
        gauge(
            "images",
            "Lines of the list in the last run, by outcome.",
            &counts("", &totals.counts),
        );
        let by_registry: Vec<(String, String)> = self
            .by_registry
            .iter()
            .flat_map(|(registry, of)| counts(&format!(",registry=\"{}\"", value(registry)), of))
            .collect();
        gauge(
            "registry_images",
            "Images of the last run by destination registry and outcome.",
            &by_registry,
        );
        // Also those that did not come: an alert compares with the run before.
        let by_code = Code::ALL.map(|code| {
            let count = self.by_code.get(&code).copied().unwrap_or_default();
            (format!(",code=\"{}\"", code.as_str()), count.to_string())
        });
        gauge(
            "images_by_reason",
            "Lines of the list in the last run that did not pass, by reason code.",
            &by_code,
        );
        gauge(
            "requests",
            "Requests to registries and token servers in the last run.",
            &one(totals.requests.to_string()),
        );
        gauge(
            "duration_seconds",
            "How long the last run took.",
            &one(format!("{:.3}", end.elapsed.as_secs_f64())),
        );
        gauge(
            "last_run_timestamp_seconds",
            "When the last run ended, in seconds since 1970.",
            &one(now.to_string()),
        );
        gauge(
            "last_run_exit_code",
            "The exit code of the last run: 0 every image passed, 1 some failed, 2 usage, 3 some could not be validated, above 128 interrupted.",
            &one(totals.exit().code().to_string()),
        );
        text
    }
}

/// The value of a label, escaped.
fn value(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_s_value_is_escaped() {
        assert_eq!(value("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
