//! Escapes text from outside before it reaches a terminal, a log or a report.
//!
//! Lists and registries may contain terminal control sequences, carriage returns that overwrite a line,
//! and right-to-left marks that reorder it. None of these reaches the output.

use std::borrow::Cow;

/// The text with control and bidirectional formatting characters as `\u{1b}`, and without the password
/// of `user:password@host`.
pub fn escape(text: &str) -> Cow<'_, str> {
    match without_passwords(text) {
        Cow::Borrowed(text) => escape_hidden(text),
        Cow::Owned(text) => Cow::Owned(escape_hidden(&text).into_owned()),
    }
}

/// [`escape`] for a single word from the user, whose password may contain blanks.
pub fn escape_word(text: &str) -> Cow<'_, str> {
    match password(text) {
        Some((start, end)) => {
            Cow::Owned(escape(&format!("{}…{}", &text[..start], &text[end..])).into_owned())
        }
        None => escape(text),
    }
}

fn escape_hidden(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Replaces each password before an `@` with `…`. The text before a digest is a tag.
fn without_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    // A password may contain quotes and brackets.
    for token in text.split_inclusive(char::is_whitespace) {
        match password(token) {
            Some((start, end)) => {
                out.push_str(&token[..start]);
                out.push('…');
                out.push_str(&token[end..]);
            }
            None => out.push_str(token),
        }
    }
    Cow::Owned(out)
}

/// The position of a password in a word.
fn password(word: &str) -> Option<(usize, usize)> {
    let is_digest = |at: usize| {
        let rest = &word[at + 1..];
        rest.starts_with("sha256:") || rest.starts_with("sha512:")
    };
    let ats = word.match_indices('@').map(|(at, _)| at);
    let at = ats.rev().find(|at| !is_digest(*at))?;
    let user = word.find("://").map_or(0, |scheme| scheme + 3);
    let start = user + word.get(user..at)?.find(':')? + 1;
    (start < at).then_some((start, at))
}

/// [`escape`] for bytes that may not be UTF-8, cut after `limit` characters.
pub fn escape_bytes(bytes: &[u8], limit: usize) -> String {
    // At most four bytes per character: a megabyte need not be decoded to show its start.
    let head = &bytes[..bytes.len().min(limit.saturating_mul(4))];
    let text = String::from_utf8_lossy(head);
    let mut out: String = text.chars().take(limit).collect();
    if out.len() < bytes.len() && (head.len() < bytes.len() || text.chars().count() > limit) {
        out.push('…');
    }
    escape(&out).into_owned()
}

/// Whether a terminal hides a character, or displays others differently because of it: controls,
/// invisible formatting, interlinear annotations and tags.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_text_is_untouched() {
        assert!(matches!(escape("镜像 latest"), Cow::Borrowed(_)));
    }

    #[test]
    fn passwords_before_a_host_are_left_out() {
        for (text, shown) in [
            ("me:secret@reg.io/x:1", "me:…@reg.io/x:1"),
            ("a \"me:se/c:r@et@host\" b", "a \"me:…@host\" b"),
            ("https://me:secret@reg.io", "https://me:…@reg.io"),
            ("\"me:se\"c[re]t@reg.io\"", "\"me:…@reg.io\""),
            (
                "me:secret@reg.io/x@sha256:ab c",
                "me:…@reg.io/x@sha256:ab c",
            ),
            ("reg.io:5000/x:1@sha256:ab", "reg.io:5000/x:1@sha256:ab"),
            ("nginx:1.29@latest", "nginx:…@latest"),
            ("me@reg.io:5000", "me@reg.io:5000"),
            ("[a@b]: c", "[a@b]: c"),
        ] {
            assert_eq!(escape(text), shown);
        }
        assert_eq!(escape_word("me:a b c@reg.io"), "me:…@reg.io");
        assert_eq!(escape_word("a b"), "a b");
    }

    #[test]
    fn terminal_control_is_made_visible() {
        assert_eq!(
            escape("a\x1b[31mb\r\n\u{202e}"),
            "a\\u{1b}[31mb\\r\\n\\u{202e}"
        );
    }

    #[test]
    fn every_character_of_the_table_is_hidden() {
        for c in [
            0x1b, 0x7f, 0x9b, 0x61c, 0x180e, 0x200b, 0x200f, 0x2028, 0x202e, 0x2066, 0x2069,
            0xfeff, 0xfff9, 0xfffb, 0xe0000, 0xe007f,
        ] {
            assert!(char::from_u32(c).is_some_and(is_hidden), "{c:x}");
        }
        for c in ['\u{61b}', '\u{180d}', '\u{fffc}', '\u{e0080}', 'é', '镜'] {
            assert!(!is_hidden(c), "{c:?}");
        }
    }

    #[test]
    fn bytes_are_cut_and_decoded() {
        assert_eq!(escape_bytes(b"ab\xffcd", 10), "ab\u{fffd}cd");
        assert_eq!(escape_bytes(b"abcdef", 3), "abc…");
        assert_eq!(escape_bytes(b"abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in any::<String>()) {
            prop_assert!(!escape(&text).chars().any(is_hidden));
        }

        #[test]
        fn any_bytes_can_be_shown(bytes in any::<Vec<u8>>(), limit in 0_usize..50) {
            prop_assert!(!escape_bytes(&bytes, limit).chars().any(is_hidden));
        }
    }
}
