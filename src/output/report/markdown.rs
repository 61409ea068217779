//! `.md`: one page for a job summary: totals, reasons by registry, and the first images that did not
//! pass.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::object::{LineObject, ReportHeader, headline, time, word};
use super::tally::Tally;
use super::{report, text::markdown};
use crate::list::List;
use crate::output::file::Output;
use crate::output::summary::duration;
use crate::output::{LineResult, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink};
use crate::verdict::Outcome;

pub static MARKDOWN: OutputForm = report(open);

/// Rows per table of images.
const MAX_ROWS: usize = 50;

struct Report {
    output: Output,
    head: ReportHeader,
    tally: Tally,
    /// Rows by line number: failed, not validated.
    rows: [BTreeMap<u64, String>; 2],
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<OpenedOutput, OutputError> {
    let output = Output::create(&MARKDOWN, name, input, settings)?;
    Ok(Some(new(output, ReportHeader::new(input, settings))))
}

/// A report of a run, into this file.
pub fn new(output: Output, head: ReportHeader) -> Box<dyn Sink> {
    Box::new(Report {
        output,
        head,
        tally: Tally::default(),
        rows: Default::default(),
    })
}

impl Sink for Report {
    fn take(&mut self, entry: &LineResult<'_>) {
        self.tally.add(entry, self.head.words);
        let rows = match entry.finding.outcome {
            Outcome::Passed => return,
            Outcome::Failed(_) => &mut self.rows[0],
            Outcome::NotValidated(_) => &mut self.rows[1],
        };
        let line = entry.line.number;
        if rows.len() == MAX_ROWS && rows.keys().next_back().is_some_and(|last| *last < line) {
            return;
        }
        let object = LineObject::new(entry, self.head.words);
        let image = entry.image.map(|image| &image.image);
        let (source, destination) = match image {
            Some(image) if self.head.words.compares => {
                (image.source_name(), image.destination_name())
            }
            Some(image) => (image.source_name(), String::new()),
            None => (entry.line.place.to_string(), String::new()),
        };
        let row = format!(
            "| {} | {} | {} | {} | {} |\n",
            object.m_id.map_or_else(String::new, |id| id.to_string()),
            markdown(&source),
            markdown(&destination),
            object.code.map_or_else(String::new, |code| word(&code)),
            markdown(object.message.as_deref().unwrap_or_default()),
        );
        rows.insert(line, row);
        if rows.len() > MAX_ROWS {
            rows.pop_last();
        }
    }

    /// Does nothing: the page is written at the end.
    fn flush(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn restart(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        self.place(end)?;
        self.tally.forget_unsettled();
        self.rows = Default::default();
        Ok(())
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        self.place(end)?;
        self.output.discard()?;
        Ok(Vec::new())
    }
}

impl Report {
    fn place(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        let text = self.text(end);
        self.output.place(|_, out| out.write_all(text.as_bytes()))?;
        Ok(())
    }

    fn text(&self, end: &RunEnd<'_>) -> String {
        let (words, counts) = (self.head.words, end.totals.counts);
        let digest = end.list_digest.map_or("unknown", |digest| digest.as_str());
        let mut text = format!(
            "# {}\n\nList {} ({digest}), started {}, duration {}, exit code {}\n\n| Outcome | Images |\n|---|---:|\n",
            headline(end, words),
            markdown(&self.head.list),
            time(self.head.begun),
            duration(end.elapsed),
            end.totals.exit().code(),
        );
        // Writing to a String cannot fail.
        for (outcome, count) in [
            (words.passed, counts.passed),
            ("failed", counts.failed),
            (words.not_passed, counts.not_validated),
        ] {
            let _ = writeln!(text, "| {outcome} | {count} |");
        }
        text += "\n## By registry and reason\n\n| Registry | Reason | Images |\n|---|---|---:|\n";
        for (registry, row) in &self.tally.registries {
            let passed = (words.passed.to_owned(), row.counts.passed);
            let reasons = row.reasons.iter().map(|(r, n)| (r.clone(), *n));
            for (reason, count) in std::iter::once(passed).chain(reasons) {
                let _ = writeln!(text, "| {} | {reason} | {count} |", markdown(registry));
            }
        }
        for (title, all, rows) in [
            ("Failed", counts.failed, &self.rows[0]),
            ("Not validated", counts.not_validated, &self.rows[1]),
        ] {
            if rows.is_empty() {
                continue;
            }
            let _ = writeln!(
                text,
                "\n## {title} ({} of {all})\n\n| M_ID | Source | Destination | Reason | Message |\n|---:|---|---|---|---|",
                rows.len()
            );
            text.extend(rows.values().map(String::as_str));
        }
        text
    }
}
