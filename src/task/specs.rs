//! Reduces a manifest to the images to compare: follows nested indexes, reads missing platforms from the
//! image configs, and omits attestations.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::log::Log;
use crate::manifest::{
    Body, Digest, Entry, Filter, IndexEntry, Link, MAX_ENTRIES, Manifest, MediaType, Platform,
    PlatformNames, Referrer, Spec, compared,
};
use crate::reference::{Reference, Repository};
use crate::registry::{Client, Error, Side};
use crate::sync::fan_out;
use crate::verdict::{Code, Reason};

/// Levels of indexes below the top.
const MAX_DEPTH: usize = 4;

/// Entries read before the next check for failures; more than there are threads.
const AT_A_TIME: usize = 32;

/// An entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedManifest {
    /// An entry without a platform is an artifact.
    pub spec: Spec,
    /// Size of its manifest in bytes, if the index has it.
    pub size: Option<u64>,
    /// Media type of its manifest, if the index has one of the six known types.
    pub media_type: Option<MediaType>,
}

impl ListedManifest {
    /// An image without an index.
    pub fn alone(digest: Digest, platform: Platform) -> Self {
        Self {
            spec: Spec { digest, platform },
            size: None,
            media_type: None,
        }
    }

    fn of(entry: &Entry, platform: Platform) -> Self {
        Self {
            size: entry.size,
            media_type: entry.media_type,
            ..Self::alone(entry.digest.clone(), platform)
        }
    }

    /// Refuses a manifest whose format is not that of the index entry. The parser of schema 1 reads only a
    /// part of the document, so it accepts almost anything.
    ///
    /// # Errors
    /// The contradiction, for a message.
    pub fn check_type(&self, found: MediaType) -> Result<(), String> {
        match self.media_type {
            Some(listed) if found.is_schema1() && !listed.is_schema1() => Err(format!(
                "{}: the manifest is schema 1, but the index lists it as {}",
                self.spec.digest,
                listed.as_str()
            )),
            _ => Ok(()),
        }
    }
}

/// Why one side could not be reduced.
#[derive(Clone, Debug)]
pub enum Unreadable {
    /// The registry lacks a listed manifest or its config.
    ChildMissing(Vec<Digest>, Box<Error>),
    /// Any other error of a registry.
    Registry(Error),
    /// The index exceeds a limit, or a compared entry is damaged.
    Bounds(String),
}

impl From<Unreadable> for Reason {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::ChildMissing(_, error) => Self::from(*error),
            Unreadable::Registry(error) => Self::from(error),
            Unreadable::Bounds(text) => Self::new(Code::InvalidAnswer, text),
        }
    }
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Self {
        Self::Registry(error)
    }
}

/// Reads the images below one manifest.
pub struct Reader {
    client: Arc<Client>,
    side: Side,
    repository: Repository,
    log: Log,
    /// Images of other platforms are not read.
    filter: Option<Filter>,
    /// For a destination: the digests of the source. Any other listed image may be missing.
    needed: Option<Vec<Digest>>,
    entries: AtomicUsize,
    beside: Mutex<IndexExtras>,
}

/// Further results besides the requested images.
#[derive(Default)]
struct IndexExtras {
    attestations: Vec<Referrer>,
    names: PlatformNames,
}

impl Reader {
    /// For one side of one image.
    pub fn new(
        client: &Arc<Client>,
        side: Side,
        repository: &Repository,
        filter: Option<&Filter>,
        log: &Log,
    ) -> Self {
        Self {
            client: client.clone(),
            side,
            repository: repository.clone(),
            log: log.clone(),
            filter: filter.cloned(),
            needed: None,
            entries: AtomicUsize::new(0),
            beside: Mutex::default(),
        }
    }

    /// For a destination that must have these images.
    pub fn needing(self, needed: Vec<Digest>) -> Self {
        Self {
            needed: Some(needed),
            ..self
        }
    }

    /// The images of an index in its order; entries without a platform are not filtered.
    ///
    /// # Errors
    pub fn images(
        self: &Arc<Self>,
        entries: &[IndexEntry],
    ) -> Result<Vec<ListedManifest>, Unreadable> {
        self.level(entries, 1)
    }

    /// [`Unreadable`]
    /// Reads the platform of an image from its config.
    ///
    /// # Errors
    /// [`Unreadable::ChildMissing`] where the registry lacks the config.
    pub fn platform(&self, image: &Digest, config: &Digest) -> Result<Platform, Unreadable> {
        self.client
            .config(self.side, &self.repository, config, &self.log)
            .map_err(|error| missing_child(image, error))
    }

    /// Attestations in the indexes, sorted.
    pub fn attestations(&self) -> Vec<Referrer> {
        let mut found = self.beside().attestations.clone();
        found.sort_unstable();
        found
    }

    /// Platforms of all listed images, selected or not.
    pub fn names(&self) -> PlatformNames {
        self.beside().names.clone()
    }

