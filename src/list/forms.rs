//! The syntaxes of a line. Each line is recognized on its own, so that a list may mix them.

use super::entry::{Entry, NamedReference, PLATFORM, add_tag, is_digest, name, reference};
use super::mistake::{self, LineError};
use crate::escape::escape;

/// Parses a line.
///
/// # Errors
/// The mistake and its remedy.
pub fn read(text: &str) -> Result<Entry, LineError> {
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
        [source, destination, tag] => three(source, destination, tag),
        [source, destination, tag, list] if platforms.is_none() => three(source, destination, tag)
            .and_then(|entry| {
                entry.with_platforms(list.split(',')).map_err(|error| {
                    LineError::new(LineError::count(4, text), format!("the 4th field {error}"))
                })
            }),
        [] => Err(LineError::new(
            format!("no image after {PLATFORM}"),
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
            "write the name before the digest, NAME@DIGEST",
        ));
    }
    let has_tag = NamedReference::parse(word)?.has_reference();
    if has_tag {
        return Entry::same_name(word);
    }
    Err(LineError::new(LineError::count(1, text), add_tag(word)))
}

/// `NAME:TAG DIGEST`, equal to `NAME:TAG@DIGEST`.
fn with_digest(name: &str, digest: &str) -> Result<Entry, LineError> {
    let digest = reference("digest", digest)?;
    let side = NamedReference::parse(name)?;
    if side.digest.as_ref().is_some_and(|own| *own != digest) {
        return Err(LineError::new(
            format!("two digests: \"{} {digest}\"", escape(name)),
            "write only one",
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

/// The error for two names without a tag.
fn without_tags(source: &str, destination: &str, text: &str) -> Option<LineError> {
    let lacks = |word| NamedReference::parse(word).is_ok_and(|side| !side.has_reference());
    (lacks(source) && lacks(destination))
        .then(|| LineError::new(LineError::count(2, text), mistake::WANTED))
}

/// `SRC DST TAG`.
fn three(source: &str, destination: &str, tag: &str) -> Result<Entry, LineError> {
    let tag = reference("tag", tag)?;
    Ok(Entry {
        source: name(source)?.to_owned(),
        source_reference: tag.clone(),
        destination: Some(name(destination)?.to_owned()),
        destination_reference: tag,
        platforms: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::entry::MAX_LINE;
    use super::super::entry::arbitrary::{entry, image_name, platforms, reference};
    use super::super::names;
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
    fn mistakes_are_reported_with_a_remedy() {
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
                    "1 field instead of 3: \"{a}\"; write the name before the digest, NAME@DIGEST"
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
                "digest \"latest\": not a digest (expected sha256: and 64 hexadecimal digits); write NAME@sha256: and 64 hexadecimal digits, or NAME:TAG",
            ),
            (
                &format!("a:1=b:1@{a}"),
                &format!(
                    "the destination has a digest, but the source has none: \"a:1 b:1@{a}\"; append the digest to the source: a@{a}"
                ),
            ),
            (
                &format!("a@{} {a}", digest("b")),
                &format!("two digests: \"a@{} {a}\"; write only one", digest("b")),
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
                "a web page of Docker Hub: \"https://hub.docker.com/_/mysql\"; write docker.io/library/mysql",
            ),
            (
                "hub.docker.com/r/bitnami/redis:7",
                "a web page of Docker Hub: \"hub.docker.com/r/bitnami/redis:7\"; write docker.io/bitnami/redis:7",
            ),
            (
                "/r/bitnami/redis",
                "a web page of Docker Hub: \"/r/bitnami/redis\"; write docker.io/bitnami/redis",
            ),
            (
                "/_/mysql:8 x 1",
                "a web page of Docker Hub: \"/_/mysql:8\"; write docker.io/library/mysql:8",
            ),
            (
                "nginx:",
                "the tag is empty: \"nginx:\"; add a tag, for example nginx:latest",
            ),
            (
                "image: nginx:1",
                "a YAML line: \"image: nginx:1\"; write only the image, NAME:TAG, or use the whole YAML file",
            ),
            (
                "FROM nginx:1",
                "a Dockerfile instruction: \"FROM nginx:1\"; write only the image, NAME:TAG",
            ),
            ("* nginx:1", "a list bullet: \"* nginx:1\"; remove \"*\""),
            (
                "12. nginx:1",
                "a list bullet: \"12. nginx:1\"; remove \"12.\"",
            ),
            (
                "oci:layout:1",
                "not a registry image: \"oci:layout:1\"; write an image of a registry; other transports are not supported",
            ),
            (
                "a:1=file://a:1",
                "not a registry image: \"file://a:1\"; write an image of a registry; other transports are not supported",
            ),
            (
                "docker-archive:/x.tar",
                "not a registry image: \"docker-archive:/x.tar\"; write an image of a registry; other transports are not supported",
            ),
            (
                "a\u{a0}b\u{a0}1",
                "the character U+00A0 in the line: \"a\u{a0}b\u{a0}1\"; separate the fields with spaces",
            ),
            (
                "a b\u{3000}1",
                "the character U+3000 in the line: \"a b\u{3000}1\"; separate the fields with spaces",
            ),
            (
                "nginx:1\u{200b}",
                "the character U+200B in the line: \"nginx:1\\u{200b}\"; separate the fields with spaces",
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
                "commas or semicolons between the fields: \"a,b,1\"; separate the fields with spaces",
            ),
            (
                "source,destination,tag",
                "a table header: \"source,destination,tag\"; remove the line or start it with #",
            ),
            (
                "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE",
                "a table header: \"REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\"; remove the line or start it with #",
            ),
            (
                "a:1 => b:1",
                "an arrow or an equals sign between the names: \"a:1 => b:1\"; separate the names with a space: SRC:TAG DST:TAG",
            ),
            (
                "<none>:<none>",
                "an image without a name or a tag: \"<none>:<none>\"; remove the line (`docker images` prints <none> for images without a name)",
            ),
            (
                "docker pull nginx:1",
                "a docker command: \"docker pull nginx:1\"; write only the image, NAME:TAG",
            ),
            (
                "a b 1 # x",
                "a comment after the image: \"a b 1 # x\"; put the comment on its own line",
            ),
            (
                "!refused a b",
                "not an image: \"a b\"; fix it in the file named in the comment above",
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
            error(&[b'a'; MAX_LINE + 1])
                .starts_with("the line has 4097 bytes; the maximum is 4096; ")
        );
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
        fn a_digest_and_platforms_read_back_from_every_form(source in image_name(), destination in image_name(),
            tag in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}", hex in "[0-9a-f]{64}", platforms in platforms()) {
            let digest = format!("sha256:{hex}");
            let pinned = Entry {
                source: source.clone(),
                source_reference: digest.parse().expect("a digest"),
                destination: None,
                destination_reference: tag.parse().expect("a tag"),
                platforms: None,
            };
            for line in [format!("{source}:{tag}@{digest}"), format!("{source}:{tag} {digest}"), format!("{digest}\tdocker://{source}:{tag}"), format!("- {source}:{tag}@{digest}")] {
                prop_assert_eq!(parse(&line), Ok(pinned.clone()), "{}", line);
            }
            let pair = Entry { destination: Some(destination.clone()), ..pinned };
            for line in [format!("{source}@{digest} {destination}:{tag}"), format!("{source}@{digest}={destination}:{tag}"), format!("{source}:{tag}@{digest}={destination}")] {
                prop_assert_eq!(parse(&line), Ok(pair.clone()), "{}", line);
            }
            if let Some(platforms) = platforms {
                let text = platforms.patterns().iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
                let three = Entry { source_reference: pair.destination_reference.clone(), platforms: Some(platforms), ..pair };
                for line in [format!("{source} {destination} {tag} {text}"), format!("--platform={text} {source}:{tag} {destination}:{tag}"), format!("--platform {text} {source} {destination} {tag}")] {
                    prop_assert_eq!(parse(&line), Ok(three.clone()), "{}", line);
                }
                let one = Entry { destination: None, ..three };
                for line in [format!("--platform={text} {source}:{tag}"), format!("--platform {text} docker://{source}:{tag}")] {
                    prop_assert_eq!(parse(&line), Ok(one.clone()), "{}", line);
                }
            }
        }

        #[test]
        fn no_line_causes_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = Entry::parse(&bytes);
        }

        #[test]
        fn parsed_entries_can_be_written(text in "(--platform[= ]|docker://|sha256:|[a-z]{1,3}|[:@=,/ #-]|1|amd64|[0-9a-f]{64}){0,8}") {
            if let Ok(entry) = parse(&text) && names::check(&entry.source).is_ok()
                && entry.destination.as_ref().is_none_or(|name| names::check(name).is_ok()) {
                let written = entry.to_string();
                prop_assert_eq!(parse(&written), Ok(entry), "{}", written);
            }
        }
    }
}
