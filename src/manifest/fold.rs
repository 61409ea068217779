//! Folds keys as Go's JSON decoder does.
//!
//! docker, containerd, skopeo and crane decode manifests with Go's `encoding/json`, which ignores the
//! letter case of keys. Its folding (`foldName` in `fold.go`) maps two non-ASCII characters to ASCII
//! letters: U+017F (long s) to `s` and U+212A (Kelvin sign) to `k`.

/// The folded key: two keys are the same field in Go if their folded forms are equal. The bytes may be
/// invalid UTF-8.
pub fn fold(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len());
    let mut rest = key;
    while let Some((&first, others)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix("\u{17f}".as_bytes()) {
            out.push(b's');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\u{212a}".as_bytes()) {
            out.push(b'k');
            rest = after;
        } else {
            out.push(first.to_ascii_lowercase());
            rest = others;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_and_the_two_other_characters_fold() {
        for (one, other) in [
            ("manifests", "MANIFESTS"),
            ("manifests", "manife\u{17f}t\u{17f}"),
            ("os.features", "O\u{17f}.Feature\u{17f}"),
            ("k", "\u{212a}"),
        ] {
            assert_eq!(fold(one.as_bytes()), fold(other.as_bytes()), "{other}");
        }
        for (one, other) in [("os.version", "os-version"), ("e", "\u{e9}"), ("s", "ss")] {
            assert_ne!(fold(one.as_bytes()), fold(other.as_bytes()), "{other}");
        }
        assert_eq!(fold(b"\xc5A\xff"), b"\xc5a\xff");
    }
}
