//! Replaces registries for the command `list`. Unlike [`NameRules`](super::NameRules), it changes only names for
//! which a flag was given, so that a list printed without flags means the same as its file, whatever
//! flags it is validated with.

use std::hash::Hash;

use super::entry::{Entry, MAX_LINE};
use super::image;
use super::lines::Line;
use super::mistake::LineError;
use super::names::{self, Override};
use crate::escape::escape;
use crate::reference::NameError;

/// The default of `-default-project`.
const DEFAULT_PROJECT: &str = "library";

/// The registries of a printed list.
#[derive(Clone, Debug, Default)]
pub struct Renaming {
    pub source: Option<Override>,
    pub destination: Option<Override>,
    /// The project of destinations without one; `None`: as written, unless `destination` is set.
    pub default_project: Option<String>,
}

impl Renaming {
    /// Renames the entry of a line.
    ///
    /// # Errors
    /// Position, mistake and remedy.
    pub fn entry(&self, line: &Line) -> Result<Entry, String> {
        let entry = image::entry(line)?;
        let renamed = self.rename(entry).and_then(|entry| {
            let length = entry.to_string().len();
            match length {
                0..=MAX_LINE => Ok(entry),
                _ => Err(LineError::long(length).to_string()),
            }
        });
        renamed.map_err(|error| image::described(line, &error))
    }

    fn rename(&self, entry: Entry) -> Result<Entry, String> {
        let of_source = |error: NameError| image::wrong_name("source", &entry.source, &error);
        let (from, to) = (self.source.as_ref(), self.destination.as_ref());
        let (source, destination) = match &entry.destination {
            Some(name) => (
                self.source_of(&entry.source).map_err(of_source)?,
                Some(
                    self.destination_of(name)
                        .map_err(|error| image::wrong_name("destination", name, &error))?,
                ),
            ),
            None if to.is_some() => {
                let (source, destination) =
                    names::both(&entry.source, from, to).map_err(of_source)?;
                (source.to_string(), Some(destination.to_string()))
            }
            None => match from {
                None => (self.source_of(&entry.source).map_err(of_source)?, None),
                // The same name at the registry of -d; a path prefix would change the name.
                Some(from) if from.is_host() => {
                    let (source, _) =
                        names::both(&entry.source, Some(from), None).map_err(of_source)?;
                    (source.to_string(), None)
                }
                Some(_) => {
                    return Err(format!(
                        "the path of -s would change the destination of {:?}; use -d as well",
                        escape(&entry.source)
                    ));
                }
            },
        };
        Ok(Entry {
            source,
            destination,
            ..entry
        })
    }

    fn source_of(&self, name: &str) -> Result<String, NameError> {
        let resolved = names::source(name, self.source.as_ref())?;
        Ok(match self.source {
            Some(_) => resolved.to_string(),
            None => name.to_owned(),
        })
    }

    fn destination_of(&self, name: &str) -> Result<String, NameError> {
        let project = self.default_project.as_deref();
        let replaced = self.destination.as_ref();
        let resolved = names::destination(name, replaced, project.unwrap_or(DEFAULT_PROJECT))?;
        Ok(match (replaced, project) {
            (None, None) => name.to_owned(),
            _ => resolved.to_string(),
        })
    }
}

