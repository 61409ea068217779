//! The run: lines of the list → pool of threads → channel → one writer.
//!
//! A reader thread takes lines from the list and gives each that is an image to the pool, as long
//! as there are free places; the threads of the pool send what they found to the writer, which
//! runs on the thread that called. The bounded number of places bounds the memory, whatever the
//! list's length, and how far apart the list's order and the log's can be.

use std::any::Any;
use std::io::{IsTerminal as _, stdin};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::cli::{Input, Options};
use crate::exit::Exit;
use crate::image::Image;
use crate::interrupt::Interrupt;
use crate::list::{self, Line, List};
use crate::memo::{Memo, Turn};
use crate::report::{Code, Event, Finding, Logger, Numbered, Outcome, Progress, Writer};
use crate::setup::{self, Files, RunError};
use crate::validate::Job;

/// Lines that may be on their way for each thread, besides a fixed number: so many that no
/// thread waits while the writer is busy with the disk.
const PLACES_PER_JOB: usize = 4;
const PLACES: usize = 64;

/// Stack of a thread of the pool, in bytes; only what is used counts.
const STACK: usize = 8 * 1024 * 1024;

/// Validates the images of a list, and reports.
///
/// # Errors
/// [`RunError`] where the run cannot begin; nothing has been asked of any registry then.
pub fn run(options: Options) -> Result<Exit, RunError> {
    let (list, total) = match &options.input {
        Input::File(path) => List::open(path)?,
        Input::Stream | Input::Typed => (List::stdin(), None),
    };
    // First what may fail and changes nothing: the files take the place of what a killed run left.
    setup::refuse_shared_files(&options)?;
    let interrupt = Arc::new(Interrupt::new());
    let job = Arc::new(setup::job(&options, &interrupt)?);
    let files = Files::open(&options, &list)?;
    let total = total.map(|total| total / options.shard.map_or(1, |shard| shard.count));
    let is_typed = options.input == Input::Typed;
    let at_terminal = is_typed && stdin().is_terminal();
    let (events, received) = bounded(1024);
    let (signals_out, signals) = bounded(2);
    let places = if is_typed {
        1
    } else {
        PLACES + PLACES_PER_JOB * options.jobs
    };
    let (free_place, place) = bounded(places);
    for _ in 0..places {
        let _ = free_place.send(());
    }
    listen_to_signals(signals_out, &interrupt, &job)?;
    let log = Logger::new(events.clone(), options.debug && !options.quiet);
    for warning in &options.warnings {
        log.warn(warning.clone());
    }
    setup::warn_of_unnamed_registries(&options, &log);
    let work = setup::work(&options);
    let shown = setup::shows_progress(&options, at_terminal);
    let writer = Writer {
        work,
        failed: files.failed,
        report: files.report,
        metrics: files.metrics,
        recording: files.recording,
        progress: Progress::new(shown, total, work, log.bytes()),
        level: setup::level(&options),
        color: setup::is_colored(&options),
        is_typed: at_terminal,
        places: free_place,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.jobs)
        .thread_name(|index| format!("job {}", index + 1))
        // A thread that waits for the others' part of its image begins another image meanwhile.
        .stack_size(STACK)
        .panic_handler(|_| ())
        .build()
        .map_err(|error| RunError::System(error.to_string()))?;
    report_panics_as_outcomes();
    let feeder = Feeder {
        options,
        list,
        job,
        memo: (!is_typed).then(Arc::default),
        interrupt,
        events,
        place,
        log,
        at_terminal,
    };
    thread::Builder::new()
        .name("list".to_owned())
        .spawn(move || feeder.run(&pool))
        .map_err(|error| RunError::System(error.to_string()))?;
    Ok(writer.run(&received, &signals).exit())
}

/// Reads the list and keeps the pool busy.
struct Feeder {
    options: Options,
    list: List,
    job: Arc<Job>,
    /// None where a person types images: one that is typed again is validated again.
    memo: Option<Arc<Memo>>,
    interrupt: Arc<Interrupt>,
    events: Sender<Event>,
    place: Receiver<()>,
    log: Logger,
    at_terminal: bool,
}

impl Feeder {
    /// Feeds to the end; whatever happens, the writer learns whether the list was read whole.
    fn run(mut self, pool: &rayon::ThreadPool) {
        let fed = catch_unwind(AssertUnwindSafe(|| self.feed(pool)));
        if let Err(panic) = fed {
            self.send(Event::ListBroke(describe_panic(panic.as_ref())));
        }
    }

