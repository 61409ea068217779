//! The man page, made from the table of flags.

use std::fmt::Write as _;

use super::flags::{FLAGS, Takes};
use super::help::{ENVIRONMENT, EXIT_CODES};
use super::{PROGRAM, VALIDATE};

/// The page, in the `man` macros of roff(7).
pub fn page() -> String {
    let mut flags = String::new();
    for flag in FLAGS {
        let mut names = vec![flag.shown()];
        names.extend(flag.also());
        let names: Vec<String> = names
            .iter()
            .map(|name| format!("\\fB{}\\fR", escape(name)))
            .collect();
        let value = match flag.takes {
            Takes::Switch => String::new(),
            Takes::Grade(words) => format!("[=\\fI{}\\fR]", words.join("|")),
            Takes::Value(word) | Takes::Path(word) => format!(" \\fI{word}\\fR"),
            Takes::Choice(words) => format!(" \\fI{}\\fR", words.join("|")),
        };
        let default = match flag.default {
            "" => String::new(),
            default => format!(" (default {})", escape(default)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            flags,
            ".TP\n{}{value}\n{}{default}",
            names.join(", "),
            escape(flag.help)
        );
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
\\fB{PROGRAM} {VALIDATE}\\fR [\\fIflags\\fR]
.br
\\fB{PROGRAM} completion\\fR bash|zsh|fish
.br
\\fB{PROGRAM} man\\fR
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
        title = escape(&PROGRAM.to_uppercase()),
        version = env!("CARGO_PKG_VERSION"),
        exit = rows(EXIT_CODES),
        environment = rows(ENVIRONMENT),
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
