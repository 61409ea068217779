//! The image list: lines of text, each of them an image, a comment, or a mistake.
//!
//! A line's bytes are kept as they came, because the failed list is made of them. What a line
//! means is decided here; which registries it leads to is [`crate::reference`]'s.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::escape::escape_bytes;

/// The longest line that can be an image, in bytes.
pub const MAX_LINE: usize = 4096;

/// The longest line that is kept for the failed list, in bytes: beyond it, the input is no list.
const MAX_KEPT: usize = 16 * 1024 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// How an image has to be written.
pub const WANTED: &str = "wanted: SOURCE DESTINATION TAG, for example: hello-world library/hello-world latest; or NAME:TAG";

/// One line of a list that is not a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Number in its file, from 1.
    pub number: u64,
    /// The bytes, without the line feed.
    pub bytes: Vec<u8>,
}

/// The fields of an image, not yet checked as names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    /// First field.
    pub source: &'a str,
    /// Second field.
    pub destination: &'a str,
    /// Third field: a tag or a digest.
    pub tag: &'a str,
    /// The line is one field, `NAME:TAG`: the same name on both sides.
    pub is_one: bool,
}

/// Why a line is not an image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Longer than [`MAX_LINE`].
    #[error("the line has {0} bytes, more than {MAX_LINE}")]
    Long(usize),
    /// Not text.
    #[error("the line is not UTF-8 text: \"{0}\"")]
    NotText(String),
    /// Not three fields.
    #[error("{0} instead of 3: \"{1}\"")]
    Fields(String, String),
}

/// Why a list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Opening it or reading from it failed.
    #[error("cannot read the image list {0}: {1}")]
    Io(String, io::Error),
    /// It is a directory.
    #[error("cannot read the image list {0}: it is a directory; give a file")]
    Directory(String),
    /// It has NUL bytes.
    #[error(
        "cannot read the image list {0}: it is not text (line {1} has a NUL byte); give a UTF-8 text file"
    )]
    Binary(String, u64),
    /// A line above [`MAX_KEPT`].
    #[error(
        "cannot read the image list {0}: line {1} is longer than 16 MiB; this is not an image list"
    )]
    Endless(String, u64),
}

/// Whether a line is empty or a comment.
pub fn is_comment(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    text.is_empty() || text.starts_with(b"#") || text.starts_with(b"//")
}

/// The fields of a line that is not a comment.
///
/// # Errors
/// [`LineError`] says what is wrong; [`WANTED`] says what is wanted.
pub fn fields(bytes: &[u8]) -> Result<Fields<'_>, LineError> {
    if bytes.len() > MAX_LINE {
        return Err(LineError::Long(bytes.len()));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(LineError::NotText(escape_bytes(bytes, 120)));
    };
    let text = text.strip_suffix('\r').unwrap_or(text);
    let words: Vec<&str> = text
        .split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .collect();
    match words[..] {
        [source, destination, tag] => Ok(Fields {
            source,
            destination,
            tag,
            is_one: false,
        }),
        [name] if split_tag(name).is_some() => {
            let (name, tag) = split_tag(name).unwrap_or((name, ""));
            Ok(Fields {
                source: name,
                destination: name,
                tag,
                is_one: true,
            })
        }
        _ => {
            let count = match words.len() {
                1 => "1 field".to_owned(),
                n => format!("{n} fields"),
            };
            Err(LineError::Fields(count, escape_bytes(bytes, 120)))
        }
    }
}

/// A name and its tag or digest, as lists of vendors have it: `reg.io/a/b:v1`. Of tag and digest, the
/// digest counts.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    if let Some((name, digest)) = text.split_once('@') {
        return Some((split_tag(name).map_or(name, |(name, _)| name), digest));
    }
    let (name, tag) = text.rsplit_once(':')?;
    // `reg.io:5000/x` has a port and no tag.
    (!tag.contains('/') && !name.is_empty()).then_some((name, tag))
}

/// A list being read, line by line.
pub struct List {
    name: String,
    reader: Box<dyn BufRead + Send>,
    next: u64,
    /// The file as it was before its first line was read.
    metadata: Option<Metadata>,
    /// Where the file is; `None`: standard input.
    path: Option<PathBuf>,
}

impl List {
    /// Standard input.
    pub fn stdin() -> Self {
        // Redirected from a file, it is that file.
        Self::new(
            "standard input".to_owned(),
            io::stdin(),
            metadata_of_stdin(),
        )
    }

