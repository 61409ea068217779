//! The help texts, made from the tables of commands and flags, in the layout of Go's `flag` package.

use std::fmt::Write as _;

use super::PROGRAM;
use super::commands::{COMMANDS, Command};
use super::flags::{self, Flag, Group, Takes};

/// The exit codes, and when each is given.
pub const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "every image passed, or the list has none"),
    ("1", "at least one image failed"),
    (
        "2",
        "usage: a wrong flag, an unreadable list, an output that cannot be written",
    ),
    ("3", "none failed, but at least one could not be validated"),
    ("130, 143, 129", "interrupted by SIGINT, SIGTERM, SIGHUP"),
];

/// The environment variables that are read.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("SOURCE_REGISTRY, DEST_REGISTRY", "as -s and -d"),
    (
        "SOURCE_USERNAME, SOURCE_PASSWORD",
        "credentials for the source registry",
    ),
    (
        "DEST_USERNAME, DEST_PASSWORD",
        "credentials for the destination registry",
    ),
    (
        "REGISTRY_AUTH_FILE, DOCKER_CONFIG, DOCKER_AUTH_CONFIG, XDG_RUNTIME_DIR",
        "where credentials are",
    ),
    (
        "HTTPS_PROXY, HTTP_PROXY, NO_PROXY",
        "proxies, also in lower case",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "the system's CA certificates",
    ),
    ("NO_COLOR", "no colours"),
];

/// Help on the program.
pub fn program() -> String {
    let commands: String = COMMANDS
        .iter()
        .map(|command| format!("  {:<16}  {}\n", command.usage(), command.summary))
        .collect();
    format!(
        "Tells whether each image of a list was mirrored correctly from its source registry to its destination registry.

Usage:
  {PROGRAM} COMMAND [flags]

Commands:
{commands}
Example:
  {PROGRAM} mirror-validate -f ./image-list.txt -j 10
"
    )
}

/// The program's name and version.
pub fn version() -> String {
    format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION"))
}

/// Help on a command that needs no more words than its row has.
pub fn command(command: &Command) -> String {
    format!(
        "Usage of {}: {PROGRAM} {}\n  {}\n\n{}",
        command.name,
        command.usage(),
        command.summary,
        rows(command.groups)
    )
}

/// Help on `mirror-validate`.
pub fn validate(command: &Command) -> String {
    let mut text = format!("Usage of {}:\n{}", command.name, rows(command.groups));
    text.push_str(
        "
One image a line in the list: SOURCE DESTINATION TAG, for example:
  hello-world library/hello-world latest
Or NAME:TAG, the same name at the source and at -d. Empty lines and lines that begin with '#' or '//' are skipped.

Exit codes:
",
    );
    for (code, when) in EXIT_CODES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {code:<14} {when}");
    }
    text
}

/// The flags, those of the original first and in Go's order.
fn rows(groups: &[Group]) -> String {
    let (mut flags, others): (Vec<&Flag>, Vec<&Flag>) =
        flags::all(groups).partition(|flag| flag.is_original);
    flags.sort_by_key(|flag| flag.name());
    flags.extend(others);
    flags.into_iter().map(row).collect()
}

fn row(flag: &Flag) -> String {
    let kind = match flag.takes {
        Takes::Switch(_) | Takes::Grade(..) => "",
        Takes::Text(word, _) | Takes::Path(word, _) | Takes::SuffixedPath(word, _) => word,
        Takes::Choice(..) => "string",
    };
    let mut text = format!("  {} {kind}", flag.name()).trim_end().to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n        {}{}", flag.help, flag.shown_default());
    if flag.names.len() > 1 {
        let _ = writeln!(text, "        also: {}", flag.names[1..].join(", "));
    }
    text
}
