//! Whether what is attached to the source (signatures, SBOMs, attestations) came along.

use std::collections::HashSet;
use std::sync::Arc;

use super::Validator;
use super::compare::Source;
use super::source::Found;
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Digest, Link, Referrer, Spec};
use crate::reference::Repository;
use crate::registry::{Client, Error, Side};
use crate::sync::fan_out;
use crate::task::attached::{attached, distinct};
use crate::verdict::{Code, Reason};

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
        log: &Log,
    ) -> Result<Vec<Digest>, Reason> {
        // The image that schema 1 was converted to is not the source's.
        let children = match found.images {
            Some(Source::Schema1(_)) => &[],
            _ => children,
        };
        let compared = children.iter().map(|spec| spec.digest.clone());
        let subjects = distinct(std::iter::once(found.digest.clone()).chain(compared));
        let wanted = self.wanted(image, found, &subjects, log)?;
        let destination = Destination {
            client: self.client.clone(),
            repository: image.destination.clone(),
            attestations: attestations.to_vec(),
            log: log.clone(),
        };
        let by_subject: Vec<(Digest, Vec<Referrer>)> = subjects
            .iter()
            .map(|subject| {
                let of = wanted
                    .iter()
                    .filter(|referrer| referrer.subject == *subject);
                (subject.clone(), of.cloned().collect())
            })
            .collect();
        let arrived = fan_out(by_subject, move |(subject, wanted)| {
            destination.fates(subject, wanted)
        });
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
            (count, _) => Err(Reason {
                details: missing,
                ..Reason::new(
                    Code::ReferrerMissing,
                    format!(
                        "{count} of {} referrers of the source are not at the destination",
                        wanted.len()
                    ),
                )
            }),
        }
    }

    /// What is attached at the source, in a fixed order.
    fn wanted(
        &self,
        image: &Image,
        found: &Found,
        subjects: &[Digest],
        log: &Log,
    ) -> Result<Vec<Referrer>, Reason> {
        let mut wanted: Vec<Referrer> = match &self.recording {
            Some(recording) => {
                let name = image.source_name();
                let not_recorded = |why| Reason::new(Code::NotRecorded, why);
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
}

/// The destination, as far as referrers are looked for in it.
struct Destination {
    client: Arc<Client>,
    repository: Repository,
    /// Attestations that its index lists.
    attestations: Vec<Referrer>,
    log: Log,
}

impl Destination {
    /// The fate of each referrer of one subject.
    fn fates(&self, subject: &Digest, wanted: &[Referrer]) -> Result<Vec<Fate>, Error> {
        let mut listed = HashSet::new();
        if wanted.iter().any(|referrer| referrer.by == Link::Referrers) {
            let there =
                self.client
                    .listed(Side::Destination, &self.repository, subject, &self.log)?;
            listed = there.into_iter().map(|referrer| referrer.digest).collect();
        }
        let fates = wanted.iter();
        fates
            .map(|referrer| match referrer.by {
                Link::Referrers if listed.contains(&referrer.digest) => self.has(&referrer.digest),
                Link::Index if self.lists_attestation(subject, referrer) => {
                    self.has(&referrer.digest)
                }
                Link::Referrers | Link::Index => Ok(Fate::Missing),
                Link::Sig | Link::Att | Link::Sbom => self.tagged(subject, referrer),
            })
            .collect()
    }

    fn has(&self, digest: &Digest) -> Result<Fate, Error> {
        let there =
            self.client
                .has_manifest(Side::Destination, &self.repository, digest, &self.log)?;
        Ok(if there { Fate::Arrived } else { Fate::Lost })
    }

    fn lists_attestation(&self, subject: &Digest, referrer: &Referrer) -> bool {
        let mut listed = self.attestations.iter();
        listed.any(|other| other.subject == *subject && other.digest == referrer.digest)
    }

    fn tagged(&self, subject: &Digest, referrer: &Referrer) -> Result<Fate, Error> {
        let (side, repository) = (Side::Destination, &self.repository);
        let tagged = self
            .client
            .tagged(side, repository, subject, referrer.by, &self.log)?;
        Ok(match tagged {
            None => Fate::Missing,
            Some(digest) if digest == referrer.digest => Fate::Arrived,
            Some(digest) => Fate::Other(digest),
        })
    }
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
