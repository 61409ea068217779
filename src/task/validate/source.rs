//! Reads the source of an image: from its registry, from the destination if that has the same digest, or
//! Reads the source of an image: from its registry, from the destination if that has the same digest, or
//! from a recording.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Validator;
use super::compare::Source;
use super::reasons;
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{
    Body, Digest, Filter, Manifest, MediaType, Platform, PlatformNames, Referrer, Spec, distinct,
};
use crate::reference::{DOCKER_HUB, Reference};
use crate::registry::{Error, Side};
use crate::task::attached::children;
use crate::task::specs::{ListedManifest, Reader};
use crate::task::{read_source, record};
use crate::verdict::{Code, Reason};

/// A source that was found.
pub struct FoundSource {
    /// Digest of its manifest.
    pub digest: Digest,
    /// Its compared images; `None`: no entry has a platform, so the manifest is compared as a whole.
    pub images: Option<Source>,
    /// Sizes in bytes from its index.
    pub sizes: HashMap<Digest, u64>,
    /// All its platforms, selected or not.
    pub names: PlatformNames,
    /// Attestations in its index.
    pub attestations: Vec<Referrer>,
    /// With `--referrers`: the entries of its index.
    pub children: HashSet<Digest>,
}

/// The destination's manifest, if it was read to find the source.
pub type ReadDestination = Option<Result<Manifest, Error>>;

impl FoundSource {
    /// `media_type`: of the source's own manifest.
    ///
    /// # Errors
    /// The source has platforms, but none is selected.
    fn of(
        digest: Digest,
        media_type: MediaType,
        images: &[ListedManifest],
        names: PlatformNames,
        filter: &Filter,
    ) -> Result<Self, Reason> {
        let sizes = images.iter().filter_map(|image| {
            let size = image.size?;
            Some((image.spec.digest.clone(), size))
        });
        let sizes = sizes.collect();
        let specs = images.iter().map(|image| &image.spec);
        let selected = specs.filter(|spec| filter.selects(&spec.platform));
        let selected: Vec<Spec> = distinct(selected.cloned().collect());
        let is_wanted = selected.iter().any(|spec| spec.platform.is_known());
        let images = if is_wanted {
            let first = selected[0].clone();
            Some(match media_type {
                MediaType::OciIndex | MediaType::DockerList => Source::Index(selected),
                MediaType::Schema1 | MediaType::Schema1Signed => Source::Schema1(first),
                MediaType::OciManifest | MediaType::DockerManifest => Source::Image(first),
            })
        } else if selected.is_empty() || !names.architectures.is_empty() {
            return Err(reasons::nothing_selected(filter, &names.architectures));
        } else {
            None
        };
        Ok(Self {
            digest,
            images,
            sizes,
            names,
            attestations: Vec::new(),
            children: HashSet::new(),
        })
    }
}

/// A manifest, and the side from which the manifests that it lists can be read.
pub struct TopManifest {
    pub manifest: Manifest,
    pub side: Side,
}

impl Validator {
    /// Finds the source, and reduces it to the validated platforms.
    pub(super) fn find_source(
        &self,
        image: &Image,
        filter: &Filter,
        log: &Log,
    ) -> Result<(Arc<FoundSource>, ReadDestination), Reason> {
        if let Some(recording) = &self.recording {
            let source = recording
                .find(&image.source_name())
                .map_err(|why| Reason::new(Code::NotRecorded, why))?;
            return Ok((Arc::new(recorded(source, filter)?), None));
        }
        let mut destination = None;
        let mut read = || {
            let (found, read) = self.read_and_reduce(image, filter, log)?;
            destination = read;
            Ok(found)
        };
        let found = match &self.sources {
            Some(sources) => sources.find(image, filter, read)?,
            None => Arc::new(read()?),
        };
        Ok((found, destination))
    }

    fn read_and_reduce(
        &self,
        image: &Image,
        filter: &Filter,
        log: &Log,
    ) -> Result<(FoundSource, ReadDestination), Reason> {
        let (top, destination) = self.top(image, log)?;
        let found = match self.reduce_source(image, &top, filter, log) {
            // The copy at the destination is incomplete; the source may be complete.
            Err(reason) if !reason.code.is_failure() && top.side == Side::Destination => {
                let manifest = read_source(&self.client, image, &self.source_prefix, log)?;
                let side = Side::Source;
                self.reduce_source(image, &TopManifest { manifest, side }, filter, log)?
            }
            other => other?,
        };
        Ok((found, destination))
    }

    /// The source's manifest, and the destination's manifest if it was read instead.
    fn top(&self, image: &Image, log: &Log) -> Result<(TopManifest, ReadDestination), Reason> {
        let mut destination = None;
        if image.source.registry == DOCKER_HUB
            && let Some(digest) = self.source_digest(image, log)?
        {
            // Docker Hub counts GETs as pulls, not HEADs: a manifest that the destination has is read there,
            // and its bytes are verified. The digest of signed schema 1 covers only a part of the bytes.
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
                return Ok((TopManifest { manifest, side }, destination));
            }
        }
        let manifest = read_source(&self.client, image, &self.source_prefix, log)?;
        let side = Side::Source;
        Ok((TopManifest { manifest, side }, destination))
    }

    /// The digest in the response to HEAD; `None` if a GET is needed.
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

    pub(super) fn reduce_source(
        &self,
        image: &Image,
        top: &TopManifest,
        filter: &Filter,
        log: &Log,
    ) -> Result<FoundSource, Reason> {
        let repository = match top.side {
            Side::Source => &image.source,
            Side::Destination => &image.destination,
        };
        let reader = Reader::new(&self.client, top.side, repository, Some(filter), log);
        let reader = Arc::new(reader);
        let digest = top.manifest.digest.clone();
        let images = match &top.manifest.body {
            Body::Index(entries) => reader.images(entries)?,
            Body::Image { config } => {
                let platform = reader.platform(&digest, config)?;
                vec![ListedManifest::alone(digest.clone(), platform)]
            }
            Body::Schema1(platform) => {
                vec![ListedManifest::alone(digest.clone(), platform.clone())]
            }
            Body::Artifact => vec![ListedManifest::alone(digest.clone(), Platform::default())],
        };
        let mut names = reader.names();
        names.extend(names_of(&images));
        let media_type = top.manifest.media_type;
        let children = self.referrers.then(|| children(&top.manifest));
        Ok(FoundSource {
            attestations: reader.attestations(),
            children: children.unwrap_or_default(),
            ..FoundSource::of(digest, media_type, &images, names, filter)?
        })
    }
}

/// A recorded source.
fn recorded(source: &record::Source, filter: &Filter) -> Result<FoundSource, Reason> {
    let artifact = [Spec {
        digest: source.digest.clone(),
        platform: Platform::default(),
    }];
    let images: Vec<ListedManifest> = source
        .images
        .as_deref()
        .unwrap_or(&artifact)
        .iter()
        .map(|spec| ListedManifest::alone(spec.digest.clone(), spec.platform.clone()))
        .collect();
    let (digest, media_type) = (source.digest.clone(), source.media_type);
    FoundSource::of(digest, media_type, &images, names_of(&images), filter)
}

pub fn names_of(images: &[ListedManifest]) -> PlatformNames {
    let mut names = PlatformNames::default();
    for image in images {
        names.add(&image.spec.platform);
    }
    names
}

/// Whether an index has an entry of this digest.
fn lists(manifest: &Manifest, digest: &Digest) -> bool {
    matches!(&manifest.body, Body::Index(entries) if entries.iter().flatten().any(|entry| entry.digest == *digest))
}
