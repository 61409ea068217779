//! What the writer is told: log records, and what became of each line of the list.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::code::Code;
use crate::image::Image;
use crate::list::Line;
use crate::manifest::Spec;
use crate::recording;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For finding out what happened.
    Debug,
    /// For following the run.
    Info,
    /// Something is not as it should be, and the run goes on.
    Warn,
    /// An image failed, or something could not be done.
    Error,
}

/// What the validation of one image found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination is what the source is.
    Passed,
    /// The source was read, to be recorded; none: another line has it.
    Recorded(Option<Box<recording::Source>>),
    /// The destination is not what the source is.
    Failed {
        /// Why, in one word.
        code: Code,
        /// Both sides whole, of several lines each.
        sides: Vec<String>,
        /// What differs in particular, a line each.
        details: Vec<String>,
        /// Why, in one line.
        reason: String,
    },
    /// It could not be found out.
    NotValidated {
        /// Why, in one word.
        code: Code,
        /// Why, in one line.
        cause: String,
    },
    /// The run was interrupted before it was found out.
    Interrupted,
}

/// An outcome, and what was seen on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub outcome: Outcome,
    /// The source's images that were compared; none where it did not come to that.
    pub source: Option<Vec<Spec>>,
    /// The destination's.
    pub destination: Option<Vec<Spec>>,
    /// How many requests were sent for the image.
    pub requests: u64,
    /// How long it took.
    pub time: Duration,
    /// The image stands in an earlier line, of this number, which was validated for both.
    pub same_as: Option<u64>,
}

impl From<Outcome> for Finding {
    /// Without anything seen.
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            source: None,
            destination: None,
            requests: 0,
            time: Duration::ZERO,
            same_as: None,
        }
    }
}

/// An image with its place in the list.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// Its number among the images (`M_ID`), from 1.
    pub number: u64,
    /// The image.
    pub image: Image,
}

/// A message to the writer.
#[derive(Debug)]
pub enum Event {
    /// A log line.
    Log {
        /// How much it matters.
        level: Level,
        /// The image that it is about.
        image: Option<u64>,
        /// The text, of one line.
        text: String,
    },
    /// An image of the list is being validated.
    Begun(Line, Numbered),
    /// The validation of an image has ended.
    Ended {
        /// The line's number in the list.
        line: u64,
        /// What was found.
        finding: Box<Finding>,
    },
    /// A line of the list is not an image.
    NotAnImage {
        /// The line.
        line: Line,
        /// What is wrong with it.
        message: String,
    },
    /// The run was interrupted before this line was begun; its image, if it is one.
    NotBegun(Line, Option<Numbered>),
    /// The list could not be read to its end.
    ListBroke(String),
    /// Text for the person at the terminal, printed as it is.
    Prompt(&'static str),
}

/// Sends log lines to the writer, and counts what an image costs; cheap to clone, one for each image.
#[derive(Clone, Debug)]
pub struct Logger {
    events: Sender<Event>,
    debug: bool,
    image: Option<u64>,
    requests: Arc<AtomicU64>,
    /// Of the whole run.
    bytes: Arc<AtomicU64>,
}

impl Logger {
    /// A logger for what is about no image.
    pub fn new(events: Sender<Event>, debug: bool) -> Self {
        Self {
            events,
            debug,
            image: None,
            requests: Arc::default(),
            bytes: Arc::default(),
        }
    }

    /// A logger for one image, for which nothing has been asked yet.
    pub fn for_image(&self, image: u64) -> Self {
        Self {
            image: Some(image),
            requests: Arc::default(),
            ..self.clone()
        }
    }

    /// Counts a request that is sent for the image.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests have been sent for the image.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts bytes of blobs that were read.
    pub fn count_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many bytes of blobs have been read in the run, now and later.
    pub fn bytes(&self) -> Arc<AtomicU64> {
        self.bytes.clone()
    }

    /// Logs for finding out what happened; the text is only made if it is printed.
    pub fn debug(&self, text: impl FnOnce() -> String) {
        if self.debug {
            self.log(Level::Debug, text());
        }
    }

    /// Logs a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.log(Level::Warn, text.into());
    }

    fn log(&self, level: Level, text: String) {
        // The writer is gone only when the program ends; there is nobody left to tell then.
        let _ = self.events.send(Event::Log {
            level,
            image: self.image,
            text,
        });
    }
}
