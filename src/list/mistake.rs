//! Mistakes in lists: the fault of a line, and its remedy.

use crate::escape::{escape, escape_bytes};
use crate::reference::NameError;

use super::entry::MAX_LINE;

/// The expected syntax of a line.
pub const WANTED: &str =
    "expected SOURCE DESTINATION TAG (hello-world library/hello-world latest) or NAME:TAG";

/// The prefix of a rejected YAML or JSON value in the failed list.
pub const REFUSED: &str = "!refused ";

/// The maximum number of characters quoted from a line.
const SHOWN: usize = 120;

/// A mistake in a line, and its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {remedy}")]
pub struct LineError {
    pub what: String,
    pub remedy: String,
}

impl LineError {
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The line exceeds [`MAX_LINE`].
    pub fn long(bytes: usize) -> Self {
        Self::new(
            format!("the line has {bytes} bytes; the maximum is {MAX_LINE}"),
            WANTED,
        )
    }

    /// The line is not UTF-8.
    pub fn not_text(bytes: &[u8]) -> Self {
        let remedy = if is_gbk(bytes) {
            "save the list as UTF-8 (it looks like GBK)"
        } else {
            "save the list as UTF-8"
        };
        let shown = escape_bytes(bytes, SHOWN);
        Self::new(format!("the line is not UTF-8 text: \"{shown}\""), remedy)
    }

    /// The message for a wrong number of fields.
    pub fn count(fields: usize, text: &str) -> String {
        let plural = if fields == 1 { "" } else { "s" };
        format!("{fields} field{plural} instead of 3: {}", quoted(text))
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escape_bytes(text.as_bytes(), SHOWN))
}

/// Rejects a line of a failed list that was rejected in another file.
///
/// # Errors
/// The line is such an entry.
pub fn refused(text: &str) -> Result<(), LineError> {
    match text.strip_prefix(REFUSED) {
        None => Ok(()),
        Some(refused) => Err(LineError::new(
            format!("not an image: {}", quoted(refused)),
            "fix it in the file named in the comment above",
        )),
    }
}

/// The common mistake in a line, if it contains one.
pub fn of(text: &str) -> Option<LineError> {
    let error = |what: &str, remedy: String| {
        Some(LineError::new(format!("{what}: {}", quoted(text)), remedy))
    };
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if let Some(blank) = text.chars().find(|c| is_odd_blank(*c)) {
        return error(
            &format!("the character U+{:04X} in the line", u32::from(blank)),
            "separate the fields with spaces".to_owned(),
        );
    }
    if ["{{", "${", "$("].iter().any(|start| text.contains(start)) {
        return error(
            "a template or a variable",
            "write the resulting name".to_owned(),
        );
    }
    if text.contains("<none>") {
        return error(
            "an image without a name or a tag",
            "remove the line (`docker images` prints <none> for images without a name)".to_owned(),
        );
    }
    if text.contains(['"', '\'', '`', '“', '”', '‘', '’']) {
        let comma = if text.trim_end().ends_with(',') {
            " and the comma"
        } else {
            ""
        };
        return error("quotes in the line", format!("remove the quotes{comma}"));
    }
    if ["=>", "->", "→"].iter().any(|arrow| text.contains(arrow))
        || words.iter().any(|word| matches!(*word, "=" | "=="))
    {
        return error(
            "an arrow or an equals sign between the names",
            "separate the names with a space: SRC:TAG DST:TAG".to_owned(),
        );
    }
    if is_header(text) {
        return error(
            "a table header",
            "remove the line or start it with #".to_owned(),
        );
    }
    if let ["FROM", _, ..] = words[..] {
        return error(
            "a Dockerfile instruction",
            "write only the image, NAME:TAG".to_owned(),
        );
    }
    if let [key, _] = words[..]
        && key.len() > 1
        && key.ends_with(':')
    {
        return error(
            "a YAML line",
            "write only the image, NAME:TAG, or use the whole YAML file".to_owned(),
        );
    }
    if let [bullet, _, ..] = words[..]
        && is_bullet(bullet)
    {
        return error("a list bullet", format!("remove {bullet:?}"));
    }
    if let [
        program @ ("docker" | "podman" | "nerdctl" | "crictl" | "skopeo" | "crane" | "ctr"),
        _,
        ..,
    ] = words[..]
    {
        return error(
            &format!("a {program} command"),
            "write only the image, NAME:TAG".to_owned(),
        );
    }
    if let Some(error) = text.split([' ', '\t', '=', ',']).find_map(of_name) {
        return Some(error);
    }
    if words.iter().skip(1).any(|word| word.starts_with('#')) {
        return error(
            "a comment after the image",
            "put the comment on its own line".to_owned(),
        );
    }
    if text.trim_end().ends_with([',', ';']) {
        return error(
            "a comma or semicolon at the end of the line",
            "remove it".to_owned(),
        );
    }
    if words.len() < 3 && text.matches([',', ';']).count() > 1 || text.contains(';') {
        return error(
            "commas or semicolons between the fields",
            "separate the fields with spaces".to_owned(),
        );
    }
    None
}

