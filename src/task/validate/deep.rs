//! Checks the blobs of the destination's images: whether they exist and are undamaged.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::reasons::{self, Names};
use crate::log::Log;
use crate::manifest::{Blob, Digest, Platform, Spec};
use crate::reference::Repository;
use crate::registry::{Client, Error, Side};
use crate::sync::{Fingerprints, Flight, fan_out};
use crate::verdict::{Code, Reason};

/// How much of each blob is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Requests the first byte of every blob, and compares its length.
    Blobs,
    /// Reads every blob, and compares its digest.
    Full,
}

/// Checks each blob of a repository once per run. Cheap to clone.
#[derive(Clone)]
pub struct Deep {
    client: Arc<Client>,
    depth: Depth,
    checked: Arc<CheckedBlobs>,
}

/// The blobs that were checked in the run.
#[derive(Default)]
struct CheckedBlobs {
    fingerprints: Fingerprints,
    states: Mutex<HashMap<u128, Arc<Flight<BlobState>>>>,
    /// Registries that ignore ranges, already reported.
    without_ranges: Mutex<HashSet<String>>,
}

/// A manifest at the destination.
#[derive(Clone)]
pub struct DestinationManifest {
    /// Its digest, and its platform if it has one.
    pub spec: Spec,
    /// Its blobs; `None`: it is an index.
    pub blobs: Option<Vec<Blob>>,
}

/// The state of a blob at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
enum BlobState {
    /// As its descriptor says.
    Sound,
    /// Missing.
    Missing,
    /// A different length, in bytes.
    OtherSize(u64),
    /// A different digest.
    OtherDigest(Digest),
}

impl Deep {
    /// Whether blobs are read to their end.
    pub fn is_full(&self) -> bool {
        self.depth == Depth::Full
    }

    pub fn new(client: Arc<Client>, depth: Depth) -> Self {
        Self {
            client,
            depth,
            checked: Arc::default(),
        }
    }

    /// Reads the manifests of these referrers and checks their blobs.
    ///
    /// # Errors
    /// As [`Deep::check`], and a manifest that cannot be read.
    pub(super) fn check_referrers(
        &self,
        repository: &Repository,
        referrers: Vec<Digest>,
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        let (client, place, own_log) = (self.client.clone(), repository.clone(), log.clone());
        let read = fan_out(referrers.clone(), move |digest| {
            client.manifest_with_blobs(Side::Destination, &place, digest, &own_log)
        });
        let missing = referrers.iter().zip(&read);
        let missing: Vec<_> = missing
            .filter(|(_, read)| matches!(read, Err(Error::Missing(_))))
            .map(|(digest, _)| (digest, None))
            .collect();
        if !missing.is_empty() {
            return Err(reasons::children_missing(names, missing.into_iter()));
        }
        let mut manifests = Vec::new();
        for (digest, read) in referrers.into_iter().zip(read) {
            let (_, blobs) = read?;
            // Indexes among the referrers have no blobs.
            if blobs.is_some() {
                let platform = Platform::default();
                let spec = Spec { digest, platform };
                manifests.push(DestinationManifest { spec, blobs });
            }
        }
        self.check(repository, &manifests, names, log)
    }

    /// Checks the blobs of these images, which must not be indexes.
    ///
    /// # Errors
    /// Blobs are missing or damaged, or one could not be checked.
    pub(super) fn check(
        &self,
        repository: &Repository,
        manifests: &[DestinationManifest],
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        let mut images = Vec::new();
        for DestinationManifest { spec, blobs } in manifests {
            let Some(blobs) = blobs else {
                return Err(Reason::new(
                    Code::InvalidAnswer,
                    format!(
                        "docker://{}@{}: the manifest is an index, but the index lists it as an image",
                        names.destination, spec.digest
                    ),
                ));
            };
            images.push((spec, blobs));
        }
        let mut distinct: Vec<&Blob> = Vec::new();
        let mut indices = HashMap::new();
        for blob in images.iter().flat_map(|(_, blobs)| blobs.iter()) {
            indices.entry(key(blob)).or_insert_with(|| {
                distinct.push(blob);
                distinct.len() - 1
            });
        }
        let blobs: Vec<Blob> = distinct.into_iter().cloned().collect();
        let (deep, place, log) = (self.clone(), repository.clone(), log.clone());
        let states = fan_out(blobs, move |blob| deep.state(&place, blob, &log));
        let mut details = Vec::new();
        let mut bad: Vec<&Digest> = Vec::new();
        let mut code = Code::BlobDamaged;
        for (spec, blobs) in &images {
            for blob in *blobs {
                let Ok(state) = &states[indices[&key(blob)]] else {
                    continue;
                };
                if *state == BlobState::Sound || *state == BlobState::Missing && blob.is_foreign {
                    continue;
                }
                if *state == BlobState::Missing {
                    code = Code::BlobMissing;
                }
                if !bad.contains(&&blob.digest) {
                    bad.push(&blob.digest);
                }
                details.push(describe(names, spec, blob, state));
            }
        }
        if !bad.is_empty() {
            let list: Vec<String> = bad
                .iter()
                .map(|digest| format!("{}@{digest}", names.destination))
                .collect();
            let reason = format!("failed to inspect dest blobs: [{}]", list.join(" "));
            return Err(Reason {
                details,
                ..Reason::new(code, reason)
            });
        }
        for state in states {
            state?;
        }
        Ok(())
    }

