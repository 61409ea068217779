//! Reports: the result of every line of the list. The suffix of the file decides the form; each form is
//! a [`Sink`](super::Sink) in its own module, registered in [`FORMS`].

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

/// The file name for standard output.
pub const STANDARD_OUTPUT: &str = "-";

/// Forms by suffix.
static FORMS: [(&str, &Kind); 6] = [
    ("json", &json::JSON),
    ("jsonl", &jsonl::JSON_LINES),
    ("xml", &junit::JUNIT),
    ("csv", &csv::CSV),
    ("md", &markdown::MARKDOWN),
    ("html", &html::HTML),
];

/// The form of a report by its file name; `None`: unknown suffix.
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

const fn report(open: super::Open) -> Kind {
    Kind {
        what: "report",
        content: "the report",
        flag: "--report",
        open,
    }
}
