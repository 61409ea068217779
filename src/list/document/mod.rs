//! YAML and JSON files with images: recognized by their content, read as a whole, and converted to lines
//! in canonical form that know their position in the file.
//!
//! Nothing is skipped: an invalid value in the place of an image (a rule, a name without a tag) becomes
//! a rejected line, and a file without images is an error.

mod kinds;
mod manifests;
mod mirrors;
mod tree;

use std::borrow::Cow;

use super::entry::{Entry, MAX_LINE};
use super::error::ListError;
use super::lines::{Line, Place};
use super::mistake::{LineError, REFUSED};
use super::names;
use crate::escape::{escape, escape_bytes};
use tree::{Node, Tree};

/// The maximum size of a file in bytes.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The maximum size of the converted lines in bytes: aliases can repeat an image many times.
const MAX_SIZE: usize = 4 * MAX_BYTES;

/// Whether this first line with content begins a YAML or JSON document, and not a list of lines.
pub fn begins_document(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let words: Vec<&[u8]> = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .take(2)
        .collect();
    let is_key = |word: &[u8]| word.len() > 1 && word.ends_with(b":");
    match words[..] {
        [] => false,
        [first, ..] if first.starts_with(b"{") || first == b"---" || first.starts_with(b"%") => {
            true
        }
        [first, ..] if first.starts_with(b"[") => !is_address(first),
        [b"-"] => true,
        [b"-", second, ..] if second.starts_with(b"{") => true,
        [b"-", second, ..] => is_key(second) || is_quoted_key(second),
        [first, ..] => is_key(first) || is_quoted_key(first),
    }
}

/// `[::1]:5000/x` is an IPv6 address and not a JSON list.
fn is_address(word: &[u8]) -> bool {
    let end = word.iter().position(|byte| *byte == b']');
    end.is_some_and(|end| {
        let is_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
        word[1..end].iter().all(is_address) && matches!(word.get(end + 1), Some(b':' | b'/'))
    })
}

/// `"key":value`, as in JSON without blanks.
fn is_quoted_key(word: &[u8]) -> bool {
    [b'"', b'\''].iter().any(|quote| {
        let end = [*quote, b':'];
        word.first() == Some(quote) && word[1..].windows(2).any(|pair| pair == end)
    })
}

pub struct Document {
    /// The canonical forms, concatenated.
    text: String,
    items: Vec<Item>,
    /// The index of the next item, and the position of its text.
    next: (usize, usize),
}

struct Item {
    line: u32,
    /// The end of its text.
    end: usize,
    refusal: Option<Box<str>>,
}

impl Document {
    /// Parses a file. `name`: for messages; `first`: the line that begins the document.
    ///
    /// # Errors
    /// [`ListError`] if the file is malformed, not a list, or has no image.
    pub fn read(name: &str, bytes: Vec<u8>, first: u64) -> Result<Self, ListError> {
        let at = |line: u32, what: String| ListError::Document(name.to_owned(), line.into(), what);
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            ListError::NotText(name.to_owned(), line)
        })?;
        if text.contains('\0') {
            let line = text
                .split('\0')
                .next()
                .unwrap_or_default()
                .lines()
                .count()
                .max(1);
            return Err(ListError::Binary(name.to_owned(), line as u64));
        }
        let tree = Tree::parse(&without_surrogates(&text)).map_err(|error| {
            let hint = if text.contains("{{") {
                "; if the file is a template, use the output of `helm template`"
            } else {
                ""
            };
            let what = escape(&error.what);
            let why = format!("read as YAML or JSON because of line {first}");
            at(
                error.line,
                format!("invalid YAML or JSON: {what} ({why}){hint}"),
            )
        })?;
        drop(text);
        let mut images = Images::default();
        for document in tree.documents() {
            read(document, &mut images).map_err(|rule| at(rule.line, rule.what))?;
        }
        if tree.is_exhausted() || images.is_exhausted {
            return Err(at(
                1,
                "the aliases expand to too much content; write the file without aliases".to_owned(),
            ));
        }
        if images.items.is_empty() {
            return Err(ListError::NoImage(name.to_owned(), first));
        }
        Ok(Self {
            text: images.text,
            items: images.items,
            next: (0, 0),
        })
    }

    /// Restarts at the first image.
    pub fn rewound(self) -> Self {
        Self {
            next: (0, 0),
            ..self
        }
    }

    /// The next image; its number counts the images of the file.
    pub fn next_line(&mut self, file: &std::sync::Arc<str>) -> Option<Line> {
        let (index, start) = self.next;
        let item = self.items.get(index)?;
        self.next = (index + 1, item.end);
        let place = Place {
            file: file.clone(),
            line: item.line.into(),
        };
        Some(Line {
            number: index as u64 + 1,
            bytes: format!("# {place}\n{}", &self.text[start..item.end]).into_bytes(),
            place,
            refusal: item.refusal.clone(),
            shows_place: true,
        })
    }
}

