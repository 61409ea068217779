//! An entry of a list: what one line, or one place of a YAML file, says of an image. Names are as
//! written; `-s`, `-d` and `-default-project` have not been applied.
//!
//! An entry has one canonical form, a line of text that reads back as the same entry.

use std::fmt;

use super::mistake::{self, LineError};
use super::names;
use crate::escape::escape;
use crate::manifest::{Digest, Filter, PlatformPattern};
use crate::reference::Reference;

/// The longest line that can be an image, in bytes.
pub const MAX_LINE: usize = 4096;

/// What is written in front of a name or a list of platforms.
const PLATFORM: &str = "--platform";

/// An image as a list writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The source's name.
    pub source: String,
    /// The source's tag or digest.
    pub source_reference: Reference,
    /// The destination's name; `None`: the source's, at the registry of `-d`.
    pub destination: Option<String>,
    /// The destination's tag or digest.
    pub destination_reference: Reference,
    /// The platforms of this entry.
    pub platforms: Option<Filter>,
}

impl Entry {
    /// Reads a line that is not a comment.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        if bytes.len() > MAX_LINE {
            return Err(LineError::long(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| LineError::not_text(bytes))?;
        let text = text.strip_suffix('\r').unwrap_or(text);
        // A known mistake is named as such, however the rest of the line was understood.
        mistake::refused(text)?;
        read(text).map_err(|error| mistake::of(text).unwrap_or(error))
    }

    /// `NAME:TAG`, `NAME@DIGEST` or `NAME:TAG@DIGEST`: the same name at `-d`.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub fn same_name(text: &str) -> Result<Self, LineError> {
        let side = Side::parse(text)?;
        let (source, destination) = match (side.tag, side.digest) {
            (None, None) => return Err(no_tag(text, text)),
            (Some(tag), None) => (tag.clone(), tag),
            (None, Some(digest)) => (digest.clone(), digest),
            (Some(tag), Some(digest)) => (digest, tag),
        };
        Ok(Self {
            source: side.name.to_owned(),
            source_reference: source,
            destination: None,
            destination_reference: destination,
            platforms: None,
        })
    }

    /// A source and a destination, both with tag or digest. Where `tag_is_optional`, a destination
    /// without them has those of the source.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub fn pair(source: &str, destination: &str, tag_is_optional: bool) -> Result<Self, LineError> {
        let (from, to) = (Side::parse(source)?, Side::parse(destination)?);
        let whole = format!("{source} {destination}");
        let Some(own) = from.digest.clone().or_else(|| from.tag.clone()) else {
            return Err(no_tag(source, &whole));
        };
        let reference = match (to.tag, to.digest) {
            (None, None) if tag_is_optional => from.tag.unwrap_or_else(|| own.clone()),
            (None, None) => return Err(no_tag(destination, &whole)),
            (Some(tag), None) => tag,
            (None, Some(digest)) => digest,
            (Some(tag), Some(digest)) if digest == own => tag,
            (Some(_), Some(digest)) => {
                return Err(LineError::new(
                    format!(
                        "the destination has a digest that the source has not: {:?}",
                        escape(&whole)
                    ),
                    format!("write the digest behind the source: {}@{digest}", from.name),
                ));
            }
        };
        Ok(Self {
            source: from.name.to_owned(),
            source_reference: own,
            destination: Some(to.name.to_owned()),
            destination_reference: reference,
            platforms: None,
        })
    }

    fn three(source: &str, destination: &str, tag: &str) -> Result<Self, LineError> {
        let tag = reference("tag", tag)?;
        Ok(Self {
            source: name(source)?.to_owned(),
            source_reference: tag.clone(),
            destination: Some(name(destination)?.to_owned()),
            destination_reference: tag,
            platforms: None,
        })
    }

    /// With the platforms of a line: `amd64,linux/arm64`.
    ///
    /// # Errors
    /// Names what is not a platform.
    pub fn with_platforms<'a>(
        self,
        platforms: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, LineError> {
        let patterns = platforms
            .into_iter()
            .map(str::trim)
            .map(str::parse)
            .collect::<Result<Vec<PlatformPattern>, _>>()
            .map_err(|error| {
                LineError::new(
                    error.to_string(),
                    "write architectures or platforms, for example amd64,arm64 or linux/arm/v7",
                )
            })?;
        Ok(Self {
            platforms: (!patterns.is_empty()).then(|| Filter::of_patterns(patterns)),
            ..self
        })
    }
}

