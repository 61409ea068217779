//! Help texts, generated from the tables of commands, flags and topics, in the layout of Go's `flag`
//! Help texts, generated from the tables of commands, flags and topics, in the layout of Go's `flag`
//! package.

use std::fmt::Write as _;

use super::PROGRAM;
use super::commands::{COMMANDS, Command};
use super::flags::{self, Flag, FlagValue};
use super::manual::TOPICS;

/// Date of the release, for the man page.
pub const RELEASED: &str = "2026-11-26";

/// The requested help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HelpPage {
    #[default]
    Nothing,
    /// `-h`: at most 24 lines.
    Short,
    /// `--help`.
    Full,
}

/// Exit codes and their meanings.
pub const EXIT_CODES: &[(&str, &str)] = &[
    (
        "0",
        "every image passed, or the list has no images (--allow-empty)",
    ),
    ("1", "at least one image failed"),
    (
        "2",
        "usage error: an invalid flag, an unreadable list, an output that cannot be written",
    ),
    (
        "3",
        "no image failed, but at least one could not be validated",
    ),
    ("130, 143, 129", "interrupted by SIGINT, SIGTERM, SIGHUP"),
];

/// Environment variables and their uses.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("SOURCE_REGISTRY, DEST_REGISTRY", "defaults of -s and -d"),
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
        "locations of credential files",
    ),
    (
        "HTTPS_PROXY, HTTP_PROXY, NO_PROXY",
        "proxies; lower-case names work, too",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "the system's CA certificates",
    ),
    ("NO_COLOR", "disables colours"),
];

pub fn program() -> String {
    let row = |(name, summary)| format!("  {name:<26}  {summary}\n");
    let commands: String = COMMANDS
        .iter()
        .map(|command| row((command.usage(), command.summary)))
        .collect();
    let topics: String = TOPICS
        .iter()
        .map(|topic| row((topic.name.to_owned(), topic.summary)))
        .collect();
    format!(
        "Checks whether each image of a list was mirrored correctly from its source registry to its destination registry.

Usage:
  {PROGRAM} COMMAND [flags]

Commands:
{commands}
Topics of '{PROGRAM} help':
{topics}
Example:
  {PROGRAM} mirror-validate -f ./image-list.txt -j 10
"
    )
}

pub fn version() -> String {
    format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION"))
}

/// Help on a command, from its row in the table only.
pub fn command(command: &Command, _: HelpPage) -> String {
    format!(
        "Usage of {}: {PROGRAM} {}\n  {}\n\n{}",
        command.name,
        command.usage(),
        command.summary,
        flags::all(command.groups).map(row).collect::<String>()
    )
}

pub fn remedy(row: &Command, page: HelpPage) -> String {
    command(row, page)
        + "
REPORT is a .json or .jsonl file of 'mirror-validate --report'; '-' reads standard input.
The commands are printed, not run. They copy the validated digest to the tag of the list.
No commands are printed for images that were not validated. An incomplete report is an error (exit code 2).

Example:
  image-tools remedy report.json --for skopeo >repair.sh; less repair.sh; sh repair.sh
"
}

pub fn validate(command: &Command, page: HelpPage) -> String {
    let mut original: Vec<&Flag> = flags::all(command.groups)
        .filter(|flag| flag.is_original)
        .collect();
    // Go sorts by name.
    original.sort_by_key(|flag| flag.name());
    let usage = format!("Usage of {}:\n", command.name);
    if page == HelpPage::Short {
        let rows: String = original.into_iter().map(short_row).collect();
        return format!("{usage}{rows}{}", SHORT.replace("PROGRAM", PROGRAM));
    }
    let mut text = usage;
    text.extend(original.into_iter().map(row));
    for group in command.groups {
        text += &format!("\n{}:\n", group.title);
        text.extend(group.flags.iter().filter(|flag| !flag.is_original).map(row));
    }
    text.push_str(
        "
The list has one image per line: SOURCE DESTINATION TAG, for example:
  hello-world library/hello-world latest
Or NAME:TAG, for the same name in the source and the -d registry. Lines that begin with '#' or '//' are comments.
Run 'image-tools help list' for all formats.

Exit codes:
",
    );
    for (code, when) in EXIT_CODES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {code:<14} {when}");
    }
    text
}

/// The short help after the flags of image-tools 1.3.0.
const SHORT: &str = "\
Often used: --accept, --allow-single, --ca-file FILE, --deep, --recorded FILE,
  --referrers, --report FILE, --retries N, --tls-verify=false, -q

Examples:
  PROGRAM mirror-validate -f list.txt -s docker.io -d reg.example.com -j 10
  PROGRAM mirror-validate -f mirror-validate-failed.txt -s docker.io -d reg.example.com

Use --help for all flags, and 'PROGRAM help' for the topics of the manual.
";

/// A flag with the first clause of its help text.
fn short_row(flag: &Flag) -> String {
    go_row(flag, flag.help.split([';', ':']).next().unwrap_or_default())
}

/// A flag as Go's `flag` package prints it.
fn go_row(flag: &Flag, help: &str) -> String {
    let kind = match flag.takes {
        FlagValue::Switch(_) | FlagValue::Grade(..) => "",
        FlagValue::Text(word, _) | FlagValue::Path(word, _) | FlagValue::SuffixedPath(word, _) => {
            word
        }
        FlagValue::Choice(..) => "string",
    };
    let mut text = format!("  {} {kind}", flag.name()).trim_end().to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n        {help}{}", flag.shown_default());
    text
}

fn row(flag: &Flag) -> String {
    let mut text = go_row(flag, flag.help);
    if flag.names.len() > 1 {
        let _ = writeln!(text, "        also: {}", flag.names[1..].join(", "));
    }
    text
}
