//! The table of commands, from which dispatch, help, man page and completions are made.

use std::ffi::OsString;
use std::io::{BufWriter, Write as _, stdout};

use super::completion::{self, SHELLS};
use super::error::{Error, UsageError};
use super::flags::{
    self, Group, airgap, compare, list as list_flags, merge as merge_flags, output, patience,
    registries, remedy,
};
use super::help::HelpPage;
use super::parse::Parsed;
use super::{help, list, man, manual, merge, validate};
use crate::exit::Exit;
use crate::remedy::{RemedyError, RemedyOptions};

/// Parsed values of the flags of all commands; one field per group of flags.
#[derive(Debug, Default)]
pub struct Flags {
    pub compare: compare::CompareFlags,
    pub registries: registries::RegistryFlags,
    pub patience: patience::PatienceFlags,
    pub output: output::OutputFlags,
    pub airgap: airgap::AirGapFlags,
    pub list: list_flags::ListFlags,
    pub merge: merge_flags::MergeFlags,
    pub remedy: remedy::RemedyFlags,
    pub help: HelpPage,
    pub version: bool,
}

/// A row of the table.
pub struct Command {
    pub name: &'static str,
    /// Arguments besides flags, as the help shows them. Empty: none.
    pub arguments: &'static str,
    /// Values of the argument, for the completions.
    pub words: &'static [&'static str],
    /// One line, lower case.
    pub summary: &'static str,
    pub groups: &'static [Group],
    pub help: fn(&Command, HelpPage) -> String,
    pub run: fn(Parsed) -> Result<Exit, Error>,
}

const FILES: &str = "[FILE...]";

const RESULTS: &str = "OUT IN...";

/// All commands, in the order of the help.
pub static COMMANDS: &[Command] = &[
    Command {
        name: "mirror-validate",
        arguments: "",
        words: &[],
        summary: "validate mirrored images",
        groups: &[
            compare::GROUP,
            registries::GROUP,
            patience::GROUP,
            output::GROUP,
            airgap::GROUP,
            flags::HELP,
        ],
        help: help::validate,
        run: validate::run,
    },
    Command {
        name: "list",
        arguments: FILES,
        words: &[],
        summary: "convert image lists of any format to one image per line",
        groups: &[list_flags::GROUP, flags::HELP],
        help: list::help,
        run: |parsed| list::run(&parsed),
    },
    Command {
        name: "merge",
        arguments: RESULTS,
        words: &[],
        summary: "merge the reports or other result files of shards",
        groups: &[merge_flags::GROUP, flags::HELP],
        help: merge::help,
        run: |parsed| merge::run(&parsed),
    },
    Command {
        name: "remedy",
        arguments: "REPORT",
        words: &[],
        summary: "print the commands that repair the failed images of a report",
        groups: &[remedy::GROUP, flags::HELP],
        help: help::remedy,
        run: run_remedy,
    },
    Command {
        name: "completion",
        arguments: "SHELL",
        words: SHELLS,
        summary: "print the completion script for bash, zsh or fish",
        groups: &[flags::HELP],
        help: help::command,
        run: |parsed| {
            print(&completion::script(
                &argument(&parsed)?.unwrap_or_default(),
            )?)
        },
    },
    Command {
        name: "man",
        arguments: "",
        words: &[],
        summary: "print the man page",
        groups: &[flags::HELP],
        help: help::command,
        run: |_| print(&man::page()),
    },
    Command {
        name: "help",
        arguments: "[COMMAND|TOPIC|CODE]",
        words: &[],
        summary: "explain a command, a topic or a reason code",
        groups: &[flags::HELP],
        help: |_, _| help::program(),
        run: |parsed| match argument(&parsed)? {
            None => print(&help::program()),
            Some(name) => print(&explanation(&name)?),
        },
    },
    Command {
        name: "version",
        arguments: "",
        words: &[],
        summary: "print the version",
        groups: &[flags::HELP],
        help: help::command,
        run: |_| print(&help::version()),
    },
];

impl Command {
    pub fn takes_arguments(&self) -> bool {
        !self.arguments.is_empty()
    }

    pub fn takes_files(&self) -> bool {
        [FILES, RESULTS].contains(&self.arguments)
    }

    /// `NAME ARGUMENTS`.
    pub fn usage(&self) -> String {
        format!("{} {}", self.name, self.arguments)
            .trim_end()
            .to_owned()
    }

    /// Whether the command has flags besides [`flags::HELP`].
    pub fn has_own_flags(&self) -> bool {
        self.groups.len() > 1
    }
}

/// The command that runs when the program is called through a link of the command's name.
pub fn default_command() -> &'static Command {
    &COMMANDS[0]
}

pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Help on a topic of the manual, a reason code or a command.
fn explanation(name: &str) -> Result<String, UsageError> {
    if let Some(topic) = manual::topic(name) {
        return Ok(topic.text.to_owned());
    }
    if let Some(text) = manual::code(name) {
        return Ok(text);
    }
    match find(name) {
        Some(command) => Ok((command.help)(command, HelpPage::Full)),
        None => {
            let commands = COMMANDS.iter().map(|command| command.name);
            let near = flags::nearest(name, commands).or_else(|| manual::nearest(name));
            Err(UsageError::UnknownTopic(
                name.to_owned(),
                near.map(ToOwned::to_owned),
            ))
        }
    }
}

pub fn unknown(word: &str) -> UsageError {
    let near = flags::nearest(word, COMMANDS.iter().map(|command| command.name));
    UsageError::UnknownCommand(word.to_owned(), near.map(ToOwned::to_owned))
}

/// Prints a text on standard output.
pub fn print(text: &str) -> Result<Exit, Error> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::StandardOutput)?;
    Ok(Exit::Passed)
}

/// `remedy`.
fn run_remedy(parsed: Parsed) -> Result<Exit, Error> {
    const USAGE: &str = "image-tools remedy REPORT --for TOOL";
    let report = match parsed.arguments.as_slice() {
        [] => return Err(UsageError::Required("a report", USAGE).into()),
        [report] => report.into(),
        [_, word, ..] => {
            let word = word.to_string_lossy().into_owned();
            return Err(UsageError::Argument(word, "remedy takes one report").into());
        }
    };
    let flags = parsed.flags.remedy;
    let tool = flags
        .tool
        .ok_or(UsageError::Required("--for with the name of a tool", USAGE))?;
    let wish = RemedyOptions {
        report,
        tool,
        insecure: flags.insecure,
    };
    let mut out = BufWriter::new(stdout().lock());
    match crate::remedy::run(wish, &mut out) {
        Ok(()) => Ok(Exit::Passed),
        Err(RemedyError::Report(error)) => Err(Error::Report(error)),
        Err(RemedyError::Output(error)) => Err(Error::StandardOutput(error)),
    }
}

/// The only argument of a command, if it was given.
fn argument(parsed: &Parsed) -> Result<Option<String>, UsageError> {
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    match parsed.arguments.as_slice() {
        [] => Ok(None),
        [word] => Ok(Some(text(word))),
        [_, word, ..] => Err(UsageError::Argument(text(word), "use -h for the usage")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_by_its_name_and_has_help() {
        for command in COMMANDS {
            let found = find(command.name).expect("a command");
            assert!(std::ptr::eq(found, command), "{}", command.name);
            assert!((command.help)(command, HelpPage::Full).contains(command.name));
        }
        assert_eq!(default_command().name, "mirror-validate");
    }
}
