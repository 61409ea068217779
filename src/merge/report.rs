//! Reads a report for merging: memory holds only the offsets of its lines.
//!
//! In both JSON forms the object of each line is on one line of text.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use chrono::DateTime;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::MergeError;
use super::shards::{Shard, ShardFile};
use crate::output::report_object::{FORMAT, VERSION};

/// Prefix of an image's line in `.jsonl`; the rest of the object follows.
pub const IMAGE: &str = "{\"type\":\"image\",";

/// Limit of a line of text, in bytes.
const LONGEST: u64 = 64 << 20;

/// Location of a line's object without its first brace or [`IMAGE`] prefix.
#[derive(Clone, Copy)]
pub struct LineLocation {
    /// Line number in the list.
    pub line: u64,
    pub offset: u64,
    pub length: u32,
    /// Index of the report.
    pub file: u16,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    #[serde(alias = "recorded")]
    Passed,
    Failed,
    NotValidated,
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u64,
    begun: String,
    #[serde(default)]
    ended: Option<String>,
    list: String,
    list_digest: Option<String>,
    shard: Option<Index>,
    run: Box<RawValue>,
}

#[derive(Deserialize)]
struct Index {
    index: u64,
    count: u64,
}

#[derive(Deserialize)]
struct LineObject {
    line: u64,
    outcome: Outcome,
    #[serde(default)]
    requests: u64,
}

#[derive(Deserialize)]
struct Totals {
    #[serde(default)]
    ended: Option<String>,
    #[serde(default)]
    list_digest: Option<String>,
    lines: u64,
    passed: u64,
    failed: u64,
    not_validated: u64,
    requests: u64,
    milliseconds: u64,
    exit_code: u8,
    signal: Option<i32>,
    #[serde(default)]
    absent_shards: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    incomplete_shards: Vec<serde::de::IgnoredAny>,
}

/// The fields of a `.json` report after `lines`.
#[derive(Deserialize)]
struct Footer {
    totals: Totals,
}

/// A report without its lines.
pub struct Report {
    pub file: File,
    pub part: ShardFile,
    pub begun: String,
    /// `None`: the run was interrupted or killed.
    pub ended: Option<String>,
    pub list: String,
    pub list_digest: Option<String>,
    pub run: Box<RawValue>,
    pub requests: u64,
    pub milliseconds: u64,
}

struct Reader<'a> {
    name: &'a str,
    input: BufReader<&'a File>,
    /// Offsets of the last line of text and of the next one.
    at: u64,
    next: u64,
    text: Vec<u8>,
    number: u64,
    lines: &'a mut Vec<LineLocation>,
    first: usize,
    file: u16,
    requests: u64,
}

/// Reads a report and adds its lines; `number`: index of the report.
///
/// # Errors
/// [`MergeError`]; a report that was cut off is no error.
pub fn read(
    name: &str,
    file: File,
    number: u16,
    lines: &mut Vec<LineLocation>,
) -> Result<Report, MergeError> {
    let mut reader = Reader {
        name,
        input: BufReader::with_capacity(1 << 16, &file),
        at: 0,
        next: 0,
        text: Vec::new(),
        number: 0,
        first: lines.len(),
        lines,
        file: number,
        requests: 0,
    };
    let (header, totals) = reader.all()?;
    let (ended, list_digest) = match &totals {
        Some(totals) => (
            header.ended.or_else(|| totals.ended.clone()),
            header.list_digest.or_else(|| totals.list_digest.clone()),
        ),
        None => (None, header.list_digest),
    };
    let shard = match header.shard {
        None => Shard::WHOLE,
        Some(shard) => {
            Shard::new(shard.index, shard.count).ok_or_else(|| reader.damaged("invalid shard"))?
        }
    };
    let time = ended.as_ref().unwrap_or(&header.begun);
    let time = DateTime::parse_from_rfc3339(time).map_err(|_| reader.damaged("invalid time"))?;
    let is_complete = list_digest.is_some()
        && totals.as_ref().is_some_and(|totals| {
            totals.signal.is_none()
                && matches!(totals.exit_code, 0 | 1 | 3)
                && totals.absent_shards.is_empty()
                && totals.incomplete_shards.is_empty()
        });
    let requests = totals.as_ref().map_or(reader.requests, |of| of.requests);
    Ok(Report {
        part: ShardFile {
            name: name.to_owned(),
            shard,
            is_complete,
            time: time.timestamp(),
        },
        begun: header.begun,
        ended,
        list: header.list,
        list_digest,
        run: header.run,
        requests,
        milliseconds: totals.map_or(0, |totals| totals.milliseconds),
        file,
    })
}