/// The common mistake in a name, if it contains one.
pub fn of_name(name: &str) -> Option<LineError> {
    let error = |what: &str, remedy: String| {
        Some(LineError::new(format!("{what}: {}", quoted(name)), remedy))
    };
    let name = name.strip_prefix("docker://").unwrap_or(name);
    let (scheme, rest) = match name.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, name),
    };
    let hub = ["hub.docker.com/", "www.hub.docker.com/"]
        .iter()
        .find_map(|host| rest.strip_prefix(host));
    // The path of such a URL.
    let path = rest.strip_prefix('/').unwrap_or(rest);
    let is_page = path.starts_with("_/") || path.starts_with("r/") && path != rest;
    let hub = hub.or_else(|| (scheme.is_none() && is_page).then_some(path));
    if let Some(page) = hub {
        let page = page.trim_end_matches('/');
        let path = match page.split('/').collect::<Vec<_>>()[..] {
            ["_", image, ..] if !image.is_empty() => format!("library/{image}"),
            ["r" | "layers", project, image, ..] => {
                format!("{project}/{image}")
            }
            _ => page.to_owned(),
        };
        return error(
            "a web page of Docker Hub",
            format!("write docker.io/{}", escape(&path)),
        );
    }
    match scheme {
        Some(scheme @ ("http" | "https")) => {
            return error("a URL", format!("write the registry without {scheme}://"));
        }
        Some(_) => return error("not a registry image", REGISTRIES.to_owned()),
        None => {}
    }
    let transport = name.split_once(':').map(|(transport, _)| transport);
    if let Some(
        "oci" | "dir" | "docker-archive" | "oci-archive" | "docker-daemon" | "containers-storage",
    ) = transport
    {
        return error("not a registry image", REGISTRIES.to_owned());
    }
    None
}

const REGISTRIES: &str = "write an image of a registry; other transports are not supported";

/// The remedy for an invalid name.
pub fn remedy(error: &NameError) -> String {
    match error {
        NameError::Path(path) if path.bytes().any(|b| b.is_ascii_uppercase()) => {
            format!(
                "write the repository in lower case: {}",
                escape(&path.to_lowercase())
            )
        }
        NameError::Path(path) if path.contains([':', '@']) => {
            "write the tag or digest only once, in the third field".to_owned()
        }
        NameError::PortInPath(_) => WITHOUT_PORT.to_owned(),
        _ => WANTED.to_owned(),
    }
}

const WITHOUT_PORT: &str = "remove {registry} from the template, or write both names in the list";

/// Invisible or unusual blanks, which do not separate fields: editors and web pages insert them.
fn is_odd_blank(c: char) -> bool {
    (c.is_whitespace() && !c.is_ascii_whitespace())
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// Whether a word is a bullet of a text or Markdown list.
fn is_bullet(word: &str) -> bool {
    let number = word.strip_suffix(['.', ')']).unwrap_or_default();
    matches!(word, "*" | "+" | "•" | "·")
        || !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether all words are names of columns.
fn is_header(text: &str) -> bool {
    const NAMES: [&str; 26] = [
        "arch",
        "created",
        "dest",
        "destination",
        "digest",
        "dst",
        "from",
        "id",
        "image",
        "images",
        "name",
        "platform",
        "platforms",
        "registry",
        "repo",
        "repository",
        "size",
        "source",
        "source_image",
        "src",
        "tag",
        "target",
        "target_image",
        "to",
        "version",
        "mirror",
    ];
    let mut words = text
        .split([' ', '\t', ',', ';', '|'])
        .filter(|word| !word.is_empty())
        .peekable();
    words.peek().is_some() && words.all(|word| NAMES.contains(&word.to_lowercase().as_str()))
}

/// Whether all bytes beyond ASCII are pairs of GBK.
fn is_gbk(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return true,
            [0..=0x7f, after @ ..] => after,
            [0x81..=0xfe, 0x40..=0x7e | 0x80..=0xfe, after @ ..] => after,
            _ => return false,
        };
    }
}
