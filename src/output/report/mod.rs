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

use super::file::Output;
use super::{Kind, Sink};
use object::ReportHeader;

/// The file name for standard output.
pub const STANDARD_OUTPUT: &str = "-";

/// Makes a report of a run that a file takes in.
type New = fn(Output, ReportHeader) -> Box<dyn Sink>;

/// One form.
struct Form {
    suffix: &'static str,
    kind: &'static Kind,
    /// `None`: the JSON forms, which `merge` copies.
    new: Option<New>,
}

static FORMS: [Form; 6] = [
    Form {
        suffix: "json",
        kind: &json::JSON,
        new: None,
    },
    Form {
        suffix: "jsonl",
        kind: &jsonl::JSON_LINES,
        new: None,
    },
    Form {
        suffix: "xml",
        kind: &junit::JUNIT,
        new: Some(junit::new),
    },
    Form {
        suffix: "csv",
        kind: &csv::CSV,
        new: Some(csv::new),
    },
    Form {
        suffix: "md",
        kind: &markdown::MARKDOWN,
        new: Some(markdown::new),
    },
    Form {
        suffix: "html",
        kind: &html::HTML,
        new: Some(html::new),
    },
];

/// The form of a report by its file name; `None`: unknown suffix.
pub fn kind(name: &Path) -> Option<&'static Kind> {
    if name == Path::new(STANDARD_OUTPUT) {
        return Some(&jsonl::JSON_LINES);
    }
    form(name).map(|form| form.kind)
}

/// How a report that is no JSON is made of lines that have ended before.
pub fn of_lines(name: &Path) -> Option<New> {
    form(name)?.new
}

fn form(name: &Path) -> Option<&'static Form> {
    let suffix = name.extension()?;
    FORMS
        .iter()
        .find(|form| suffix.eq_ignore_ascii_case(form.suffix))
}

const fn report(open: super::Open) -> Kind {
    Kind {
        what: "report",
        content: "the report",
        flag: "--report",
        open,
    }
}