impl Reader<'_> {
    /// Reads the header, and the totals if the report is complete.
    fn all(&mut self) -> Result<(Header, Option<Totals>), MergeError> {
        self.next()?;
        let is_document = self.text == b"{\n";
        let header = if is_document {
            self.document_header()?
        } else {
            self.json(&self.text)?
        };
        let header: Header = header;
        if header.format != FORMAT {
            return Err(self.damaged("the field \"format\" is not that of a report"));
        }
        if header.version != VERSION {
            return Err(MergeError::Newer(self.name.to_owned(), header.version));
        }
        let totals = if is_document {
            self.document()?
        } else {
            self.json_lines()?
        };
        if let Some(totals) = &totals {
            self.check(totals)?;
        }
        Ok((header, totals))
    }

    fn document_header(&mut self) -> Result<Header, MergeError> {
        let mut text = b"{\n".to_vec();
        while self.next()? {
            if self.text == b"\"lines\": [\n" {
                text.extend_from_slice(b"\"lines\": []}");
                return self.json(&text);
            }
            text.extend_from_slice(&self.text);
            if text.len() as u64 > LONGEST {
                break;
            }
        }
        Err(self.damaged("the field \"lines\" is missing"))
    }

    fn document(&mut self) -> Result<Option<Totals>, MergeError> {
        while self.next()? {
            if self.text == b"],\n" {
                let mut text = b"{".to_vec();
                while self.next()? {
                    text.extend_from_slice(&self.text);
                }
                return if text.ends_with(b"}\n}\n") {
                    Ok(Some(self.json::<Footer>(&text)?.totals))
                } else {
                    Ok(None)
                };
            }
            let end = match self.text.as_slice() {
                [.., b',', b'\n'] => 2,
                [.., b'\n'] => 1,
                _ => return Ok(None),
            };
            self.line(1, end)?;
        }
        Ok(None)
    }

    fn json_lines(&mut self) -> Result<Option<Totals>, MergeError> {
        while self.next()? {
            if !self.text.ends_with(b"\n") {
                return Ok(None);
            }
            if self.text.starts_with(IMAGE.as_bytes()) {
                self.line(IMAGE.len(), 1)?;
                continue;
            }
            let totals = self.json(&self.text)?;
            if self.next()? {
                return Err(self.damaged("there is data after the totals"));
            }
            return Ok(Some(totals));
        }
        Ok(None)
    }

    /// Adds the last line read; `before` and `end`: bytes of the text that are not part of the object.
    fn line(&mut self, before: usize, end: usize) -> Result<(), MergeError> {
        let text = &self.text[..self.text.len() - end];
        let object: LineObject = self.json(text)?;
        let length = text.len().saturating_sub(before);
        self.requests += object.requests;
        self.lines.push(LineLocation {
            line: object.line,
            offset: self.at + before as u64,
            length: u32::try_from(length).map_err(|_| self.damaged("a line is too long"))?,
            file: self.file,
            outcome: object.outcome,
        });
        Ok(())
    }

    fn check(&self, totals: &Totals) -> Result<(), MergeError> {
        let lines = &self.lines[self.first..];
        let count = |outcome| lines.iter().filter(|line| line.outcome == outcome).count() as u64;
        let found = [
            lines.len() as u64,
            count(Outcome::Passed),
            count(Outcome::Failed),
            count(Outcome::NotValidated),
        ];
        let said = [
            totals.lines,
            totals.passed,
            totals.failed,
            totals.not_validated,
        ];
        if found == said {
            Ok(())
        } else {
            Err(self.damaged("the totals do not match the lines"))
        }
    }

    /// Reads the next line of text with its line feed; false at the end of the file.
    fn next(&mut self) -> Result<bool, MergeError> {
        self.text.clear();
        let mut input = io::Read::take(&mut self.input, LONGEST);
        let read = input
            .read_until(b'\n', &mut self.text)
            .map_err(|error| MergeError::Io(self.name.to_owned(), error))?;
        if read as u64 == LONGEST {
            return Err(self.damaged("a line is too long"));
        }
        self.at = self.next;
        self.next += read as u64;
        self.number += 1;
        Ok(read > 0)
    }

    fn json<'t, T: Deserialize<'t>>(&self, text: &'t [u8]) -> Result<T, MergeError> {
        serde_json::from_slice(text)
            .map_err(|_| self.damaged("not an object in the format of a report"))
    }

    fn damaged(&self, why: &str) -> MergeError {
        let why = format!("line {}: {why}", self.number);
        MergeError::Damaged(self.name.to_owned(), why)
    }
}
