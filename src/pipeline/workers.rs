//! The workers: rayon's pool of `-j` threads, each with one image at a time.
//!
//! Images start in the list's order, and before idle threads help with another image. A thread that
//! waits for parts of its image runs no other image ([`crate::sync::fan_out`]), so that no verdict waits for another image.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::Sender;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::aside::Aside;
use super::event::Event;
use super::memo::{Memo, MemoLookup, in_short};
use super::places::{Load, Places};
use crate::list::{Image, Line, NumberedImage};
use crate::log::Log;
use crate::registry::Gate;
use crate::sync::{Backlog, Interrupt};
use crate::task::Task;
use crate::verdict::{Class, Code, Finding, Outcome, Reason};

/// Passes images to the thread pool.
pub struct Workers {
    state: Arc<PoolState>,
}

/// The pool, and the shared state of its threads.
struct PoolState {
    pool: ThreadPool,
    backlog: Arc<Backlog>,
    task: Arc<dyn Task>,
    /// `None` for typed images: each is validated again.
    memo: Option<Arc<Memo>>,
    aside: Arc<Aside>,
    log: Log,
    events: Sender<Event>,
}

/// An image in the pool.
pub struct Job {
    /// Line number.
    line: u64,
    /// `M_ID`.
    number: u64,
    image: Arc<Image>,
    state: Arc<PoolState>,
    /// Requests sent before it was put aside.
    requests: u64,
    /// Set while the image is put aside: keeps its host among the hosts that are waited for.
    waiting: Option<Log>,
    /// Number of times that it was put aside.
    pub times_aside: u32,
}

impl Job {
    /// Whether its registries accept requests.
    pub fn gate(&self) -> Gate {
        self.state.task.gate(&self.image)
    }

    pub fn registries(&self) -> (String, String) {
        let image = &self.image;
        (
            image.source.registry.clone(),
            image.destination.registry.clone(),
        )
    }

    /// Waits for a thread of the pool.
    fn spawn(mut self) {
        self.waiting = None;
        let state = self.state.clone();
        state.backlog.add();
        state.pool.spawn_fifo(move || self.run());
    }

    fn run(mut self) {
        let state = self.state.clone();
        state.backlog.take();
        let log = state.log.for_image(self.number);
        // A person waits for the verdict on what was typed.
        let log = match state.memo {
            Some(_) => log.with_aside(),
            None => log,
        };
        let mut finding = finding_of(|| state.task.run(&self.image, &log));
        self.requests += finding.requests;
        if log.is_aside() {
            // Whatever was found without that registry is found again.
            self.times_aside += 1;
            self.waiting = Some(log);
            state.send(Event::PutAside { line: self.line });
            state.aside.put(self, Job::spawn);
            return;
        }
        finding.requests = self.requests;
        let (outcome, accepted) = (&finding.outcome, &finding.accepted);
        let others: Vec<Event> = state
            .memo
            .iter()
            .flat_map(|memo| memo.end(&self.image, self.line, &finding))
            .map(|other| Event::Ended {
                line: other,
                finding: Box::new(same_as(self.line, shortened(outcome), accepted.clone())),
            })
            .collect();
        let own = Event::Ended {
            line: self.line,
            finding: Box::new(finding),
        };
        for event in std::iter::once(own).chain(others) {
            state.send(event);
        }
    }
}

impl PoolState {
    fn send(&self, event: Event) {
        // The writer is gone only when the program ends.
        let _ = self.events.send(event);
    }
}

impl Workers {
    ///
    /// # Errors
    /// Where the system refuses threads.
    pub fn new(
        jobs: usize,
        task: Arc<dyn Task>,
        memo: Option<Arc<Memo>>,
        interrupt: Arc<Interrupt>,
        log: Log,
        events: Sender<Event>,
    ) -> Result<Self, ThreadPoolBuildError> {
        let backlog = Arc::new(Backlog::default());
        let of_threads = backlog.clone();
        let pool = ThreadPoolBuilder::new()
            .start_handler(move |_| of_threads.clone().serve())
            .num_threads(jobs)
            .thread_name(|index| format!("job {}", index + 1))
            .panic_handler(|_| ())
            .build()?;
        report_panics_as_outcomes();
        let aside = Aside::new(interrupt);
        Ok(Self {
            state: Arc::new(PoolState {
                pool,
                backlog,
                task,
                memo,
                aside,
                log,
                events,
            }),
        })
    }

    fn look_up(&self, image: &Image, line: u64) -> MemoLookup {
        match &self.state.memo {
            Some(memo) => memo.begin(image, line),
            None => MemoLookup::Validate,
        }
    }

    /// Takes the image of a line as soon as there is a place for it. After a signal there is none: line
    /// and image are given back.
    pub fn take(
        &self,
        line: Line,
        image: NumberedImage,
        places: &Places,
        interrupt: &Interrupt,
    ) -> Result<(), Box<(Line, NumberedImage)>> {
        let lookup = self.look_up(&image.image, line.number);
        let load = match lookup {
            MemoLookup::Validate => {
                self.state.task.announce(&image.image);
                Load::image(line.bytes.len())
            }
            MemoLookup::Wait | MemoLookup::Known { .. } => Load::line(line.bytes.len()),
        };
        if !places.take(load, interrupt) {
            return Err(Box::new((line, image)));
        }
        self.begin(lookup, line, image, load);
        Ok(())
    }

    /// Begins an image.
    fn begin(&self, lookup: MemoLookup, line: Line, image: NumberedImage, load: Load) {
        let number = line.number;
        let own = image.clone();
        self.state.send(Event::Begun { line, image, load });
        match lookup {
            MemoLookup::Validate => self.spawn(number, own),
            MemoLookup::Wait => {}
            MemoLookup::Known {
                line,
                failed,
                accepted,
            } => {
                let outcome = match failed {
                    Some(reason) => Outcome::from(Reason::clone(&reason)),
                    None => Outcome::Passed,
                };
                let finding = Box::new(same_as(line, outcome, accepted));
                self.state.send(Event::Ended {
                    line: number,
                    finding,
                });
            }
        }
    }

    fn spawn(&self, line: u64, NumberedImage { number, image }: NumberedImage) {
        let job = Job {
            line,
            number,
            image,
            state: self.state.clone(),
            requests: 0,
            waiting: None,
            times_aside: 0,
        };
        job.spawn();
    }
}

fn shortened(outcome: &Outcome) -> Outcome {
    match outcome.reason() {
        None => Outcome::Passed,
        Some(reason) => in_short(reason).into(),
    }
}

/// The finding of another line with the same image.
fn same_as(line: u64, outcome: Outcome, accepted: Vec<Class>) -> Finding {
    Finding {
        accepted,
        same_as: Some(line),
        ..Finding::from(outcome)
    }
}

/// Turns a panic into an outcome, so that the other images are validated.
fn finding_of(run: impl FnOnce() -> Finding) -> Finding {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Reason::new(Code::InternalError, describe_panic(panic.as_ref())).into()
    })
}

/// Silences the panic message of the pipeline's threads, whose panics are reported as outcomes.
fn report_panics_as_outcomes() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let name = thread::current().name().unwrap_or_default().to_owned();
        if name != super::READER && !name.starts_with("job ") {
            default(panic);
        }
    }));
}

/// The message of a panic.
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
