//! Reads the destination of an image: its manifest, the listed images, and whether they exist.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Validator;
use super::compare::Source;
use super::deep::DestinationManifest;
use super::reasons::{self, Names};
use super::source::FoundSource;
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Blob, Body, Digest, Filter, Manifest, MediaType, Referrer};
use crate::reference::{DOCKER_HUB, Reference};
use crate::registry::{Error, Side};
use crate::sync::fan_out;
use crate::task::specs::{ListedManifest, Reader, Unreadable};
use crate::verdict::{Code, Reason};

/// A listed manifest that exists at the destination.
#[derive(Default)]
struct Child {
    /// Media type and size of its manifest; `None`: it was not read.
    manifest: Option<(MediaType, u64)>,
    /// Its blobs; `None` without `--deep`, or for an index.
    blobs: Option<Vec<Blob>>,
}

impl Validator {
    /// Reads the destination's manifest; the tag of a pinned image must point to the pinned digest.
    pub(super) fn destination(
        &self,
        image: &Image,
        read: Result<Manifest, Error>,
        names: Names<'_>,
        log: &Log,
    ) -> Result<Manifest, Reason> {
        let found = match read {
            Ok(manifest) => Some(manifest),
            Err(Error::Missing(_)) => None,
            Err(error) => return Err(error.into()),
        };
        match (image.pinned(), found) {
            (Some(pinned), Some(manifest)) if manifest.digest == *pinned => Ok(manifest),
            (Some(pinned), found) => {
                let there =
                    self.client
                        .has_manifest(Side::Destination, &image.destination, pinned, log)?;
                let found = found.as_ref().map(|manifest| &manifest.digest);
                Err(if there {
                    reasons::tag_differs(names, pinned, found)
                } else {
                    let reference = Reference::Digest(pinned.clone());
                    reasons::destination_missing(&reference.of(&image.destination))
                })
            }
            (None, Some(manifest)) => Ok(manifest),
            (None, None) => Err(reasons::destination_missing(names.full_destination)),
        }
    }

    /// Images and attestations in the destination's index.
    pub(super) fn reduce_destination(
        &self,
        image: &Image,
        source: &Source,
        destination: &Manifest,
        filter: &Filter,
        names: Names<'_>,
        log: &Log,
    ) -> Result<(Vec<ListedManifest>, Vec<Referrer>), Reason> {
        // For an image exactly one entry is required, and entries of other platforms count.
        let filter = matches!(source, Source::Index(_)).then_some(filter);
        let (side, repository) = (Side::Destination, &image.destination);
        let mut reader = Reader::new(&self.client, side, repository, filter, log);
        if let Source::Index(specs) = source {
            reader = reader.needing(specs.iter().map(|spec| spec.digest.clone()).collect());
        }
        let reader = Arc::new(reader);
        let alone = |platform| vec![ListedManifest::alone(destination.digest.clone(), platform)];
        let images = match &destination.body {
            Body::Index(entries) if entries.is_empty() => {
                return Err(reasons::destination_empty(names));
            }
            Body::Index(entries) => reader.images(entries),
            Body::Image { config } if self.allow_single => {
                reader.platform(&destination.digest, config).map(alone)
            }
            Body::Schema1(platform) if self.allow_single => Ok(alone(platform.clone())),
            Body::Image { .. } | Body::Artifact | Body::Schema1(_) => {
                let is_image = !matches!(destination.body, Body::Artifact);
                let media_type = destination.media_type.as_str();
                return Err(reasons::destination_not_an_index(
                    names, media_type, is_image,
                ));
            }
        };
        let images = images.map_err(|why| unreadable(why, names))?;
        Ok((images, reader.attestations()))
    }

