//! Compares with digests that a vendor publishes. The destination equals the source if its digest is the
//! published one. A different digest proves nothing, because many tools rewrite an index when they copy it:
//! then the source is read.

use std::collections::HashSet;
use std::sync::Arc;

use super::compare::Source;
use super::destination::unreadable;
use super::reasons::{self, Names};
use super::referrers::Images;
use super::source::{FoundSource, ReadDestination, TopManifest, names_of};
use super::{ComparedImages, Validator};
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Body, Digest, Filter, Manifest, MediaType, Platform, Spec, distinct};
use crate::reference::Reference;
use crate::registry::{Error, Side};
use crate::task::attached::children;
use crate::task::record::Published;
use crate::task::specs::{ListedManifest, Reader};
use crate::verdict::{Code, Reason};

/// The source of an image with a published digest.
pub enum PublishedSource {
    /// The destination has the published digest: nothing else to compare.
    Equal,
    /// The source was read by its digest, and must be compared.
    Source(Arc<FoundSource>, ReadDestination),
}

impl Validator {
    /// Validates an image whose destination has the published digest; reads the source of other images.
    pub(super) fn by_digest(
        &self,
        published: &Published,
        image: &Image,
        filter: &Filter,
        compared: &mut ComparedImages,
        names: Names<'_>,
        log: &Log,
    ) -> Result<PublishedSource, Reason> {
        let not_recorded = |why| Reason::new(Code::NotRecorded, why);
        let digest = published.find(image).map_err(not_recorded)?;
        compared.source_digest = Some(digest.clone());
        let read = self.read(Side::Destination, image, log);
        let manifest = read.as_ref().ok();
        compared.destination_digest = manifest.map(|manifest| manifest.digest.clone());
        let destination = self.destination(image, read, names, log)?;
        // Schema 1 has two digests: of its payload, and of all its bytes.
        if [&destination.digest, &destination.raw_digest].contains(&digest) {
            self.whole(image, &destination, filter, compared, names, log)?;
            return Ok(PublishedSource::Equal);
        }
        let found = self.read_published(image, digest, filter, log);
        let found = found.map_err(|why| match why.code {
            code if code.is_failure() || code == Code::Interrupted => why,
            _ => cannot_tell(published, digest, &destination, why, names),
        })?;
        Ok(PublishedSource::Source(
            Arc::new(found),
            Some(Ok(destination)),
        ))
    }

    /// Reads the source by its digest. The destination may have it under another tag, or in its index.
    fn read_published(
        &self,
        image: &Image,
        digest: &Digest,
        filter: &Filter,
        log: &Log,
    ) -> Result<FoundSource, Reason> {
        let reference = Reference::Digest(digest.clone());
        let read = |side, repository| self.client.manifest(side, repository, &reference, log);
        if let Ok(manifest) = read(Side::Destination, &image.destination) {
            let side = Side::Destination;
            match self.reduce_source(image, &TopManifest { manifest, side }, filter, log) {
                // The copy at the destination is incomplete; the source may be complete.
                Err(reason) if !reason.code.is_failure() => {}
                other => return other,
            }
        }
        let manifest = match read(Side::Source, &image.source) {
            Err(Error::Missing(host_failure)) => {
                return Err(self.moved(image, digest, &host_failure, log));
            }
            other => other?,
        };
        let side = Side::Source;
        self.reduce_source(image, &TopManifest { manifest, side }, filter, log)
    }

    /// The source no longer has the digest: reads the digest of its tag.
    fn moved(
        &self,
        image: &Image,
        digest: &Digest,
        host_failure: &impl std::fmt::Display,
        log: &Log,
    ) -> Reason {
        let source = &image.source;
        let now = match &image.source_reference {
            Reference::Tag(_) => self
                .client
                .head(Side::Source, source, &image.source_reference, log)
                .ok()
                .flatten(),
            Reference::Digest(_) => None,
        };
        let text = match now {
            Some(now) if now != *digest => format!(
                "[{}]: the source's tag has moved to {now}, and {digest} does not exist any more",
                image.source_name()
            ),
            _ => format!("[{source}@{digest}]: source manifest does not exist: {host_failure}"),
        };
        Reason::new(Code::SourceMissing, text)
    }