/// A document of rules or filters instead of images.
pub struct UnsupportedDocument {
    line: u32,
    what: String,
}

impl UnsupportedDocument {
    fn new(node: Node<'_>, what: impl Into<String>) -> Self {
        Self {
            line: node.line(),
            what: what.into(),
        }
    }
}

/// Reads one document of a file.
fn read(document: Node<'_>, images: &mut Images) -> Result<(), UnsupportedDocument> {
    kinds::refuse(document)?;
    let is_read = mirrors::regsync(document, images)
        || kinds::read(document, images)
        || mirrors::skopeo(document, images)
        || mirrors::image_syncer(document, images);
    if !is_read {
        manifests::read(document, images);
    }
    Ok(())
}

/// Collects the images of a file.
#[derive(Default)]
pub struct Images {
    text: String,
    items: Vec<Item>,
    /// The total size in bytes.
    size: usize,
    is_exhausted: bool,
}

impl Images {
    /// Whether the size limit is exceeded.
    pub fn is_full(&self) -> bool {
        self.is_exhausted
    }

    /// Adds the text `written` of a node, parsed as an image or rejected.
    pub fn take(
        &mut self,
        node: Node<'_>,
        written: &str,
        read: impl FnOnce(&str) -> Result<Entry, LineError>,
    ) {
        if self.is_exhausted {
            return;
        }
        let entry = if written.len() > MAX_LINE {
            Err(LineError::long(written.len()))
        } else {
            read(written)
        };
        let checked = entry.and_then(|entry| {
            for (what, name) in [
                ("source", Some(&entry.source)),
                ("destination", entry.destination.as_ref()),
            ] {
                let Some(name) = name else { continue };
                names::check(name).map_err(|error| {
                    let remedy = super::mistake::remedy(&error);
                    LineError::new(format!("{what} {:?}: {error}", escape(name)), remedy)
                })?;
            }
            let text = entry.to_string();
            if text.len() > MAX_LINE {
                return Err(LineError::long(text.len()));
            }
            Ok(text)
        });
        match checked {
            Ok(text) => self.add(node, &text, None),
            Err(error) => {
                let text = format!("{REFUSED}{}", escape_bytes(written.as_bytes(), 200));
                self.add(node, &text, Some(error.to_string().into()));
            }
        }
    }

    /// Takes a rule that is not an image.
    pub fn refuse(&mut self, node: Node<'_>, written: &str, what: &str, remedy: &str) {
        let what = format!("{what}: \"{}\"", escape_bytes(written.as_bytes(), 120));
        self.take(node, written, |_| Err(LineError::new(what, remedy)));
    }

    /// Adds a scalar with an image that has the same name on both sides.
    pub fn same_name(&mut self, node: Node<'_>, platforms: &[&str]) {
        match node.scalar() {
            Some(text) => self.take(node, text.trim(), |text| {
                Entry::same_name(text)?.with_platforms(platforms.iter().copied())
            }),
            None => self.refuse(node, "", "no image", "write NAME:TAG"),
        }
    }

    fn add(&mut self, node: Node<'_>, text: &str, refusal: Option<Box<str>>) {
        self.size += text.len() + refusal.as_ref().map_or(0, |refusal| refusal.len());
        self.size += size_of::<Item>();
        self.is_exhausted |= self.size > MAX_SIZE;
        if self.is_exhausted {
            return;
        }
        self.text.push_str(text);
        self.items.push(Item {
            line: node.line(),
            end: self.text.len(),
            refusal,
        });
    }
}

