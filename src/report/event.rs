//! What the writer is told: log records, and what became of each line of the list.

use crossbeam_channel::Sender;

use crate::list::Line;

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
    Passed {
        /// What was compared, for the log: `[S:T] == [D:T]`.
        compared: String,
    },
    /// It is not.
    Failed {
        /// Longer explanations, of several lines each.
        details: Vec<String>,
        /// Why, in one line.
        reason: String,
    },
    /// It could not be found out.
    NotValidated {
        /// Why, in one line.
        cause: String,
    },
    /// The run was interrupted before it was found out.
    Interrupted,
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
    /// A line of the list is being validated.
    Begun(Line),
    /// The validation of a line has ended.
    Ended {
        /// The line's number in the list.
        number: u64,
        /// The image's number among the images.
        image: u64,
        /// The source, `S:T`.
        source: String,
        /// What was found.
        outcome: Outcome,
    },
    /// A line of the list is not an image.
    NotAnImage {
        /// The line.
        line: Line,
        /// What is wrong with it.
        message: String,
    },
    /// The run was interrupted before this line was begun.
    NotBegun(Line),
    /// The list could not be read to its end.
    ListBroke(String),
    /// Text for the person at the terminal, printed as it is.
    Prompt(&'static str),
}

/// Sends log lines to the writer; cheap to clone, one for each image.
#[derive(Clone, Debug)]
pub struct Logger {
    events: Sender<Event>,
    debug: bool,
    image: Option<u64>,
}

impl Logger {
    /// A logger for what is about no image.
    pub fn new(events: Sender<Event>, debug: bool) -> Self {
        Self {
            events,
            debug,
            image: None,
        }
    }

    /// A logger for one image.
    pub fn for_image(&self, image: u64) -> Self {
        Self {
            image: Some(image),
            ..self.clone()
        }
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