    /// The destination equals the whole source: its selected images must exist, with `--deep` their blobs
    /// too, and with `--referrers` their referrers.
    fn whole(
        &self,
        image: &Image,
        destination: &Manifest,
        filter: &Filter,
        compared: &mut ComparedImages,
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        let reader = |filter| {
            let (side, repository) = (Side::Destination, &image.destination);
            Arc::new(Reader::new(&self.client, side, repository, filter, log))
        };
        let mut used = reader(Some(filter));
        let alone = |platform| vec![ListedManifest::alone(destination.digest.clone(), platform)];
        let images = match &destination.body {
            Body::Index(entries) if entries.is_empty() => {
                return Err(reasons::destination_empty(names));
            }
            Body::Index(entries) => {
                let selected = used.images(entries).map(|images| {
                    let wanted = images.into_iter();
                    wanted
                        .filter(|listed| filter.selects(&listed.spec.platform))
                        .collect::<Vec<_>>()
                });
                match selected {
                    // An empty comparison never passes: all images must exist.
                    Ok(selected) if selected.is_empty() => {
                        used = reader(None);
                        used.images(entries)
                    }
                    other => other,
                }
            }
            Body::Image { config } => used.platform(&destination.digest, config).map(alone),
            Body::Schema1(platform) => Ok(alone(platform.clone())),
            Body::Artifact => Ok(alone(Platform::default())),
        };
        let images = images.map_err(|why| unreadable(why, names))?;
        let mut platforms = used.names();
        platforms.extend(names_of(&images));
        let specs: Vec<Spec> = images.iter().map(|listed| listed.spec.clone()).collect();
        let found = FoundSource {
            digest: destination.digest.clone(),
            images: (!platforms.architectures.is_empty())
                .then(|| source(destination.media_type, distinct(specs))),
            sizes: images
                .iter()
                .filter_map(|listed| Some((listed.spec.digest.clone(), listed.size?)))
                .collect(),
            names: platforms,
            attestations: used.attestations(),
            children: match self.referrers {
                true => children(destination),
                false => HashSet::new(),
            },
        };
        self.note_platforms(&found, filter, compared);
        compared.destination = compared.source.clone();
        if self.require_arch && !compared.absent.is_empty() {
            return Err(reasons::architecture_missing(&compared.absent));
        }
        let children = self.check_children(image, destination, &images, &found, names, log)?;
        if let Some(deep) = &self.deep {
            deep.check(&image.destination, &children, names, log)?;
        }
        let children: Vec<Spec> = children.into_iter().map(|child| child.spec).collect();
        let images = Images {
            found: &found,
            children: &children,
            attestations: &found.attestations,
        };
        self.check_attached(image, &images, compared, names, log)
    }
}

fn source(media_type: MediaType, specs: Vec<Spec>) -> Source {
    match (media_type, specs.as_slice()) {
        (MediaType::OciManifest | MediaType::DockerManifest, [only]) => Source::Image(only.clone()),
        (MediaType::Schema1 | MediaType::Schema1Signed, [only]) => Source::Schema1(only.clone()),
        _ => Source::Index(specs),
    }
}

/// The digests differ, and the source could not be read.
fn cannot_tell(
    published: &Published,
    digest: &Digest,
    destination: &Manifest,
    why: Reason,
    names: Names<'_>,
) -> Reason {
    let mut details = vec![format!("the source could not be read: {}", why.message)];
    details.extend(why.details);
    Reason {
        details,
        hints: vec![
            "use --record on a host that can read the source, or copy the image again without changes (crane copy, skopeo copy --all --preserve-digests)"
                .to_owned(),
        ],
        ..Reason::new(
            Code::NotRecorded,
            format!(
                "[{}]: destination digest {:?} is not {:?} of {}; a list of digests is not enough to compare the images",
                names.full_destination,
                destination.digest.as_str(),
                digest.as_str(),
                published.name()
            ),
        )
    }
}