    fn beside(&self) -> MutexGuard<'_, IndexExtras> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn level(
        self: &Arc<Self>,
        entries: &[IndexEntry],
        depth: usize,
    ) -> Result<Vec<ListedManifest>, Unreadable> {
        if self.entries.fetch_add(entries.len(), Ordering::Relaxed) + entries.len() > MAX_ENTRIES {
            return Err(Unreadable::Bounds(format!(
                "{}: the indexes have more than {MAX_ENTRIES} entries in total",
                self.repository
            )));
        }
        self.note(entries);
        let relevant = compared(entries, self.filter.as_ref())
            .map_err(|error| Unreadable::Bounds(format!("{}: {error}", self.repository)))?;
        if relevant.iter().all(|entry| told_by_index(entry).is_some()) {
            return Ok(relevant.into_iter().filter_map(told_by_index).collect());
        }
        let relevant: Vec<Entry> = relevant.into_iter().cloned().collect();
        let mut images = Vec::new();
        // In groups, so that an index of thousands of missing images is not read to its end.
        for entries in relevant.chunks(AT_A_TIME) {
            let reader = self.clone();
            let levels = fan_out(entries.to_vec(), move |entry| {
                reader.needed_entry(entry, depth)
            });
            images.extend(gather(levels)?);
        }
        Ok(images)
    }

    /// Records the attestations and platforms of one level.
    fn note(&self, entries: &[IndexEntry]) {
        let mut beside = self.beside();
        let attestations = entries.iter().flatten().filter_map(attestation);
        beside.attestations.extend(attestations);
        let platforms = entries.iter().filter_map(|entry| match entry {
            Ok(entry) if !entry.is_attestation => entry.platform.as_ref(),
            Err(damaged) if !damaged.is_attestation => damaged.platform.as_ref(),
            _ => None,
        });
        for platform in platforms {
            beside.names.add(platform);
        }
    }

    fn needed_entry(
        self: &Arc<Self>,
        entry: &Entry,
        depth: usize,
    ) -> Result<Vec<ListedManifest>, Unreadable> {
        match (self.entry(entry, depth), &self.needed) {
            (Err(Unreadable::ChildMissing(..)), Some(needed))
                if !needed.contains(&entry.digest) =>
            {
                Ok(Vec::new())
            }
            (images, _) => images,
        }
    }

    fn entry(
        self: &Arc<Self>,
        entry: &Entry,
        depth: usize,
    ) -> Result<Vec<ListedManifest>, Unreadable> {
        if let Some(listed) = told_by_index(entry) {
            return Ok(vec![listed]);
        }
        let reference = Reference::Digest(entry.digest.clone());
        let manifest: Manifest = self
            .client
            .manifest(self.side, &self.repository, &reference, &self.log)
            .map_err(|error| missing_child(&entry.digest, error))?;
        let unknown = Platform::default();
        let listed = entry.platform.as_ref().unwrap_or(&unknown);
        let platform = match manifest.body {
            Body::Index(_) if depth > MAX_DEPTH => {
                return Err(Unreadable::Bounds(format!(
                    "{}: the indexes are nested more than {MAX_DEPTH} levels deep",
                    self.repository
                )));
            }
            Body::Index(entries) => return self.level(&entries, depth + 1),
            Body::Image { .. } if listed.is_complete() => listed.clone(),
            Body::Image { config } => listed.completed_by(&self.platform(&entry.digest, &config)?),
            Body::Schema1(ref platform) => listed.completed_by(platform),
            Body::Artifact => listed.clone(),
        };
        let found = ListedManifest::of(entry, platform);
        found
            .check_type(manifest.media_type)
            .map_err(|why| Unreadable::Bounds(format!("{}@{why}", self.repository)))?;
        self.beside().names.add(&found.spec.platform);
        let filter = self.filter.as_ref();
        let selected = filter.is_none_or(|filter| filter.selects(&found.spec.platform));
        Ok(if selected { vec![found] } else { Vec::new() })
    }
}

/// All images, or else all missing images, or else the first read error. Missing images come first so
/// that the result does not depend on timing.
fn gather(
    levels: Vec<Result<Vec<ListedManifest>, Unreadable>>,
) -> Result<Vec<ListedManifest>, Unreadable> {
    let mut images = Vec::new();
    let mut missing: Option<(Vec<Digest>, Box<Error>)> = None;
    let mut unreadable = None;
    for level in levels {
        match level {
            Ok(level) => images.extend(level),
            Err(Unreadable::ChildMissing(digests, error)) => {
                missing.get_or_insert((Vec::new(), error)).0.extend(digests);
            }
            Err(other) => unreadable = unreadable.or(Some(other)),
        }
    }
    match (missing, unreadable) {
        (Some((digests, error)), _) => Err(Unreadable::ChildMissing(digests, error)),
        (None, Some(unreadable)) => Err(unreadable),
        (None, None) => Ok(images),
    }
}

/// The attestation of an entry, if it is one.
fn attestation(entry: &Entry) -> Option<Referrer> {
    Some(Referrer {
        subject: entry.subject.clone()?,
        by: Link::Index,
        digest: entry.digest.clone(),
        artifact_type: String::new(),
    })
}

/// An image whose entry is complete; `None` for nested indexes.
fn told_by_index(entry: &Entry) -> Option<ListedManifest> {
    let platform = entry.complete_platform()?;
    (!entry.is_index()).then(|| ListedManifest::of(entry, platform.clone()))
}

fn missing_child(digest: &Digest, error: Error) -> Unreadable {
    match error {
        Error::Missing(_) => Unreadable::ChildMissing(vec![digest.clone()], Box::new(error)),
        other => Unreadable::Registry(other),
    }
}
