//! The help texts, made from the table of flags, in the layout of Go's `flag` package.

use std::fmt::Write as _;

use super::flags::{FLAGS, Takes};
use super::{PROGRAM, VALIDATE};

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
    format!(
        "Tells whether each image of a list was mirrored correctly from its source registry to its destination registry.

Usage:
  {PROGRAM} COMMAND [flags]

Commands:
  {VALIDATE}   validate mirrored images
  completion SHELL  print the completion script for bash, zsh or fish
  man               print the man page
  help              print this help; 'help {VALIDATE}' lists its flags
  version           print the version

Example:
  {PROGRAM} {VALIDATE} -f ./image-list.txt -j 10
"
    )
}

/// The program's name and version.
pub fn version() -> String {
    format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION"))
}

/// Help on the command and its flags.
pub fn validate() -> String {
    let mut text = format!("Usage of {VALIDATE}:\n");
    for flag in FLAGS {
        let kind = match flag.takes {
            Takes::Switch | Takes::Grade(_) => "",
            Takes::Value(word) | Takes::Path(word) => word,
            Takes::Choice(_) => "string",
        };
        let default = match flag.default {
            "" => String::new(),
            default => format!(" (default {default})"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", format!("  {} {kind}", flag.shown()).trim_end());
        let _ = writeln!(text, "        {}{default}", flag.help);
        if flag.names.len() > 1 {
            let _ = writeln!(text, "        also: {}", flag.also().join(", "));
        }
    }
    text.push_str(
        "
One image a line in the list: SOURCE DESTINATION TAG, for example:
  hello-world library/hello-world latest
Or NAME:TAG, the same name at the source and at -d. Empty lines and lines that begin with '#' or '//' are skipped.

Exit codes:
",
    );
    for (code, when) in EXIT_CODES {
        let _ = writeln!(text, "  {code:<14} {when}");
    }
    text
}
