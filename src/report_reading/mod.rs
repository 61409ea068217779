//! Reading reports: the document of `.json` and the lines of `.jsonl`, as a stream of parts. The form
//! is known by its content, not by a name.
//!
//! A report is a file from outside: what is in it is only as good as its writer.

mod object;
mod values;

use std::io::{self, BufRead, ErrorKind};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::escape::escape;
use values::Values;

pub use object::{Header, LineObject, Outcome, Run, Totals};

/// The newest version of the format that is read.
const VERSION: u64 = 1;

/// What the field `format` of every report says.
const FORMAT: &str = "image-tools report";

/// Why a report cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("cannot read the report {}: {error}", escape(.name))]
    Unreadable { name: String, error: io::Error },
    #[error("{} is not a report of image-tools: {}; 'image-tools mirror-validate --report FILE' writes one as .json or .jsonl", escape(.name), escape(.why))]
    NotReport { name: String, why: String },
    #[error("{} is a report of version {version}, and this program reads version {VERSION}; use the image-tools that wrote it, or a newer one", escape(.name))]
    Newer { name: String, version: u64 },
    /// Also of a run that goes on, in `.jsonl`.
    #[error("{}:{line}: the report ends before its totals: its run was killed or goes on, or the file was cut off", escape(.name))]
    Unfinished { name: String, line: u64 },
    #[error("{}:{line}: the report is damaged: {}", escape(.name), escape(.why))]
    Damaged {
        name: String,
        line: u64,
        why: String,
    },
}

/// A part of a report, in the order in which they come.
pub enum Part {
    Header(Box<Header>),
    Line(Box<LineObject>),
    /// The last one.
    Totals(Totals),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    /// In the array of a document; `true`: before its first element.
    Document(bool),
    Lines,
    End,
}

/// Reads one report. Ends without an error only after the totals.
pub struct ReportReader<R> {
    values: Values<R>,
    name: String,
    state: State,
    /// Lines that were read.
    lines: u64,
}

impl<R: BufRead> ReportReader<R> {
    /// `name`: of the file, for messages.
    pub fn new(input: R, name: &str) -> Self {
        Self {
            values: Values::new(input),
            name: name.to_owned(),
            state: State::Begin,
            lines: 0,
        }
    }

    /// An error at the part that was read last.
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
                Some(_) => Err(self.damaged("something follows the report's end")),
            },
        }
    }

    fn header(&mut self) -> Result<Box<Header>, ReportError> {
        match self.peek()? {
            Some(b'{') => self.values.skip(),
            None => return Err(self.not_report("it is empty")),
            Some(_) => return Err(self.not_report("it is not a JSON object")),
        }
        let mut fields = Map::new();
        let has_lines = self.fields(&mut fields, true)?;
        match fields.get("format").and_then(Value::as_str) {
            Some(FORMAT) => {}
            Some(_) => return Err(self.not_report("its format is another")),
            None => return Err(self.not_report("it does not begin with the field \"format\"")),
        }
        let is_sorted = ["version", "list", "run"]
            .iter()
            .any(|name| !fields.contains_key(*name));
        if has_lines && is_sorted {
            return Err(self.damaged(
                "the fields version, list and run do not stand before \"lines\", where image-tools writes them",
            ));
        }
        match fields.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) if version > VERSION => {
                let name = self.name.clone();
                return Err(ReportError::Newer { name, version });
            }
            _ => return Err(self.damaged("it has no version")),
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

    /// Reads the fields of an object up to its end or, if wanted, to the value of `lines`; says whether
    /// it is there.
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
                return Err(self.damaged("a field stands twice"));
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

    /// The next element of a document's array, or the totals behind it.
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
                return Err(self.damaged("it has no totals"));
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

    /// The next line of `.jsonl`.
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
                "its totals count {} lines, and it has {}",
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
            Some(_) => Err(self.damaged(format!("no {:?} where one belongs", char::from(byte)))),
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
                self.not_report("it is not JSON, or its begin only")
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