impl fmt::Display for Entry {
    /// The canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let platforms = self.platforms.as_ref().map(|platforms| {
            let patterns = platforms.patterns().iter().map(ToString::to_string);
            patterns.collect::<Vec<_>>().join(",")
        });
        let (from, to) = (&self.source_reference, &self.destination_reference);
        match (&self.destination, platforms) {
            (Some(destination), platforms) if from == to => {
                write!(f, "{} {destination} {from}", self.source)?;
                return platforms.map_or(Ok(()), |platforms| write!(f, " {platforms}"));
            }
            (_, Some(platforms)) => write!(f, "{PLATFORM}={platforms} ")?,
            (_, None) => {}
        }
        match &self.destination {
            Some(destination) => {
                write!(f, "{} {}", from.of(&self.source), to.of(destination))
            }
            None if from == to => f.write_str(&from.of(&self.source)),
            None => write!(f, "{}@{from}", to.of(&self.source)),
        }
    }
}

/// Reads a line of text.
fn read(text: &str) -> Result<Entry, LineError> {
    let text = item(text).unwrap_or(text);
    let mut words: Vec<&str> = text
        .split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .collect();
    let platforms = match words[..] {
        [PLATFORM, platforms, ..] => {
            words.drain(..2);
            Some(platforms)
        }
        [first, ..] => first.strip_prefix("--platform=").inspect(|_| {
            words.remove(0);
        }),
        [] => None,
    };
    let entry = match words[..] {
        [one] => one_word(one, text),
        [name, digest] if is_digest(digest) => with_digest(name, digest),
        [digest, name] if is_digest(digest) => with_digest(name, digest),
        [source, destination] => Entry::pair(source, destination, false)
            .map_err(|error| without_tags(source, destination, text).unwrap_or(error)),
        [source, destination, tag] => Entry::three(source, destination, tag),
        [source, destination, tag, list] if platforms.is_none() => {
            Entry::three(source, destination, tag).and_then(|entry| {
                entry.with_platforms(list.split(',')).map_err(|error| {
                    LineError::new(LineError::count(4, text), format!("the 4th field {error}"))
                })
            })
        }
        [] => Err(LineError::new(
            format!("no image behind {PLATFORM}"),
            mistake::WANTED,
        )),
        _ => Err(LineError::new(
            LineError::count(words.len(), text),
            mistake::WANTED,
        )),
    }?;
    match platforms {
        Some(platforms) => entry.with_platforms(platforms.split(',')),
        None => Ok(entry),
    }
}

/// An item of a YAML list, without its dash, quotes and comment.
fn item(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([' ', '\t']).strip_prefix('-')?;
    let text = text.strip_prefix([' ', '\t'])?;
    let text = text.split_once(" #").map_or(text, |(text, _)| text).trim();
    let unquoted = ['"', '\''].iter().find_map(|quote| {
        let text = text.strip_prefix(*quote)?.strip_suffix(*quote)?;
        (!text.contains(*quote)).then_some(text)
    });
    Some(unquoted.unwrap_or(text))
}

/// A line of one word: `NAME:TAG`, `SRC=DST` or `SRC:TAG,DST:TAG`.
fn one_word(word: &str, text: &str) -> Result<Entry, LineError> {
    if let Some((source, destination)) = word.split_once('=') {
        return Entry::pair(source, destination, true);
    }
    if let Some((source, destination)) = word.split_once(',') {
        return Entry::pair(source, destination, false);
    }
    if is_digest(word) {
        return Err(LineError::new(
            LineError::count(1, text),
            "write the name in front of the digest, NAME@DIGEST",
        ));
    }
    let has_tag = Side::parse(word)?.has_reference();
    if has_tag {
        return Entry::same_name(word);
    }
    Err(LineError::new(LineError::count(1, text), add_tag(word)))
}

