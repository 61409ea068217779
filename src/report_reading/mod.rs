//! Reads `.json` and `.jsonl` reports as a stream of parts. The form is detected by content, not by file
//! name.
//!
//! A report is untrusted input.

mod fields;
mod object;
mod values;

use std::io::{self, BufRead, ErrorKind};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::escape::escape;
use values::JsonValues;

pub use fields::{Fields, one_line};
pub use object::{Header, LineObject, Outcome, Run, Totals};

/// The highest supported version.
const VERSION: u64 = 1;

/// The field `format`.
const FORMAT: &str = "image-tools report";

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("cannot read the report {}: {error}", escape(.name))]
    Unreadable { name: String, error: io::Error },
    #[error("{} is not a report of image-tools: {}; use a .json or .jsonl file of 'image-tools mirror-validate --report'", escape(.name), escape(.why))]
    NotReport { name: String, why: String },
    #[error("{} is a report of version {version}, but this program reads version {VERSION}; use a newer image-tools", escape(.name))]
    Newer { name: String, version: u64 },
    /// In `.jsonl` also the report of a run in progress.
    #[error("{}:{line}: the report has no totals: the run was killed or is in progress, or the file was cut off", escape(.name))]
    Unfinished { name: String, line: u64 },
    #[error("{}:{line}: the report is damaged: {}", escape(.name), escape(.why))]
    Damaged {
        name: String,
        line: u64,
        why: String,
    },
}

/// A part of a report, in the order in which they come: the header before the lines, or, in a document whose
/// keys were sorted, behind them.
pub enum Part<L> {
    Header(Box<Header>),
    Line(Located<L>),
    /// Of the lines so far only those that passed count: `--wait` made another attempt.
    Attempt,
    /// The last part.
    Totals(Totals),
}

/// A line's object, and the byte range of its text in the file.
pub struct Located<L> {
    pub object: Box<L>,
    pub offset: u64,
    pub length: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    /// In the array of a document.
    Document {
        is_first: bool,
    },
    Lines,
    /// The header has been read behind the lines of a document.
    Behind,
    End,
}

/// Reads one report, whose lines are taken as `L`. Ends without an error only after the totals.
pub struct ReportReader<R, L> {
    values: JsonValues<R>,
    name: String,
    state: State,
    /// The fields before a document's lines, until its header is complete.
    fields: Fields,
    totals: Option<Totals>,
    /// Lines read.
    lines: u64,
    line_type: PhantomData<L>,
}

/// The field that tells the lines of `.jsonl` from each other.
#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "type", default)]
    name: Option<String>,
}

/// Between two attempts.
#[derive(Deserialize)]
struct Attempt {
    /// Lines so far that passed.
    passed: u64,
}

impl<R: BufRead, L: DeserializeOwned> ReportReader<R, L> {
    /// `name`: file name for messages.
    pub fn new(input: R, name: &str) -> Self {
        Self {
            values: JsonValues::new(input),
            name: name.to_owned(),
            state: State::Begin,
            fields: Fields::default(),
            totals: None,
            lines: 0,
            line_type: PhantomData,
        }
    }

    /// An error at the last part.
    pub fn damaged(&self, why: impl Into<String>) -> ReportError {
        ReportError::Damaged {
            name: self.name.clone(),
            line: self.values.line(),
            why: why.into(),
        }
    }

    fn next_part(&mut self) -> Result<Option<Part<L>>, ReportError> {
        loop {
            return match self.state {
                State::Begin => match self.begin()? {
                    Some(header) => Ok(Some(Part::Header(header))),
                    None => continue,
                },
                State::Document { is_first } => self.element(is_first).map(Some),
                State::Lines => self.json_line().map(Some),
                State::Behind => {
                    self.state = State::End;
                    Ok(self.totals.take().map(Part::Totals))
                }
                State::End => match self.peek()? {
                    None => Ok(None),
                    Some(_) => Err(self.damaged("there is data after its end")),
                },
            };
        }
    }

    /// Reads up to the first line; `None`: the header's fields stand behind the lines.
    fn begin(&mut self) -> Result<Option<Box<Header>>, ReportError> {
        match self.peek()? {
            Some(b'{') => self.values.skip(),
            None => return Err(self.not_report("the file is empty")),
            Some(_) => return Err(self.not_report("the content is not a JSON object")),
        }
        let has_lines = self.read_fields(true)?;
        match self.fields.get::<String>("format").as_deref() {
            Some(FORMAT) => {}
            Some(_) => return Err(self.not_report("the field \"format\" has another value")),
            None => return Err(self.not_report("the first field is not \"format\"")),
        }
        let is_sorted = ["version", "list", "run"]
            .iter()
            .any(|name| !self.fields.contains(name));
        let header = if has_lines && is_sorted {
            None
        } else {
            Some(self.header()?)
        };
        self.state = if has_lines {
            self.expect(b'[')?;
            State::Document { is_first: true }
        } else {
            State::Lines
        };
        Ok(header)
    }