/// The identity of an entry, independent of the flags of a validation: `nginx` equals `docker.io/nginx`.
/// It differs from `docker.io/library/nginx`, which `-s` resolves to another name.
pub fn identity(entry: &Entry) -> impl Hash + Eq + use<> {
    let name = |name: &str| names::source(name, None).ok();
    (
        name(&entry.source),
        entry.source_reference.clone(),
        entry.destination.as_deref().map(name),
        entry.destination_reference.clone(),
        entry.platforms.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::entry::arbitrary;
    use super::*;
    use proptest::prelude::*;

    fn renaming(flags: [&str; 3]) -> Renaming {
        let [source, destination, project] =
            flags.map(|text| Some(text).filter(|text| !text.is_empty()));
        Renaming {
            source: source.map(|text| text.parse().expect("a registry")),
            destination: destination.map(|text| text.parse().expect("a registry")),
            default_project: project.map(str::to_owned),
        }
    }

    fn listed(flags: [&str; 3], text: &str) -> Result<String, String> {
        let line = Line::of_file("l", 1, text.as_bytes());
        renaming(flags).entry(&line).map(|entry| entry.to_string())
    }

    #[test]
    fn a_flag_replaces_its_side_only() {
        for (flags, line, expected) in [
            (["", "", ""], "nginx:1", "nginx:1"),
            (["", "", ""], "nginx nginx 1", "nginx nginx 1"),
            (["s.io", "", ""], "nginx:1", "s.io/nginx:1"),
            (["s.io/p", "", ""], "nginx nginx 1", "s.io/p/nginx nginx 1"),
            (
                ["docker.io", "", ""],
                "nginx:1",
                "docker.io/library/nginx:1",
            ),
            (
                ["", "d.io", ""],
                "nginx:1",
                "docker.io/library/nginx d.io/library/nginx 1",
            ),
            (
                ["", "d.io", ""],
                "nginx nginx 1",
                "nginx d.io/library/nginx 1",
            ),
            (
                ["", "d.io", "team"],
                "nginx nginx 1",
                "nginx d.io/team/nginx 1",
            ),
            (
                ["", "", "team"],
                "nginx nginx 1",
                "nginx docker.io/team/nginx 1",
            ),
            (["", "", "team"], "nginx:1", "nginx:1"),
            (
                ["s.io/p", "d.io/{registry}/{path}", ""],
                "quay.io/a/b:1 arm64",
                "",
            ),
            (
                ["s.io/p", "d.io/{registry}/{path}", ""],
                "--platform=arm64 quay.io/a/b:1",
                "s.io/p/a/b d.io/quay.io/a/b 1 arm64",
            ),
        ] {
            let found = listed(flags, line);
            match expected {
                "" => assert!(found.is_err(), "{line}"),
                _ => assert_eq!(found.as_deref(), Ok(expected), "{line}"),
            }
        }
        assert_eq!(
            listed(["s.io/p", "", ""], "nginx:1"),
            Err(
                "l:1: the path of -s would change the destination of \"nginx\"; use -d as well"
                    .to_owned()
            )
        );
        assert_eq!(
            listed(["", "", ""], "UPPER/x:1")
                .map_err(|error| error.rsplit("; ").next().map(str::to_owned)),
            Err(Some(
                "write the repository in lower case: upper/x".to_owned()
            ))
        );
    }

    #[test]
    fn all_spellings_of_docker_hub_are_the_same_image() {
        let same = |one: &str, other: &str| {
            let entry = |text: &str| Entry::parse(text.as_bytes()).expect("an image");
            identity(&entry(one)) == identity(&entry(other))
        };
        for (one, other) in [
            ("nginx:1", "docker.io/nginx:1"),
            ("nginx:1", "index.docker.io/nginx:1"),
            ("a/b:1 c/d:1", "a/b c/d 1"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("nginx:1", "docker.io/library/nginx:1"),
            ("nginx:1", "nginx:2"),
            ("nginx:1", "nginx nginx 1"),
            ("nginx:1", "--platform=arm64 nginx:1"),
            ("a/b c/d 1", "a/b c/e 1"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_list_is_printed_unchanged(entry in arbitrary::entry(), source in "(s\\.io(/p)?)?", destination in "(d\\.io(/p|/\\{name\\})?)?") {
            let once = listed([&source, &destination, ""], &entry.to_string());
            if let Ok(once) = once {
                prop_assert_eq!(listed(["", "", ""], &once), Ok(once.clone()));
            } else {
                prop_assert!(entry.destination.is_none() && destination.is_empty() && source.ends_with("/p"));
            }
        }
    }
}
