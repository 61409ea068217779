//! Why a command did not do its work, in words for the person who typed it.

use std::io;

use super::validate::RunError;
use crate::escape::{escape, escape_word};
use crate::merge::MergeError;
use crate::report_reading::ReportError;

/// Everything that ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Merge(Box<MergeError>),
    /// Of the command `list`: lines and files that were not understood; each has been named.
    #[error("the lists have {}; the rest was printed", count(*.0))]
    NotUnderstood(u64),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("cannot write to standard output: {0}")]
    StandardOutput(io::Error),
}

/// A command line that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("unknown command \"{}\"; {}", escape(.0), hint(.1.as_deref(), "-h lists the commands"))]
    UnknownCommand(String, Option<String>),
    #[error("nothing is known about \"{}\"; {}", escape(.0), hint(.1.as_deref(), "'image-tools help' lists commands and topics"))]
    UnknownTopic(String, Option<String>),
    #[error("unknown flag \"{}\"; {}", escape(.0), hint(.1.as_deref(), "-h lists the flags"))]
    UnknownFlag(String, Option<String>),
    /// A word that is neither a flag nor a flag's value, and what to do instead.
    #[error("unexpected argument \"{}\"; {}", escape(.0), .1)]
    Argument(String, &'static str),
    /// What a command cannot do without, and its usage.
    #[error("{0} is missing; usage: {1}")]
    Required(&'static str, &'static str),
    /// A word behind a flag whose value has to stand behind `=`.
    #[error("unexpected argument \"{}\"; a value of {flag} is written {flag}={}", escape(.value), escape(.value))]
    Equals { value: String, flag: &'static str },
    #[error("{0} needs an image list; give one with -f (-f - reads it from standard input)")]
    NeedsList(&'static str),
    #[error("no image list; give a file, or - for standard input")]
    NoFile,
    #[error("flag needs a value: {0}")]
    NoValue(&'static str),
    #[error("the value of {0} is empty; give a value, or leave the flag out")]
    Empty(&'static str),
    /// `what` is a flag with its dashes, a variable with its `$`, or a command.
    #[error("invalid value \"{}\" for {what} (wanted: {})", escape_word(.value), escape(.wanted))]
    Value {
        what: String,
        value: String,
        wanted: String,
    },
    #[error("{0} and {1} cannot be given together: {2}")]
    Conflict(&'static str, &'static str, &'static str),
    /// Anything else that lexopt refuses.
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
