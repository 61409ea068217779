//! The man page, generated from the tables of commands and flags.

use super::PROGRAM;
use super::commands::{COMMANDS, Command};
use super::flags::{Flag, FlagValue};
use super::help::{ENVIRONMENT, EXIT_CODES, RELEASED};
use super::manual::{self, TOPICS};

/// The page in the macros of man(7).
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
    let topics: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
    let rows = |rows: &[(&str, &str)]| -> String {
        rows.iter()
            .map(|(name, text)| format!(".TP\n\\fB{}\\fR\n{}\n", escape(name), escape(text)))
            .collect()
    };
    format!(
        ".TH {title} 1 \"{RELEASED}\" \"{PROGRAM} {version}\"
.SH NAME
{PROGRAM} \\- tells whether each image of a list was mirrored correctly
.SH SYNOPSIS
{synopsis}
.SH DESCRIPTION
Compares each image of a list at its source registry with its copy at the
destination registry, and writes the lines that failed or could not be
validated to a file that can be given to \\fB\\-f\\fR again.
Flags take one dash or two.
.SH EXAMPLES
{examples}.SH LIST FORMAT
{list}.SH FLAGS
{flags}.SH VERDICTS
{verdicts}.SH EXIT STATUS
{exit}.SH DIAGNOSTICS
{messages}.SH CREDENTIALS
{credentials}.SH CERTIFICATES
{certificates}.SH FILES
.TP
\\fI<output>.partial\\fR
The results so far of a run that is in progress or was killed.
.SH ENVIRONMENT
{environment}.SH SEE ALSO
.BR skopeo (1),
.BR containers\\-auth.json (5),
.BR containers\\-certs.d (5)
.PP
{topics}
",
        synopsis = synopsis.join("\n.br\n"),
        title = escape(&PROGRAM.to_uppercase()),
        version = env!("CARGO_PKG_VERSION"),
        examples = roff(EXAMPLES),
        list = topic("list"),
        verdicts = topic("verdicts"),
        exit = rows(EXIT_CODES),
        messages = topic("messages"),
        credentials = topic("credentials"),
        certificates = topic("certificates"),
        environment = rows(ENVIRONMENT),
        topics = prose(&format!(
            "{PROGRAM} help TOPIC prints more on these topics: {}.",
            topics.join(", ")
        )),
    )
}

const EXAMPLES: &str = "\
Validate a list with 10 threads:

    image-tools mirror-validate -f list.txt -d reg.example.com -j 10

Validate the failed list again:

    image-tools mirror-validate -f mirror-validate-failed.txt -d reg.example.com

Record the sources, and compare on a host that cannot reach them:

    image-tools mirror-validate -f list.txt --record sources.json
    image-tools mirror-validate -f list.txt --recorded sources.json -d reg.local
";

/// A topic of the manual without its title.
fn topic(name: &str) -> String {
    let text = manual::topic(name).map_or("", |topic| topic.text);
    roff(text.split_once("\n\n").map_or("", |(_, text)| text))
}

/// Converts a text of the manual: sections, paragraphs, and blocks indented by four blanks.
fn roff(text: &str) -> String {
    let mut page = String::new();
    let mut in_block = false;
    let mut at_heading = true;
    for paragraph in text.split("\n\n") {
        let paragraph = paragraph.trim_end_matches('\n');
        let is_block = paragraph.starts_with("    ") || paragraph.starts_with(" 1. ");
        if in_block && !is_block {
            page += ".EE\n";
        }
        if let Some(title) = paragraph.strip_prefix("## ") {
            // A macro's arguments lose their quotation marks.
            page += &format!(".SS {}\n", escape(title).replace('"', "\\(dq"));
        } else if is_block {
            page += match (in_block, at_heading) {
                (true, _) => "\n",
                (false, true) => ".EX\n",
                (false, false) => ".PP\n.EX\n",
            };
            for line in paragraph.lines() {
                page += &format!("{}\n", escape(line));
            }
        } else {
            if !at_heading {
                page += ".PP\n";
            }
            for line in paragraph.lines() {
                page += &format!("{}\n", escape(line));
            }
        }
        in_block = is_block;
        at_heading = paragraph.starts_with("## ");
    }
    if in_block {
        page += ".EE\n";
    }
    page
}

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
        FlagValue::Switch(_) => String::new(),
        FlagValue::Grade(words, _) => format!("[=\\fI{}\\fR]", words.join("|")),
        FlagValue::Text(word, _) | FlagValue::Path(word, _) | FlagValue::SuffixedPath(word, _) => {
            format!(" \\fI{word}\\fR")
        }
        FlagValue::Choice(words, _) => format!(" \\fI{}\\fR", words.join("|")),
    };
    format!(
        ".TP\n{}{value}\n{}{}\n",
        names.join(", "),
        prose(flag.help),
        escape(&flag.shown_default())
    )
}

/// Escapes a paragraph and breaks it into short lines.
fn prose(text: &str) -> String {
    const WIDTH: usize = 72;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WIDTH && !line.is_empty() => {
                line.push(' ');
                line.push_str(word);
            }
            Some(line) if line.is_empty() => line.push_str(word),
            _ => lines.push(word.to_owned()),
        }
    }
    let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
    lines.join("\n")
}

/// Escapes text for roff(7).
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
