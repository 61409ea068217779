//! The workers: rayon's pool of `-j` threads, each with one image at a time.
//!
//! Images start in the list's order. A thread that waits for parts of its image runs no other image
//! ([`crate::sync::fan_out`]), so that no verdict waits for another image.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::Sender;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::event::Event;
use super::memo::{Memo, Turn, in_short};
use super::places::Load;
use crate::list::{Image, Line, Numbered};
use crate::log::Log;
use crate::task::Task;
use crate::verdict::{Class, Code, Finding, Outcome, Reason};

/// The pool, and what its threads need.
pub struct Workers {
    pool: ThreadPool,
    task: Arc<dyn Task>,
    /// `None` where a person types images: one that is typed again is validated again.
    memo: Option<Arc<Memo>>,
    log: Log,
    events: Sender<Event>,
}

impl Workers {
    /// A pool of this many threads.
    ///
    /// # Errors
    /// Where the system refuses threads.
    pub fn new(
        jobs: usize,
        task: Arc<dyn Task>,
        memo: Option<Arc<Memo>>,
        log: Log,
        events: Sender<Event>,
    ) -> Result<Self, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(jobs)
            .thread_name(|index| format!("job {}", index + 1))
            .panic_handler(|_| ())
            .build()?;
        report_panics_as_outcomes();
        Ok(Self {
            pool,
            task,
            memo,
            log,
            events,
        })
    }

    /// How a line gets the finding of its image.
    pub fn turn(&self, image: &Image, line: u64) -> Turn {
        match &self.memo {
            Some(memo) => memo.begin(image, line),
            None => Turn::Validate,
        }
    }

    /// Tells the task of an image that begins later.
    pub fn announce(&self, image: &Image) {
        self.task.announce(image);
    }

    /// Begins an image.
    pub fn begin(&self, turn: Turn, line: Line, image: Numbered, load: Load) {
        let number = line.number;
        let own = image.clone();
        self.send(Event::Begun { line, image, load });
        match turn {
            Turn::Validate => self.spawn(number, own),
            Turn::Wait => {}
            Turn::Known {
                line,
                failed,
                accepted,
            } => {
                let outcome = match failed {
                    Some(reason) => Outcome::from(Reason::clone(&reason)),
                    None => Outcome::Passed,
                };
                let finding = Box::new(same_as(line, outcome, accepted));
                self.send(Event::Ended {
                    line: number,
                    finding,
                });
            }
        }
    }

    fn spawn(&self, line: u64, Numbered { number, image }: Numbered) {
        let log = self.log.for_image(number);
        let (task, memo, events) = (self.task.clone(), self.memo.clone(), self.events.clone());
        self.pool.spawn_fifo(move || {
            let finding = finding_of(|| task.run(&image, &log));
            let (outcome, accepted) = (&finding.outcome, &finding.accepted);
            let others: Vec<Event> = memo
                .iter()
                .flat_map(|memo| memo.end(&image, line, &finding))
                .map(|other| Event::Ended {
                    line: other,
                    finding: Box::new(same_as(line, shortened(outcome), accepted.clone())),
                })
                .collect();
            let own = Event::Ended {
                line,
                finding: Box::new(finding),
            };
            for event in std::iter::once(own).chain(others) {
                // The writer is gone only when the program ends.
                let _ = events.send(event);
            }
        });
    }

    fn send(&self, event: Event) {
        // The writer is gone only when the program ends.
        let _ = self.events.send(event);
    }
}

fn shortened(outcome: &Outcome) -> Outcome {
    match outcome.reason() {
        None => Outcome::Passed,
        Some(reason) => in_short(reason).into(),
    }
}

/// The finding for another line with the same image.
fn same_as(line: u64, outcome: Outcome, accepted: Vec<Class>) -> Finding {
    Finding {
        accepted,
        same_as: Some(line),
        ..Finding::from(outcome)
    }
}

/// A panic is the outcome of its image, so that the other images do not suffer.
fn finding_of(run: impl FnOnce() -> Finding) -> Finding {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Reason::new(Code::InternalError, describe_panic(panic.as_ref())).into()
    })
}

/// A panic on a thread of the pipeline is reported as an outcome, not on standard error.
fn report_panics_as_outcomes() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let name = thread::current().name().unwrap_or_default().to_owned();
        if name != super::READER && !name.starts_with("job ") {
            default(panic);
        }
    }));
}

/// A panic in words.
pub fn describe_panic(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    format!("internal error: {text}; please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_the_outcome_of_its_image() {
        let finding = finding_of(|| panic!("entry {}", 7));
        let expected = Reason::new(
            Code::InternalError,
            "internal error: entry 7; please report it",
        );
        assert_eq!(finding.outcome, Outcome::NotValidated(expected));
    }
}
