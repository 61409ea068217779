//! Lists the referrers of a source: signatures, SBOMs and attestations, and their own referrers (such as
//! the signature of an SBOM).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Body, Digest, Link, Manifest, Referrer};
use crate::reference::Repository;
use crate::registry::{Client, Error, Side};
use crate::sync::fan_out;
use crate::verdict::{Code, Reason};

/// Levels of referrers that are followed; the referrers of an image are the first level.
const MAX_DEPTH: usize = 3;

/// Limit per image.
const MAX_REFERRERS: usize = 1000;

/// The subjects of an image's referrers, and the entries of its index.
pub struct Subjects {
    /// Digests of the source's manifest and its compared images.
    pub digests: Vec<Digest>,
    /// Entries of the source's index, which are not referrers.
    pub children: HashSet<Digest>,
    /// Attestations in the source's index.
    pub attestations: Vec<Referrer>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct AttachedReferrers {
    pub referrers: BTreeSet<Referrer>,
    /// Sizes in bytes according to the lists of referrers, by subject and referrer.
    pub sizes: HashMap<(Digest, Digest), u64>,
    /// Reason why there may be more referrers.
    pub incomplete: Option<Reason>,
}

impl AttachedReferrers {
    /// Adds a referrer; false above [`MAX_REFERRERS`].
    fn add(&mut self, referrer: Referrer) -> bool {
        if self.referrers.len() == MAX_REFERRERS && !self.referrers.contains(&referrer) {
            return false;
        }
        self.referrers.insert(referrer);
        true
    }

