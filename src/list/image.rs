//! An image of the list: where it comes from and where it was mirrored to, names resolved.

use super::lines::{self as list, Line};
use super::names::{self, Override};
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
    /// The image of a line; `list`: the list's name, for the message.
    ///
    /// # Errors
    /// What is wrong with the line, where, and what is wanted.
    pub fn image(&self, list: &str, line: &Line) -> Result<Image, String> {
        let at = format!("{list}:{}", line.number);
        let fields = list::fields(&line.bytes)
            .map_err(|error| format!("{at}: {error}; {}", list::WANTED))?;
        let name =
            |what: &str, error: NameError| format!("{at}: {what}: {error}; {}", list::WANTED);
        let source = names::source(fields.source, self.source.as_ref())
            .map_err(|error| name(&format!("source {:?}", fields.source), error))?;
        let destination = if self.sources_only {
            source.clone()
        } else if fields.is_one && self.destination.is_none() {
            return Err(format!(
                "{at}: a line of one field needs the destination registry: give it with -d"
            ));
        } else {
            names::destination(
                fields.destination,
                self.destination.as_ref(),
                &self.default_project,
            )
            .map_err(|error| name(&format!("destination {:?}", fields.destination), error))?
        };
        let reference: Reference = fields
            .tag
            .parse()
            .map_err(|error| name(&format!("tag {:?}", fields.tag), error))?;
        Ok(Image {
            source,
            source_reference: reference.clone(),
            destination,
            destination_reference: reference,
            platforms: None,
        })
    }
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
        let line = Line {
            number: 7,
            bytes: text.into(),
        };
        rules.image("list.txt", &line)
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
