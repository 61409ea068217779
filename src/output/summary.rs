//! The totals of a run, and the summary line.

use std::time::Duration;

use indicatif::HumanBytes;

use crate::exit::Exit;
use crate::task::TaskWording;
use crate::verdict::Outcome;

/// Lines by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed, or recorded.
    pub passed: u64,
    pub failed: u64,
    /// Not validated, or not recorded; invalid lines included.
    pub not_validated: u64,
}

impl Counts {
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::NotValidated(_) => self.not_validated += 1,
        }
    }

    /// Forgets the lines that did not pass.
    pub fn forget_unsettled(&mut self) {
        (self.failed, self.not_validated) = (0, 0);
    }
}

/// Totals of a run, from which its exit code follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub counts: Counts,
    /// Images whose source lacks an architecture of `-a`.
    pub lacking: u64,
    /// Those of [`Totals::lacking`] that passed.
    pub lacking_passed: u64,
    pub requests: u64,
    /// Blob bytes read.
    pub bytes: u64,
    pub signal: Option<i32>,
    /// The list could not be read, or an output could not be written.
    pub broke: bool,
    /// Whether reports were merged of which some are absent or of runs that did not come to their end.
    pub lacks_lines: bool,
}

impl Totals {
    /// Lines with an outcome.
    pub fn images(&self) -> u64 {
        self.counts.passed + self.counts.failed + self.counts.not_validated
    }

    /// Removes the lines that did not pass, because the next attempt counts them again.
    pub fn forget_unsettled(&mut self) {
        self.counts.forget_unsettled();
        self.lacking = self.lacking_passed;
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self {
                signal: Some(signal),
                ..
            } => Exit::Interrupted(u8::try_from(*signal).unwrap_or(2)),
            Self { broke: true, .. } => Exit::Usage,
            Self {
                counts: Counts { failed: 1.., .. },
                ..
            } => Exit::Failed,
            Self {
                counts: Counts {
                    not_validated: 1.., ..
                },
                ..
            }
            | Self {
                lacks_lines: true, ..
            } => Exit::NotValidated,
            _ => Exit::Passed,
        }
    }

    /// The summary line; `notes`: from [`Sink::finish`](super::Sink::finish).
    pub fn summary(&self, words: &TaskWording, elapsed: Duration, notes: &[String]) -> String {
        let images = self.images();
        let mut text = match self.signal {
            Some(signal) => format!("interrupted by {}: ", signal_name(signal)),
            None => String::new(),
        };
        text += &format!("{images} image{}: ", if images == 1 { "" } else { "s" });
        text += &format!("{} {}, ", self.counts.passed, words.passed);
        if words.compares {
            text += &format!("{} failed, ", self.counts.failed);
        }
        text += &format!("{} {}", self.counts.not_validated, words.not_passed);
        if self.bytes > 0 {
            text += &format!(", {} of blob data read", HumanBytes(self.bytes));
        }
        text += &format!(" in {}", duration(elapsed));
        match self.lacking {
            0 => {}
            1 => text += "; 1 source lacks an architecture of -a",
            count => text += &format!("; {count} sources lack an architecture of -a"),
        }
        for note in notes {
            text += &format!("; {note}");
        }
        text
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".to_owned(),
        2 => "SIGINT".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

/// `0.3s`, `12m05s`, `2h00m`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", time.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: TaskWording = TaskWording {
        task: "validate",
        passed: "passed",
        not_passed: "not validated",
        compares: true,
        pass_line: |_, _| String::new(),
    };

    #[test]
    fn the_exit_code_tells_failed_from_not_validated() {
        let totals = |passed, failed, not_validated| Totals {
            counts: Counts {
                passed,
                failed,
                not_validated,
            },
            ..Totals::default()
        };
        assert_eq!(totals(0, 0, 0).exit(), Exit::Passed);
        assert_eq!(totals(3, 0, 0).exit(), Exit::Passed);
        assert_eq!(totals(3, 1, 1).exit(), Exit::Failed);
        assert_eq!(totals(3, 0, 1).exit(), Exit::NotValidated);
        assert_eq!(
            Totals {
                broke: true,
                ..totals(0, 1, 0)
            }
            .exit(),
            Exit::Usage
        );
        assert_eq!(
            Totals {
                signal: Some(15),
                ..totals(0, 1, 0)
            }
            .exit(),
            Exit::Interrupted(15)
        );
    }

    #[test]
    fn the_summary_names_the_relevant_counts() {
        let counts = |passed, failed| Counts {
            passed,
            failed,
            not_validated: 0,
        };
        let totals = Totals {
            counts: counts(1, 0),
            ..Totals::default()
        };
        assert_eq!(
            totals.summary(&WORDS, Duration::from_millis(320), &[]),
            "1 image: 1 passed, 0 failed, 0 not validated in 0.3s"
        );
        let totals = Totals {
            counts: counts(0, 2),
            signal: Some(2),
            ..Totals::default()
        };
        assert_eq!(
            totals.summary(
                &WORDS,
                Duration::from_secs(125),
                &["failed list: x.txt".to_owned()]
            ),
            "interrupted by SIGINT: 2 images: 0 passed, 2 failed, 0 not validated in 2m05s; failed list: x.txt"
        );
    }
}