/// `NAME:TAG DIGEST`: as `NAME:TAG@DIGEST`.
fn with_digest(name: &str, digest: &str) -> Result<Entry, LineError> {
    let digest = reference("digest", digest)?;
    let side = Side::parse(name)?;
    if side.digest.as_ref().is_some_and(|own| *own != digest) {
        return Err(LineError::new(
            format!("two digests: \"{} {digest}\"", escape(name)),
            "write one of them",
        ));
    }
    Ok(Entry {
        source: side.name.to_owned(),
        destination: None,
        destination_reference: side.tag.unwrap_or_else(|| digest.clone()),
        source_reference: digest,
        platforms: None,
    })
}

/// Two names of which none has a tag are a line of too few fields.
fn without_tags(source: &str, destination: &str, text: &str) -> Option<LineError> {
    let lacks = |word| Side::parse(word).is_ok_and(|side| !side.has_reference());
    (lacks(source) && lacks(destination))
        .then(|| LineError::new(LineError::count(2, text), mistake::WANTED))
}

fn no_tag(name: &str, whole: &str) -> LineError {
    let what = if name == whole {
        format!("the image has no tag: {:?}", escape(name))
    } else {
        format!("{:?} has no tag: {:?}", escape(name), escape(whole))
    };
    LineError::new(what, add_tag(name))
}

fn add_tag(name: &str) -> String {
    let name = name.strip_prefix("docker://").unwrap_or(name);
    match names::check(name) {
        Ok(()) => format!("add a tag, for example {}:latest", escape(name)),
        Err(_) => mistake::WANTED.to_owned(),
    }
}

/// A name with what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Side<'a> {
    name: &'a str,
    tag: Option<Reference>,
    digest: Option<Reference>,
}

impl<'a> Side<'a> {
    /// `NAME[:TAG][@DIGEST]`.
    fn parse(text: &'a str) -> Result<Self, LineError> {
        let text = name(text)?;
        if is_digest(text) {
            return Err(LineError::new(
                format!("a digest in place of a name: {:?}", escape(text)),
                "write NAME@DIGEST",
            ));
        }
        let (text, digest) = match text.split_once('@') {
            Some((text, digest)) => (text, Some(digest)),
            None => (text, None),
        };
        let digest = digest
            .map(|digest| match digest.parse::<Digest>() {
                Ok(digest) => Ok(Reference::Digest(digest)),
                Err(error) => Err(LineError::new(
                    format!("digest {:?}: {error}", escape(digest)),
                    "write NAME@sha256: and 64 hexadecimal digits, or NAME:TAG",
                )),
            })
            .transpose()?;
        let (name, tag) = match text.rsplit_once(':') {
            // `reg.io:5000/x` has a port and no tag.
            Some((name, tag)) if !tag.contains('/') && !name.is_empty() => {
                (name, Some(reference("tag", tag)?))
            }
            _ => (text, None),
        };
        Ok(Self { name, tag, digest })
    }

    fn has_reference(&self) -> bool {
        self.tag.is_some() || self.digest.is_some()
    }
}

/// A name as it is used: `docker://` is taken off.
fn name(text: &str) -> Result<&str, LineError> {
    let text = text.strip_prefix("docker://").unwrap_or(text);
    match mistake::of_name(text) {
        Some(error) => Err(error),
        None => Ok(text),
    }
}

fn reference(what: &str, text: &str) -> Result<Reference, LineError> {
    text.parse().map_err(|error| {
        LineError::new(
            format!("{what} {:?}: {error}", escape(text)),
            mistake::WANTED,
        )
    })
}

