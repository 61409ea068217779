//! Validating one image: both sides are read, compared, and the compared children asked for.

mod compare;
mod difference;
mod specs;

use std::sync::Arc;

use rayon::prelude::*;

use crate::interrupt::Interrupt;
use crate::manifest::{Body, Digest, Filter, Manifest};
use crate::reference::{DOCKER_HUB, Reference, Repository};
use crate::registry::{Client, Error, Side};
use crate::report::{Logger, Outcome};
use compare::{Mismatch, Names, Source, Spec};
use specs::{Reader, Unreadable};

/// An image of the list: where it comes from and where it was mirrored to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// The source's repository.
    pub source: Repository,
    /// The destination's repository.
    pub destination: Repository,
    /// Tag or digest, the same on both sides.
    pub reference: Reference,
}

impl Image {
    /// What is compared, for the log: `[S:T] == [D:T]`.
    pub fn compared(&self) -> String {
        format!(
            "[{}] == [{}]",
            self.reference.of(&self.source),
            self.reference.of(&self.destination)
        )
    }
}

/// Validates images; shared by all threads.
pub struct Validator {
    /// Who reads the registries.
    pub client: Client,
    /// Which platforms are validated.
    pub filter: Filter,
    /// Whether a bare image at the destination counts as a list of one.
    pub allow_single: bool,
    /// The wish to end.
    pub interrupt: Arc<Interrupt>,
}

/// Why there is no verdict that the image passed.
enum Stop {
    /// The sides differ.
    Failed(Mismatch),
    /// It cannot be found out.
    NotValidated(String),
}

impl From<Mismatch> for Stop {
    fn from(mismatch: Mismatch) -> Self {
        Self::Failed(mismatch)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::NotValidated(error.to_string())
    }
}

/// A side's manifest, and where what it leads to can be read.
struct Top {
    manifest: Manifest,
    side: Side,
}

impl Validator {
    /// Finds out whether the destination is what the source is.
    pub fn validate(&self, image: &Image, log: &Logger) -> Outcome {
        let (source, destination) = (image.source.to_string(), image.destination.to_string());
        let full_destination = image.reference.of(&destination);
        let names = Names {
            source: &source,
            destination: &destination,
            full_destination: &full_destination,
            tag: image.reference.as_str(),
        };
        match self.attempt(image, names, log) {
            Ok(()) => Outcome::Passed {
                compared: image.compared(),
            },
            Err(Stop::Failed(mismatch)) => Outcome::Failed {
                details: mismatch.details,
                reason: mismatch.reason,
            },
            Err(Stop::NotValidated(_)) if self.interrupt.is_set() => Outcome::Interrupted,
            Err(Stop::NotValidated(cause)) => Outcome::NotValidated { cause },
        }
    }

    fn attempt(&self, image: &Image, names: Names<'_>, log: &Logger) -> Result<(), Stop> {
        let (top, destination) = self.source(image, log)?;
        if matches!(top.manifest.body, Body::Artifact) {
            // It runs on no platform: it has to be there as it is.
            let destination = self.destination(image, destination, names, log)?;
            return Ok(compare::compare_artifact(
                &top.manifest.digest,
                &destination,
            )?);
        }
        let source = match self.reduce_source(image, &top, log) {
            // The destination's copy is not whole, which says nothing of the source.
            Err(Stop::NotValidated(_)) if top.side == Side::Destination => {
                let manifest = self.read_source(image, log)?;
                self.reduce_source(
                    image,
                    &Top {
                        manifest,
                        side: Side::Source,
                    },
                    log,
                )?
            }
            other => other?,
        };
        let destination = self.destination(image, destination, names, log)?;
        let specs = self.reduce_destination(image, &source, &destination, names, log)?;
        let children = compare::compare(&source, &specs, &self.filter, names)?;
        self.ask_for_children(image, &destination, &children, names, log)
    }

