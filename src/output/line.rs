//! Format of a log line: `HH:MM:SS [INFO] [M_ID:7] text`, local time.

use std::fmt::Write as _;

use indicatif::HumanCount;

use crate::escape::escape;
use crate::log::Level;
use crate::verdict::Reason;

/// Details per image in the log.
const MOST_DETAILS: usize = 20;

impl Level {
    fn tag(self) -> &'static str {
        match self {
            Self::Debug => "DEBU",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERRO",
        }
    }

    /// SGR parameter of the colour.
    fn color(self) -> &'static str {
        match self {
            Self::Debug => "2",
            Self::Info => "32",
            Self::Warn => "33",
            Self::Error => "31",
        }
    }
}

/// Appends one log line to `out`; the text must be escaped already.
pub fn append(out: &mut String, color: bool, level: Level, image: Option<u64>, text: &str) {
    let time = chrono::Local::now().format("%H:%M:%S");
    // Writing to a String cannot fail.
    let _ = if color {
        write!(
            out,
            "{time} \x1b[{}m[{}]\x1b[0m",
            level.color(),
            level.tag()
        )
    } else {
        write!(out, "{time} [{}]", level.tag())
    };
    if let Some(image) = image {
        let _ = write!(out, " [M_ID:{image}]");
    }
    let _ = writeln!(out, " {text}");
}

/// Escapes a text of one line.
pub fn one_line(text: &str) -> String {
    escape(text).into_owned()
}

/// Escapes a text of several lines, and keeps its line feeds.
pub fn block(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// The log lines before the hints and the message of a failure: `srcSpec` and `dstSpec` unless
/// `is_brief`, and the first [`MOST_DETAILS`] details.
pub fn details(reason: &Reason, is_brief: bool) -> Vec<String> {
    let (shown, rest) = reason
        .details
        .split_at(reason.details.len().min(MOST_DETAILS));
    let sides = reason.sides.iter().filter(|_| !is_brief);
    let mut lines: Vec<String> = sides.map(|side| block(side)).collect();
    lines.extend(shown.iter().map(|detail| one_line(detail)));
    if !rest.is_empty() {
        lines.push(format!(
            "… and {} more; use --report to see all of them",
            HumanCount(rest.len() as u64)
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Code;

    #[test]
    fn of_many_details_the_first_are_shown_and_the_rest_counted() {
        let with = |count: usize| Reason {
            details: (0..count)
                .map(|number| format!("detail {number}"))
                .collect(),
            sides: vec!["srcSpec: []".to_owned()],
            ..Reason::new(Code::IndexDiffers, "x")
        };
        assert_eq!(details(&with(MOST_DETAILS), true).len(), MOST_DETAILS);
        let lines = details(&with(10_000), false);
        assert_eq!(lines[0], "srcSpec: []");
        assert_eq!(
            lines[MOST_DETAILS..],
            [
                "detail 19",
                "… and 9,980 more; use --report to see all of them"
            ]
        );
    }

    #[test]
    fn the_form_is_an_interface() {
        let mut out = String::new();
        append(&mut out, false, Level::Error, Some(7), "text");
        let (time, rest) = out.split_at(8);
        assert!(
            time.bytes().enumerate().all(|(i, b)| if i % 3 == 2 {
                b == b':'
            } else {
                b.is_ascii_digit()
            }),
            "{time}"
        );
        assert_eq!(rest, " [ERRO] [M_ID:7] text\n");
    }

    #[test]
    fn a_text_from_outside_cannot_begin_a_line() {
        assert_eq!(one_line("a\nb"), "a\\nb");
        assert_eq!(block("a\n\x1bb"), "a\n\\u{1b}b");
    }
}