    fn incomplete(&mut self, code: Code, why: String) {
        self.incomplete.get_or_insert(Reason::new(code, why));
    }
}

/// Digests of the entries of an index; empty for other manifests.
pub fn children(manifest: &Manifest) -> HashSet<Digest> {
    match &manifest.body {
        Body::Index(entries) => entries
            .iter()
            .flatten()
            .map(|entry| entry.digest.clone())
            .collect(),
        _ => HashSet::new(),
    }
}

/// Lists the referrers of the subjects at the source, the attestations of its index, and their own
/// referrers.
///
/// # Errors
/// The reason why the referrers of a subject cannot be listed.
pub fn attached(
    client: &Arc<Client>,
    image: &Image,
    subjects: Subjects,
    log: &Log,
) -> Result<AttachedReferrers, Reason> {
    let name = image.source_name();
    let mut level = distinct(subjects.digests.into_iter());
    let mut asked: HashSet<Digest> = level.iter().cloned().collect();
    let mut next: Vec<Referrer> = subjects.attestations;
    next.retain(|attestation| asked.contains(&attestation.subject));
    let mut found = AttachedReferrers::default();
    for depth in 0.. {
        let lists = read_level(client, image, level, log);
        for (subject, list) in lists {
            let list = list?;
            if let Some(damage) = list.damage {
                let damage = Reason::from(damage);
                found.incomplete(damage.code, damage.message);
            }
            for (referrer, size) in list.referrers {
                let is_child = referrer.by == Link::Referrers
                    && (referrer.digest == subject || subjects.children.contains(&referrer.digest));
                if is_child {
                    continue;
                }
                if let Some(size) = size {
                    let key = (subject.clone(), referrer.digest.clone());
                    found.sizes.insert(key, size);
                }
                next.push(referrer);
            }
        }
        if depth == MAX_DEPTH
            && let Some(referrer) = next.first()
        {
            let why = format!(
                "[{name}]: the referrers are nested more than {MAX_DEPTH} levels deep ({} refers to {}); deeper levels were not compared",
                referrer.digest, referrer.subject
            );
            found.incomplete(Code::InvalidAnswer, why);
            break;
        }
        let mut is_full = false;
        for referrer in &next {
            is_full |= !found.add(referrer.clone());
        }
        if is_full {
            let why = format!(
                "[{name}]: the source has more than {MAX_REFERRERS} referrers; the others were not compared"
            );
            found.incomplete(Code::InvalidAnswer, why);
            break;
        }
        let digests = next.drain(..).map(|referrer| referrer.digest);
        level = digests
            .filter(|digest| asked.insert(digest.clone()))
            .collect();
        if level.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// Referrers of one manifest.
#[derive(Default)]
struct SubjectReferrers {
    /// Each with its size in bytes according to the list.
    referrers: Vec<(Referrer, Option<u64>)>,
    /// Error of an entry in the list.
    damage: Option<Error>,
}

fn read_level(
    client: &Arc<Client>,
    image: &Image,
    level: Vec<Digest>,
    log: &Log,
) -> Vec<(Digest, Result<SubjectReferrers, Error>)> {
    let (client, repository, log) = (client.clone(), image.source.clone(), log.clone());
    fan_out(level, move |subject| {
        let list = read_subject(&client, &repository, subject, &log);
        (subject.clone(), list)
    })
}

fn read_subject(
    client: &Client,
    repository: &Repository,
    subject: &Digest,
    log: &Log,
) -> Result<SubjectReferrers, Error> {
    let list = client.listed(Side::Source, repository, subject, log)?;
    let entries = list.entries.into_iter();
    let mut found = SubjectReferrers {
        referrers: entries
            .map(|entry| {
                let size = entry.size;
                (entry.of(subject), size)
            })
            .collect(),
        damage: list.damage,
    };
    for by in Link::TAGS {
        if let Some(digest) = client.tagged(Side::Source, repository, subject, by, log)? {
            let referrer = Referrer {
                subject: subject.clone(),
                by,
                digest,
                artifact_type: String::new(),
            };
            found.referrers.push((referrer, None));
        }
    }
    Ok(found)
}

/// The recorded referrers of these subjects, including indirect ones.
pub fn leading_to(subjects: &[Digest], referrers: &[Referrer]) -> BTreeSet<Referrer> {
    let mut known: HashSet<&Digest> = subjects.iter().collect();
    let mut rest: Vec<&Referrer> = referrers.iter().collect();
    let mut found = BTreeSet::new();
    loop {
        let (leading, others): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|referrer| known.contains(&referrer.subject));
        if leading.is_empty() {
            return found;
        }
        known.extend(leading.iter().map(|referrer| &referrer.digest));
        found.extend(leading.into_iter().cloned());
        rest = others;
    }
}

/// Removes duplicates and keeps the order.
pub fn distinct(digests: impl Iterator<Item = Digest>) -> Vec<Digest> {
    let mut seen = HashSet::new();
    digests
        .filter(|digest| seen.insert(digest.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn referrer(digest: &str, subject: &str) -> Referrer {
        Referrer {
            subject: Digest::of(subject.as_bytes()),
            by: Link::Referrers,
            digest: Digest::of(digest.as_bytes()),
            artifact_type: String::new(),
        }
    }

    #[test]
    fn so_many_are_taken_and_each_counts_once() {
        let mut attached = AttachedReferrers::default();
        for number in 0..MAX_REFERRERS {
            assert!(attached.add(referrer(&number.to_string(), "x")), "{number}");
        }
        assert!(attached.add(referrer("7", "x")));
        assert!(!attached.add(referrer("one more", "x")));
        assert_eq!(attached.referrers.len(), MAX_REFERRERS);
    }

    #[test]
    fn recorded_referrers_lead_to_their_image_by_others() {
        let (sbom, signature, other) = (
            referrer("sbom", "image"),
            referrer("signature", "sbom"),
            referrer("signature", "other image"),
        );
        let all = [signature.clone(), other, sbom.clone()];
        let found = leading_to(&[Digest::of(b"image")], &all);
        assert_eq!(found, BTreeSet::from([sbom, signature]));
        // Referrers in a circle.
        let all = [referrer("a", "b"), referrer("b", "a")];
        assert_eq!(leading_to(&[Digest::of(b"a")], &all).len(), 2);
        assert!(leading_to(&[Digest::of(b"x")], &all).is_empty());
    }
}
