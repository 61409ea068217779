//! Parses JSON so that every reader agrees on its meaning.
//!
//! Named fields are kept as slices of the document's text; everything else is skipped without building
//! values, so memory does not grow with junk. An object with two keys that Go's decoder treats as one,
//! or with a named key in another spelling, is ambiguous; a field of a wrong JSON type is damaged.
//! `null` is absent.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::IgnoredAny;

use super::ManifestError;
use super::visit::{Bytes, ListVisitor, ObjectVisitor};
use crate::escape::escape_bytes;

/// The maximum number of characters of a key or name in messages.
const SHOWN: usize = 60;

/// The position of a value in a document, for messages: `manifests[3].platform.os`.
#[derive(Clone, Copy, Debug)]
pub enum JsonPath<'p> {
    /// A document; the name of one that is not a manifest.
    Root(&'static str),
    /// A field of an object.
    Key(&'p JsonPath<'p>, &'static str),
    /// An element of a list, counted from 0.
    Element(&'p JsonPath<'p>, usize),
}

pub static MANIFEST: JsonPath<'static> = JsonPath::Root("");

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root("") => f.write_str("the document"),
            Self::Root(name) => f.write_str(name),
            Self::Key(Self::Root(""), key) => f.write_str(key),
            Self::Key(Self::Root(name), key) => write!(f, "{name}: {key}"),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl JsonPath<'_> {
    pub fn damaged(&self, what: impl fmt::Display) -> ManifestError {
        ManifestError::Damaged(format!("{self} {what}"))
    }

    /// Reads these fields of a whole document, in this order.
    ///
    /// # Errors
    /// [`ManifestError::NotJson`] if the text is not a JSON object, and as [`Field::object`].
    pub fn document<'a, const N: usize>(
        &self,
        text: &'a str,
        names: [&'static str; N],
    ) -> Result<[Field<'a, '_>; N], ManifestError> {
        let not_json = |what: String| {
            ManifestError::NotJson(match self {
                Self::Root("") => what,
                _ => format!("{self}: {what}"),
            })
        };
        if !text.trim_ascii_start().starts_with('{') {
            return Err(not_json(match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => "not a JSON object".to_owned(),
                Err(error) => format!("not JSON ({error})"),
            }));
        }
        let mut refusal = None;
        let visitor = ObjectVisitor {
            names: &names,
            at: self,
            refusal: &mut refusal,
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let read = json.deserialize_map(visitor).and_then(|values| {
            json.end()?;
            Ok(values)
        });
        match (refusal, read) {
            (Some(refusal), _) => Err(refusal),
            (None, Err(error)) => Err(not_json(format!("not JSON ({error})"))),
            (None, Ok(values)) => {
                let mut values = values.into_iter();
                Ok(names.map(|name| Field {
                    raw: values.next().flatten(),
                    at: JsonPath::Key(self, name),
                }))
            }
        }
    }
}

/// A value that has not been parsed yet.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a, 'p> {
    pub(super) raw: Option<&'a str>,
    pub(super) at: JsonPath<'p>,
}

