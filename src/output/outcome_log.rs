//! The log lines of each line of the list.

use super::LineResult;
use super::hints::Hints;
use super::line::{details, one_line};
use crate::log::Level;
use crate::task::TaskWording;
use crate::verdict::{Code, Outcome, Reason};

/// Formats outcomes for the log, and remembers the hints that were printed.
#[derive(Debug)]
pub struct OutcomeLog {
    words: &'static TaskWording,
    /// Without `srcSpec` and `dstSpec`.
    is_brief: bool,
    hints: Hints,
}

impl OutcomeLog {
    /// `is_brief`: for `-q`.
    pub fn new(words: &'static TaskWording, is_brief: bool) -> Self {
        Self {
            words,
            is_brief,
            hints: Hints::default(),
        }
    }

    /// The lines of one entry, escaped.
    pub fn lines(&mut self, entry: &LineResult<'_>) -> Vec<(Level, String)> {
        match &entry.finding.outcome {
            Outcome::Passed => {
                let image = entry.image.map(|image| &image.image);
                let text = image.map(|image| (self.words.pass_line)(image, entry.finding));
                text.iter()
                    .map(|text| (Level::Info, one_line(text)))
                    .collect()
            }
            Outcome::NotValidated(reason) if reason.code == Code::Interrupted => Vec::new(),
            Outcome::Failed(reason) => {
                let mut lines = self.details(entry, reason);
                lines.push(heading(entry, "FAILED"));
                lines.push(self.message(reason));
                errors(lines)
            }
            Outcome::NotValidated(reason) => {
                let mut lines = self.details(entry, reason);
                if entry.image.is_some() {
                    lines.push(heading(entry, &self.words.not_passed.to_uppercase()));
                }
                lines.push(self.message(reason));
                errors(lines)
            }
        }
    }

    /// `srcSpec` and `dstSpec`, the first details, and the hints.
    fn details(&mut self, entry: &LineResult<'_>, reason: &Reason) -> Vec<String> {
        let host = registry(entry);
        let mut lines = details(reason, self.is_brief);
        let hints = reason.hints.iter();
        let new = hints.filter(|hint| self.hints.is_new(host, reason.code, hint));
        lines.extend(new.map(|hint| one_line(hint)));
        lines
    }

    /// The message, with its hint if that has not been printed yet.
    fn message(&mut self, reason: &Reason) -> String {
        let host_failure = reason.host_failure.as_ref();
        let hint = host_failure
            .and_then(|host_failure| Some((&host_failure.host, host_failure.hint.as_ref()?)));
        let is_new = hint.is_none_or(|(host, hint)| {
            let is_ours = reason.cause().len() < reason.message.len();
            !is_ours || self.hints.is_new(host, reason.code, hint)
        });
        let text = if is_new {
            &reason.message
        } else {
            reason.cause()
        };
        one_line(text)
    }
}

/// Registry of the destination.
fn registry<'a>(entry: &LineResult<'a>) -> &'a str {
    entry
        .image
        .map_or("", |image| image.image.destination.registry.as_str())
}

fn heading(entry: &LineResult<'_>, words: &str) -> String {
    let source = entry.image.map(|image| image.image.source_name());
    let place = match entry.line.shows_place {
        true => format!(" ({})", entry.line.place),
        false => String::new(),
    };
    one_line(&format!("{words} [{}]{place}", source.unwrap_or_default()))
}

fn errors(lines: Vec<String>) -> Vec<(Level, String)> {
    lines.into_iter().map(|line| (Level::Error, line)).collect()
}
