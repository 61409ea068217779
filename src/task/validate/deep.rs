//! Looking below the manifests: whether the blobs of the destination's images are there and sound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::compare::{self, Names};
use crate::log::Log;
use crate::manifest::{Blob, Digest, Spec};
use crate::reference::Repository;
use crate::registry::{Client, Error, Side};
use crate::sync::{Fingerprints, Flight, fan_out};
use crate::verdict::{Code, Reason};

/// How deep one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every blob is asked for, and its length compared.
    Blobs,
    /// Every blob is read, and its digest compared.
    Full,
}

/// Checks blobs; each one of a repository once in a run. Cheap to clone.
#[derive(Clone)]
pub struct Deep {
    client: Arc<Client>,
    depth: Depth,
    checked: Arc<Checked>,
}

/// The blobs that were checked in the run.
#[derive(Default)]
struct Checked {
    fingerprints: Fingerprints,
    states: Mutex<HashMap<u128, Arc<Flight<BlobState>>>>,
}

/// An image, and its blobs; none: it is an index.
type Listed<'a> = (&'a Spec, Option<Vec<Blob>>);

/// What a blob is at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
enum BlobState {
    /// What its descriptor says.
    Sound,
    /// Not there.
    Missing,
    /// Of another length, in bytes.
    OtherSize(u64),
    /// Of another digest.
    OtherDigest(Digest),
}

impl Deep {
    /// Nothing checked yet.
    pub fn new(client: Arc<Client>, depth: Depth) -> Self {
        Self {
            client,
            depth,
            checked: Arc::default(),
        }
    }

    /// Checks the blobs of these images, which have to be images and not indexes if `are_images`.
    pub(super) fn check(
        &self,
        repository: &Repository,
        children: &[Spec],
        are_images: bool,
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        let images = read_manifests(&self.client, repository, children, names, log)?;
        let is_index = |(spec, blobs): &Listed<'_>| blobs.is_none().then(|| spec.digest.clone());
        if are_images && let Some(digest) = images.iter().find_map(is_index) {
            return Err(Reason::new(
                Code::InvalidAnswer,
                format!(
                    "docker://{}@{digest}: it is an index, and was listed as an image",
                    names.destination
                ),
            ));
        }
        let images: Vec<(&Spec, Vec<Blob>)> = images
            .into_iter()
            .filter_map(|(spec, blobs)| Some((spec, blobs?)))
            .collect();
        let mut distinct: Vec<&Blob> = Vec::new();
        let mut indices = HashMap::new();
        for blob in images.iter().flat_map(|(_, blobs)| blobs) {
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
            for blob in blobs {
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

    /// The state of a blob, found out once in the run.
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
            Depth::Blobs => ask(client, repository, blob, log),
            Depth::Full => match read(client, repository, blob, log)? {
                // It may have been an accident on the way.
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
                // What a registry need not hold, it may answer for as it likes.
                Err(Error::Denied(_) | Error::Invalid(_)) if is_foreign => Ok(BlobState::Missing),
                state => state,
            },
        )
    }
}

/// What makes two blobs of a repository the same for this purpose.
fn key(blob: &Blob) -> (&Digest, Option<u64>, bool) {
    (&blob.digest, blob.size, blob.is_foreign)
}

/// Reads the images' manifests: which blobs each of them has.
fn read_manifests<'a>(
    client: &Arc<Client>,
    repository: &Repository,
    children: &'a [Spec],
    names: Names<'_>,
    log: &Log,
) -> Result<Vec<Listed<'a>>, Reason> {
    let (client, repository, log) = (client.clone(), repository.clone(), log.clone());
    let lists = fan_out(children.to_vec(), move |spec| {
        client.blobs(Side::Destination, &repository, &spec.digest, &log)
    });
    let is_missing = |list: &Result<_, Error>| matches!(list, Err(Error::Missing(_)));
    compare::refuse_missing(names, children, &lists, is_missing)?;
    let images = children.iter().zip(lists);
    images.map(|(spec, list)| Ok((spec, list?))).collect()
}

/// Asks for a blob's length.
fn ask(
    client: &Client,
    repository: &Repository,
    blob: &Blob,
    log: &Log,
) -> Result<BlobState, Error> {
    let size = client.blob_size(Side::Destination, repository, &blob.digest, blob.size, log);
    Ok(match size {
        Err(Error::Missing(_)) => BlobState::Missing,
        size => of_size(blob, size?),
    })
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

/// What is wrong with a blob, in one line.
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
        BlobState::Sound => "is sound".to_owned(),
        BlobState::Missing => "is not at the destination".to_owned(),
        BlobState::OtherSize(size) if blob.size.is_some_and(|expected| *size > expected) => {
            "is longer at the destination".to_owned()
        }
        BlobState::OtherSize(size) => format!("has {size} bytes at the destination"),
        BlobState::OtherDigest(digest) => format!("is {digest} at the destination"),
    };
    format!("{image}{platform}: {kind} {}{size} {state}", blob.digest)
}
