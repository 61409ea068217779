use std::io;

use crate::list::ListError;
use crate::output::OutputError;
use crate::report_reading::ReportError;
use crate::task::record::RecordingError;

#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error("cannot read {0}: {1}")]
    Io(String, io::Error),
    #[error("cannot merge {0}: it is not a regular file")]
    NotRegular(String),
    #[error("{0} is also an input file; give another name for the output file")]
    OutIsInput(String),
    /// The file, and its apparent type.
    #[error(
        "cannot merge {0}: {1}; merge accepts .json and .jsonl reports, failed lists, metrics and recordings"
    )]
    Unknown(String, &'static str),
    #[error("cannot merge {0} with {2}: {1} is not {3}")]
    Kinds(String, &'static str, String, &'static str),
    #[error(
        "cannot write {0}: a merged report has the suffix .json, .jsonl, .xml, .csv, .md or .html"
    )]
    Suffix(String),
    /// The file, and its error.
    #[error("{0} is damaged: {1}; copy it again, or run its shard again")]
    Damaged(String, String),
    #[error("cannot merge {0} with {1}: the reports are of different lists ({2}, {3})")]
    Lists(String, String, String, String),
    #[error("cannot merge {0} with {1}: the runs had different settings ({2})")]
    Settings(String, String, String),
    #[error("cannot merge {0} with {1}: they are shards of different --shard counts ({2}, {3})")]
    Divisions(String, String, String, String),
    #[error(
        "cannot merge {0} with {1}: both have line {2} of the list, but they are different shards"
    )]
    Overlap(String, String, u64),
    #[error(
        "cannot merge {0} with {1}: they have different records of [{2}] ({3}); record it again"
    )]
    States(String, String, String, String),
    #[error("cannot merge {0}: the line [{1}] is not in the list {2}")]
    NotInList(String, String, String),
    #[error("cannot merge {0} into {2}: {0} is {1}; give the output file another suffix")]
    NoReport(String, &'static str, String),
    #[error("--list applies to failed lists only, but {0} is {1}")]
    NoFailedList(String, &'static str),
    #[error(transparent)]
    Report(ReportError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl From<ReportError> for MergeError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Damaged { name, line, why } => {
                Self::Damaged(name, format!("line {line}: {why}"))
            }
            error => Self::Report(error),
        }
    }
}
