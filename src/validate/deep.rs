//! Looking below the manifests: whether the blobs of the destination's images are there and sound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::Stop;
use super::compare::{self, Mismatch, Names};
use crate::fingerprint::Fingerprints;
use crate::flight::Flight;
use crate::manifest::{Blob, Digest, Spec};
use crate::reference::Repository;
use crate::registry::{Client, Error, Side};
use crate::report::{Code, Logger};

/// How deep one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every blob is asked for, and its length compared.
    Blobs,
    /// Every blob is read, and its digest compared.
    Full,
}

/// Looks at blobs; each one of a repository once in a run.
pub struct Deep {
    depth: Depth,
    fingerprints: Fingerprints,
    seen: Mutex<HashMap<u128, Arc<Flight<State>>>>,
}

/// An image, and its blobs; none: it is an index.
type Listed<'a> = (&'a Spec, Option<Vec<Blob>>);

/// What a blob is at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
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
    /// Nothing looked at yet.
    pub fn new(depth: Depth) -> Self {
        Self {
            depth,
            fingerprints: Fingerprints::default(),
            seen: Mutex::default(),
        }
    }

    /// Looks at the blobs of these images, which have to be images and not indexes if `are_images`.
    pub(super) fn check(
        &self,
        client: &Client,
        repository: &Repository,
        children: &[Spec],
        are_images: bool,
        names: Names<'_>,
        log: &Logger,
    ) -> Result<(), Stop> {
        let images = read_manifests(client, repository, children, names, log)?;
        let is_index = |(spec, blobs): &Listed<'_>| blobs.is_none().then(|| spec.digest.clone());
        if are_images && let Some(digest) = images.iter().find_map(is_index) {
            return Err(Stop::NotValidated(
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
        // In the pool: the threads that have nothing else to do look at the other blobs.
        let states: Vec<Result<State, Error>> = distinct
            .par_iter()
            .map(|blob| self.state(client, repository, blob, log))
            .collect();
        let mut details = Vec::new();
        let mut bad: Vec<&Digest> = Vec::new();
        let mut code = Code::BlobDamaged;
        for (spec, blobs) in &images {
            for blob in blobs {
                let Ok(state) = &states[indices[&key(blob)]] else {
                    continue;
                };
                if *state == State::Sound || *state == State::Missing && blob.is_foreign {
                    continue;
                }
                if *state == State::Missing {
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
            let mismatch = Mismatch::new(code, reason);
            return Err(Mismatch {
                details,
                ..mismatch
            }
            .into());
        }
        for state in states {
            state?;
        }
        Ok(())
    }

    /// What a blob is, found out once in the run.
    fn state(
        &self,
        client: &Client,
        repository: &Repository,
        blob: &Blob,
        log: &Logger,
    ) -> Result<State, Error> {
        let flight = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(self.fingerprints.of(&(repository, key(blob))))
            .or_insert_with(|| Arc::new(Flight::new()))
            .clone();
        let find_out = || match self.depth {
            Depth::Blobs => ask(client, repository, blob, log),
            Depth::Full => match read(client, repository, blob, log)? {
                // It may have been an accident on the way.
                State::OtherSize(_) | State::OtherDigest(_) => read(client, repository, blob, log),
                state => Ok(state),
            },
        };
        let is_foreign = blob.is_foreign;
        flight.get(
            |_| true,
            || match find_out() {
                // What a registry need not hold, it may answer for as it likes.
                Err(Error::Denied(_) | Error::Invalid(_)) if is_foreign => Ok(State::Missing),
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
    client: &Client,
    repository: &Repository,
    children: &'a [Spec],
    names: Names<'_>,
    log: &Logger,
) -> Result<Vec<Listed<'a>>, Stop> {
    let lists: Vec<Result<Option<Vec<Blob>>, Error>> = children
        .par_iter()
        .map(|spec| client.blobs(Side::Destination, repository, &spec.digest, log))
        .collect();
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
    log: &Logger,
) -> Result<State, Error> {
    let size = client.blob_size(Side::Destination, repository, &blob.digest, blob.size, log);
    Ok(match size {
        Err(Error::Missing(_)) => State::Missing,
        size => of_size(blob, size?),
    })
}

/// Reads a blob.
fn read(
    client: &Client,
    repository: &Repository,
    blob: &Blob,
    log: &Logger,
) -> Result<State, Error> {
    let content = client.read_blob(Side::Destination, repository, &blob.digest, blob.size, log);
    let (digest, size) = match content {
        Err(Error::Missing(_)) => return Ok(State::Missing),
        content => content?,
    };
    Ok(match of_size(blob, size) {
        State::Sound if digest != blob.digest => State::OtherDigest(digest),
        state => state,
    })
}

fn of_size(blob: &Blob, size: u64) -> State {
    if blob.size.is_none_or(|expected| expected == size) {
        State::Sound
    } else {
        State::OtherSize(size)
    }
}

/// What is wrong with a blob, in one line.
fn describe(names: Names<'_>, spec: &Spec, blob: &Blob, state: &State) -> String {
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
        State::Sound => "is sound".to_owned(),
        State::Missing => "is not at the destination".to_owned(),
        State::OtherSize(size) if blob.size.is_some_and(|expected| *size > expected) => {
            "is longer at the destination".to_owned()
        }
        State::OtherSize(size) => format!("has {size} bytes at the destination"),
        State::OtherDigest(digest) => format!("is {digest} at the destination"),
    };
    format!("{image}{platform}: {kind} {}{size} {state}", blob.digest)
}
