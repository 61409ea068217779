//! Checks the referrers of the source (signatures, SBOMs, attestations) at the destination.

use super::compare::Source;
use super::reasons::{self, Names};
use super::referrer_status::{ReferrerDestination, ReferrerStatus};
use super::source::FoundSource;
use super::{ComparedImages, Validator};
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Digest, Referrer, Spec};
use crate::registry::Error;
use crate::sync::fan_out;
use crate::task::attached::{AttachedReferrers, Subjects, attached, distinct, leading_to};
use crate::verdict::{Code, Reason};

/// The images of one line whose referrers are compared.
pub(super) struct Images<'a> {
    /// The source.
    pub found: &'a FoundSource,
    /// The compared images of the destination.
    pub children: &'a [Spec],
    /// Attestations in the destination's index.
    pub attestations: &'a [Referrer],
}

impl Validator {
    /// Requires the referrers of the source and of its compared images at the destination, with the
    /// same digests, and their referrers in turn. Returns the digests of all of them.
    pub(super) fn check_referrers(
        &self,
        image: &Image,
        images: &Images<'_>,
        compared: &mut ComparedImages,
        names: Names<'_>,
        log: &Log,
    ) -> Result<Vec<Digest>, Reason> {
        let found = images.found;
        // A converted schema 1 image has another digest than the source.
        let children = match found.images {
            Some(Source::Schema1(_)) => &[],
            _ => images.children,
        };
        let digests = children.iter().map(|spec| spec.digest.clone());
        let subjects = distinct(std::iter::once(found.digest.clone()).chain(digests));
        let wanted = self.wanted(image, found, subjects, log)?;
        let destination = ReferrerDestination {
            client: self.client.clone(),
            repository: image.destination.clone(),
            attestations: images.attestations.to_vec(),
            log: log.clone(),
        };
        let mut by_subject: Vec<(Digest, Vec<Referrer>)> = Vec::new();
        for referrer in &wanted.referrers {
            match by_subject.last_mut() {
                Some((subject, of)) if *subject == referrer.subject => of.push(referrer.clone()),
                _ => by_subject.push((referrer.subject.clone(), vec![referrer.clone()])),
            }
        }
        let statuses = fan_out(by_subject, move |(subject, wanted)| {
            destination.statuses(subject, wanted)
        });
        let described = ReferrerDescriptions {
            top: &found.digest,
            children,
        };
        let mut judged = ReferrerResults::default();
        for (referrer, status) in wanted.referrers.iter().zip(statuses.into_iter().flatten()) {
            let text = described.referrer(referrer);
            judged.take(referrer, &text, status, &wanted, names, log);
        }
        compared.without_type = judged.without_type;
        let count = wanted.referrers.len();
        if !judged.missing.is_empty() {
            return Err(reasons::referrers_missing(judged.missing, count));
        }
        if !judged.wrong_sizes.is_empty() {
            return Err(reasons::wrong_referrer_sizes(names, judged.wrong_sizes));
        }
        match judged.unknown.map(Reason::from).or(wanted.incomplete) {
            Some(reason) => Err(reason),
            None => Ok(distinct(
                wanted.referrers.into_iter().map(|referrer| referrer.digest),
            )),
        }
    }

    /// The referrers of the source.
    fn wanted(
        &self,
        image: &Image,
        found: &FoundSource,
        digests: Vec<Digest>,
        log: &Log,
    ) -> Result<AttachedReferrers, Reason> {
        if let Some(published) = &self.published {
            return Err(Reason::new(
                Code::NotRecorded,
                format!(
                    "[{}]: {} has no referrers; use --record with --referrers on a host that can read the source",
                    image.source_name(),
                    published.name()
                ),
            ));
        }
        let Some(recording) = &self.recording else {
            let subjects = Subjects {
                digests,
                children: found.children.clone(),
                attestations: found.attestations.clone(),
            };
            return attached(&self.client, image, subjects, log);
        };
        let name = image.source_name();
        let not_recorded = |why| Reason::new(Code::NotRecorded, why);
        let source = recording.find(&name).map_err(not_recorded)?;
        let referrers = source.referrers.as_ref().ok_or_else(|| {
            not_recorded(format!(
                "[{name}]: the recording {} has no referrers of this image; record it again with --referrers",
                recording.name()
            ))
        })?;
        Ok(AttachedReferrers {
            referrers: leading_to(&digests, referrers),
            ..AttachedReferrers::default()
        })
    }
}

/// Results for all referrers.
#[derive(Default)]
struct ReferrerResults {
    /// Missing or unlisted referrers, one line each.
    missing: Vec<String>,
    /// Referrers with a wrong size in the destination's list, one line each.
    wrong_sizes: Vec<(Digest, String)>,
    /// Referrers without a type in the destination's list, with the type from their manifest.
    without_type: Vec<Referrer>,
    /// Reason of the first referrer that could not be checked.
    unknown: Option<Error>,
}

impl ReferrerResults {
    /// Adds the result for a referrer; `text`: its description.
    fn take(
        &mut self,
        referrer: &Referrer,
        text: &str,
        status: Result<ReferrerStatus, Error>,
        wanted: &AttachedReferrers,
        names: Names<'_>,
        log: &Log,
    ) {
        let (wrong_size, hidden_type) = match status {
            Ok(ReferrerStatus::Arrived {
                wrong_size,
                hidden_type,
            }) => (wrong_size, hidden_type),
            Ok(status) => {
                self.missing.push(format!("{text}: {status}"));
                return;
            }
            Err(error) => {
                self.unknown.get_or_insert(error);
                return;
            }
        };
        if let Some((listed, received)) = wrong_size {
            let line = format!(
                "{text}: the list has the size {listed}, but the manifest has {received} bytes"
            );
            let key = (referrer.subject.clone(), referrer.digest.clone());
            if wanted.sizes.get(&key) == Some(&listed) {
                log.warn(format!(
                    "[{}]: {line}; the source has the same wrong size",
                    names.full_destination
                ));
            } else {
                self.wrong_sizes.push((referrer.digest.clone(), line));
            }
        }
        if let Some(artifact_type) = hidden_type {
            log.warn(format!(
                "[{}]: {text}: the list of referrers at the destination lacks the manifest's artifactType {artifact_type}; clients that filter by this type do not find it",
                names.full_destination
            ));
            self.without_type.push(Referrer {
                artifact_type,
                ..referrer.clone()
            });
        }
    }
}

/// Descriptions of referrers for messages.
struct ReferrerDescriptions<'a> {
    top: &'a Digest,
    children: &'a [Spec],
}

impl ReferrerDescriptions<'_> {
    fn referrer(&self, referrer: &Referrer) -> String {
        let subject = &referrer.subject;
        let kind = match referrer.artifact_type.as_str() {
            "" => String::new(),
            kind => format!(" ({kind})"),
        };
        let mut children = self.children.iter();
        let child = children.find(|spec| spec.digest == *subject);
        let subject_text = match child {
            Some(spec) if spec.platform.is_known() => format!("{} {subject}", spec.platform),
            Some(_) => format!("the source {subject}"),
            None if subject == self.top => format!("the source {subject}"),
            None => format!("the referrer {subject}"),
        };
        format!(
            "{} {}{kind} of {subject_text}",
            referrer.by.describe(subject),
            referrer.digest
        )
    }
}
