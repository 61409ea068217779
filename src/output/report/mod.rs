//! Reports: the result of every line of the list. The suffix of the file decides the form; each form is
//! a [`Sink`] in its own module, registered in [`FORMS`].

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
use super::{OutputForm, Sink};
use object::ReportHeader;

/// The file name for standard output.
pub const STANDARD_OUTPUT: &str = "-";

/// Makes a report of a run that a file takes in.
pub type NewReport = fn(Output, ReportHeader) -> Box<dyn Sink>;

/// The forms whose lines are objects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum JsonForm {
    Document,
    /// One object per line of text.
    Lines,
}

/// How `merge` writes a form.
#[derive(Clone, Copy)]
pub enum MergedForm {
    /// The objects of the lines are copied.
    Json(JsonForm),
    /// The sink of the form takes the lines, as in a run.
    Sink(NewReport),
}

/// One form.
struct Form {
    suffix: &'static str,
    kind: &'static OutputForm,
    merged: MergedForm,
}

static FORMS: [Form; 6] = [
    Form {
        suffix: "json",
        kind: &json::JSON,
        merged: MergedForm::Json(JsonForm::Document),
    },
    Form {
        suffix: "jsonl",
        kind: &jsonl::JSON_LINES,
        merged: MergedForm::Json(JsonForm::Lines),
    },
    Form {
        suffix: "xml",
        kind: &junit::JUNIT,
        merged: MergedForm::Sink(junit::new),
    },
    Form {
        suffix: "csv",
        kind: &csv::CSV,
        merged: MergedForm::Sink(csv::new),
    },
    Form {
        suffix: "md",
        kind: &markdown::MARKDOWN,
        merged: MergedForm::Sink(markdown::new),
    },
    Form {
        suffix: "html",
        kind: &html::HTML,
        merged: MergedForm::Sink(html::new),
    },
];

/// The form of a report by its file name; `None`: unknown suffix.
pub fn kind(name: &Path) -> Option<&'static OutputForm> {
    if name == Path::new(STANDARD_OUTPUT) {
        return Some(&jsonl::JSON_LINES);
    }
    form(name).map(|form| form.kind)
}

/// How `merge` writes a report of this name; `None`: unknown suffix.
pub fn merged_form(name: &Path) -> Option<MergedForm> {
    form(name).map(|form| form.merged)
}

fn form(name: &Path) -> Option<&'static Form> {
    let suffix = name.extension()?;
    FORMS
        .iter()
        .find(|form| suffix.eq_ignore_ascii_case(form.suffix))
}

const fn report(open: super::OpenOutput) -> OutputForm {
    OutputForm {
        what: "report",
        content: "the report",
        flag: "--report",
        open,
    }
}
