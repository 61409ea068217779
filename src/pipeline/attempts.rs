//! Attempts of `--wait`: images that did not pass are validated again, with growing pauses, until all
//! pass or the time is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::memo::in_short;
use super::places::Places;
use super::workers::Workers;
use crate::list::{Line, NumberedImage};
use crate::sync::Interrupt;
use crate::task::Task;
use crate::verdict::{Finding, Outcome};

/// The first pause.
const FIRST: Duration = Duration::from_secs(2);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(600);

/// `--wait`.
pub struct WaitSettings {
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
struct Unsettled {
    line: Line,
    /// `None`: the line is not an image, and is not validated again.
    image: Option<NumberedImage>,
    /// Without details.
    outcome: Outcome,
}

/// The lines that have not passed.
#[derive(Debug, Default)]
pub struct Attempts {
    /// Of this attempt.
    lines: Vec<Unsettled>,
    /// Of the previous attempt, by line number, until they have an outcome in this one.
    before: HashMap<u64, Unsettled>,
}

impl Attempts {
    /// Outcome of a line in the previous attempt.
    pub fn before(&mut self, line: &Line) -> Option<Outcome> {
        let before = self.before.remove(&line.number);
        before.map(|unsettled| unsettled.outcome)
    }

    pub fn add(&mut self, line: &Line, image: Option<&NumberedImage>, finding: &Finding) {
        let Some(reason) = finding.outcome.reason() else {
            return;
        };
        self.lines.push(Unsettled {
            line: line.clone(),
            image: image.cloned(),
            outcome: in_short(reason).into(),
        });
    }

    /// Number of images that have not passed.
    pub fn images(&self) -> usize {
        let images = self.lines.iter();
        images.filter(|unsettled| unsettled.image.is_some()).count()
    }

    /// Starts the next attempt; returns its images in the order of the list.
    pub fn begin(&mut self) -> NextAttempt {
        self.lines.sort_by_key(|unsettled| unsettled.line.number);
        let images = self.lines.iter();
        let images = images
            .filter_map(|unsettled| Some((unsettled.line.clone(), unsettled.image.clone()?)))
            .collect();
        let lines = self.lines.drain(..);
        self.before = lines
            .map(|unsettled| (unsettled.line.number, unsettled))
            .collect();
        NextAttempt { images }
    }

    /// Lines without an outcome in this attempt: those that are not images, and after a signal or a panic
    /// images too.
    pub fn rest(&self) -> Vec<(Line, Option<NumberedImage>)> {
        let rest = self.before.values();
        rest.map(|unsettled| (unsettled.line.clone(), unsettled.image.clone()))
            .collect()
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

/// The images of an attempt after the first.
pub struct NextAttempt {
    images: Vec<(Line, NumberedImage)>,
}

impl NextAttempt {
    /// Passes the images to the workers, until a signal.
    pub fn run(self, workers: &Workers, places: &Places, interrupt: &Interrupt) {
        for (line, image) in self.images {
            if workers.take(line, image, places, interrupt).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::{Image, names};
    use crate::reference::Reference;
    use crate::verdict::{Code, Reason};

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

    fn line(number: u64) -> Line {
        Line {
            number,
            place: crate::list::Place {
                file: "list.txt".into(),
                line: number,
            },
            bytes: Vec::new(),
            refusal: None,
            shows_place: false,
        }
    }

    /// Whatever becomes of the thread that passes the images to the workers.
    #[test]
    fn a_line_that_is_not_taken_again_is_not_lost() {
        let repository = || names::source("team/x", None).expect("a name");
        let reference = || "1".parse::<Reference>().expect("a tag");
        let image = NumberedImage {
            number: 1,
            image: Arc::new(Image {
                source: repository(),
                source_reference: reference(),
                destination: repository(),
                destination_reference: reference(),
                platforms: None,
            }),
        };
        let finding = |code| Finding::from(Reason::new(code, "why"));
        let mut attempts = Attempts::default();
        attempts.add(&line(3), Some(&image), &finding(Code::Unreachable));
        attempts.add(&line(2), None, &finding(Code::InvalidLine));
        attempts.add(&line(1), Some(&image), &finding(Code::ImageMissing));
        attempts.add(&line(4), Some(&image), &Finding::from(Outcome::Passed));
        assert_eq!(attempts.images(), 2);
        let again = attempts.begin();
        let numbers = again.images.iter().map(|(line, _)| line.number);
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 3]);
        drop(again);
        let outcome = attempts.before(&line(3)).expect("an outcome");
        assert_eq!(outcome, Reason::new(Code::Unreachable, "why").into());
        let mut rest: Vec<u64> = attempts
            .rest()
            .iter()
            .map(|(line, _)| line.number)
            .collect();
        rest.sort_unstable();
        assert_eq!(rest, [1, 2]);
    }
}