/// JSON writes characters beyond U+FFFF as two escapes, which YAML does not support. No valid name
/// contains one.
fn without_surrogates(text: &str) -> Cow<'_, str> {
    let is_json = text.trim_start().starts_with(['{', '[']);
    if !is_json
        || ![
            "\\ud8", "\\ud9", "\\uda", "\\udb", "\\uD8", "\\uD9", "\\uDA", "\\uDB",
        ]
        .iter()
        .any(|start| text.contains(start))
    {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at + 6 <= bytes.len() {
        match bytes[at..at + 6] {
            [
                b'\\',
                b'u',
                b'd' | b'D',
                b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F',
                _,
                _,
            ] => {
                bytes[at + 2..at + 6].copy_from_slice(b"fffd");
                at += 6;
            }
            [b'\\', _, ..] => at += 2,
            _ => at += 1,
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_line_distinguishes_a_document_from_lines() {
        for text in [
            "---",
            "--- # x",
            "%YAML 1.2",
            "{",
            "{\"a\": 1}",
            "[",
            "[\"nginx:1\"]",
            "[a:1]",
            "sync:",
            "version: 1",
            "quay.io/a/b:v1: reg.io/a/b",
            "\"quay.io/a/b:v1\": x",
            "\"a\":\"b\"",
            "- image: x",
            "- {image: x}",
            "-",
            "  kind: List",
        ] {
            assert!(begins_document(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "a b c",
            "nginx:1.29",
            "- nginx:1.29",
            "- \"nginx:1.29\"",
            "[::1]:5000/a/b:1",
            "[fe80::1]/x y 1",
            "--platform=linux/amd64 nginx:1",
            "a=b",
            "docker://x:1 docker://y:1",
            "\"nginx:1\",",
            "# a: b",
            ":",
        ] {
            assert!(!begins_document(text.as_bytes()), "{text}");
        }
    }

    fn error(text: &[u8]) -> String {
        match Document::read("f", text.to_vec(), 1) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn syntax_errors_have_line_numbers() {
        assert_eq!(
            error(b"a: b\nc: \xd6\xd0\n"),
            "cannot read the image list: f:2: the line is not UTF-8 text; save the file as UTF-8"
        );
        assert!(error(b"a: 1\nb: \0\n").contains("line 2 contains a NUL byte"));
        assert!(
            error(b"a: 1\n\nb: 'x\n").starts_with("cannot read the image list: f:3: invalid YAML")
        );
        assert!(error(b"a: {{ .Values.x }}\nb: [\n").contains("`helm template`"));
        assert!(
            error(b"a: 1\nb: 2\n")
                .starts_with("cannot read the image list f: it contains no image (read as YAML or JSON because of line 1; ")
        );
    }

    #[test]
    fn aliases_cannot_make_a_small_file_a_large_one() {
        let mut bomb = "a0: &a0\n- image: nginx:1\n".to_owned();
        for n in 1..12 {
            bomb += &format!("a{n}: &a{n}\n");
            bomb += &format!("- *a{}\n", n - 1).repeat(10);
        }
        assert_eq!(
            error(bomb.as_bytes()),
            "cannot read the image list: f:1: the aliases expand to too much content; write the file without aliases"
        );
    }

    #[test]
    fn long_texts_have_a_short_error() {
        let long = "x".repeat(100_000);
        let text = format!("a: &a {{image: {long}}}\nb: [{}]\n", "*a, ".repeat(1000));
        let document = Document::read("f", text.into(), 1).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(document.items.len(), 1001);
        let refusals = document
            .items
            .iter()
            .filter_map(|item| item.refusal.as_ref());
        assert!(refusals.map(|refusal| refusal.len()).sum::<usize>() < 300_000);
        assert!(document.text.len() < 300_000);
    }

    #[test]
    fn characters_that_json_writes_as_two_escapes_do_no_harm() {
        let text = r#"[{"note": "\ud83d\ude00 \\ud83d", "image": "nginx:1"}]"#;
        let mut document =
            Document::read("f", text.into(), 1).unwrap_or_else(|error| panic!("{error}"));
        let line = document.next_line(&"f".into()).expect("an image");
        assert_eq!(line.bytes, b"# f:1\nnginx:1");
    }

    proptest! {
        #[test]
        fn no_document_causes_a_panic(text in "((kind|image|images|sync|source|target|type|<<|a/b|nginx:1|reg/x:1|[-:&*!?|>a,'\"{}\\[\\]#~]|[ \n]){1,2} ?){0,40}") {
            error(text.as_bytes());
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes in any::<Vec<u8>>()) {
            error(&bytes);
            begins_document(&bytes);
        }
    }
}
