//! Attempts of `--wait`: images that did not pass are validated again, with growing pauses, until all
//! Attempts of `--wait`: images that did not pass are validated again, with growing pauses, until all
//! pass or the time is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::event::Event;
use super::memo::in_short;
use super::places::{Load, Places};
use super::workers::Workers;
use crate::list::{Line, Numbered};
use crate::sync::Interrupt;
use crate::task::Task;
use crate::verdict::{Finding, Outcome, Reason};

/// The first pause.
const FIRST: Duration = Duration::from_secs(2);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(600);

/// `--wait`.
pub struct Wait {
    /// Time limit.
    pub time: Duration,
    /// Creates the task of the next attempt, without state from earlier attempts.
    pub renew: Renew,
}

/// Creates a task; the error is a message.
pub type Renew = Box<dyn Fn() -> Result<Arc<dyn Task>, String> + Send>;

/// Pauses between attempts. The last attempt begins when the time is over.
#[derive(Debug)]
pub struct Pauses {
    end: Instant,
    next: Duration,
}

impl Pauses {
    pub fn new(time: Duration, begun: Instant) -> Self {
        Self {
            end: begun + time,
            next: FIRST,
        }
    }

    /// The pause before the next attempt; `None`: the time is over.
    pub fn next(&mut self, now: Instant) -> Option<Duration> {
        let left = self.end.saturating_duration_since(now);
        let pause = self.next.min(left);
        self.next = (self.next * 2).min(LONGEST);
        Some(pause).filter(|pause| !pause.is_zero())
    }
}

/// A line that did not pass.
#[derive(Debug)]
pub struct Unsettled {
    line: Line,
    /// `None`: the line is not an image, and is not validated again.
    image: Option<Numbered>,
}

/// The lines that have not passed, each with its outcome but without details.
#[derive(Debug, Default)]
pub struct Attempts {
    lines: Vec<Unsettled>,
    /// Outcomes of this attempt, by line number.
    outcomes: HashMap<u64, Outcome>,
    /// Outcomes of the previous attempt.
    before: HashMap<u64, Outcome>,
}

impl Attempts {
    /// Outcome of a line in the previous attempt.
    pub fn before(&mut self, line: &Line) -> Option<Outcome> {
        self.before.remove(&line.number)
    }

    pub fn add(&mut self, line: &Line, image: Option<&Numbered>, finding: &Finding) {
        let Some(reason) = finding.outcome.reason() else {
            return;
        };
        let reason: Reason = in_short(reason);
        self.outcomes.insert(line.number, reason.into());
        self.lines.push(Unsettled {
            line: line.clone(),
            image: image.cloned(),
        });
    }

    /// Number of images that have not passed.
    pub fn images(&self) -> usize {
        let images = self.lines.iter();
        images.filter(|unsettled| unsettled.image.is_some()).count()
    }

    /// Starts the next attempt; returns its lines in the order of the list.
    pub fn begin(&mut self) -> Again {
        self.before = std::mem::take(&mut self.outcomes);
        let mut lines = std::mem::take(&mut self.lines);
        lines.sort_by_key(|unsettled| unsettled.line.number);
        let reasons = lines.iter().filter(|unsettled| unsettled.image.is_none());
        let reasons = reasons.filter_map(|unsettled| {
            let number = unsettled.line.number;
            Some((number, self.before.get(&number)?.reason()?.clone()))
        });
        Again {
            reasons: reasons.collect(),
            lines,
        }
    }
}

/// Whether the log already has this outcome. Messages of images that were not validated may differ, for
/// example in the number of attempts.
pub fn is_unchanged(before: &Outcome, now: &Outcome) -> bool {
    match (before, now) {
        (Outcome::Failed(before), Outcome::Failed(now)) => {
            before.code == now.code && before.message == now.message
        }
        (Outcome::NotValidated(before), Outcome::NotValidated(now)) => before.code == now.code,
        _ => false,
    }
}

/// The lines of an attempt after the first.
pub struct Again {
    lines: Vec<Unsettled>,
    /// Reasons of lines that are not images.
    reasons: HashMap<u64, Reason>,
}

impl Again {
    /// Passes the images to the workers.
    pub fn run(
        mut self,
        workers: &Workers,
        places: &Places,
        interrupt: &Interrupt,
        events: &Sender<Event>,
    ) {
        let send = |event| {
            // The writer is gone only when the program ends.
            let _ = events.send(event);
        };
        for Unsettled { line, image } in self.lines {
            let Some(image) = image else {
                let reason = self.reasons.remove(&line.number);
                send(Event::NotBegun {
                    line,
                    image: None,
                    reason: reason.unwrap_or_else(Reason::interrupted),
                    load: Load::default(),
                });
                continue;
            };
            if let Err(image) = workers.take(line, image, places, interrupt) {
                let (line, image) = *image;
                send(Event::NotBegun {
                    line,
                    image: Some(image),
                    reason: Reason::interrupted(),
                    load: Load::default(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Code;

    #[test]
    fn pauses_grow_and_the_last_attempt_begins_when_the_time_is_over() {
        let begun = Instant::now();
        let mut pauses = Pauses::new(Duration::from_secs(40), begun);
        let mut now = begun;
        let mut taken = Vec::new();
        while let Some(pause) = pauses.next(now) {
            taken.push(pause.as_secs());
            now += pause + Duration::from_secs(1);
        }
        assert_eq!(taken, [2, 4, 8, 16, 6]);
        let mut pauses = Pauses::new(Duration::from_secs(86_400), begun);
        let longest = (0..20).filter_map(|_| pauses.next(begun)).max();
        assert_eq!(longest, Some(Duration::from_secs(600)));
        assert_eq!(Pauses::new(Duration::ZERO, begun).next(begun), None);
    }

    #[test]
    fn a_failure_in_other_words_is_a_change() {
        let failed = |message: &str| Outcome::Failed(Reason::new(Code::ImageMissing, message));
        let unreachable =
            |message: &str| Outcome::NotValidated(Reason::new(Code::Unreachable, message));
        assert!(is_unchanged(&failed("a"), &failed("a")));
        assert!(!is_unchanged(&failed("a"), &failed("b")));
        assert!(is_unchanged(
            &unreachable("1 attempt"),
            &unreachable("5 attempts")
        ));
        assert!(!is_unchanged(&unreachable("a"), &failed("a")));
        assert!(!is_unchanged(&failed("a"), &Outcome::Passed));
    }
}
