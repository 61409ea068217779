//! Quoting for shells and YAML, and comments that their text cannot end.

use crate::escape::escape;

/// Limit of a comment, in characters; a command with two of the longest names fits.
const LONGEST: usize = 2_000;

/// Quotes a word for a POSIX shell.
pub fn shell_word(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@=,%+".contains(&b);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Quotes a scalar for YAML.
pub fn yaml_scalar(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A comment for shells, YAML and image lists.
pub fn comment(text: &str) -> String {
    let text = escape(text);
    let mut line = "# ".to_owned();
    line.extend(text.chars().take(LONGEST));
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn a_shell_gets_the_word_back() {
        for word in [
            "",
            "a b",
            "'; rm -rf $HOME",
            "$(id)",
            "[::1]:5000/x",
            "~",
            "a\nb",
            "é",
        ] {
            let script = format!("printf %s {}", shell_word(word));
            let output = Command::new("sh").arg("-c").arg(script).output();
            assert_eq!(output.expect("a shell").stdout, word.as_bytes());
        }
        assert_eq!(
            shell_word("docker://r.io/x@sha256:0"),
            "docker://r.io/x@sha256:0"
        );
    }

    proptest! {
        #[test]
        fn a_comment_is_one_line(text in any::<String>()) {
            let line = comment(&text);
            prop_assert!(line.starts_with("# "));
            prop_assert_eq!(line.chars().find(|c| c.is_control() || ('\u{2028}'..='\u{2029}').contains(c)), None);
        }
    }
}
