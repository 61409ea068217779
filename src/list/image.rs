//! An image of the list: where it comes from and where it was mirrored to, names resolved.

use super::entry::Entry;
use super::lines::Line;
use super::mistake;
use super::names::{self, Override};
use crate::escape::escape;
use crate::manifest::{Digest, Filter};
use crate::reference::{NameError, Reference, Repository};

/// An image: a repository with tag or digest on each side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// The source's repository.
    pub source: Repository,
    /// The source's tag or digest.
    pub source_reference: Reference,
    /// The destination's repository.
    pub destination: Repository,
    /// The destination's tag or digest.
    pub destination_reference: Reference,
    /// The platforms that this line wants, in place of `-a` and `--os`.
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

    /// Whether both sides are the same image of the same registry.
    pub fn is_its_own_mirror(&self) -> bool {
        self.source == self.destination && self.source_reference == self.destination_reference
    }

    /// The digest that the destination's tag has to lead to, where the list pins the source to one.
    pub fn pinned(&self) -> Option<&Digest> {
        match (&self.source_reference, &self.destination_reference) {
            (Reference::Digest(digest), Reference::Tag(_)) => Some(digest),
            _ => None,
        }
    }

    /// What is compared, for the log: `[S:T] == [D:T]`.
    pub fn compared(&self) -> String {
        format!("[{}] == [{}]", self.source_name(), self.destination_name())
    }
}

/// An image with its place in the list.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// Its number among the images (`M_ID`), from 1.
    pub number: u64,
    /// The image.
    pub image: Image,
}

/// What the names of a list are resolved with.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Registry of every source.
    pub source: Option<Override>,
    /// Registry of every destination.
    pub destination: Option<Override>,
    /// Project of a destination that has none.
    pub default_project: String,
    /// Only the sources are read: an image's destination is its source.
    pub sources_only: bool,
}

impl Rules {
    /// The image of a line.
    ///
    /// # Errors
    /// Where the line is, what is wrong with it, and what to do.
    pub fn image(&self, line: &Line) -> Result<Image, String> {
        self.resolve(entry(line)?)
            .map_err(|error| described(line, &error))
    }

    /// The image of an entry.
    ///
    /// # Errors
    /// What is wrong with its names, and what to do.
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

/// The entry of a line, names as written.
///
/// # Errors
/// Where the line is, what is wrong with it, and what to do.
pub fn entry(line: &Line) -> Result<Entry, String> {
    let at = &line.place;
    if let Some(refusal) = &line.refusal {
        return Err(format!("{at}: {refusal}"));
    }
    Entry::parse(line.text()).map_err(|error| format!("{at}: {error}"))
}

/// What is wrong with an entry, or with its line, if that has a known mistake.
pub fn described(line: &Line, error: &str) -> String {
    let text = std::str::from_utf8(line.text()).unwrap_or_default();
    match mistake::of(text) {
        Some(known) => format!("{}: {known}", line.place),
        None => format!("{}: {error}", line.place),
    }
}

/// Why a name of an entry is none, and what to do.
pub fn wrong_name(what: &str, name: &str, error: &NameError) -> String {
    let remedy = mistake::remedy(error);
    format!("{what} {:?}: {error}; {remedy}", escape(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(destination: Option<&str>, sources_only: bool) -> Rules {
        Rules {
            source: None,
            destination: destination.map(|text| text.parse().expect("a registry")),
            default_project: "library".to_owned(),
            sources_only,
        }
    }

    fn image(rules: &Rules, text: &str) -> Result<Image, String> {
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
    fn where_only_sources_are_read_no_destination_is_needed() {
        let error = image(&rules(None, false), "quay.io/a/b:1").expect_err("no destination");
        assert!(
            error.starts_with("list.txt:7: ") && error.contains("-d"),
            "{error}"
        );
        let found = image(&rules(None, true), "quay.io/a/b:1").expect("an image");
        assert_eq!(found.destination, found.source);
    }
}
