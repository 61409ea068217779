//! Reports: the result of every line of the list, for programs and for people. The suffix of a file
//! decides its form; each form is a [`Sink`](super::Sink) in a file of its own, registered in
//! [`FORMS`].

mod csv;
mod html;
mod json;
mod jsonl;
mod junit;
mod markdown;
pub mod object;
mod sides;
mod tally;
mod text;

use std::path::Path;

use super::Kind;

/// The name that means standard output.
pub const STANDARD_OUTPUT: &str = "-";

/// The forms by their suffixes.
static FORMS: [(&str, &Kind); 6] = [
    ("json", &json::JSON),
    ("jsonl", &jsonl::JSON_LINES),
    ("xml", &junit::JUNIT),
    ("csv", &csv::CSV),
    ("md", &markdown::MARKDOWN),
    ("html", &html::HTML),
];

/// The form of a report in a file of this name; `None`: the suffix is not known.
pub fn kind(name: &Path) -> Option<&'static Kind> {
    if name == Path::new(STANDARD_OUTPUT) {
        return Some(&jsonl::JSON_LINES);
    }
    let suffix = name.extension()?;
    let form = FORMS
        .iter()
        .find(|(known, _)| suffix.eq_ignore_ascii_case(known));
    form.map(|(_, kind)| *kind)
}

/// What every report's row has in common.
const fn report(open: super::Open) -> Kind {
    Kind {
        what: "report",
        content: "the report",
        flag: "--report",
        open,
    }
}
