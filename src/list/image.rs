//! An image of the list with resolved names: its source and its destination.

use std::sync::Arc;

use super::entry::Entry;
use super::lines::Line;
use super::mistake;
use super::names::{self, Override};
use crate::escape::escape;
use crate::manifest::{Digest, Filter};
use crate::reference::{NameError, Reference, Repository};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    pub source: Repository,
    pub source_reference: Reference,
    pub destination: Repository,
    pub destination_reference: Reference,
    /// The platforms of this line, which replace `-a` and `--os`.
    pub platforms: Option<Filter>,
}

impl Image {
    /// The source with tag or digest: `S:T`.
    pub fn source_name(&self) -> String {
        self.source_reference.of(&self.source)
    }

    /// The destination with tag or digest: `D:T`.
    pub fn destination_name(&self) -> String {
        self.destination_reference.of(&self.destination)
    }

    /// Whether source and destination are the same image of the same registry.
    pub fn is_its_own_mirror(&self) -> bool {
        self.source == self.destination && self.source_reference == self.destination_reference
    }

    /// The digest to which the destination's tag must lead, if the list pins it.
    pub fn pinned(&self) -> Option<&Digest> {
        match (&self.source_reference, &self.destination_reference) {
            (Reference::Digest(digest), Reference::Tag(_)) => Some(digest),
            _ => None,
        }
    }

    /// Both sides, for the log: `[S:T] == [D:T]`.
    pub fn compared(&self) -> String {
        format!("[{}] == [{}]", self.source_name(), self.destination_name())
    }
}

/// An image with its number.
#[derive(Clone, Debug)]
pub struct NumberedImage {
    /// The number among the images (`M_ID`), from 1.
    pub number: u64,
    /// Shared by the thread that validates the image and the writer.
    pub image: Arc<Image>,
}

/// The settings for resolving names.
#[derive(Clone, Debug)]
pub struct NameRules {
    pub source: Option<Override>,
    pub destination: Option<Override>,
    /// The project of destinations without one.
    pub default_project: String,
    /// Only the sources are read: the destination of an image is its source.
    pub sources_only: bool,
}

impl NameRules {
    /// Resolves the image of a line.
    ///
    /// # Errors
    /// Position, mistake and remedy.
    pub fn image(&self, line: &Line) -> Result<Image, String> {
        self.resolve(entry(line)?)
            .map_err(|error| described(line, &error))
    }

    /// Resolves the names of an entry.
    ///
    /// # Errors
    /// The mistake and its remedy.
    pub fn resolve(&self, entry: Entry) -> Result<Image, String> {
        let of_source = |error: NameError| wrong_name("source", &entry.source, &error);
        let replaced = (self.source.as_ref(), self.destination.as_ref());
        let (source, destination) = match (&entry.destination, replaced) {
            (Some(name), (from, to)) => {
                let source = names::source(&entry.source, from).map_err(of_source)?;
                let destination = if self.sources_only {
                    source.clone()
                } else {
                    names::destination(name, to, &self.default_project)
                        .map_err(|error| wrong_name("destination", name, &error))?
                };
                (source, destination)
            }
            (None, (from, _)) if self.sources_only => {
                names::both(&entry.source, from, from).map_err(of_source)?
            }
            (None, (_, None)) => {
                return Err(
                    "a line with one field requires -d (the destination registry)".to_owned(),
                );
            }
            (None, (from, to)) => names::both(&entry.source, from, to).map_err(of_source)?,
        };
        Ok(Image {
            source,
            destination,
            destination_reference: if self.sources_only {
                entry.source_reference.clone()
            } else {
                entry.destination_reference
            },
            source_reference: entry.source_reference,
            platforms: entry.platforms,
        })
    }
}

/// Parses the entry of a line; names as written.
///
/// # Errors
/// Position, mistake and remedy.
pub fn entry(line: &Line) -> Result<Entry, String> {
    let at = &line.place;
    if let Some(refusal) = &line.refusal {
        return Err(format!("{at}: {refusal}"));
    }
    Entry::parse(line.text()).map_err(|error| format!("{at}: {error}"))
}

/// The known mistake of a line, else this error, with the position.
pub fn described(line: &Line, error: &str) -> String {
    let text = std::str::from_utf8(line.text()).unwrap_or_default();
    match mistake::of(text) {
        Some(known) => format!("{}: {known}", line.place),
        None => format!("{}: {error}", line.place),
    }
}

/// The message for an invalid name.
pub fn wrong_name(what: &str, name: &str, error: &NameError) -> String {
    let remedy = mistake::remedy(error);
    format!("{what} {:?}: {error}; {remedy}", escape(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(destination: Option<&str>, sources_only: bool) -> NameRules {
        NameRules {
            source: None,
            destination: destination.map(|text| text.parse().expect("a registry")),
            default_project: "library".to_owned(),
            sources_only,
        }
    }

    fn image(rules: &NameRules, text: &str) -> Result<Image, String> {
        rules.image(&Line::of_file("list.txt", 7, text.as_bytes()))
    }

    #[test]
    fn a_line_is_resolved_on_both_sides() {
        let found = image(&rules(Some("reg.io"), false), "nginx nginx 1").expect("an image");
        assert_eq!(
            found.compared(),
            "[docker.io/nginx:1] == [reg.io/library/nginx:1]"
        );
    }

    #[test]
    fn sources_alone_need_no_destination() {
        let error = image(&rules(None, false), "quay.io/a/b:1").expect_err("no destination");
        assert!(
            error.starts_with("list.txt:7: ") && error.contains("-d"),
            "{error}"
        );
        let found = image(&rules(None, true), "quay.io/a/b:1").expect("an image");
        assert_eq!(found.destination, found.source);
    }
}
