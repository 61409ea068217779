//! A file of a list: lines with an image, a comment, or a mistake each; or a YAML or JSON document,
//! which is converted to such lines.
//!
//! The bytes of a line are kept as read, for the failed list. [`super::entry`] parses them.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use super::document::{self, Document};
use super::error::ListError;

/// The maximum length of a line in bytes; an input with a longer one is not a list.
pub const MAX_KEPT: usize = 16 * 1024 * 1024;

/// The maximum size in bytes of the leading comments, which are kept until the type of the file is
/// known.
const MAX_HEAD: usize = 1024 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The position of a line, for messages: `FILE:LINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name, escaped.
    pub file: Arc<str>,
    /// The line in its file, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A line of a list that is not a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number in the list, from 1: unique within a run, and increasing. In a list of one file, the
    /// number in that file.
    pub number: u64,
    pub place: Place,
    /// The bytes for the failed list, without the last line feed: those of the line, or for an image of
    /// a document a comment line and the canonical form.
    pub bytes: Vec<u8>,
    /// The reason why a value in a document is not an image, with its remedy.
    pub refusal: Option<Box<str>>,
    /// Whether the log shows the position: in a document, or in one of several files.
    pub shows_place: bool,
}

impl Line {
    /// The text of the image, without the leading comment line.
    pub fn text(&self) -> &[u8] {
        match self.bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => &self.bytes[end + 1..],
            None => &self.bytes,
        }
    }

    /// Whether the line is empty or a comment.
    pub fn is_comment(&self) -> bool {
        is_comment(self.text())
    }

    #[cfg(test)]
    pub fn of_file(file: &str, line: u64, bytes: &[u8]) -> Self {
        Self {
            number: line,
            place: Place {
                file: file.into(),
                line,
            },
            bytes: bytes.to_vec(),
            refusal: None,
            shows_place: false,
        }
    }
}

/// Whether a line is empty or a comment.
pub fn is_comment(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    text.is_empty() || text.starts_with(b"#") || text.starts_with(b"//")
}

/// Reads a file line by line.
pub struct Lines {
    name: Arc<str>,
    content: Content,
}

enum Content {
    Text(Text),
    Document(Document),
}

struct Text {
    reader: Box<dyn BufRead + Send>,
    /// The number of the next line.
    next: u64,
    /// The bytes read until it is known whether this is a document.
    head: Option<Vec<u8>>,
}

impl Lines {
    /// Reads from any input. `name`: for messages, escaped.
    pub fn new(name: Arc<str>, input: impl Read + Send + 'static) -> Self {
        Self {
            name,
            content: Content::Text(Text {
                reader: Box::new(BufReader::with_capacity(64 * 1024, input)),
                next: 1,
                head: Some(Vec::new()),
            }),
        }
    }

    /// The name in messages.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A document from its first image on; `None` if this is no document.
    pub fn into_document(self) -> Option<Self> {
        match self.content {
            Content::Text(_) => None,
            Content::Document(document) => Some(Self {
                name: self.name,
                content: Content::Document(document.rewound()),
            }),
        }
    }

    /// The next line that is not empty and not a comment; `None` at the end. Its number is that of the
    /// line in this file, or of the image in a document.
    ///
    /// # Errors
    /// [`ListError`] if reading fails or the input turns out not to be a list.
    pub fn next_line(&mut self) -> Result<Option<Line>, ListError> {
        loop {
            let text = match &mut self.content {
                Content::Document(document) => return Ok(document.next_line(&self.name)),
                Content::Text(text) => text,
            };
            let Some(line) = text.next_line(&self.name)? else {
                return Ok(None);
            };
            if line.is_comment() {
                continue;
            }
            let Some(head) = text.head.take() else {
                return Ok(Some(line));
            };
            if !document::begins_document(&line.bytes) {
                return Ok(Some(line));
            }
            let whole = text.rest(head, &self.name)?;
            self.content = Content::Document(Document::read(&self.name, whole, line.number)?);
        }
    }

    /// The next line, including empty lines and comments; `None` at the end. For interactive input,
    /// which is never a document.
    ///
    /// # Errors
    /// As [`Lines::next_line`].
    pub fn next_of_any_kind(&mut self) -> Result<Option<Line>, ListError> {
        match &mut self.content {
            Content::Document(document) => Ok(document.next_line(&self.name)),
            Content::Text(text) => {
                text.head = None;
                text.next_line(&self.name)
            }
        }
    }
}

impl Text {
    fn next_line(&mut self, name: &Arc<str>) -> Result<Option<Line>, ListError> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_KEPT).unwrap_or(u64::MAX) + 1;
        let read = (&mut self.reader)
            .take(limit)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| ListError::Io(name.to_string(), error))?;
        if read == 0 {
            return Ok(None);
        }
        let number = self.next;
        self.next += 1;
        if number == 1 && is_utf16(&bytes) {
            return Err(ListError::Utf16(name.to_string()));
        }
        if bytes.len() > MAX_KEPT && !self.may_be_document(&bytes) {
            return Err(ListError::Endless(name.to_string(), number));
        }
        if bytes.contains(&0) {
            return Err(ListError::Binary(name.to_string(), number));
        }
        if let Some(head) = &mut self.head {
            head.extend_from_slice(&bytes);
            if head.len() > MAX_HEAD && is_comment(&bytes) {
                self.head = None;
            }
        }
        if bytes.ends_with(b"\n") {
            bytes.pop();
        }
        if number == 1 && bytes.starts_with(BOM) {
            bytes.drain(..BOM.len());
        }
        Ok(Some(Line {
            number,
            place: Place {
                file: name.clone(),
                line: number,
            },
            bytes,
            refusal: None,
            shows_place: false,
        }))
    }

    /// JSON without line feeds is one long line.
    fn may_be_document(&self, bytes: &[u8]) -> bool {
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        self.head.is_some() && document::begins_document(bytes)
    }

    /// Reads the rest of a document.
    fn rest(&mut self, mut whole: Vec<u8>, name: &str) -> Result<Vec<u8>, ListError> {
        let limit = u64::try_from(document::MAX_BYTES - document::MAX_BYTES.min(whole.len()))
            .unwrap_or(u64::MAX)
            + 1;
        (&mut self.reader)
            .take(limit)
            .read_to_end(&mut whole)
            .map_err(|error| ListError::Io(name.to_owned(), error))?;
        if whole.len() > document::MAX_BYTES {
            return Err(ListError::Large(name.to_owned()));
        }
        if whole.starts_with(BOM) {
            whole.drain(..BOM.len());
        }
        Ok(whole)
    }
}

/// Whether a file begins like UTF-16 text of Windows editors, with or without a BOM.
fn is_utf16(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(16)];
    let zeros = |offset| {
        let mut own = head.iter().skip(offset).step_by(2);
        head.len() >= 4 && own.all(|byte| *byte == 0)
    };
    head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || zeros(0) != zeros(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open(text: &[u8]) -> Lines {
        Lines::new("test".into(), std::io::Cursor::new(text.to_vec()))
    }

    fn lines(text: &[u8]) -> Vec<Line> {
        let mut list = open(text);
        std::iter::from_fn(|| list.next_line().expect("text")).collect()
    }

    fn error(text: &[u8]) -> String {
        let mut list = open(text);
        loop {
            match list.next_line() {
                Ok(Some(_)) => {}
                Ok(None) => return String::new(),
                Err(error) => return error.to_string(),
            }
        }
    }

    #[test]
    fn comments_and_empty_lines_are_skipped() {
        let found = lines(b"\xef\xbb\xbfa b c\r\n\n # x\n\t// y z w\n \t\nd\te  f");
        let numbers: Vec<u64> = found.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 6]);
        assert_eq!(found[0].bytes, b"a b c\r");
        assert_eq!(found[1].bytes, b"d\te  f");
        assert_eq!(found[1].place.to_string(), "test:6");
    }

    #[test]
    fn a_binary_file_is_refused() {
        let mut list = open(b"a b c\nELF\0\n");
        assert!(list.next_line().expect("text").is_some());
        assert!(matches!(list.next_line(), Err(ListError::Binary(_, 2))));
    }

    #[test]
    fn utf_16_is_distinguished_from_other_bytes() {
        for text in [
            &b"\xff\xfea\0 \0b\0"[..],
            b"\xfe\xff\0a\0 \0b",
            b"n\0g\0i\0n\0x\0:\x001\0\n\0",
            b"\0n\0g\0i\0n\0x\0:\x001\0\n",
        ] {
            assert_eq!(
                error(text),
                "cannot read the image list test: it is UTF-16 text; save the file as UTF-8"
            );
        }
        for text in [&b"\x7fELF\0\0\0"[..], b"\0\0\0\0\0", b"a\0"] {
            assert!(error(text).contains("contains a NUL byte"), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_kept_byte_for_byte(parts in prop::collection::vec("[^\n\\x00\u{feff}]{1,30}", 1..9)) {
            let text = format!("a b c\n{}", parts.join("\n"));
            let expected: Vec<&[u8]> = text.as_bytes().split(|b| *b == b'\n').filter(|line| !is_comment(line)).collect();
            let found = lines(text.as_bytes());
            prop_assert_eq!(found.iter().map(|line| &line.bytes[..]).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes in any::<Vec<u8>>()) {
            error(&bytes);
        }
    }
}