    /// The header, from the fields that were read.
    fn header(&mut self) -> Result<Box<Header>, ReportError> {
        match self.fields.get("version") {
            Some(VERSION) => {}
            Some(version) if version > VERSION => {
                let name = self.name.clone();
                return Err(ReportError::Newer { name, version });
            }
            _ => return Err(self.damaged("the field \"version\" is missing")),
        }
        let text = std::mem::take(&mut self.fields).to_text();
        let header = serde_json::from_str(&text);
        header
            .map(Box::new)
            .map_err(|error| self.damaged(error.to_string()))
    }

    /// Reads the fields of an object up to its end or, if requested, up to the value of `lines`. Returns
    /// whether that is next.
    fn read_fields(&mut self, until_lines: bool) -> Result<bool, ReportError> {
        if self.peek()? == Some(b'}') {
            self.values.skip();
            return Ok(false);
        }
        loop {
            let key: String = self.value()?;
            self.expect(b':')?;
            if key == "lines" && until_lines && self.peek()? == Some(b'[') {
                return Ok(true);
            }
            let value = self.value()?;
            if !self.fields.insert(key, value) {
                return Err(self.damaged("a field occurs twice"));
            }
            match self.peek()? {
                Some(b',') => self.values.skip(),
                _ => {
                    self.expect(b'}')?;
                    return Ok(false);
                }
            }
        }
    }

    /// The next element of a document's array, or the fields after the array.
    fn element(&mut self, is_first: bool) -> Result<Part<L>, ReportError> {
        if self.peek()? == Some(b']') {
            self.values.skip();
            if self.peek()? == Some(b',') {
                self.values.skip();
                self.read_fields(false)?;
            } else {
                self.expect(b'}')?;
            }
            let Some(totals) = self.fields.remove("totals") else {
                return Err(self.damaged("the field \"totals\" is missing"));
            };
            let totals = self.totals(totals.get().as_bytes())?;
            if !self.fields.contains("format") {
                return Ok(Part::Totals(totals));
            }
            self.totals = Some(totals);
            self.state = State::Behind;
            return self.header().map(Part::Header);
        }
        if !is_first {
            self.expect(b',')?;
            self.peek()?;
        }
        self.state = State::Document { is_first: false };
        let offset = self.values.offset();
        let text = self.text()?;
        self.line(&text, offset)
    }

    /// Reads the next line of `.jsonl`.
    fn json_line(&mut self) -> Result<Part<L>, ReportError> {
        self.peek()?;
        let offset = self.values.offset();
        let text = self.text()?;
        let tag: Tag = self.object(&text)?;
        if tag.name.as_deref() == Some("totals") {
            return self.totals(&text).map(Part::Totals);
        }
        if tag.name.as_deref() == Some("attempt") {
            let attempt: Attempt = self.object(&text)?;
            self.lines = attempt.passed;
            return Ok(Part::Attempt);
        }
        self.line(&text, offset)
    }

    fn line(&mut self, text: &[u8], offset: u64) -> Result<Part<L>, ReportError> {
        self.lines += 1;
        Ok(Part::Line(Located {
            object: self.object(text)?,
            offset,
            length: text.len(),
        }))
    }

    fn totals(&mut self, text: &[u8]) -> Result<Totals, ReportError> {
        let totals: Totals = self.object(text)?;
        if totals.lines != self.lines {
            return Err(self.damaged(format!(
                "the totals count {} lines, but the report has {}",
                totals.lines, self.lines
            )));
        }
        self.state = State::End;
        Ok(totals)
    }

    fn object<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T, ReportError> {
        serde_json::from_slice(text).map_err(|error| self.damaged(error.to_string()))
    }

    fn text(&mut self) -> Result<Vec<u8>, ReportError> {
        self.values.value().map_err(|error| self.failed(error))
    }

    fn value<T: DeserializeOwned>(&mut self) -> Result<T, ReportError> {
        let text = self.text()?;
        self.object(&text)
    }

    fn peek(&mut self) -> Result<Option<u8>, ReportError> {
        self.values.peek().map_err(|error| self.failed(error))
    }

    fn expect(&mut self, byte: u8) -> Result<(), ReportError> {
        match self.peek()? {
            Some(found) if found == byte => {
                self.values.skip();
                Ok(())
            }
            None => Err(self.failed(ErrorKind::UnexpectedEof.into())),
            Some(_) => Err(self.damaged(format!("expected {:?}", char::from(byte)))),
        }
    }

    fn not_report(&self, why: &str) -> ReportError {
        ReportError::NotReport {
            name: self.name.clone(),
            why: why.to_owned(),
        }
    }

    fn failed(&self, error: io::Error) -> ReportError {
        let name = self.name.clone();
        match error.kind() {
            ErrorKind::UnexpectedEof if self.state == State::Begin => {
                self.not_report("the content is not JSON, or was cut off")
            }
            ErrorKind::UnexpectedEof => ReportError::Unfinished {
                name,
                line: self.values.line(),
            },
            ErrorKind::InvalidData => self.damaged("a value is too long"),
            _ => ReportError::Unreadable { name, error },
        }
    }
}

impl<R: BufRead, L: DeserializeOwned> Iterator for ReportReader<R, L> {
    type Item = Result<Part<L>, ReportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.next_part();
        if part.is_err() {
            self.state = State::End;
        }
        part.transpose()
    }
}
