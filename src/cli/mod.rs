//! The command line: a table of [`commands`], each with its flags, its help and its run function,
//! and a table of [`flags`], each with its setter.
//!
//! Arguments are parsed in two stages: [`commands::Flags`] has the values of single flags;
//! [`Options`](options::Options) adds the environment and the checks of several values against each other.
//! The rest of the code uses `Options` only.

pub mod commands;
mod completion;
mod display;
mod error;
mod failed_start;
pub mod flags;
mod given;
mod help;
mod list;
mod man;
mod manual;
mod merge;
mod options;
pub mod parse;
mod salvage;
mod validate;

use std::ffi::OsString;
use std::path::Path;

use commands::Command;
use error::UsageError;
use failed_start::FailedStart;
use help::HelpPage;

use crate::exit::Exit;

pub use error::Error;

pub const PROGRAM: &str = "image-tools";

/// Parses the command line and runs its command.
/// [`Error`]; the exit code is 2.
pub fn run(args: impl Iterator<Item = OsString>) -> Result<Exit, Error> {
    let (command, args) = choose(args)?;
    let args: Vec<OsString> = args.collect();
    let parsed = parse::parse(args.iter().cloned(), command).inspect_err(|_| {
        if std::ptr::eq(command, commands::default_command()) {
            FailedStart::of(&salvage::flags(args.iter().cloned(), command.groups)).note();
        }
    })?;
    if parsed.flags.help != HelpPage::Nothing {
        commands::print(&(command.help)(command, parsed.flags.help))
    } else if parsed.flags.version {
        commands::print(&help::version())
    } else {
        (command.run)(parsed)
    }
}

/// The command by the program's name or the first argument, and the arguments after it.
fn choose<A: Iterator<Item = OsString>>(mut args: A) -> Result<(&'static Command, A), UsageError> {
    let program = args.next().unwrap_or_default();
    let is_link =
        Path::new(&program).file_name() == Some(commands::default_command().name.as_ref());
    if is_link {
        return Ok((commands::default_command(), args));
    }
    let first = args.next();
    let word = first
        .as_deref()
        .unwrap_or("help".as_ref())
        .to_string_lossy();
    let name = match word.as_ref() {
        "-h" | "--h" | "-help" | "--help" => "help",
        "-v" | "--v" | "-version" | "--version" => "version",
        word => word,
    };
    match commands::find(name) {
        Some(command) => Ok((command, args)),
        None if name.starts_with('-') => Err(flag_without_command(name)),
        None => Err(commands::unknown(name)),
    }
}

/// The hint names the command that has the flag.
fn flag_without_command(name: &str) -> UsageError {
    let command = commands::COMMANDS
        .iter()
        .find(|command| flags::find(command.groups, name).is_some());
    UsageError::UnknownFlag(
        name.to_owned(),
        command.map(|command| format!("{PROGRAM} {} {name}", command.name)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(line: &str) -> Result<(&'static str, usize), String> {
        choose(line.split(' ').map(OsString::from))
            .map(|(command, rest)| (command.name, rest.count()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_is_chosen_by_link_word_or_flag() {
        for (line, expected) in [
            ("image-tools", ("help", 0)),
            ("image-tools -h", ("help", 0)),
            ("image-tools --help mirror-validate", ("help", 1)),
            ("image-tools -version", ("version", 0)),
            ("image-tools mirror-validate -f x", ("mirror-validate", 2)),
            ("/usr/bin/mirror-validate -f x", ("mirror-validate", 2)),
            ("/usr/bin/man man", ("man", 0)),
        ] {
            assert_eq!(chosen(line), Ok(expected), "{line}");
        }
        for (line, message) in [
            (
                "image-tools mirror-validat",
                "unknown command \"mirror-validat\"; did you mean \"mirror-validate\"?",
            ),
            (
                "image-tools -f x",
                "unknown flag \"-f\"; did you mean \"image-tools mirror-validate -f\"?",
            ),
            (
                "image-tools -x",
                "unknown flag \"-x\"; use -h for the list of flags",
            ),
        ] {
            assert_eq!(chosen(line), Err(message.to_owned()), "{line}");
        }
    }
}
