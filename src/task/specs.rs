//! Reducing a manifest to the images that are compared: nested indexes followed, platforms that
//! an index does not tell read from the images' configs, attestations left out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::log::Log;
use crate::manifest::{
    Body, Digest, Entry, Filter, IndexEntry, Link, MAX_ENTRIES, Manifest, Platform, Referrer, Spec,
    compared, distinct,
};
use crate::reference::{Reference, Repository};
use crate::registry::{Client, Error, Side};
use crate::sync::fan_out;
use crate::verdict::{Code, Reason};

/// How deep an index may be nested in indexes.
const MAX_DEPTH: usize = 4;

/// So many entries are read before it is seen whether one of them failed; more than threads.
const AT_A_TIME: usize = 32;

/// Why a side cannot be reduced.
#[derive(Clone, Debug)]
pub enum Unreadable {
    /// A manifest, or its config, is listed but not there.
    ChildMissing(Vec<Digest>, Box<Error>),
    /// Anything else that a registry says.
    Registry(Error),
    /// The index is beyond the bounds, or an entry that is compared is damaged.
    Bounds(String),
}

impl From<Unreadable> for Reason {
    /// Why a source cannot be reduced.
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

/// Reads the images that one manifest leads to.
pub struct Reader {
    client: Arc<Client>,
    side: Side,
    repository: Repository,
    log: Log,
    /// Images that are known not to be of these platforms need not be read.
    filter: Option<Filter>,
    /// Of an index at the destination: the digests of the source. That anything else is listed and
    /// not there makes no difference.
    needed: Option<Vec<Digest>>,
    entries: AtomicUsize,
    /// Attestations that the indexes list besides images.
    attestations: Mutex<Vec<Referrer>>,
}

impl Reader {
    /// A reader of one side of one image.
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
            attestations: Mutex::default(),
        }
    }

    /// The same, for a destination that has to have these images.
    pub fn needing(self, needed: Vec<Digest>) -> Self {
        Self {
            needed: Some(needed),
            ..self
        }
    }

    /// The images of an index, in its order, each once.
    ///
    /// # Errors
    /// [`Unreadable`] where one of them cannot be told.
    pub fn images(self: &Arc<Self>, entries: &[IndexEntry]) -> Result<Vec<Spec>, Unreadable> {
        self.level(entries, 1).map(distinct)
    }

    /// The platform of an image, from its config.
    ///
    /// # Errors
    /// [`Unreadable::ChildMissing`] where the config is not there.
    pub fn platform(&self, image: &Digest, config: &Digest) -> Result<Platform, Unreadable> {
        self.client
            .config(self.side, &self.repository, config, &self.log)
            .map_err(|error| missing_child(image, error))
    }

    /// The attestations that were listed beside the images, in a fixed order.
    pub fn attestations(&self) -> Vec<Referrer> {
        let mut found = self
            .attestations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        found.sort_unstable();
        found
    }

    fn level(
        self: &Arc<Self>,
        entries: &[IndexEntry],
        depth: usize,
    ) -> Result<Vec<Spec>, Unreadable> {
        if self.entries.fetch_add(entries.len(), Ordering::Relaxed) + entries.len() > MAX_ENTRIES {
            return Err(Unreadable::Bounds(format!(
                "{}: its indexes have more than {MAX_ENTRIES} entries",
                self.repository
            )));
        }
        let mut attestations = entries.iter().flatten().filter_map(attestation).peekable();
        if attestations.peek().is_some() {
            self.attestations
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(attestations);
        }
        let relevant = compared(entries, self.filter.as_ref())
            .map_err(|error| Unreadable::Bounds(format!("{}: {error}", self.repository)))?;
        if relevant.iter().all(|entry| told_by_index(entry).is_some()) {
            return Ok(relevant.into_iter().filter_map(told_by_index).collect());
        }
        let relevant: Vec<Entry> = relevant.into_iter().cloned().collect();
        let mut images = Vec::new();
        // Some at a time: an index of thousands that are not there is not read to its end.
        for entries in relevant.chunks(AT_A_TIME) {
            let reader = self.clone();
            let levels = fan_out(entries.to_vec(), move |entry| {
                reader.needed_entry(entry, depth)
            });
            images.extend(gather(levels)?);
        }
        Ok(images)
    }

    fn needed_entry(
        self: &Arc<Self>,
        entry: &Entry,
        depth: usize,
    ) -> Result<Vec<Spec>, Unreadable> {
        match (self.entry(entry, depth), &self.needed) {
            (Err(Unreadable::ChildMissing(..)), Some(needed))
                if !needed.contains(&entry.digest) =>
            {
                Ok(Vec::new())
            }
            (images, _) => images,
        }
    }

    fn entry(self: &Arc<Self>, entry: &Entry, depth: usize) -> Result<Vec<Spec>, Unreadable> {
        if let Some(spec) = told_by_index(entry) {
            return Ok(vec![spec]);
        }
        let reference = Reference::Digest(entry.digest.clone());
        let manifest: Manifest = self
            .client
            .manifest(self.side, &self.repository, &reference, &self.log)
            .map_err(|error| missing_child(&entry.digest, error))?;
        if let Some(listed) = entry.media_type
            && manifest.media_type.is_schema1()
            && !listed.is_schema1()
        {
            return Err(Unreadable::Bounds(format!(
                "{}@{}: a schema 1 manifest, and listed as {}",
                self.repository,
                entry.digest,
                listed.as_str()
            )));
        }
        let completed = |config: &Platform| match &entry.platform {
            Some(listed) => listed.completed_by(config),
            None => config.clone(),
        };
        let platform = match manifest.body {
            Body::Index(_) if depth > MAX_DEPTH => {
                return Err(Unreadable::Bounds(format!(
                    "{}: its indexes are nested deeper than {MAX_DEPTH}",
                    self.repository
                )));
            }
            Body::Index(entries) => return self.level(&entries, depth + 1),
            Body::Image { config } => match entry.complete_platform() {
                Some(platform) => platform.clone(),
                None => completed(&self.platform(&entry.digest, &config)?),
            },
            Body::Schema1(platform) => completed(&platform),
            // No image: like an attestation, it is nothing that is compared.
            Body::Artifact => return Ok(Vec::new()),
        };
        let spec = Spec {
            digest: entry.digest.clone(),
            platform,
        };
        let selected = self
            .filter
            .as_ref()
            .is_none_or(|filter| filter.selects(&spec.platform));
        Ok(if selected { vec![spec] } else { Vec::new() })
    }
}

/// All images; or all that are missing, which counts more than what cannot be read; or the first
/// that cannot be read. So the result does not depend on who was quicker.
fn gather(levels: Vec<Result<Vec<Spec>, Unreadable>>) -> Result<Vec<Spec>, Unreadable> {
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

/// What an entry says about an image, if that is what it does.
fn attestation(entry: &Entry) -> Option<Referrer> {
    Some(Referrer {
        subject: entry.subject.clone()?,
        by: Link::Index,
        digest: entry.digest.clone(),
        artifact_type: String::new(),
    })
}

/// The image that an entry is, where the index says all of it.
fn told_by_index(entry: &Entry) -> Option<Spec> {
    let platform = entry.complete_platform().filter(|_| !entry.is_index())?;
    let platform = platform.clone();
    Some(Spec {
        digest: entry.digest.clone(),
        platform,
    })
}

fn missing_child(digest: &Digest, error: Error) -> Unreadable {
    match error {
        Error::Missing(_) => Unreadable::ChildMissing(vec![digest.clone()], Box::new(error)),
        other => Unreadable::Registry(other),
    }
}
