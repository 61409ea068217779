//! Reads `.json` and `.jsonl` reports as a stream of parts. The form is detected by content, not by file
//! name.
//!
//! A report is untrusted input.

mod object;
mod values;

use std::io::{self, BufRead, ErrorKind};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::escape::escape;
use values::JsonValues;

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

/// A part of a report, in the order of the file.
pub enum Part {
    Header(Box<Header>),
    Line(Box<LineObject>),
    /// The last part.
    Totals(Totals),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    /// In the array `lines`; `true`: before its first element.
    Document(bool),
    Lines,
    End,
}

/// Iterates over the parts of a report. Without totals the last item is an error.
pub struct ReportReader<R> {
    values: JsonValues<R>,
    name: String,
    state: State,
    /// Lines read.
    lines: u64,
}

impl<R: BufRead> ReportReader<R> {
    /// `name`: file name for messages.
    pub fn new(input: R, name: &str) -> Self {
        Self {
            values: JsonValues::new(input),
            name: name.to_owned(),
            state: State::Begin,
            lines: 0,
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

    fn next_part(&mut self) -> Result<Option<Part>, ReportError> {
        match self.state {
            State::Begin => self.header().map(|header| Some(Part::Header(header))),
            State::Document(is_first) => self.element(is_first).map(Some),
            State::Lines => self.json_line().map(Some),
            State::End => match self.peek()? {
                None => Ok(None),
                Some(_) => Err(self.damaged("there is data after its end")),
            },
        }
    }

    fn header(&mut self) -> Result<Box<Header>, ReportError> {
        match self.peek()? {
            Some(b'{') => self.values.skip(),
            None => return Err(self.not_report("the file is empty")),
            Some(_) => return Err(self.not_report("the content is not a JSON object")),
        }
        let mut fields = Map::new();
        let has_lines = self.fields(&mut fields, true)?;
        match fields.get("format").and_then(Value::as_str) {
            Some(FORMAT) => {}
            Some(_) => return Err(self.not_report("the field \"format\" has another value")),
            None => return Err(self.not_report("the first field is not \"format\"")),
        }
        let is_sorted = ["version", "list", "run"]
            .iter()
            .any(|name| !fields.contains_key(*name));
        if has_lines && is_sorted {
            return Err(self
                .damaged("the fields \"version\", \"list\" and \"run\" must be before \"lines\""));
        }
        match fields.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) if version > VERSION => {
                let name = self.name.clone();
                return Err(ReportError::Newer { name, version });
            }
            _ => return Err(self.damaged("the field \"version\" is missing")),
        }
        self.state = if has_lines {
            self.expect(b'[')?;
            State::Document(true)
        } else {
            State::Lines
        };
        let header = serde_json::from_value(Value::Object(fields));
        header
            .map(Box::new)
            .map_err(|error| self.damaged(error.to_string()))
    }

    /// Reads the fields of an object up to its end or, if requested, up to the value of `lines`. Returns
    /// whether that is next.
    fn fields(
        &mut self,
        fields: &mut Map<String, Value>,
        until_lines: bool,
    ) -> Result<bool, ReportError> {
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
            if fields.insert(key, value).is_some() {
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

    /// Reads the next element of the array `lines`, or the totals after it.
    fn element(&mut self, is_first: bool) -> Result<Part, ReportError> {
        if self.peek()? == Some(b']') {
            self.values.skip();
            let mut fields = Map::new();
            if self.peek()? == Some(b',') {
                self.values.skip();
                self.fields(&mut fields, false)?;
            } else {
                self.expect(b'}')?;
            }
            let Some(totals) = fields.remove("totals") else {
                return Err(self.damaged("the field \"totals\" is missing"));
            };
            return self.totals(totals);
        }
        if !is_first {
            self.expect(b',')?;
        }
        self.state = State::Document(false);
        self.lines += 1;
        self.value().map(Part::Line)
    }

    /// Reads the next line of `.jsonl`.
    fn json_line(&mut self) -> Result<Part, ReportError> {
        let value: Value = self.value()?;
        if value.get("type").and_then(Value::as_str) == Some("totals") {
            return self.totals(value);
        }
        self.lines += 1;
        let object = serde_json::from_value(value);
        object
            .map(Part::Line)
            .map_err(|error| self.damaged(error.to_string()))
    }

    fn totals(&mut self, value: Value) -> Result<Part, ReportError> {
        let totals: Totals =
            serde_json::from_value(value).map_err(|error| self.damaged(error.to_string()))?;
        if totals.lines != self.lines {
            return Err(self.damaged(format!(
                "the totals count {} lines, but the report has {}",
                totals.lines, self.lines
            )));
        }
        self.state = State::End;
        Ok(Part::Totals(totals))
    }

    fn value<T: DeserializeOwned>(&mut self) -> Result<T, ReportError> {
        let text = self.values.value().map_err(|error| self.failed(error))?;
        serde_json::from_slice(&text).map_err(|error| self.damaged(error.to_string()))
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

impl<R: BufRead> Iterator for ReportReader<R> {
    type Item = Result<Part, ReportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.next_part();
        if part.is_err() {
            self.state = State::End;
        }
        part.transpose()
    }
}
