//! JSON that is safe to print: characters that [`crate::escape`] makes visible are written as
//! `\u202e`, and a JSON parser still reads the original text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::escape::is_hidden;

/// One line of JSON.
pub fn line(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, VisibleFormatter);
    // Strings and numbers into memory: neither can fail.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(out).unwrap_or_default()
}

struct VisibleFormatter;

impl Formatter for VisibleFormatter {
    /// Gets only text that needs no escape in JSON.
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((before, hidden)) = rest
            .find(is_hidden)
            .and_then(|at| Some((&rest[..at], rest[at..].chars().next()?)))
        {
            writer.write_all(before.as_bytes())?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[before.len() + hidden.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hidden_characters_are_escaped_as_json_has_it() {
        assert_eq!(
            line(&["a\u{202e}b\u{e0041}\u{7f}", "镜像\n\"\\"]),
            r#"["a\u202eb\udb40\udc41\u007f","镜像\n\"\\"]"#
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was(texts in any::<Vec<String>>()) {
            let json = line(&texts);
            prop_assert!(!json.chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&json).ok(), Some(texts));
        }
    }
}
