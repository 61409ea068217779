//! Lists of digests that a vendor publishes: `NAME:TAG` and the digest of its manifest. They identify
//! the manifest of a source, but have nothing on its images.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::reading::RecordingError;
use crate::escape::escape;
use crate::list::{Entry, Image, List, Override, Renaming, names};
use crate::manifest::Digest;
use crate::reference::{Reference, Repository};

#[derive(Debug, Default)]
pub struct Published {
    /// File name, for messages.
    name: String,
    /// By repository, and by tag if the list has one.
    digests: HashMap<(Repository, Option<String>), BTreeSet<Digest>>,
    /// Registries in the list.
    registries: BTreeSet<String>,
}

impl Published {
    /// Reads a list; `replaced`: the registry of `-s`. `None`: the file has no digests, so it is not such a
    /// list.
    ///
    /// # Errors
    /// [`RecordingError::Digests`] where some images have a digest and others do not.
    pub fn load(path: &Path, replaced: Option<&Override>) -> Result<Option<Self>, RecordingError> {
        let name = escape(&path.display().to_string()).into_owned();
        let Ok((mut list, _)) = List::open_all(&[path.to_owned()]) else {
            return Ok(None);
        };
        let mut published = Self {
            name,
            ..Self::default()
        };
        let mut mistake = None;
        let as_written = Renaming::default();
        loop {
            let line = match list.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(_) => return Ok(None),
            };
            let added = as_written.entry(&line).and_then(|entry| {
                published.add(&entry, replaced).ok_or_else(|| {
                    format!(
                        "{}: the line has no digest; write NAME:TAG sha256:HEX",
                        line.place
                    )
                })
            });
            if let Err(error) = added {
                mistake = mistake.or(Some(error));
            }
        }
        match mistake {
            _ if published.digests.is_empty() => Ok(None),
            Some(mistake) => Err(RecordingError::Digests(mistake)),
            None => Ok(Some(published)),
        }
    }

    /// Adds an image; `None`: it has no digest.
    fn add(&mut self, entry: &Entry, replaced: Option<&Override>) -> Option<()> {
        let Reference::Digest(digest) = &entry.source_reference else {
            return None;
        };
        let tag = match &entry.destination_reference {
            // With one name, the tag belongs to that name.
            Reference::Tag(tag) if entry.destination.is_none() => Some(tag.clone()),
            Reference::Tag(_) | Reference::Digest(_) => None,
        };
        let own = names::both(&entry.source, None, None).ok()?.0;
        self.registries.insert(own.registry.clone());
        let renamed = names::both(&entry.source, replaced, None);
        for repository in [own].into_iter().chain(renamed.map(|names| names.0)) {
            let known = self.digests.entry((repository, tag.clone()));
            known.or_default().insert(digest.clone());
        }
        Some(())
    }

    /// A message with the reason and a hint.
    pub fn find(&self, image: &Image) -> Result<&Digest, String> {
        let repository = Repository {
            registry: image.source.registry.clone(),
            path: image.source.registry_path(),
        };
        let (source, name) = (image.source_name(), &self.name);
        let digests = |tag| self.digests.get(&(repository.clone(), tag));
        match &image.source_reference {
            Reference::Digest(digest) => {
                // The image line pins a digest, and the list confirms that the vendor published it.
                let all = self.digests.iter();
                let mut own = all.filter(|((other, _), _)| *other == repository);
                if let Some(digest) = own.find_map(|(_, digests)| digests.get(digest)) {
                    return Ok(digest);
                }
            }
            Reference::Tag(tag) => match digests(Some(tag.clone())) {
                Some(digests) if digests.len() > 1 => {
                    return Err(format!(
                        "[{source}]: {name} has {} digests for this image; keep only one of them in the file",
                        digests.len()
                    ));
                }
                Some(digests) => return digests.first().ok_or_else(String::new),
                None if digests(None).is_some() => {
                    return Err(format!(
                        "[{source}]: {name} has the name with a digest but without a tag, so the digest of the tag is unknown; use {name} as the image list (-f), or write NAME:TAG sha256:HEX"
                    ));
                }
                None => {}
            },
        }
        Err(format!("[{source}]: not in {name}; {}", self.advice(image)))
    }

    /// The hint for a missing source.
    fn advice(&self, image: &Image) -> String {
        if self.registries.contains(&image.source.registry) {
            return "get the digest list of this version of the image, or use --record on a host that can read the source".to_owned();
        }
        let some: Vec<&str> = self.registries.iter().map(String::as_str).take(3).collect();
        let more = if self.registries.len() > 3 {
            ", …"
        } else {
            ""
        };
        format!(
            "the file has images of {}{more}: use the same registry in the list or in -s",
            some.join(", ")
        )
    }

    /// File name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }
}
