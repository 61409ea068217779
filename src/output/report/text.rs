//! Escaping of untrusted text for XML, HTML and Markdown.

use crate::escape::escape;

/// For text and attributes of XML 1.0 and HTML.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for part in text.split_inclusive('\n') {
        let (line, end) = part
            .strip_suffix('\n')
            .map_or((part, ""), |line| (line, "\n"));
        for c in escape(line).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                // XML 1.0 (section 2.2) and HTML do not allow these characters.
                c if u32::from(c) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c) => {
                    out.extend(c.escape_default());
                }
                c => out.push(c),
            }
        }
        out.push_str(end);
    }
    out
}

/// For a table cell in GitHub Flavored Markdown, on one line, cut after 500 characters.
pub fn markdown(text: &str) -> String {
    let mut out = String::new();
    for (index, c) in escape(text).chars().enumerate() {
        match c {
            _ if index == 500 => {
                out.push('…');
                break;
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup() {
        assert_eq!(
            xml("<a b='\"'>&\n\u{0}\u{fffe}\u{202e}"),
            "&lt;a b=&#39;&quot;&#39;&gt;&amp;\n\\u{0}\\u{fffe}\\u{202e}"
        );
        assert_eq!(
            markdown("a|`b`\n<script>"),
            "a\\|\\`b\\`\\\\n&lt;script&gt;"
        );
        assert!(markdown(&"x".repeat(10_000)).len() < 600);
    }
}
