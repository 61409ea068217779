//! An entry of a list: the content of one line, or of one value in a YAML file. Names are as written,
//! before `-s`, `-d` and `-default-project`.
//!
//! The canonical form of an entry is a line that parses to the same entry.

use std::fmt;

use super::forms;
use super::mistake::{self, LineError};
use super::names;
use crate::escape::escape;
use crate::manifest::{Digest, Filter, PlatformPattern};
use crate::reference::Reference;

/// The maximum length of a line with an image in bytes.
pub const MAX_LINE: usize = 4096;

/// The prefix of a platform list.
pub const PLATFORM: &str = "--platform";

/// An image as written in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub source: String,
    pub source_reference: Reference,
    /// The destination's name; `None`: the source's name at the registry of `-d`.
    pub destination: Option<String>,
    pub destination_reference: Reference,
    /// The platforms of this line.
    pub platforms: Option<Filter>,
}

impl Entry {
    /// Parses a line that is not a comment.
    ///
    /// # Errors
    /// The mistake and its remedy.
    pub fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        if bytes.len() > MAX_LINE {
            return Err(LineError::long(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| LineError::not_text(bytes))?;
        let text = text.strip_suffix('\r').unwrap_or(text);
        // A known mistake is reported as such, even if the line could be parsed.
        mistake::refused(text)?;
        forms::read(text).map_err(|error| mistake::of(text).unwrap_or(error))
    }

    /// `NAME:TAG`, `NAME@DIGEST` or `NAME:TAG@DIGEST`: the same name on both sides.
    ///
    /// # Errors
    /// The mistake and its remedy.
    pub fn same_name(text: &str) -> Result<Self, LineError> {
        let side = NamedReference::parse(text)?;
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

    /// A source and a destination, both with tag or digest. If `tag_is_optional`, a destination without
    /// them gets those of the source.
    ///
    /// # Errors
    /// The mistake and its remedy.
    pub fn pair(source: &str, destination: &str, tag_is_optional: bool) -> Result<Self, LineError> {
        let (from, to) = (
            NamedReference::parse(source)?,
            NamedReference::parse(destination)?,
        );
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
                        "the destination has a digest, but the source has none: {:?}",
                        escape(&whole)
                    ),
                    format!("append the digest to the source: {}@{digest}", from.name),
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

    /// Sets the platforms of a line: `amd64,linux/arm64`.
    ///
    /// # Errors
    /// Names the invalid platform.
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

fn no_tag(name: &str, whole: &str) -> LineError {
    let what = if name == whole {
        format!("the image has no tag: {:?}", escape(name))
    } else {
        format!("{:?} has no tag: {:?}", escape(name), escape(whole))
    };
    LineError::new(what, add_tag(name))
}

pub fn add_tag(name: &str) -> String {
    let name = name.strip_prefix("docker://").unwrap_or(name);
    match names::check(name) {
        Ok(()) => format!("add a tag, for example {}:latest", escape(name)),
        Err(_) => mistake::WANTED.to_owned(),
    }
}

/// A parsed `NAME[:TAG][@DIGEST]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedReference<'a> {
    pub name: &'a str,
    pub tag: Option<Reference>,
    pub digest: Option<Reference>,
}

impl<'a> NamedReference<'a> {
    /// `NAME[:TAG][@DIGEST]`.
    pub fn parse(text: &'a str) -> Result<Self, LineError> {
        let text = name(text)?;
        if is_digest(text) {
            return Err(LineError::new(
                format!("a digest instead of a name:  {:?}", escape(text)),
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
            // `reg.io:5000/x` has a port but no tag.
            Some((name, "")) if names::check(name).is_ok() => {
                return Err(LineError::new(
                    format!("the tag is empty: {:?}", escape(text)),
                    add_tag(name),
                ));
            }
            Some((name, tag)) if !tag.contains('/') && !name.is_empty() => {
                (name, Some(reference("tag", tag)?))
            }
            _ => (text, None),
        };
        Ok(Self { name, tag, digest })
    }

    pub fn has_reference(&self) -> bool {
        self.tag.is_some() || self.digest.is_some()
    }
}

/// The name without `docker://`.
pub fn name(text: &str) -> Result<&str, LineError> {
    let text = text.strip_prefix("docker://").unwrap_or(text);
    match mistake::of_name(text) {
        Some(error) => Err(error),
        None => Ok(text),
    }
}

pub fn reference(what: &str, text: &str) -> Result<Reference, LineError> {
    text.parse().map_err(|error| {
        LineError::new(
            format!("{what} {:?}: {error}", escape(text)),
            mistake::WANTED,
        )
    })
}

pub fn is_digest(word: &str) -> bool {
    word.starts_with("sha256:") || word.starts_with("sha512:")
}

/// Entries for tests.
#[cfg(test)]
pub mod arbitrary {
    use proptest::prelude::*;

    use super::Entry;
    use crate::manifest::Filter;
    use crate::reference::Reference;

    prop_compose! {
        pub fn reference()(tag in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}", digest in "[0-9a-f]{64}", is_digest in any::<bool>()) -> Reference {
            if is_digest { format!("sha256:{digest}") } else { tag }.parse().expect("a reference")
        }
    }

    prop_compose! {
        pub fn image_name()(host in "([a-z]{1,5}\\.io(:5000)?/|\\[::1\\]:5000/|localhost/)?", path in "[a-z0-9]{1,5}([._-][a-z0-9]{1,5})?(/[a-z0-9]{1,5}){0,2}") -> String {
            format!("{host}{path}")
        }
    }

    pub fn platforms() -> impl Strategy<Value = Option<Filter>> {
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
        pub fn entry()(source in image_name(), destination in image_name(), from in reference(), to in reference(),
            is_same in any::<bool>(), has_one_name in any::<bool>(), platforms in platforms()) -> Entry {
            let to = match (has_one_name, &from, to) {
                _ if is_same => from.clone(),
                // A single name has a tag, a digest, or a tag with its digest.
                (true, Reference::Tag(_), _) => from.clone(),
                (true, Reference::Digest(_), Reference::Digest(_)) => from.clone(),
                (_, _, to) => to,
            };
            Entry { source, source_reference: from, destination: (!has_one_name).then_some(destination), destination_reference: to, platforms }
        }
    }
}
