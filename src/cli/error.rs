//! Errors of commands and of the command line.

use std::io;

use super::validate::RunError;
use crate::escape::{escape, escape_word};
use crate::merge::MergeError;
use crate::report_reading::ReportError;

/// An error that ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Merge(Box<MergeError>),
    /// `list`: number of lines and files that could not be parsed; a message has named each.
    #[error("found {} in the lists; all other lines were printed", count(*.0))]
    NotUnderstood(u64),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("cannot write to standard output: {0}")]
    StandardOutput(io::Error),
}

/// An invalid command line.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("unknown command \"{}\"; {}", escape(.0), hint(.1.as_deref(), "use -h for the list of commands"))]
    UnknownCommand(String, Option<String>),
    #[error("no help on \"{}\"; {}", escape(.0), hint(.1.as_deref(), "run 'image-tools help' for the list of topics"))]
    UnknownTopic(String, Option<String>),
    #[error("unknown flag \"{}\"; {}", escape(.0), hint(.1.as_deref(), "use -h for the list of flags"))]
    UnknownFlag(String, Option<String>),
    /// An argument that is neither a flag nor a flag's value, and a hint.
    #[error("unexpected argument \"{}\"; {}", escape(.0), .1)]
    Argument(String, &'static str),
    /// A missing argument or flag, and the usage of the command.
    #[error("{0} is missing; usage: {1}")]
    Required(&'static str, &'static str),
    /// A value after a blank, for a flag that takes a value only after `=`.
    #[error("unexpected argument \"{}\"; write {flag}={} to give {flag} a value", escape(.value), escape(.value))]
    Equals { value: String, flag: &'static str },
    #[error("{0} needs an image list; use -f FILE, or -f - for standard input")]
    NeedsList(&'static str),
    #[error("no image list; name a file, or - for standard input")]
    NoFile,
    #[error("flag {0} needs a value")]
    NoValue(&'static str),
    #[error("the value of {0} is empty; give a value, or omit the flag")]
    Empty(&'static str),
    /// `what`: a flag with its dashes, a variable with its `$`, or a command.
    #[error("invalid value \"{}\" for {what} (expected {})", escape_word(.value), escape(.wanted))]
    Value {
        what: String,
        value: String,
        wanted: String,
    },
    #[error("{0} cannot be used with {1}: {2}")]
    Conflict(&'static str, &'static str, &'static str),
    /// Any other error of lexopt.
    #[error("{}", escape(.0))]
    Lexopt(String),
}

fn count(mistakes: u64) -> String {
    match mistakes {
        1 => "1 mistake".to_owned(),
        more => format!("{more} mistakes"),
    }
}

fn hint(near: Option<&str>, otherwise: &str) -> String {
    near.map_or_else(
        || otherwise.to_owned(),
        |near| format!("did you mean \"{}\"?", escape(near)),
    )
}
