//! The man page, made from the tables of commands and flags.

use super::PROGRAM;
use super::commands::{COMMANDS, Command};
use super::flags::{Flag, Takes};
use super::help::{ENVIRONMENT, EXIT_CODES};

/// The page, in the `man` macros of roff(7).
pub fn page() -> String {
    let synopsis: Vec<String> = COMMANDS.iter().map(synopsis).collect();
    let with_flags = || COMMANDS.iter().filter(|command| command.has_own_flags());
    let is_one = with_flags().count() == 1;
    let mut flags = String::new();
    for command in with_flags() {
        for group in command.groups {
            let title = match is_one {
                true => escape(group.title),
                false => escape(&format!("{}: {}", command.name, group.title)),
            };
            flags += &format!(".SS {title}\n");
            flags.extend(group.flags.iter().map(row));
        }
    }
    let rows = |rows: &[(&str, &str)]| -> String {
        rows.iter()
            .map(|(name, text)| format!(".TP\n\\fB{}\\fR\n{}\n", escape(name), escape(text)))
            .collect()
    };
    format!(
        ".TH {title} 1 \"\" \"{PROGRAM} {version}\"
.SH NAME
{PROGRAM} \\- tells whether each image of a list was mirrored correctly
.SH SYNOPSIS
{synopsis}
.SH DESCRIPTION
Compares each image of a list at its source registry with its copy at the destination registry, and
writes the lines that failed or could not be validated to a file that can be given to \\fB\\-f\\fR again.
.PP
One image a line: SOURCE DESTINATION TAG, separated by blanks or tabs. Empty lines and lines that begin
with # or // are skipped. Flags take one dash or two.
.SH FLAGS
{flags}.SH EXIT STATUS
{exit}.SH ENVIRONMENT
{environment}.SH FILES
.TP
\\fI<output>.partial\\fR
What a run that is going on, or was killed, has found so far.
",
        synopsis = synopsis.join("\n.br\n"),
        title = escape(&PROGRAM.to_uppercase()),
        version = env!("CARGO_PKG_VERSION"),
        exit = rows(EXIT_CODES),
        environment = rows(ENVIRONMENT),
    )
}

/// How a command is called.
fn synopsis(command: &Command) -> String {
    let mut line = format!("\\fB{PROGRAM} {}\\fR", escape(command.name));
    if command.has_own_flags() {
        line.push_str(" [\\fIflags\\fR]");
    }
    match command.words {
        [] if command.takes_arguments() => line += &format!(" {}", escape(command.arguments)),
        words => line += &format!(" {}", words.join("|")),
    }
    line.trim_end().to_owned()
}

fn row(flag: &Flag) -> String {
    let names: Vec<String> = flag
        .names
        .iter()
        .map(|name| format!("\\fB{}\\fR", escape(name)))
        .collect();
    let value = match flag.takes {
        Takes::Switch(_) => String::new(),
        Takes::Grade(words, _) => format!("[=\\fI{}\\fR]", words.join("|")),
        Takes::Text(word, _) | Takes::Path(word, _) | Takes::SuffixedPath(word, _) => {
            format!(" \\fI{word}\\fR")
        }
        Takes::Choice(words, _) => format!(" \\fI{}\\fR", words.join("|")),
    };
    format!(
        ".TP\n{}{value}\n{}{}\n",
        names.join(", "),
        escape(flag.help),
        escape(&flag.shown_default())
    )
}

/// Text as roff takes it.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