impl<'a> Field<'a, '_> {
    /// Whether the key exists, even with `null`.
    pub fn has_key(&self) -> bool {
        self.raw.is_some()
    }

    /// Whether there is a value; `null` is none.
    pub fn is_present(&self) -> bool {
        self.value().is_some()
    }

    pub fn at(&self) -> &JsonPath<'_> {
        &self.at
    }

    /// Its JSON text; `None` if absent.
    pub fn value(&self) -> Option<&'a str> {
        self.raw.filter(|raw| *raw != "null")
    }

    /// The JSON text, if it begins with this character.
    fn of_type(&self, first: char, name: &str) -> Result<Option<&'a str>, ManifestError> {
        match self.value() {
            Some(raw) if !raw.starts_with(first) => {
                Err(self.at.damaged(format_args!("is not {name}")))
            }
            value => Ok(value),
        }
    }

    pub fn missing(&self) -> ManifestError {
        self.at.damaged("is missing")
    }

    /// A string.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`] for another type, or half a surrogate pair.
    pub fn text(&self) -> Result<Option<Cow<'a, str>>, ManifestError> {
        let Some(raw) = self.of_type('"', "a string")? else {
            return Ok(None);
        };
        let bytes = serde_json::from_str::<Bytes<'a>>(raw).ok();
        let text = bytes.and_then(|bytes| match bytes.0 {
            Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        });
        text.map(Some).ok_or_else(|| {
            self.at
                .damaged("contains a character that is not valid Unicode")
        })
    }

    /// A string of at most this many bytes; empty if absent.
    ///
    /// # Errors
    /// As [`Field::text`], and if it is longer.
    pub fn text_within(&self, limit: usize) -> Result<String, ManifestError> {
        let text = self.text()?.unwrap_or_default();
        if text.len() > limit {
            return Err(self
                .at
                .damaged(format_args!("is longer than {limit} bytes")));
        }
        Ok(text.into_owned())
    }

    /// A non-negative integer, as Go reads an `int64`: without fraction and exponent.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`] for anything else.
    pub fn number(&self) -> Result<Option<u64>, ManifestError> {
        let Some(raw) = self.value() else {
            return Ok(None);
        };
        let number = raw.parse::<i64>().ok().and_then(|n| u64::try_from(n).ok());
        number.map(Some).ok_or_else(|| {
            self.at
                .damaged("is not a number (expected an integer of 0 or more)")
        })
    }

    /// These fields of an object, in this order.
    ///
    /// # Errors
    /// [`ManifestError::Ambiguous`] if two keys are equal under Go's folding or a named key has another
    /// spelling; [`ManifestError::Damaged`] for another type.
    pub fn object<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<Option<[Field<'a, '_>; N]>, ManifestError> {
        self.of_type('{', "an object")?
            .map(|raw| self.at.document(raw, names))
            .transpose()
    }

    /// Checks that the value is a list.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`] for another type.
    pub fn expect_list(&self) -> Result<(), ManifestError> {
        self.of_type('[', "a list").map(|_| ())
    }

    /// Reads the elements of a list in order, up to the first error; none if absent.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`] for another type, and those of `read`.
    pub fn each(
        &self,
        read: impl FnMut(Field<'a, '_>) -> Result<(), ManifestError>,
    ) -> Result<(), ManifestError> {
        let Some(raw) = self.of_type('[', "a list")? else {
            return Ok(());
        };
        let mut refusal = None;
        let visitor = ListVisitor {
            at: &self.at,
            read,
            refusal: &mut refusal,
        };
        let result = serde_json::Deserializer::from_str(raw).deserialize_seq(visitor);
        match (refusal, result) {
            (Some(refusal), _) => Err(refusal),
            (None, Err(error)) => Err(ManifestError::NotJson(format!("not JSON ({error})"))),
            (None, Ok(())) => Ok(()),
        }
    }
}

/// The text of a document. Invalid UTF-8 becomes DEL, so that it affects only the string that contains
/// it (as in Go), and positions do not change.
pub fn to_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\x7f'));
    }
    Cow::Owned(text)
}

/// Quotes text from outside for messages: escaped and cut.
pub fn shown(text: &[u8]) -> String {
    format!("\"{}\"", escape_bytes(text, SHOWN))
}

#[cfg(test)]
mod tests {
    use super::super::visit::MAX_KEYS;
    use super::*;

    static DOCUMENT: JsonPath<'static> = JsonPath::Root("doc");

