//! The metrics of a run, for the textfile collector of `node_exporter`.
//!
//! Format: Prometheus, "Exposition formats", text-based. The label `list` separates the series of
//! Format: Prometheus, "Exposition formats", text-based. The label `list` separates the series of
//! several lists in one directory.
//!
//! A run that could not begin writes its exit code, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use chrono::Utc;

use super::file::Output;
use super::{Counts, LineResult, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink};
use crate::exit::Exit;
use crate::list::{List, Shard};
use crate::task::TaskWording;
use crate::verdict::Code;

/// `--metrics`.
pub static METRICS: OutputForm = OutputForm {
    what: "metrics",
    content: "the metrics",
    flag: "--metrics",
    open,
};

struct Metrics {
    output: Output,
    words: &'static TaskWording,
    labels: String,
    by_registry: BTreeMap<String, Counts>,
    by_code: BTreeMap<Code, u64>,
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<OpenedOutput, OutputError> {
    Ok(Some(Box::new(Metrics {
        output: Output::create(&METRICS, name, input, settings)?,
        words: settings.words,
        labels: labels(input, settings.shard),
        by_registry: BTreeMap::new(),
        by_code: BTreeMap::new(),
    })))
}

/// Labels of every sample.
fn labels(input: &List, shard: Option<Shard>) -> String {
    let list = format!("list=\"{}\"", value(input.name()));
    shard.map_or(list.clone(), |shard| format!("{list},shard=\"{shard}\""))
}

/// Writes the metrics of a run that could not begin: its time and its exit code.
///
/// # Errors
/// As [`Output::create_for`].
pub fn write_failed_start(
    name: &Path,
    input: &List,
    shard: Option<Shard>,
    exit: Exit,
) -> Result<(), OutputError> {
    let mut output = Output::create_for(&METRICS, name, input, shard.is_some())?;
    let labels = labels(input, shard);
    let mut text = Text::new(&labels);
    text.end(Utc::now().timestamp(), exit);
    output.commit_other(|_, out| out.write_all(text.text.as_bytes()))?;
    Ok(())
}

fn place(output: &mut Output, text: &str) -> Result<(), OutputError> {
    output.place(|_, out| out.write_all(text.as_bytes()))?;
    Ok(())
}

impl Sink for Metrics {
    fn take(&mut self, entry: &LineResult<'_>) {
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

    /// Does nothing: the totals are known only at the end.
    fn flush(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn restart(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        let text = self.text(end, Utc::now().timestamp());
        place(&mut self.output, &text)?;
        self.by_code.clear();
        for counts in self.by_registry.values_mut() {
            counts.forget_unsettled();
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        let text = self.text(end, Utc::now().timestamp());
        place(&mut self.output, &text)?;
        self.output.discard()?;
        Ok(Vec::new())
    }
}

impl Metrics {
    fn text(&self, end: &RunEnd<'_>, now: i64) -> String {
        let (totals, words) = (end.totals, self.words);
        let mut text = Text::new(&self.labels);
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
        text.gauge(
            "images",
            "Lines of the list in the last run, by outcome.",
            &counts("", &totals.counts),
        );
        let by_registry: Vec<(String, String)> = self
            .by_registry
            .iter()
            .flat_map(|(registry, of)| counts(&format!(",registry=\"{}\"", value(registry)), of))
            .collect();
        text.gauge(
            "registry_images",
            "Images of the last run by destination registry and outcome.",
            &by_registry,
        );
        // All codes, also with a count of 0: Prometheus does not read a missing series as 0.
        let by_code = Code::ALL.map(|code| {
            let count = self.by_code.get(&code).copied().unwrap_or_default();
            (format!(",code=\"{}\"", code.as_str()), count.to_string())
        });
        text.gauge(
            "images_by_reason",
            "Lines of the list that did not pass in the last run, by reason code.",
            &by_code,
        );
        if let Some(digest) = end.list_digest {
            text.gauge(
                "list_info",
                "Digest of the image list of the last run.",
                &[(format!(",digest=\"{}\"", digest.as_str()), "1".to_owned())],
            );
        }
        text.value(
            "requests",
            "Requests to registries and token servers in the last run.",
            totals.requests.to_string(),
        );
        text.value(
            "duration_seconds",
            "Duration of the last run.",
            format!("{:.3}", end.elapsed.as_secs_f64()),
        );
        text.end(now, totals.exit());
        text.text
    }
}

struct Text<'a> {
    labels: &'a str,
    text: String,
}

impl<'a> Text<'a> {
    fn new(labels: &'a str) -> Self {
        let text = String::new();
        Self { labels, text }
    }

    /// Appends a metric with several samples; each has its own labels.
    fn gauge(&mut self, name: &str, help: &str, values: &[(String, String)]) {
        let name = format!("mirror_validate_{name}");
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (more, value) in values {
            let _ = writeln!(self.text, "{name}{{{}{more}}} {value}", self.labels);
        }
    }

    /// Appends a metric with one sample.
    fn value(&mut self, name: &str, help: &str, value: String) {
        self.gauge(name, help, &[(String::new(), value)]);
    }

    /// Appends the metrics that every run has.
    fn end(&mut self, now: i64, exit: Exit) {
        self.value(
            "last_run_timestamp_seconds",
            "End of the last run, in seconds since 1970.",
            now.to_string(),
        );
        self.value(
            "last_run_exit_code",
            "The exit code of the last run: 0 every image passed, 1 an image failed, 2 usage error, 3 an image could not be validated, above 128 interrupted.",
            exit.code().to_string(),
        );
    }
}

/// Escapes the value of a label.
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
