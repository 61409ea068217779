//! The source of an image: read from its registry, from the destination where that has the same, or
//! from a recording.

use std::sync::Arc;

use super::Validator;
use super::compare::{self, Source};
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Body, Digest, Manifest, MediaType, Referrer, Spec, distinct};
use crate::reference::{DOCKER_HUB, Reference};
use crate::registry::{Error, Side};
use crate::task::specs::Reader;
use crate::task::{read_source, record};
use crate::verdict::{Code, Reason};

/// A source that was found.
pub struct Found {
    /// Digest of its manifest.
    pub digest: Digest,
    /// What is compared of it; none: it is an artifact, which is compared as it is.
    pub images: Option<Source>,
    /// The attestations that its index lists.
    pub attestations: Vec<Referrer>,
    /// The destination's manifest, where it had to be read for this.
    pub destination: Option<Result<Manifest, Error>>,
}

/// A manifest, and where what it leads to can be read.
struct Top {
    manifest: Manifest,
    side: Side,
}

impl Validator {
    /// Finds the source, reduced to what is validated.
    pub(super) fn find_source(&self, image: &Image, log: &Log) -> Result<Found, Reason> {
        if let Some(recording) = &self.recording {
            let source = recording
                .find(&image.source_name())
                .map_err(|why| Reason::new(Code::NotRecorded, why))?;
            return self.recorded(source);
        }
        let (top, destination) = self.top(image, log)?;
        let (images, attestations) = match self.reduce_source(image, &top, log) {
            // The destination's copy is not whole, which says nothing of the source.
            Err(reason) if !reason.code.is_failure() && top.side == Side::Destination => {
                let manifest = read_source(&self.client, image, log)?;
                let side = Side::Source;
                self.reduce_source(image, &Top { manifest, side }, log)?
            }
            other => other?,
        };
        Ok(Found {
            digest: top.manifest.digest,
            images,
            attestations,
            destination,
        })
    }

    fn recorded(&self, source: &record::Source) -> Result<Found, Reason> {
        let available = source.images.as_deref().unwrap_or_default();
        let images = match (&source.images, source.media_type) {
            (None, _) => None,
            (Some(images), MediaType::OciIndex | MediaType::DockerList) => {
                let selected = |spec: &&Spec| self.filter.selects(&spec.platform);
                let selected = images.iter().filter(selected).cloned().collect();
                Some(Source::Index(distinct(selected)))
            }
            (Some(images), media_type) => {
                // Every recorded image has one: it is checked when the recording is read.
                let nothing = || compare::nothing_selected(&self.filter, &[]);
                let only = images.first().cloned().ok_or_else(nothing)?;
                Some(match media_type {
                    MediaType::Schema1 | MediaType::Schema1Signed => Source::Schema1(only),
                    _ => Source::Image(only),
                })
            }
        };
        Ok(Found {
            digest: source.digest.clone(),
            images: images
                .map(|images| self.selected(images, available))
                .transpose()?,
            attestations: Vec::new(),
            destination: None,
        })
    }

    /// The source's manifest, and the destination's where it had to be read for that.
    fn top(
        &self,
        image: &Image,
        log: &Log,
    ) -> Result<(Top, Option<Result<Manifest, Error>>), Reason> {
        let mut destination = None;
        if image.source.registry == DOCKER_HUB
            && let Some(digest) = self.source_digest(image, log)?
        {
            // Docker counts GETs as pulls, not HEADs: what the destination has is read there. It is the
            // source's if its bytes are: the digest of signed schema 1 is that of a part of them.
            let is_source_s = |manifest: &Manifest| manifest.raw_digest == digest;
            let read = self.read(Side::Destination, image, log);
            let copy = match &read {
                Ok(manifest) if is_source_s(manifest) => Some(manifest.clone()),
                Ok(manifest) if lists(manifest, &digest) => {
                    let reference = Reference::Digest(digest.clone());
                    self.client
                        .manifest(Side::Destination, &image.destination, &reference, log)
                        .ok()
                        .filter(is_source_s)
                }
                _ => None,
            };
            destination = Some(read);
            if let Some(manifest) = copy {
                let side = Side::Destination;
                return Ok((Top { manifest, side }, destination));
            }
        }
        let manifest = read_source(&self.client, image, log)?;
        let side = Side::Source;
        Ok((Top { manifest, side }, destination))
    }

    /// The digest that the source names on HEAD; none where only GET can tell.
    fn source_digest(&self, image: &Image, log: &Log) -> Result<Option<Digest>, Reason> {
        match self
            .client
            .head(Side::Source, &image.source, &image.source_reference, log)
        {
            Ok(named) => Ok(named),
            Err(Error::Missing(_) | Error::Denied(_) | Error::Invalid(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn reduce_source(
        &self,
        image: &Image,
        top: &Top,
        log: &Log,
    ) -> Result<(Option<Source>, Vec<Referrer>), Reason> {
        let repository = match top.side {
            Side::Source => &image.source,
            Side::Destination => &image.destination,
        };
        let reader = Arc::new(Reader::new(
            &self.client,
            top.side,
            repository,
            Some(&self.filter),
            log,
        ));
        let digest = top.manifest.digest.clone();
        let images = match &top.manifest.body {
            Body::Index(entries) => Source::Index(reader.images(entries)?),
            Body::Image { config } => {
                let platform = reader.platform(&digest, config)?;
                Source::Image(Spec { digest, platform })
            }
            Body::Schema1(platform) => {
                let platform = platform.clone();
                Source::Schema1(Spec { digest, platform })
            }
            Body::Artifact => return Ok((None, Vec::new())),
        };
        let available = match &top.manifest.body {
            // Nothing is selected: all of them, for the message.
            Body::Index(entries) if images.specs().is_empty() => {
                let all = Arc::new(Reader::new(&self.client, top.side, repository, None, log));
                all.images(entries).unwrap_or_default()
            }
            _ => images.specs().to_vec(),
        };
        let images = self.selected(images, &available)?;
        Ok((Some(images), reader.attestations()))
    }

    /// The images, if there are any that are validated; `available`: all that the source says it has.
    fn selected(&self, images: Source, available: &[Spec]) -> Result<Source, Reason> {
        let is_any = match &images {
            Source::Index(specs) => !specs.is_empty(),
            Source::Image(spec) | Source::Schema1(spec) => self.filter.selects(&spec.platform),
        };
        if is_any {
            Ok(images)
        } else {
            Err(compare::nothing_selected(&self.filter, available))
        }
    }
}

/// Whether an index has an entry of this digest.
fn lists(manifest: &Manifest, digest: &Digest) -> bool {
    matches!(&manifest.body, Body::Index(entries) if entries.iter().flatten().any(|entry| entry.digest == *digest))
}