fn is_digest(word: &str) -> bool {
    word.starts_with("sha256:") || word.starts_with("sha512:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(letter: &str) -> String {
        format!("sha256:{}", letter.repeat(64))
    }

    fn parse(text: &str) -> Result<Entry, String> {
        Entry::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_has_its_canonical_form() {
        let (a, hub) = (digest("a"), "docker.io/library/nginx");
        for (line, expected) in [
            ("a b c", "a b c"),
            ("  a \t b  c \r", "a b c"),
            (&format!("a b {a}"), &format!("a b {a}")),
            ("docker://a docker://b c", "a b c"),
            ("a b c x86_64,linux/arm/v7", "a b c amd64,linux/arm/v7"),
            ("a b c arm64,amd64,arm64", "a b c amd64,arm64"),
            ("nginx:1.29", "nginx:1.29"),
            ("reg.io:5000/a/b:1", "reg.io:5000/a/b:1"),
            (&format!("a/b@{a}"), &format!("a/b@{a}")),
            (&format!("a/b:1@{a}"), &format!("a/b:1@{a}")),
            (&format!("a/b:1 {a}"), &format!("a/b:1@{a}")),
            (&format!("{a} a/b:1"), &format!("a/b:1@{a}")),
            (&format!("{a} docker://a/b"), &format!("a/b@{a}")),
            ("x/a:1=y/a:1", "x/a y/a 1"),
            ("x/a:1=y/a", "x/a y/a 1"),
            ("docker://x/a:1=docker://y/a:2", "x/a:1 y/a:2"),
            (&format!("x/a@{a}=y/a"), &format!("x/a y/a {a}")),
            (&format!("x/a@{a}=y/a@{a}"), &format!("x/a y/a {a}")),
            (&format!("x/a@{a}=y/a:1"), &format!("x/a@{a} y/a:1")),
            (&format!("x/a:1@{a}=y/a"), &format!("x/a@{a} y/a:1")),
            (&format!("x/a:1@{a}=y/a:2@{a}"), &format!("x/a@{a} y/a:2")),
            ("x/a:1 y/a:1", "x/a y/a 1"),
            ("x/a:1 y/a:2", "x/a:1 y/a:2"),
            ("x/a:1,y/a:2", "x/a:1 y/a:2"),
            (
                "--platform=linux/arm64 nginx:1",
                "--platform=linux/arm64 nginx:1",
            ),
            (
                "--platform linux/arm64 nginx:1",
                "--platform=linux/arm64 nginx:1",
            ),
            ("--platform=arm64 a:1 b:1", "a b 1 arm64"),
            ("--platform=arm64 a:1 b:2", "--platform=arm64 a:1 b:2"),
            ("- nginx:1", "nginx:1"),
            ("  - \"nginx:1\" # web", "nginx:1"),
            (&format!("{hub}:1"), &format!("{hub}:1")),
        ] {
            let entry = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(entry.to_string(), expected, "{line}");
            assert_eq!(parse(expected), Ok(entry), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_a_remedy() {
        let a = digest("a");
        for (line, expected) in [
            (
                "nginx",
                "1 field instead of 3: \"nginx\"; add a tag, for example nginx:latest",
            ),
            (
                "reg.io:5000/x",
                "1 field instead of 3: \"reg.io:5000/x\"; add a tag, for example reg.io:5000/x:latest",
            ),
            (
                ":x",
                &format!("1 field instead of 3: \":x\"; {}", mistake::WANTED),
            ),
            (
                &a,
                &format!(
                    "1 field instead of 3: \"{a}\"; write the name in front of the digest, NAME@DIGEST"
                ),
            ),
            (
                "a b",
                &format!("2 fields instead of 3: \"a b\"; {}", mistake::WANTED),
            ),
            (
                "a:1 b",
                "\"b\" has no tag: \"a:1 b\"; add a tag, for example b:latest",
            ),
            (
                "a b:1",
                "\"a\" has no tag: \"a b:1\"; add a tag, for example a:latest",
            ),
            (
                "a=b",
                "\"a\" has no tag: \"a b\"; add a tag, for example a:latest",
            ),
            (
                "a b c d",
                "4 fields instead of 3: \"a b c d\"; the 4th field \"d\" is not a platform; write architectures or platforms, for example amd64,arm64 or linux/arm/v7",
            ),
            (
                "a b c d e",
                &format!("5 fields instead of 3: \"a b c d e\"; {}", mistake::WANTED),
            ),
            (
                "nginx@latest",
                "digest \"latest\": not a digest (wanted: sha256: and 64 hexadecimal digits); write NAME@sha256: and 64 hexadecimal digits, or NAME:TAG",
            ),
            (
                &format!("a:1=b:1@{a}"),
                &format!(
                    "the destination has a digest that the source has not: \"a:1 b:1@{a}\"; write the digest behind the source: a@{a}"
                ),
            ),
            (
                &format!("a@{} {a}", digest("b")),
                &format!("two digests: \"a@{} {a}\"; write one of them", digest("b")),
            ),
            (
                "https://quay.io/a/b:1",
                "a URL: \"https://quay.io/a/b:1\"; write the registry without https://",
            ),
            (
                "a http://reg.io/a 1",
                "a URL: \"http://reg.io/a\"; write the registry without http://",
            ),
            (
                "https://hub.docker.com/_/mysql",
                "a page of Docker Hub's web site: \"https://hub.docker.com/_/mysql\"; write docker.io/library/mysql",
            ),
            (
                "hub.docker.com/r/bitnami/redis:7",
                "a page of Docker Hub's web site: \"hub.docker.com/r/bitnami/redis:7\"; write docker.io/bitnami/redis:7",
            ),
            (
                "oci:layout:1",
                "not an image in a registry: \"oci:layout:1\"; give an image in a registry: only registries are read",
            ),
            (
                "a:1=file://a:1",
                "not an image in a registry: \"file://a:1\"; give an image in a registry: only registries are read",
            ),
            (
                "docker-archive:/x.tar",
                "not an image in a registry: \"docker-archive:/x.tar\"; give an image in a registry: only registries are read",
            ),
            (
                "a\u{a0}b\u{a0}1",
                "there is a character U+00A0 in the line: \"a\u{a0}b\u{a0}1\"; separate the fields with ordinary blanks",
            ),
            (
                "a b\u{3000}1",
                "there is a character U+3000 in the line: \"a b\u{3000}1\"; separate the fields with ordinary blanks",
            ),
            (
                "nginx:1\u{200b}",
                "there is a character U+200B in the line: \"nginx:1\\u{200b}\"; separate the fields with ordinary blanks",
            ),
            (
                "\"nginx:1\",",
                "quotes in the line: \"\"nginx:1\",\"; remove the quotes and the comma",
            ),
            (
                "nginx:1,",
                "a comma or semicolon at the end of the line: \"nginx:1,\"; remove it",
            ),
            (
                "a,b,1",
                "fields that are separated by commas or semicolons: \"a,b,1\"; separate them with blanks",
            ),
            (
                "source,destination,tag",
                "a table's header: \"source,destination,tag\"; remove the line, or begin it with #",
            ),
            (
                "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE",
                "a table's header: \"REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\"; remove the line, or begin it with #",
            ),
            (
                "a:1 => b:1",
                "an arrow or a sign between the names: \"a:1 => b:1\"; write the two names with a blank between them: SRC:TAG DST:TAG",
            ),
            (
                "<none>:<none>",
                "an image without a name or a tag: \"<none>:<none>\"; remove the line: `docker images` writes <none> for what has none",
            ),
            (
                "docker pull nginx:1",
                "a command of docker: \"docker pull nginx:1\"; write the image alone, NAME:TAG",
            ),
            (
                "a b 1 # x",
                "a comment behind the image: \"a b 1 # x\"; put the comment on a line of its own",
            ),
            (
                "!refused a b",
                "not an image: \"a b\"; correct it in the file that the comment above this line names",
            ),
        ] {
            assert_eq!(parse(line), Err(expected.to_owned()), "{line}");
        }
        let error = |bytes: &[u8]| Entry::parse(bytes).expect_err("not an image").to_string();
        // 镜像 in GBK.
        assert_eq!(
            error(b"a b \xbe\xb5\xcf\xf1").rsplit("; ").next(),
            Some("save the list as UTF-8 (it looks like GBK)")
        );
        assert_eq!(
            error(b"a b \xff\xfe").rsplit("; ").next(),
            Some("save the list as UTF-8")
        );
        assert!(
            error(&[b'a'; MAX_LINE + 1]).starts_with("the line has 4097 bytes, more than 4096; ")
        );
    }

    prop_compose! {
        fn reference()(tag in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}", digest in "[0-9a-f]{64}", is_digest in any::<bool>()) -> Reference {
            if is_digest { format!("sha256:{digest}") } else { tag }.parse().expect("a reference")
        }
    }

    prop_compose! {
        fn image_name()(host in "([a-z]{1,5}\\.io(:5000)?/|\\[::1\\]:5000/|localhost/)?", path in "[a-z0-9]{1,5}([._-][a-z0-9]{1,5})?(/[a-z0-9]{1,5}){0,2}") -> String {
            format!("{host}{path}")
        }
    }

    fn platforms() -> impl Strategy<Value = Option<Filter>> {
        let pattern = "(linux/|windows/)?(amd64|arm64|s390x|arm/v7|arm64/v8)";
        prop::option::of(prop::collection::vec(pattern, 1..4)).prop_map(|texts| {
            let patterns = texts?
                .iter()
                .map(|text| text.parse().expect("a pattern"))
                .collect();
            Some(Filter::of_patterns(patterns))
        })
    }

    prop_compose! {
        fn entry()(source in image_name(), destination in image_name(), from in reference(), to in reference(),
            is_same in any::<bool>(), has_one_name in any::<bool>(), platforms in platforms()) -> Entry {
            let to = match (has_one_name, &from, to) {
                _ if is_same => from.clone(),
                // One name has a tag, a digest, or a digest that its tag has to lead to.
                (true, Reference::Tag(_), _) => from.clone(),
                (true, Reference::Digest(_), Reference::Digest(_)) => from.clone(),
                (_, _, to) => to,
            };
            Entry { source, source_reference: from, destination: (!has_one_name).then_some(destination), destination_reference: to, platforms }
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_reads_back(entry in entry()) {
            prop_assert_eq!(parse(&entry.to_string()), Ok(entry));
        }

        #[test]
        fn a_pair_reads_back_from_every_form(source in image_name(), destination in image_name(), from in reference(), to in reference()) {
            let (s, d) = (from.of(&source), to.of(&destination));
            let expected = Entry {
                source: source.clone(),
                source_reference: from.clone(),
                destination: Some(destination.clone()),
                destination_reference: to,
                platforms: None,
            };
            for line in [format!("{s} {d}"), format!("{s},{d}"), format!("{s}={d}"), format!("docker://{s}\tdocker://{d}\r")] {
                prop_assert_eq!(parse(&line), Ok(expected.clone()), "{}", line);
            }
            let same = Entry { destination_reference: from.clone(), ..expected };
            for line in [format!("{source} {destination} {from}"), format!("{s}={destination}"), format!(" {source}\t {destination}  {from} \r")] {
                prop_assert_eq!(parse(&line), Ok(same.clone()), "{}", line);
            }
            let one = Entry { destination: None, ..same };
            for line in [s.clone(), format!("- {s}"), format!("- '{s}'"), format!("docker://{s}")] {
                prop_assert_eq!(parse(&line), Ok(one.clone()), "{}", line);
            }
        }

        #[test]
        fn no_line_makes_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = Entry::parse(&bytes);
        }

        #[test]
        fn what_is_read_can_be_written(text in "(--platform[= ]|docker://|sha256:|[a-z]{1,3}|[:@=,/ #-]|1|amd64|[0-9a-f]{64}){0,8}") {
            if let Ok(entry) = parse(&text) && names::check(&entry.source).is_ok()
                && entry.destination.as_ref().is_none_or(|name| names::check(name).is_ok()) {
                let written = entry.to_string();
                prop_assert_eq!(parse(&written), Ok(entry), "{}", written);
            }
        }
    }
}
