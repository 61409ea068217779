//! The command line: what was typed ([`parse`]), and what the program needs ([`Options`]).
//!
//! The rest of the code never sees a raw flag: everything here is resolved, checked and has its
//! default.

mod completion;
mod flags;
mod help;
mod man;
mod options;
mod parse;
mod run;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use crate::escape::escape;

pub use options::Options;
pub use run::run;

/// The name of the program.
pub const PROGRAM: &str = "image-tools";

/// The one command that does the work.
pub const VALIDATE: &str = "mirror-validate";

/// The words that can stand in the place of a command.
const COMMANDS: &[&str] = &[VALIDATE, "completion", "man", "help", "version"];

/// The shells for which there are completions.
const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Print this text and end.
    Print(String),
    /// Validate images.
    Validate(Box<Options>),
}

/// A command line that cannot be followed, in words for the person who typed it.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A word that is no command.
    #[error("unknown command \"{}\"; {}", escape(.0), meant(.1.as_deref(), "-h lists the commands"))]
    UnknownCommand(String, Option<String>),
    /// A flag that is not in the table.
    #[error("unknown flag \"{}\"; {}", escape(.0), meant(.1.as_deref(), "-h lists the flags"))]
    UnknownFlag(String, Option<String>),
    /// A word that is neither a flag nor a flag's value.
    #[error("unexpected argument \"{}\"; an image list is given with -f", escape(.0))]
    Argument(String),
    /// A word behind a flag that takes its value with `=` only.
    #[error("unexpected argument \"{}\"; a value of {flag} is written {flag}={}", escape(.value), escape(.value))]
    Equals {
        /// The word.
        value: String,
        /// The flag, with dashes.
        flag: String,
    },
    /// A flag without its value.
    #[error("flag needs a value: {0}")]
    NoValue(String),
    /// A value that the flag does not take.
    #[error("invalid value \"{}\" for {flag} (wanted: {wanted})", escape(.value))]
    Value {
        /// The flag, with dashes, or the environment variable.
        flag: String,
        /// What was given.
        value: String,
        /// What is wanted.
        wanted: String,
    },
    /// Two flags that contradict each other, and why.
    #[error("{0} and {1} cannot be given together: {2}")]
    Pair(String, String, &'static str),
    /// Anything else that lexopt refuses.
    #[error("{}", escape(.0))]
    Lexopt(String),
}

/// Prints an error on standard error, in one line.
pub fn print_error(text: &str) {
    // If standard error is closed there is nobody to tell; the exit code remains.
    let _ = writeln!(std::io::stderr(), "{PROGRAM}: {}", escape(text));
}

fn meant(near: Option<&str>, otherwise: &str) -> String {
    near.map_or_else(
        || otherwise.to_owned(),
        |near| format!("did you mean \"{near}\"?"),
    )
}

/// Reads the command line and the environment.
///
/// # Errors
/// [`UsageError`] where it cannot be followed; nothing has been done then.
pub fn command(mut args: impl Iterator<Item = OsString>) -> Result<Command, UsageError> {
    let program = args.next().unwrap_or_default();
    if Path::new(&program)
        .file_name()
        .is_some_and(|name| name == VALIDATE)
    {
        return validate(args);
    }
    let Some(first) = args.next() else {
        return Ok(Command::Print(help::program()));
    };
    match first.to_string_lossy().as_ref() {
        VALIDATE => validate(args),
        "-h" | "--h" | "-help" | "--help" => Ok(Command::Print(help::program())),
        "help" => match args.next() {
            Some(topic) if topic == VALIDATE => Ok(Command::Print(help::validate())),
            Some(topic) => Err(unknown(&topic.to_string_lossy())),
            None => Ok(Command::Print(help::program())),
        },
        "completion" => {
            let shell = args
                .next()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let script = completion::script(&shell).ok_or_else(|| UsageError::Value {
                flag: "completion".to_owned(),
                value: shell,
                wanted: SHELLS.join(", "),
            })?;
            Ok(Command::Print(script))
        }
        "man" => Ok(Command::Print(man::page())),
        "-v" | "--v" | "-version" | "--version" | "version" => Ok(Command::Print(help::version())),
        flag if flag.starts_with('-') => Err(UsageError::UnknownFlag(
            flag.to_owned(),
            flags::find(flag.trim_start_matches('-'))
                .map(|_| format!("{PROGRAM} {VALIDATE} {flag}")),
        )),
        other => Err(unknown(other)),
    }
}

fn validate(args: impl Iterator<Item = OsString>) -> Result<Command, UsageError> {
    let typed = parse::parse(args)?;
    if typed.switch(flags::Id::Help, false) {
        return Ok(Command::Print(help::validate()));
    }
    if typed.switch(flags::Id::Version, false) {
        return Ok(Command::Print(help::version()));
    }
    let environment = |name: &str| std::env::var(name).ok();
    Ok(Command::Validate(Box::new(Options::resolve(
        &typed,
        &environment,
    )?)))
}

fn unknown(word: &str) -> UsageError {
    let near = flags::nearest(word, COMMANDS.iter().copied());
    UsageError::UnknownCommand(word.to_owned(), near.map(ToOwned::to_owned))
}