    fn feed(&mut self, pool: &rayon::ThreadPool) {
        let mut images = 0;
        if self.at_terminal {
            self.send(Event::Prompt(
                "Type one image a line: SOURCE DESTINATION TAG, for example: hello-world library/hello-world latest\nCtrl-D ends.\n",
            ));
        }
        let mut has_place = false;
        loop {
            // A place that a line of another shard did not need is still there.
            has_place = has_place || self.wait_for_place();
            if self.at_terminal && has_place {
                self.send(Event::Prompt(">>> "));
            }
            // A person sees a new prompt also after an empty line.
            let line = if self.at_terminal {
                self.list.next_of_any_kind()
            } else {
                self.list.next_line()
            };
            let line = match line {
                Ok(Some(line)) if list::is_comment(&line.bytes) => continue,
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    self.send(Event::ListBroke(error.to_string()));
                    break;
                }
            };
            let image = self.options.rules.image(self.list.name(), &line);
            images += u64::from(image.is_ok());
            if !self.is_ours(&line, image.as_ref().ok()) {
                continue;
            }
            let image = image.map(|image| Numbered {
                number: images,
                image,
            });
            if self.at_terminal && self.interrupt.is_set() {
                // What is typed after Ctrl-C is not for this program.
                break;
            }
            if !has_place || self.interrupt.is_set() {
                self.send(Event::NotBegun(line, image.ok()));
                continue;
            }
            has_place = false;
            match image {
                Ok(image) => self.begin(pool, line, image),
                Err(message) => self.send(Event::NotAnImage { line, message }),
            }
        }
        if self.at_terminal {
            self.send(Event::Prompt("\n"));
        }
    }

    /// Whether a line is in this run's part of the list.
    fn is_ours(&self, line: &Line, image: Option<&Image>) -> bool {
        let Some(shard) = self.options.shard else {
            return true;
        };
        match image {
            Some(image) => shard.has(image.source_name().as_bytes()),
            None => shard.has(&line.bytes),
        }
    }

    /// Waits until one more line may be on its way; false when the run is interrupted.
    fn wait_for_place(&self) -> bool {
        select! {
            recv(self.place) -> place => place.is_ok(),
            recv(self.interrupt.receiver()) -> _ => false,
        }
    }

    fn begin(&self, pool: &rayon::ThreadPool, line: Line, numbered: Numbered) {
        let number = line.number;
        let image = numbered.image.clone();
        let log = self.log.for_image(numbered.number);
        self.send(Event::Begun(line, numbered));
        if let Some(memo) = &self.memo {
            match memo.begin(&image, number) {
                Turn::Validate => {}
                Turn::Wait => return,
                Turn::Known { line, failed } => {
                    let outcome = failed.unwrap_or(match *self.job {
                        Job::Validate(_) => Outcome::Passed,
                        Job::Record(_) => Outcome::Recorded(None),
                    });
                    let finding = Box::new(same(outcome, line));
                    return self.send(Event::Ended {
                        line: number,
                        finding,
                    });
                }
            }
        }
        let (job, memo, events) = (self.job.clone(), self.memo.clone(), self.events.clone());
        pool.spawn_fifo(move || {
            let finding = finding_of(|| job.run(&image, &log));
            let outcome = &finding.outcome;
            let waiting = memo
                .iter()
                .flat_map(|memo| memo.end(&image, number, outcome));
            let others: Vec<Event> = waiting
                .map(|line| Event::Ended {
                    line,
                    finding: Box::new(same(outcome.clone(), number)),
                })
                .collect();
            let own = Event::Ended {
                line: number,
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

/// What was found for another line with the same image.
fn same(outcome: Outcome, line: u64) -> Finding {
    Finding {
        same_as: Some(line),
        ..Finding::from(outcome)
    }
}

/// What was found; a panic is an outcome too, so that the other images do not suffer.
fn finding_of(run: impl FnOnce() -> Finding) -> Finding {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Finding::from(Outcome::NotValidated {
            code: Code::InternalError,
            cause: describe_panic(panic.as_ref()),
        })
    })
}

/// A panic on a thread of this module is reported as an outcome, not on standard error.
fn report_panics_as_outcomes() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let name = thread::current().name().unwrap_or_default().to_owned();
        if name != "list" && !name.starts_with("job ") {
            default(panic);
        }
    }));
}

fn describe_panic(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    format!("internal error: {text}; please report it")
}

/// The first signal interrupts the run; the second ends the program as if nobody listened.
fn listen_to_signals(
    out: Sender<i32>,
    interrupt: &Arc<Interrupt>,
    job: &Arc<Job>,
) -> Result<(), RunError> {
    let system = |error: std::io::Error| RunError::System(error.to_string());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(system)?;
    let (interrupt, job) = (interrupt.clone(), job.clone());
    let listen = move || {
        let mut is_first = true;
        for signal in signals.forever() {
            if is_first {
                is_first = false;
                let _ = out.send(signal);
                interrupt.set();
                job.shutdown();
            } else {
                let _ = emulate_default_handler(signal);
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listen)
        .map_err(system)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_image_s_outcome() {
        let finding = finding_of(|| panic!("entry {}", 7));
        let expected = Outcome::NotValidated {
            code: Code::InternalError,
            cause: "internal error: entry 7; please report it".to_owned(),
        };
        assert_eq!(finding.outcome, expected);
    }
}
