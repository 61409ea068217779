//! The destination of an image: its manifest, the images that it leads to, and whether they are there.

use std::sync::Arc;

use super::Validator;
use super::compare::{self, Names, Source};
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Body, Manifest, Referrer, Spec};
use crate::registry::{Error, Side};
use crate::sync::fan_out;
use crate::task::specs::{Reader, Unreadable};
use crate::verdict::Reason;

impl Validator {
    /// The destination's manifest, where it has not been read yet.
    pub(super) fn destination(
        &self,
        image: &Image,
        read: Option<Result<Manifest, Error>>,
        names: Names<'_>,
        log: &Log,
    ) -> Result<Manifest, Reason> {
        match read.unwrap_or_else(|| self.read(Side::Destination, image, log)) {
            Ok(manifest) => Ok(manifest),
            Err(Error::Missing(_)) => Err(compare::destination_missing(names)),
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
        log: &Log,
    ) -> Result<(Vec<Spec>, Vec<Referrer>), Reason> {
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
        let reader = Arc::new(reader);
        let specs = match &destination.body {
            Body::Index(entries) if entries.is_empty() => {
                return Err(compare::destination_empty(names));
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
                ));
            }
        };
        let specs = specs.map_err(|why| match why {
            Unreadable::ChildMissing(digests, _) => compare::children_missing(names, &digests),
            other => other.into(),
        })?;
        Ok((specs, reader.attestations()))
    }

    /// Every compared child must really be at the destination.
    pub(super) fn ask_for_children(
        &self,
        image: &Image,
        destination: &Manifest,
        children: &[Spec],
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        let (client, repository, log) =
            (self.client.clone(), image.destination.clone(), log.clone());
        let top = destination.digest.clone();
        let answers: Vec<Result<bool, Error>> = fan_out(children.to_vec(), move |spec| {
            // A bare image has just been read.
            Ok(spec.digest == top
                || client.has_manifest(Side::Destination, &repository, &spec.digest, &log)?)
        });
        let is_missing = |answer: &Result<bool, Error>| matches!(answer, Ok(false));
        compare::refuse_missing(names, children, &answers, is_missing)?;
        for answer in answers {
            answer?;
        }
        Ok(())
    }
}