    /// A file, and the number of lines in it that are not comments (none for a pipe, which
    /// cannot be read twice).
    ///
    /// # Errors
    /// [`ListError`] where it is not a readable text file; nothing has been validated then.
    pub fn open(path: &Path) -> Result<(Self, Option<u64>), ListError> {
        let name = crate::escape::escape(&path.display().to_string()).into_owned();
        let fail = |error| ListError::Io(name.clone(), error);
        let mut file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(ListError::Directory(name));
        }
        let mut count = None;
        if metadata.is_file() {
            // Both handles share one position: read to the end, then rewind.
            let first_pass = file.try_clone().map_err(fail)?;
            let mut lines = Self::new(name.clone(), first_pass, None);
            let mut images = 0;
            while lines.next_line()?.is_some() {
                images += 1;
            }
            count = Some(images);
            file.rewind().map_err(fail)?;
        }
        let mut list = Self::new(name, file, Some(metadata));
        list.path = Some(path.to_owned());
        Ok((list, count))
    }

    /// Whether the file is not what it was when it was opened: written to, cut off, or replaced.
    pub fn has_changed(&self) -> bool {
        let Some(before) = self.metadata.as_ref().filter(|before| before.is_file()) else {
            return false;
        };
        let now = match &self.path {
            Some(path) => std::fs::metadata(path).ok(),
            None => metadata_of_stdin(),
        };
        let state = |file: &Metadata| {
            let identity = (file.dev(), file.ino());
            (identity, file.size(), file.mtime(), file.mtime_nsec())
        };
        now.is_none_or(|now| state(&now) != state(before))
    }

    /// Whether reading it never waits for somebody who writes it.
    pub fn is_regular_file(&self) -> bool {
        self.metadata.as_ref().is_some_and(Metadata::is_file)
    }

    /// The name by which messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this list is the file of this metadata.
    pub fn is_file(&self, other: &Metadata) -> bool {
        self.metadata
            .as_ref()
            .is_some_and(|own| own.dev() == other.dev() && own.ino() == other.ino())
    }

    /// The next line that is not empty and not a comment; none at the end.
    ///
    /// # Errors
    /// [`ListError`] where reading fails or the input turns out not to be text.
    pub fn next_line(&mut self) -> Result<Option<Line>, ListError> {
        loop {
            match self.next_of_any_kind()? {
                Some(line) if is_comment(&line.bytes) => {}
                line => return Ok(line),
            }
        }
    }

    /// The next line, also an empty one or a comment; none at the end.
    ///
    /// # Errors
    /// As [`List::next_line`].
    pub fn next_of_any_kind(&mut self) -> Result<Option<Line>, ListError> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_KEPT).unwrap_or(u64::MAX) + 1;
        let read = (&mut self.reader)
            .take(limit)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| ListError::Io(self.name.clone(), error))?;
        if read == 0 {
            return Ok(None);
        }
        let number = self.next;
        self.next += 1;
        if bytes.len() > MAX_KEPT {
            return Err(ListError::Endless(self.name.clone(), number));
        }
        if bytes.contains(&0) {
            return Err(ListError::Binary(self.name.clone(), number));
        }
        if bytes.ends_with(b"\n") {
            bytes.pop();
        }
        if number == 1 && bytes.starts_with(BOM) {
            bytes.drain(..BOM.len());
        }
        Ok(Some(Line { number, bytes }))
    }

    fn new(name: String, input: impl Read + Send + 'static, metadata: Option<Metadata>) -> Self {
        let reader = Box::new(BufReader::with_capacity(64 * 1024, input));
        Self {
            name,
            reader,
            next: 1,
            metadata,
            path: None,
        }
    }
}

fn metadata_of_stdin() -> Option<Metadata> {
    let own = io::stdin().as_fd().try_clone_to_owned();
    own.and_then(|fd| File::from(fd).metadata()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &[u8]) -> Vec<Line> {
        let mut list = List::new("test".to_owned(), io::Cursor::new(text.to_vec()), None);
        std::iter::from_fn(|| list.next_line().expect("text")).collect()
    }

    #[test]
    fn comments_and_empty_lines_are_no_images() {
        let found = lines(b"\xef\xbb\xbfa b c\r\n\n # x\n\t// y z w\n \t\nd\te  f");
        let numbers: Vec<u64> = found.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 6]);
        assert_eq!(found[0].bytes, b"a b c\r");
        assert_eq!(found[1].bytes, b"d\te  f");
    }

    #[test]
    fn three_fields_between_blanks_and_tabs() {
        let expected = Fields {
            source: "a",
            destination: "b",
            tag: "c",
            is_one: false,
        };
        for line in ["a b c", "a\tb\tc", "  a \t b  c \r"] {
            assert_eq!(fields(line.as_bytes()), Ok(expected.clone()), "{line:?}");
        }
    }

    #[test]
    fn one_field_is_a_name_with_its_tag_on_both_sides() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (line, expected) in [
            ("rancher/rancher:v2.9", Some(("rancher/rancher", "v2.9"))),
            ("reg.io:5000/a/b:1", Some(("reg.io:5000/a/b", "1"))),
            (&format!("a/b@{digest}"), Some(("a/b", digest.as_str()))),
            (&format!("a/b:1@{digest}"), Some(("a/b", digest.as_str()))),
            ("reg.io:5000/a/b", None),
            ("nginx", None),
            (":x", None),
        ] {
            let found = fields(line.as_bytes())
                .ok()
                .map(|fields| (fields.source, fields.tag));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |bytes: &[u8]| fields(bytes).expect_err("not an image").to_string();
        assert_eq!(error(b"nginx"), "1 field instead of 3: \"nginx\"");
        assert_eq!(error(b"a b c d"), "4 fields instead of 3: \"a b c d\"");
        assert!(error(b"a b \xff").contains("not UTF-8"));
        assert!(error(&[b'a'; MAX_LINE + 1]).contains("4097 bytes"));
    }

    #[test]
    fn a_binary_file_is_refused() {
        let mut list = List::new(
            "x".to_owned(),
            io::Cursor::new(b"a b c\nELF\0\n".to_vec()),
            None,
        );
        assert!(list.next_line().expect("text").is_some());
        assert!(matches!(list.next_line(), Err(ListError::Binary(_, 2))));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = fields(&bytes);
        }

        #[test]
        fn lines_are_kept_byte_for_byte(parts in prop::collection::vec("[^\n\\x00\u{feff}]{1,30}", 1..9)) {
            let text = parts.join("\n");
            let expected: Vec<&[u8]> = text.as_bytes().split(|b| *b == b'\n').filter(|line| !is_comment(line)).collect();
            let found = lines(text.as_bytes());
            prop_assert_eq!(found.iter().map(|line| &line.bytes[..]).collect::<Vec<_>>(), expected);
        }
    }
}
