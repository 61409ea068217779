//! The failed list: the lines that failed or could not be validated, as they stood in the input.
//!
//! The input is only ever read, so it may be the output of the same run.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::output::{FAILED_LIST, Output, OutputError};
use super::spool::Spool;
use crate::list::{Line, List};

/// A failed list being written.
pub struct FailedList {
    /// None: it is not wanted.
    lines: Option<Spool<u64>>,
}

impl FailedList {
    /// Opens `<output>.partial`, so that what cannot be written is known before the first request.
    ///
    /// # Errors
    /// [`OutputError`]; nothing has been changed then.
    pub fn create(output: &Path, input: &List) -> Result<Self, OutputError> {
        // `-o /dev/null`: the list is not wanted.
        if fs::metadata(output).is_ok_and(|found| found.file_type().is_char_device()) {
            return Ok(Self { lines: None });
        }
        let lines = Spool::new(Output::create(FAILED_LIST, output, input)?);
        Ok(Self { lines: Some(lines) })
    }

    /// Takes up a line; [`FailedList::sync`] puts it on disk.
    pub fn add(&mut self, line: &Line) {
        if let Some(lines) = &mut self.lines {
            lines.add(line.number, &line.bytes);
        }
    }

    /// Puts the lines taken up since the last time on disk.
    ///
    /// # Errors
    /// [`OutputError::Left`] where the disk refuses (full, gone).
    pub fn sync(&mut self) -> Result<(), OutputError> {
        self.lines.as_mut().map_or(Ok(()), Spool::sync)
    }

    /// Leaves what there is in the partial file, because the list is not whole; its name, if there is anything.
    ///
    /// # Errors
    /// As [`FailedList::sync`].
    pub fn leave(&mut self) -> Result<Option<String>, OutputError> {
        self.sync()?;
        let lines = self.lines.take().filter(|lines| !lines.is_empty());
        Ok(lines.map(|mut lines| lines.output().partial_name()))
    }

    /// Ends the list: its file where there are lines, no file where there are none.
    ///
    /// # Errors
    /// [`OutputError::Left`]; the partial file is still there then.
    pub fn finish(&mut self) -> Result<Option<PathBuf>, OutputError> {
        let Some(mut lines) = self.lines.take() else {
            return Ok(None);
        };
        lines.sync()?;
        if lines.is_empty() {
            lines.output().remove()?;
            return Ok(None);
        }
        if lines.is_in_order() {
            lines.output().commit()?;
        } else {
            lines.commit("\n", b"", |_| String::new())?;
        }
        Ok(Some(lines.output().name().to_owned()))
    }
}
