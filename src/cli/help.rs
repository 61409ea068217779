//! The help texts, made from the table of flags, in the layout of Go's `flag` package.

use std::fmt::Write as _;

use super::flags::{FLAGS, Takes};
use super::{PROGRAM, VALIDATE};

/// Help on the program.
pub fn program() -> String {
    format!(
        "Tells whether each image of a list was mirrored correctly from its source registry to its destination registry.

Usage:
  {PROGRAM} COMMAND [flags]

Commands:
  {VALIDATE}   validate mirrored images
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
            Takes::Switch => "",
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
Empty lines and lines that begin with '#' or '//' are skipped.

Exit codes: 0 all passed, 1 some failed, 2 usage, 3 none failed but some could not be validated,
130 and 143 interrupted.
",
    );
    text
}
