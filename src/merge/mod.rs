//! `merge`: results of shards into those of the whole list. The content of the files says what they
//! are; all have to be of one kind.

mod error;
mod failed;
mod form;
mod metrics;
mod recordings;
mod report;
mod reports;
mod shards;

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::output::report_object::FORMAT;
use crate::output::{Kind, Output, PARTIAL, show, suffixed};
use crate::task::record::FORMAT as RECORDING;

pub use error::MergeError;

/// A merged file has been written.
pub struct Merged {
    /// That of the whole run.
    pub exit: Exit,
    /// For the user: what is absent, not complete or left out.
    pub notes: Vec<String>,
    pub summary: String,
}

/// A file to be merged.
struct Input {
    /// As messages call it.
    name: String,
    path: PathBuf,
    file: File,
    /// Its first bytes.
    begin: Vec<u8>,
}

/// The output of `merge`, for messages.
static MERGED: Kind = Kind {
    what: "merged file",
    content: "the merged file",
    flag: "merge OUT",
    open: |_, _, _| Ok(None),
};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Report,
    Recording,
    Metrics,
    FailedList,
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Self::Report => "a report",
            Self::Recording => "a recording",
            Self::Metrics => "a metrics file",
            Self::FailedList => "a failed list",
        }
    }
}

/// Merges files; `list`: the image list, for the order of failed lists.
///
/// # Errors
/// [`MergeError`]; nothing has been changed then.
pub fn run(out: &Path, inputs: &[PathBuf], list: Option<&Path>) -> Result<Merged, MergeError> {
    let inputs: Vec<Input> = inputs
        .iter()
        .map(|path| Input::open(path, out))
        .collect::<Result<_, _>>()?;
    let mut content = Content::FailedList;
    for (number, input) in inputs.iter().enumerate() {
        let found = input.content()?;
        if number > 0 && found != content {
            let first = inputs[0].name.clone();
            let name = input.name.clone();
            return Err(MergeError::Kinds(name, found.name(), first, content.name()));
        }
        content = found;
    }
    if list.is_some() && content != Content::FailedList {
        let name = inputs[0].name.clone();
        return Err(MergeError::NoFailedList(name, content.name()));
    }
    if content != Content::Report && form::Form::of(out).is_some() && content != Content::Recording
    {
        let name = inputs[0].name.clone();
        return Err(MergeError::NoReport(name, content.name(), show(out)));
    }
    match content {
        Content::Report => reports::merge(out, inputs),
        Content::Recording => recordings::merge(out, &inputs),
        Content::Metrics => metrics::merge(out, &inputs),
        Content::FailedList => failed::merge(out, &inputs, list),
    }
}

/// Opens the result.
fn output(out: &Path) -> Result<Output, MergeError> {
    Ok(Output::create_apart(&MERGED, out)?)
}

impl Input {
    fn open(path: &Path, out: &Path) -> Result<Self, MergeError> {
        let name = show(path);
        let io = |error| MergeError::Io(name.clone(), error);
        let found = fs::metadata(path).map_err(io)?;
        if !found.is_file() {
            return Err(MergeError::NotRegular(name));
        }
        for taken in [out.to_owned(), suffixed(out, PARTIAL)] {
            let is_same =
                |other: fs::Metadata| (other.dev(), other.ino()) == (found.dev(), found.ino());
            if fs::metadata(&taken).is_ok_and(is_same) {
                return Err(MergeError::OutIsInput(show(&taken)));
            }
        }
        let file = File::open(path).map_err(io)?;
        let mut begin = Vec::new();
        (&file).take(1024).read_to_end(&mut begin).map_err(io)?;
        std::io::Seek::rewind(&mut &file).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            begin,
            name,
        })
    }

    fn content(&self) -> Result<Content, MergeError> {
        let text = String::from_utf8_lossy(&self.begin);
        let unknown = |why| Err(MergeError::Unknown(self.name.clone(), why));
        match text.chars().next() {
            _ if has_format(&text, FORMAT) => Ok(Content::Report),
            _ if has_format(&text, RECORDING) => Ok(Content::Recording),
            Some('{' | '[') => unknown("it is JSON, but not a report or a recording"),
            Some('<') => unknown("it is XML or HTML"),
            _ if text.contains('\0') => unknown("it is not text"),
            _ if text.starts_with("# HELP mirror_validate_") => Ok(Content::Metrics),
            _ if text.starts_with("# ") => unknown("it is Markdown or a list with comments"),
            _ if text.starts_with("line,") => unknown("it is a table"),
            _ => Ok(Content::FailedList),
        }
    }
}

/// Whether a JSON object begins with the field `format` of this value among its first fields; it may have been
/// reformatted.
fn has_format(begin: &str, format: &str) -> bool {
    let value = format!("\"{format}\"");
    let Some(fields) = begin.trim_start().strip_prefix('{') else {
        return false;
    };
    fields.match_indices("\"format\"").any(|(at, key)| {
        let rest = fields[at + key.len()..].trim_start().strip_prefix(':');
        rest.is_some_and(|rest| rest.trim_start().starts_with(&value))
    })
}
