//! The destination of an image: its manifest, the images that it leads to, and whether they are there.

use rayon::prelude::*;

use super::compare::{self, Names, Source};
use super::specs::{Reader, Unreadable};
use super::{Stop, Validator};
use crate::image::Image;
use crate::manifest::{Body, Manifest, Referrer, Spec};
use crate::registry::{Error, Side};
use crate::report::{Code, Logger};

impl Validator {
    /// The destination's manifest, where it has not been read yet.
    pub(super) fn destination(
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

    /// The images of the destination, and the attestations that its index lists.
    pub(super) fn reduce_destination(
        &self,
        image: &Image,
        source: &Source,
        destination: &Manifest,
        names: Names<'_>,
        log: &Logger,
    ) -> Result<(Vec<Spec>, Vec<Referrer>), Stop> {
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
        let digest = destination.digest.clone();
        let specs = match &destination.body {
            Body::Index(entries) if entries.is_empty() => {
                return Err(compare::destination_empty(names).into());
            }
            Body::Index(entries) => reader.images(entries),
            Body::Image { config } if self.allow_single => reader
                .platform(&destination.digest, config)
                .map(|platform| vec![Spec { digest, platform }]),
            Body::Schema1(platform) if self.allow_single => {
                let platform = platform.clone();
                Ok(vec![Spec { digest, platform }])
            }
            Body::Image { .. } | Body::Artifact | Body::Schema1(_) => {
                return Err(compare::destination_not_an_index(
                    names,
                    destination.media_type.as_str(),
                )
                .into());
            }
        };
        let specs = specs.map_err(|why| match why {
            Unreadable::ChildMissing(digests, _) => {
                compare::children_missing(names, &digests).into()
            }
            Unreadable::Registry(error) => error.into(),
            Unreadable::Bounds(text) => Stop::NotValidated(Code::InvalidAnswer, text),
        })?;
        Ok((specs, reader.into_attestations()))
    }

    /// Every compared child must really be at the destination.
    pub(super) fn ask_for_children(
        &self,
        image: &Image,
        destination: &Manifest,
        children: &[Spec],
        names: Names<'_>,
        log: &Logger,
    ) -> Result<(), Stop> {
        // A bare image has just been read.
        let has = |spec: &Spec| -> Result<bool, Error> {
            Ok(spec.digest == destination.digest
                || self.client.has_manifest(
                    Side::Destination,
                    &image.destination,
                    &spec.digest,
                    log,
                )?)
        };
        let answers: Vec<Result<bool, Error>> = children.par_iter().map(has).collect();
        let is_missing = |answer: &Result<bool, Error>| matches!(answer, Ok(false));
        compare::refuse_missing(names, children, &answers, is_missing)?;
        for answer in answers {
            answer?;
        }
        Ok(())
    }
}
