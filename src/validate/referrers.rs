//! Whether what is attached to the source (signatures, SBOMs, attestations) came along.

use std::collections::HashSet;

use rayon::prelude::*;

use super::compare::{Mismatch, Source};
use super::source::Found;
use super::{Stop, Validator};
use crate::image::Image;
use crate::manifest::{Digest, Link, Referrer, Spec};
use crate::registry::{Client, Error, Side};
use crate::report::{Code, Logger};

/// What became of a referrer of the source.
enum Fate {
    /// It is at the destination, and found there in the same way.
    Arrived,
    /// Nothing leads to it at the destination.
    Missing,
    /// The destination lists it and does not have it.
    Lost,
    /// Its tag is another manifest at the destination.
    Other(Digest),
}

impl Validator {
    /// What is attached to the source and to its compared images has to be at the destination, with the
    /// same digest. What that is.
    pub(super) fn check_referrers(
        &self,
        image: &Image,
        found: &Found,
        children: &[Spec],
        attestations: &[Referrer],
        log: &Logger,
    ) -> Result<Vec<Digest>, Stop> {
        // The image that schema 1 was converted to is not the source's.
        let children = match found.images {
            Some(Source::Schema1(_)) => &[],
            _ => children,
        };
        let compared = children.iter().map(|spec| spec.digest.clone());
        let subjects = distinct(std::iter::once(found.digest.clone()).chain(compared));
        let wanted = self.wanted(image, found, &subjects, log)?;
        let arrived: Vec<Result<Vec<Fate>, Error>> = subjects
            .par_iter()
            .map(|subject| {
                let wanted: Vec<&Referrer> = wanted
                    .iter()
                    .filter(|referrer| referrer.subject == *subject)
                    .collect();
                self.fates(image, subject, &wanted, attestations, log)
            })
            .collect();
        let mut missing = Vec::new();
        let mut unknown = None;
        for (subject, fates) in subjects.iter().zip(arrived) {
            let of = wanted
                .iter()
                .filter(|referrer| referrer.subject == *subject);
            match fates {
                Ok(fates) => missing.extend(
                    of.zip(fates)
                        .filter_map(|(referrer, fate)| describe(referrer, &fate, children)),
                ),
                Err(error) => unknown = unknown.or(Some(error)),
            }
        }
        match (missing.len(), unknown) {
            (0, None) => Ok(distinct(wanted.into_iter().map(|referrer| referrer.digest))),
            (0, Some(error)) => Err(error.into()),
            (count, _) => Err(Mismatch {
                details: missing,
                ..Mismatch::new(
                    Code::ReferrerMissing,
                    format!(
                        "{count} of {} referrers of the source are not at the destination",
                        wanted.len()
                    ),
                )
            }
            .into()),
        }
    }

    /// What is attached at the source, in a fixed order.
    fn wanted(
        &self,
        image: &Image,
        found: &Found,
        subjects: &[Digest],
        log: &Logger,
    ) -> Result<Vec<Referrer>, Stop> {
        let mut wanted: Vec<Referrer> = match &self.recording {
            Some(recording) => {
                let name = image.source_name();
                let not_recorded = |why| Stop::NotValidated(Code::NotRecorded, why);
                let source = recording.find(&name).map_err(not_recorded)?;
                source.referrers.clone().ok_or_else(|| {
                    not_recorded(format!(
                        "[{name}]: the recording {} does not say what is attached to it; record it with --referrers",
                        recording.name()
                    ))
                })?
            }
            None => attached(
                &self.client,
                image,
                subjects,
                found.attestations.clone(),
                log,
            )?,
        };
        wanted.retain(|referrer| subjects.contains(&referrer.subject));
        Ok(wanted)
    }

    /// What became of the referrers of one subject.
    fn fates(
        &self,
        image: &Image,
        subject: &Digest,
        wanted: &[&Referrer],
        attestations: &[Referrer],
        log: &Logger,
    ) -> Result<Vec<Fate>, Error> {
        let repository = &image.destination;
        let mut listed = HashSet::new();
        if wanted.iter().any(|referrer| referrer.by == Link::Referrers) {
            let there = self
                .client
                .listed(Side::Destination, repository, subject, log)?;
            listed = there.into_iter().map(|referrer| referrer.digest).collect();
        }
        let is_there = |digest: &Digest| -> Result<Fate, Error> {
            let there = self
                .client
                .has_manifest(Side::Destination, repository, digest, log)?;
            Ok(if there { Fate::Arrived } else { Fate::Lost })
        };
        wanted
            .iter()
            .map(|referrer| match referrer.by {
                Link::Referrers if listed.contains(&referrer.digest) => is_there(&referrer.digest),
                Link::Index
                    if attestations.iter().any(|other| {
                        other.subject == *subject && other.digest == referrer.digest
                    }) =>
                {
                    is_there(&referrer.digest)
                }
                Link::Referrers | Link::Index => Ok(Fate::Missing),
                Link::Sig | Link::Att | Link::Sbom => {
                    let tagged = self.client.tagged(
                        Side::Destination,
                        repository,
                        subject,
                        referrer.by,
                        log,
                    )?;
                    Ok(match tagged {
                        None => Fate::Missing,
                        Some(digest) if digest == referrer.digest => Fate::Arrived,
                        Some(digest) => Fate::Other(digest),
                    })
                }
            })
            .collect()
    }
}

/// What is attached to these manifests at the source, with the attestations that its index lists, in a
/// fixed order.
pub fn attached(
    client: &Client,
    image: &Image,
    subjects: &[Digest],
    attestations: Vec<Referrer>,
    log: &Logger,
) -> Result<Vec<Referrer>, Stop> {
    let lists: Vec<_> = subjects
        .par_iter()
        .map(|subject| client.referrers(Side::Source, &image.source, subject, log))
        .collect();
    let mut found = attestations;
    for list in lists {
        found.extend(list?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Each digest once, in their order.
pub fn distinct(digests: impl Iterator<Item = Digest>) -> Vec<Digest> {
    let mut seen = HashSet::new();
    digests
        .filter(|digest| seen.insert(digest.clone()))
        .collect()
}

/// What is wrong with a referrer, in one line; none where nothing is.
fn describe(referrer: &Referrer, fate: &Fate, children: &[Spec]) -> Option<String> {
    let fate = match fate {
        Fate::Arrived => return None,
        Fate::Missing => "not at the destination".to_owned(),
        Fate::Lost => "listed at the destination, and not there".to_owned(),
        Fate::Other(digest) => format!("at the destination it is {digest}"),
    };
    let subject = children
        .iter()
        .find(|spec| spec.digest == referrer.subject && !spec.platform.architecture.is_empty())
        .map_or_else(
            || format!("the source {}", referrer.subject),
            |spec| format!("{} {}", spec.platform, spec.digest),
        );
    let kind = match referrer.artifact_type.as_str() {
        "" => String::new(),
        kind => format!(" ({kind})"),
    };
    Some(format!(
        "{} {}{kind} of {subject}: {fate}",
        referrer.by.describe(&referrer.subject),
        referrer.digest
    ))
}