    fn error(text: &str) -> String {
        match DOCUMENT.document(text, ["keys", "other"]) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("read: {text}"),
        }
    }

    #[test]
    fn keys_that_some_parser_treats_as_equal_are_refused() {
        for text in [
            r#"{"keys": 1, "keys": 1}"#,
            r#"{"keys": null, "keys": null}"#,
            r#"{"keys": 1, "Keys": 1}"#,
            r#"{"Keys": 1}"#,
            r#"{"\u212aeys": 1}"#,
            "{\"key\u{17f}\": 1}",
            r#"{"\u006beys": 1, "keys": 1}"#,
            r#"{"a": 1, "keys": 1, "A": 1}"#,
            r#"{"a": 1, "a": 1}"#,
            r#"{"\u017f": 1, "S": 1}"#,
            r#"{"": 1, "": 1}"#,
        ] {
            assert!(error(text).starts_with("ambiguous manifest: doc"), "{text}");
        }
        let escaped = DOCUMENT.document(r#"{"\u006beys": 1, "a": 1, "b": 1}"#, ["keys"]);
        assert_eq!(escaped.expect("read")[0].value(), Some("1"));
    }

    #[test]
    fn keys_are_shown_escaped_and_shortened() {
        let long = format!("{}\\u001b\\u202e", "x".repeat(3));
        let text = error(&format!(r#"{{"{long}": 1, "{long}": 1}}"#));
        assert!(text.contains("\"xxx\\u{1b}\\u{202e}\""), "{text}");
        let long = "x".repeat(5000);
        let text = error(&format!(r#"{{"{long}": 1, "{long}": 1}}"#));
        assert!(text.len() < 200 && text.contains('…'), "{text}");
    }

    #[test]
    fn too_many_keys_are_refused() {
        let keys = |count: usize| {
            let keys: Vec<_> = (0..count).map(|key| format!("\"{key}\":0")).collect();
            format!("{{{}}}", keys.join(","))
        };
        assert!(DOCUMENT.document(&keys(MAX_KEYS), ["x"]).is_ok());
        assert!(error(&keys(MAX_KEYS + 1)).contains("doc has more than 1000 keys"));
    }

    #[test]
    fn values_are_read_by_their_type() {
        let text = r#"{"a": "x\u00e9", "b": 5, "c": [1, [2]], "d": {"e": true}, "f": null}"#;
        let names = ["a", "b", "c", "d", "f", "g"];
        let [a, b, c, d, f, g] = DOCUMENT.document(text, names).expect("read");
        assert_eq!(a.text().expect("text").as_deref(), Some("xé"));
        assert_eq!(b.number(), Ok(Some(5)));
        let mut elements = Vec::new();
        c.each(|element| {
            elements.push((element.at().to_string(), element.value()));
            Ok(())
        })
        .expect("a list");
        assert_eq!(
            elements,
            [
                ("doc: c[0]".to_owned(), Some("1")),
                ("doc: c[1]".to_owned(), Some("[2]"))
            ]
        );
        let [e] = d.object(["e"]).expect("an object").expect("present");
        assert_eq!(e.at().to_string(), "doc: d.e");
        for absent in [&f, &g] {
            assert!(!absent.is_present());
            assert_eq!(absent.text(), Ok(None));
            assert_eq!(absent.number(), Ok(None));
            assert!(absent.object(["x"]).is_ok_and(|object| object.is_none()));
            assert_eq!(absent.each(|_| Err(absent.missing())), Ok(()));
        }
        assert!(f.has_key() && !g.has_key());
        for wrong in [
            a.number().map(|_| ()),
            b.text().map(|_| ()),
            c.object(["x"]).map(|_| ()),
            d.each(|_| Ok(())),
            d.expect_list(),
        ] {
            assert!(matches!(wrong, Err(ManifestError::Damaged(_))));
        }
    }

    #[test]
    fn numbers_are_whole_as_in_go() {
        for (number, expected) in [
            ("0", Some(0)),
            ("9223372036854775807", Some(9_223_372_036_854_775_807)),
            ("9223372036854775808", None),
            ("1.0", None),
            ("1e3", None),
            ("1e400", None),
            ("-1", None),
            ("true", None),
        ] {
            let text = format!(r#"{{"keys": {number}}}"#);
            let [field] = DOCUMENT.document(&text, ["keys"]).expect("read");
            assert_eq!(field.number().ok().flatten(), expected, "{number}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_keep_their_places() {
        let text = to_text(b"\"a\xe9\xff\xe2\x82b\"");
        assert_eq!(text, "\"a\x7f\x7f\x7f\x7fb\"");
        assert!(matches!(to_text("é".as_bytes()), Cow::Borrowed("é")));
    }
}