    /// The state of a blob, checked once per run.
    fn state(&self, repository: &Repository, blob: &Blob, log: &Log) -> Result<BlobState, Error> {
        let client = &self.client;
        let checked = &self.checked;
        let flight = checked
            .states
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(checked.fingerprints.of(&(repository, key(blob))))
            .or_insert_with(|| Arc::new(Flight::new()))
            .clone();
        let find_out = || match self.depth {
            Depth::Blobs => self.ask(repository, blob, log),
            Depth::Full => match read(client, repository, blob, log)? {
                // The transfer may have been damaged: read it once more.
                BlobState::OtherSize(_) | BlobState::OtherDigest(_) => {
                    read(client, repository, blob, log)
                }
                state => Ok(state),
            },
        };
        let is_foreign = blob.is_foreign;
        flight.get(
            |_| true,
            || match find_out() {
                // A registry need not store foreign layers: its response to this request counts for nothing.
                Err(Error::Denied(_) | Error::Invalid(_)) if is_foreign => Ok(BlobState::Missing),
                state => state,
            },
        )
    }

    /// Requests the first byte of a blob.
    fn ask(&self, repository: &Repository, blob: &Blob, log: &Log) -> Result<BlobState, Error> {
        let (digest, expected) = (&blob.digest, blob.size);
        let held = self
            .client
            .held_blob(Side::Destination, repository, digest, expected, log);
        let held = match held {
            Err(Error::Missing(_)) => return Ok(BlobState::Missing),
            held => held?,
        };
        if held.ignores_ranges {
            self.warn_of_ranges(&repository.registry, log);
        }
        Ok(of_size(blob, held.size))
    }

    /// Warns once per run that a registry makes `--deep` expensive.
    fn warn_of_ranges(&self, registry: &str, log: &Log) {
        let named = &self.checked.without_ranges;
        let mut named = named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.insert(registry.to_owned()) {
            log.warn(format!(
                "{registry}: the registry ignores range requests, so --deep requests complete blobs and closes the connection after the response header of each large blob"
            ));
        }
    }
}

/// Identifies a blob of a repository in the cache.
fn key(blob: &Blob) -> (&Digest, Option<u64>, bool) {
    (&blob.digest, blob.size, blob.is_foreign)
}

/// Reads a blob.
fn read(
    client: &Client,
    repository: &Repository,
    blob: &Blob,
    log: &Log,
) -> Result<BlobState, Error> {
    let content = client.read_blob(Side::Destination, repository, &blob.digest, blob.size, log);
    let (digest, size) = match content {
        Err(Error::Missing(_)) => return Ok(BlobState::Missing),
        content => content?,
    };
    Ok(match of_size(blob, size) {
        BlobState::Sound if digest != blob.digest => BlobState::OtherDigest(digest),
        state => state,
    })
}

fn of_size(blob: &Blob, size: u64) -> BlobState {
    if blob.size.is_none_or(|expected| expected == size) {
        BlobState::Sound
    } else {
        BlobState::OtherSize(size)
    }
}

/// The fault of a blob, in one line.
fn describe(names: Names<'_>, spec: &Spec, blob: &Blob, state: &BlobState) -> String {
    let image = format!("docker://{}@{}", names.destination, spec.digest);
    let platform = if spec.platform.architecture.is_empty() {
        String::new()
    } else {
        format!(" {}", spec.platform)
    };
    let kind = if blob.is_config { "config" } else { "layer" };
    let size = blob
        .size
        .map_or_else(String::new, |size| format!(" of {size} bytes"));
    let state = match state {
        BlobState::Sound => "is intact".to_owned(),
        BlobState::Missing => "is missing at the destination".to_owned(),
        BlobState::OtherSize(size) if blob.size.is_some_and(|expected| *size > expected) => {
            "is larger at the destination".to_owned()
        }
        BlobState::OtherSize(size) => format!("has {size} bytes at the destination"),
        BlobState::OtherDigest(digest) => format!("has the digest {digest} at the destination"),
    };
    format!("{image}{platform}: {kind} {}{size} {state}", blob.digest)
}