    /// The destination's manifest, where it has not been read yet.
    fn destination(
        &self,
        image: &Image,
        read: Option<Result<Manifest, Error>>,
        names: Names<'_>,
        log: &Logger,
    ) -> Result<Manifest, Stop> {
        match read.unwrap_or_else(|| self.read(Side::Destination, image, log)) {
            Ok(manifest) => Ok(manifest),
            Err(Error::Missing(_)) => Err(compare::destination_missing(names).into()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, side: Side, image: &Image, log: &Logger) -> Result<Manifest, Error> {
        let repository = match side {
            Side::Source => &image.source,
            Side::Destination => &image.destination,
        };
        self.client
            .manifest(side, repository, &image.reference, log)
    }

    /// The source's manifest, and the destination's where it had to be read for that.
    fn source(
        &self,
        image: &Image,
        log: &Logger,
    ) -> Result<(Top, Option<Result<Manifest, Error>>), Stop> {
        let mut destination = None;
        if image.source.registry == DOCKER_HUB
            && let Some(digest) = self.source_digest(image, log)?
        {
            // Docker counts GETs as pulls, not HEADs: what the destination has is read there.
            let read = self.read(Side::Destination, image, log);
            let copy = match &read {
                Ok(manifest) if manifest.digest == digest => Some(manifest.clone()),
                Ok(manifest) if lists(manifest, &digest) => {
                    let reference = Reference::Digest(digest);
                    self.client
                        .manifest(Side::Destination, &image.destination, &reference, log)
                        .ok()
                }
                _ => None,
            };
            destination = Some(read);
            if let Some(manifest) = copy {
                return Ok((
                    Top {
                        manifest,
                        side: Side::Destination,
                    },
                    destination,
                ));
            }
        }
        let manifest = self.read_source(image, log)?;
        Ok((
            Top {
                manifest,
                side: Side::Source,
            },
            destination,
        ))
    }

    fn read_source(&self, image: &Image, log: &Logger) -> Result<Manifest, Stop> {
        match self.read(Side::Source, image, log) {
            Err(Error::Missing(trouble)) => Err(Stop::NotValidated(format!(
                "[{}]: source manifest does not exist: {trouble}",
                image.reference.of(&image.source)
            ))),
            other => Ok(other?),
        }
    }

    /// The digest that the source names on HEAD; none where only GET can tell.
    fn source_digest(&self, image: &Image, log: &Logger) -> Result<Option<Digest>, Stop> {
        match self
            .client
            .head(Side::Source, &image.source, &image.reference, log)
        {
            Ok(named) => Ok(named),
            Err(Error::Missing(_) | Error::Denied(_) | Error::Invalid(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn reduce_source(&self, image: &Image, top: &Top, log: &Logger) -> Result<Source, Stop> {
        let repository = match top.side {
            Side::Source => &image.source,
            Side::Destination => &image.destination,
        };
        let unreadable = |why: Unreadable| match why {
            Unreadable::ChildMissing(_, error) => Stop::from(*error),
            Unreadable::Registry(error) => Stop::from(error),
            Unreadable::Bounds(text) => Stop::NotValidated(text),
        };
        let reader = Reader::new(&self.client, top.side, repository, Some(&self.filter), log);
        let digest = top.manifest.digest.clone();
        let source = match &top.manifest.body {
            Body::Index(entries) => Source::Index(reader.images(entries).map_err(unreadable)?),
            Body::Image { config } => {
                let platform = reader.platform(&digest, config).map_err(unreadable)?;
                Source::Image(Spec { digest, platform })
            }
            // Has been compared as it is.
            Body::Artifact => return Err(compare::nothing_selected().into()),
            Body::Schema1(platform) => Source::Schema1(Spec {
                digest,
                platform: platform.clone(),
            }),
        };
        let selected = match &source {
            Source::Index(specs) => !specs.is_empty(),
            Source::Image(spec) | Source::Schema1(spec) => self.filter.selects(&spec.platform),
        };
        if selected {
            Ok(source)
        } else {
            Err(compare::nothing_selected().into())
        }
    }

    fn reduce_destination(
        &self,
        image: &Image,
        source: &Source,
        destination: &Manifest,
        names: Names<'_>,
        log: &Logger,
    ) -> Result<Vec<Spec>, Stop> {
        // Of an image, there has to be one entry: those of other platforms count as well.
        let filter = matches!(source, Source::Index(_)).then_some(&self.filter);
        let mut reader = Reader::new(
            &self.client,
            Side::Destination,
            &image.destination,
            filter,
            log,
        );
        if let Source::Index(specs) = source {
            reader = reader.needing(specs.iter().map(|spec| spec.digest.clone()).collect());
        }
        let specs = match &destination.body {
            Body::Index(entries) if entries.is_empty() => {
                return Err(compare::destination_empty(names).into());
            }
            Body::Index(entries) => reader.images(entries),
            Body::Image { config } if self.allow_single => reader
                .platform(&destination.digest, config)
                .map(|platform| {
                    vec![Spec {
                        digest: destination.digest.clone(),
                        platform,
                    }]
                }),
            Body::Schema1(platform) if self.allow_single => Ok(vec![Spec {
                digest: destination.digest.clone(),
                platform: platform.clone(),
            }]),
            Body::Image { .. } | Body::Artifact | Body::Schema1(_) => {
                return Err(compare::destination_not_an_index(
                    names,
                    destination.media_type.as_str(),
                )
                .into());
            }
        };
        specs.map_err(|why| match why {
            Unreadable::ChildMissing(digests, _) => {
                compare::children_missing(names, &digests).into()
            }
            Unreadable::Registry(error) => error.into(),
            Unreadable::Bounds(text) => Stop::NotValidated(text),
        })
    }

    /// Every compared child must really be at the destination.
    fn ask_for_children(
        &self,
        image: &Image,
        destination: &Manifest,
        children: &[Digest],
        names: Names<'_>,
        log: &Logger,
    ) -> Result<(), Stop> {
        // A bare image has just been read.
        let has = |digest: &Digest| -> Result<bool, Error> {
            Ok(*digest == destination.digest
                || self
                    .client
                    .has_manifest(Side::Destination, &image.destination, digest, log)?)
        };
        let answers: Vec<Result<bool, Error>> = children.par_iter().map(has).collect();
        let missing: Vec<Digest> = children
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| matches!(answer, Ok(false)))
            .map(|(digest, _)| digest.clone())
            .collect();
        if !missing.is_empty() {
            return Err(compare::children_missing(names, &missing).into());
        }
        for answer in answers {
            answer?;
        }
        Ok(())
    }
}

/// Whether an index has an entry of this digest.
fn lists(manifest: &Manifest, digest: &Digest) -> bool {
    matches!(&manifest.body, Body::Index(entries) if entries.iter().any(|entry| entry.digest == *digest))
}
