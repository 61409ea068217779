//! `merge`: merges result files of shards. The content decides the type of a file; all files must have
//! the same type.

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
use crate::output::{Output, OutputForm, PARTIAL, merged_form, show, suffixed};
use crate::task::record::FORMAT as RECORDING;

pub use error::MergeError;

/// The result of a merge.
pub struct Merged {
    /// Exit code of the whole run.
    pub exit: Exit,
    /// Messages on missing, incomplete and ignored files.
    pub notes: Vec<String>,
    pub summary: String,
}

/// An input file.
struct Input {
    /// For messages.
    name: String,
    path: PathBuf,
    file: File,
    /// The first bytes.
    begin: Vec<u8>,
}

static MERGED: OutputForm = OutputForm {
    what: "merged file",
    content: "the merged file",
    flag: "merge OUT",
    open: |_, _, _| Ok(None),
};

/// Type of an input file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileType {
    Report,
    Recording,
    Metrics,
    FailedList,
}

impl FileType {
    fn name(self) -> &'static str {
        match self {
            Self::Report => "a report",
            Self::Recording => "a recording",
            Self::Metrics => "a metrics file",
            Self::FailedList => "a failed list",
        }
    }
}

/// `list`: the image list, for the order of failed lists.
///
/// # Errors
/// [`MergeError`]; no file has been changed then.
pub fn run(out: &Path, inputs: &[PathBuf], list: Option<&Path>) -> Result<Merged, MergeError> {
    let inputs: Vec<Input> = inputs
        .iter()
        .map(|path| Input::open(path, out))
        .collect::<Result<_, _>>()?;
    let mut content = FileType::FailedList;
    for (number, input) in inputs.iter().enumerate() {
        let found = input.content()?;
        if number > 0 && found != content {
            let first = inputs[0].name.clone();
            let name = input.name.clone();
            return Err(MergeError::Kinds(name, found.name(), first, content.name()));
        }
        content = found;
    }
    if list.is_some() && content != FileType::FailedList {
        let name = inputs[0].name.clone();
        return Err(MergeError::NoFailedList(name, content.name()));
    }
    if content != FileType::Report && merged_form(out).is_some() && content != FileType::Recording {
        let name = inputs[0].name.clone();
        return Err(MergeError::NoReport(name, content.name(), show(out)));
    }
    match content {
        FileType::Report => reports::merge(out, inputs),
        FileType::Recording => recordings::merge(out, &inputs),
        FileType::Metrics => metrics::merge(out, &inputs),
        FileType::FailedList => failed::merge(out, &inputs, list),
    }
}

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

    fn content(&self) -> Result<FileType, MergeError> {
        let text = String::from_utf8_lossy(&self.begin);
        let unknown = |why| Err(MergeError::Unknown(self.name.clone(), why));
        match text.chars().next() {
            _ if has_format(&text, FORMAT) => Ok(FileType::Report),
            _ if has_format(&text, RECORDING) => Ok(FileType::Recording),
            Some('{' | '[') => unknown("it is JSON, but not a report or a recording"),
            Some('<') => unknown("it is XML or HTML"),
            _ if text.contains('\0') => unknown("it is a binary file"),
            _ if text.starts_with("# HELP mirror_validate_") => Ok(FileType::Metrics),
            _ if text.starts_with("# ") => unknown("it is Markdown or a list with comments"),
            _ if text.starts_with("line,") => unknown("it is a CSV file"),
            _ => Ok(FileType::FailedList),
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
