//! The pipeline: lines of the list → reader → workers → writer.
//!
//! A reader thread passes each image of the list to the pool, as long as there are free [`places`]. The
//! threads of the pool send their findings to the writer, which runs on the calling thread. Memory is
//! bounded for lists of any length: by the places and bytes of lines in progress, by the images that
//! [`memo`] and [`destinations`] keep, and by 24 bytes per line in an output.

mod aside;
mod attempts;
mod destinations;
mod event;
mod grace;
mod memo;
mod places;
mod printer;
mod reader;
mod signals;
mod workers;
mod writer;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::bounded;

use crate::list::{List, NameRules, Shard};
use crate::log::{Level, Log};
use crate::output::{Display, Progress, Sink};
use crate::sync::Interrupt;
use crate::task::Task;
use attempts::NextAttempt;
use event::Event;
use places::Places;
use reader::Reader;
use signals::Signals;
use workers::Workers;
use writer::Writer;

pub use attempts::WaitSettings;
pub use writer::Ended;

/// The name of the reader's thread.
const READER: &str = "list";

/// Images that may be in progress for each thread, besides a fixed number: so many that no thread
/// waits while the writer is busy with the disk.
const PLACES_PER_JOB: usize = 4;
const PLACES: usize = 64;

/// Events on their way to the writer.
const EVENTS: usize = 1024;

/// Format of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogForm {
    /// The lowest level printed.
    pub level: Level,
    /// Whether levels are coloured.
    pub color: bool,
    /// Whether the log goes to standard error, because a report goes to standard output.
    pub to_stderr: bool,
}

/// How image lines arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// As a list. Reading a regular file never waits for its writer.
    List {
        /// Whether it is a regular file.
        is_file: bool,
    },
    /// Line by line, from another program.
    Lines,
    /// Line by line, from a user at a terminal.
    Terminal,
}

/// Everything that a run needs.
pub struct Run {
    /// The list.
    pub list: List,
    /// How its images reach the program.
    pub input: Input,
    /// Number of images, if known.
    pub total: Option<u64>,
    pub rules: NameRules,
    /// The part of the list that is taken; `None`: all of it.
    pub shard: Option<Shard>,
    /// `--allow-empty`, or a shard.
    pub may_be_empty: bool,
    /// The work that is done with each image.
    pub task: Arc<dyn Task>,
    /// `--wait`; `None`: there is one attempt.
    pub wait: Option<WaitSettings>,
    /// Set when the run is to end.
    pub interrupt: Arc<Interrupt>,
    /// Threads, 1 to 20.
    pub jobs: usize,
    /// Where the findings go.
    pub sinks: Vec<Box<dyn Sink>>,
    /// `-debug`.
    pub debug: bool,
    /// Format of the log.
    pub form: LogForm,
    /// How progress is shown.
    pub display: Display,
    /// Logged before the first image.
    pub warnings: Vec<String>,
}

impl Run {
    /// Runs to the end of the list, with `--wait` to the last attempt, or until a signal.
    ///
    /// # Errors
    /// Where the system refuses threads or signal handlers.
    pub fn run(self) -> io::Result<Ended> {
        let words = self.task.words();
        let task = Arc::new(Mutex::new(self.task));
        let current = {
            let task = task.clone();
            move || task.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        let signals = Signals::listen(self.interrupt.clone(), {
            let current = current.clone();
            move || current().shutdown()
        })?;
        let places = Arc::new(Places::new(match self.input {
            Input::List { .. } => PLACES + PLACES_PER_JOB * self.jobs,
            Input::Lines | Input::Terminal => 1,
        }));
        // The writer has taken everything when all senders are gone: each attempt has its own.
        let (mut events, mut received) = bounded(EVENTS);
        let log = Log::new(self.debug, |_| ());
        let progress = Progress::new(self.display, self.total, words, log.bytes(), log.waits());
        let mut writer = Writer::new(
            current(),
            self.may_be_empty,
            self.sinks,
            progress,
            self.form,
            self.input,
            places.clone(),
        )
        .of_list(self.list.digest())
        .with_attempts(self.wait.as_ref().map(|wait| wait.time));
        let mut feed = {
            let reader = Reader {
                list: self.list,
                rules: self.rules,
                shard: self.shard,
                destinations: words.compares.then(Default::default),
                at_terminal: self.input == Input::Terminal,
                places: places.clone(),
                interrupt: self.interrupt.clone(),
                events: events.clone(),
            };
            Feed::List(Box::new(reader), self.warnings)
        };
        loop {
            let port = events.clone();
            let log = log.with_port(move |record| {
                // The writer is gone only when the program ends.
                let _ = port.send(Event::Log(record));
            });
            let memo = matches!(self.input, Input::List { .. }).then(Arc::default);
            let is_first = matches!(feed, Feed::List(..));
            let workers = Workers::new(
                self.jobs,
                current(),
                memo,
                self.interrupt.clone(),
                log.clone(),
                events.clone(),
            );
            let (places, interrupt) = (places.clone(), self.interrupt.clone());
            let reading = move |workers: &Workers| match feed {
                Feed::List(reader, warnings) => {
                    for warning in warnings {
                        log.warn(warning);
                    }
                    drop(log);
                    reader.run(workers);
                }
                Feed::NextAttempt(again) => {
                    drop(log);
                    drop(events);
                    again.run(workers, &places, &interrupt);
                }
            };
            let started = workers.map_err(io::Error::other).and_then(|workers| {
                let named = thread::Builder::new().name(READER.to_owned());
                named.spawn(move || reading(&workers))
            });
            match started {
                Ok(_) => {}
                Err(error) if is_first => return Err(error),
                Err(error) => {
                    writer.give_up(&error);
                    break;
                }
            }
            writer.run(&received, &signals);
            let Some(wait) = &self.wait else { break };
            let Some(again) = writer.next_attempt(&signals) else {
                break;
            };
            match (wait.renew)() {
                Ok(new) => *task.lock().unwrap_or_else(PoisonError::into_inner) = new,
                Err(error) => writer.warn(&format!(
                    "using the settings of the previous attempt: {error}"
                )),
            }
            feed = Feed::NextAttempt(again);
            (events, received) = bounded(EVENTS);
        }
        Ok(writer.end())
    }
}

/// Where the images of an attempt come from.
enum Feed {
    /// The list; warnings come before it.
    List(Box<Reader>, Vec<String>),
    /// The attempt before.
    NextAttempt(NextAttempt),
}