    /// Checks that every compared manifest exists at the destination as its index lists it; with `--deep`
    /// also the blobs.
    pub(super) fn check_children(
        &self,
        image: &Image,
        destination: &Manifest,
        images: &[ListedManifest],
        found: &FoundSource,
        names: Names<'_>,
        log: &Log,
    ) -> Result<Vec<DestinationManifest>, Reason> {
        let mut seen = HashSet::new();
        let once: Vec<ListedManifest> = images
            .iter()
            .filter(|listed| seen.insert(&listed.spec.digest))
            .cloned()
            .collect();
        let answers = self.read_children(image, destination, &once, log);
        let missing = once.iter().zip(&answers);
        let missing: Vec<(&Digest, Option<_>)> = missing
            .filter(|(_, answer)| matches!(answer, Ok(None)))
            .map(|(listed, _)| (&listed.spec.digest, Some(&listed.spec)))
            .collect();
        if !missing.is_empty() {
            return Err(reasons::children_missing(names, missing.into_iter()));
        }
        let mut children = HashMap::new();
        for (listed, answer) in once.iter().zip(answers) {
            children.insert(&listed.spec.digest, answer?.unwrap_or_default());
        }
        check_listing(images, &children, found, names, log)?;
        let manifested = once.iter().map(|listed| DestinationManifest {
            spec: listed.spec.clone(),
            blobs: children
                .get_mut(&listed.spec.digest)
                .and_then(|child| child.blobs.take()),
        });
        Ok(manifested.collect())
    }

    /// Requests each listed manifest; `Ok(None)`: it does not exist.
    fn read_children(
        &self,
        image: &Image,
        destination: &Manifest,
        once: &[ListedManifest],
        log: &Log,
    ) -> Vec<Result<Option<Child>, Error>> {
        let (client, repository, log) =
            (self.client.clone(), image.destination.clone(), log.clone());
        let (top, raw_top) = (destination.digest.clone(), destination.raw_digest.clone());
        let wants_blobs = self.deep.is_some();
        // Docker counts GETs as pulls, not HEADs.
        let by_head = repository.registry == DOCKER_HUB;
        fan_out(once.to_vec(), move |listed| {
            let digest = &listed.spec.digest;
            let side = Side::Destination;
            if !wants_blobs && *digest == top {
                // A bare image has just been read.
                return Ok(Some(Child::default()));
            }
            if !wants_blobs && by_head {
                let there = client.has_manifest(side, &repository, digest, &log)?;
                return Ok(there.then(Child::default));
            }
            let read = |digest: &Digest| {
                if wants_blobs {
                    return client.manifest_with_blobs(side, &repository, digest, &log);
                }
                let reference = Reference::Digest(digest.clone());
                client
                    .manifest(side, &repository, &reference, &log)
                    .map(|manifest| (manifest, None))
            };
            let answer = match read(digest) {
                // A registry without support for schema 1 stores it by the digest of all bytes.
                Err(Error::Missing(_)) if *digest == top && raw_top != top => read(&raw_top),
                answer => answer,
            };
            match answer {
                Ok((manifest, blobs)) => Ok(Some(Child {
                    manifest: Some((manifest.media_type, manifest.size)),
                    blobs,
                })),
                Err(Error::Missing(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}

/// The reason why the destination could not be reduced; missing manifests are a failure.
pub(super) fn unreadable(why: Unreadable, names: Names<'_>) -> Reason {
    match why {
        Unreadable::ChildMissing(digests, _) => {
            let missing = digests.iter().map(|digest| (digest, None));
            reasons::children_missing(names, missing)
        }
        other => other.into(),
    }
}

/// Checks the sizes in the index. If the source has the same wrong size, the mirror is correct.
fn check_listing(
    images: &[ListedManifest],
    children: &HashMap<&Digest, Child>,
    found: &FoundSource,
    names: Names<'_>,
    log: &Log,
) -> Result<(), Reason> {
    let mut wrong = Vec::new();
    for listed in images {
        let digest = &listed.spec.digest;
        let read = children.get(digest).and_then(|child| child.manifest);
        let Some((media_type, received)) = read else {
            continue;
        };
        listed.check_type(media_type).map_err(|why| {
            Reason::new(
                Code::InvalidAnswer,
                format!("docker://{}@{why}", names.destination),
            )
        })?;
        if listed.size.is_none_or(|size| size == received) {
            continue;
        }
        if found.sizes.get(digest) == listed.size.as_ref() {
            log.warn(format!(
                "[{}]: {}; the source has the same wrong size",
                names.full_destination,
                reasons::wrong_size(listed, received)
            ));
        } else {
            wrong.push((listed, received));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(reasons::wrong_sizes(names, &wrong))
    }
}
