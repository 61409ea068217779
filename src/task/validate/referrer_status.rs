//! The status of a source's referrer: whether the destination has it, and lists it as the source does.

use std::fmt;
use std::sync::Arc;

use crate::log::Log;
use crate::manifest::{Digest, Link, ListedReferrer, Referrer};
use crate::reference::{DOCKER_HUB, Repository};
use crate::registry::{Client, Error, ReferrersList, Side};

/// The status of a referrer of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReferrerStatus {
    /// The destination has it, and lists it.
    Arrived {
        /// Its size in the list and the size of its manifest, in bytes, if they differ.
        wrong_size: Option<(u64, u64)>,
        /// The artifact type of its manifest, if the list under the tag lacks it.
        hidden_type: Option<String>,
    },
    /// The destination does not have it.
    Missing,
    /// The destination has it, but does not list it: the fault and its remedy.
    Unlisted(&'static str),
    /// The destination lists it, but does not have it.
    Lost,
    /// Its tag points to another manifest at the destination.
    Other(Digest),
}

impl ReferrerStatus {
    const ARRIVED: Self = Self::Arrived {
        wrong_size: None,
        hidden_type: None,
    };
}

impl fmt::Display for ReferrerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrived { .. } => f.write_str("at the destination"),
            Self::Missing => f.write_str("not at the destination"),
            Self::Unlisted(remedy) => write!(f, "present, but {remedy}"),
            Self::Lost => f.write_str("listed at the destination, but missing"),
            Self::Other(digest) => write!(f, "the destination has {digest} instead"),
        }
    }
}

/// The repository at the destination in which referrers are searched.
pub(super) struct ReferrerDestination {
    pub client: Arc<Client>,
    pub repository: Repository,
    /// Attestations in its index.
    pub attestations: Vec<Referrer>,
    pub log: Log,
}

impl ReferrerDestination {
    /// The status of each referrer of one subject.
    pub fn statuses(
        &self,
        subject: &Digest,
        wanted: &[Referrer],
    ) -> Vec<Result<ReferrerStatus, Error>> {
        let needs_list = wanted.iter().any(|referrer| referrer.by == Link::Referrers);
        let list = match needs_list {
            true => self.list(subject),
            false => Ok(ReferrersList::default()),
        };
        let statuses = wanted.iter().map(|referrer| match referrer.by {
            Link::Referrers => match &list {
                Ok(list) => self.listed(list, referrer),
                Err(error) => Err(error.clone()),
            },
            Link::Index if self.lists_attestation(referrer) => match self.read(referrer)? {
                Some(_) => Ok(ReferrerStatus::ARRIVED),
                None => Ok(ReferrerStatus::Lost),
            },
            Link::Index => Ok(self.unlisted(
                referrer,
                "not listed: push the index with its attestations, not the attestation alone",
            )),
            Link::Sig | Link::Att | Link::Sbom => self.tagged(subject, referrer),
        });
        statuses.collect()
    }

    fn list(&self, subject: &Digest) -> Result<ReferrersList, Error> {
        let side = Side::Destination;
        let list = self
            .client
            .listed(side, &self.repository, subject, &self.log)?;
        if let Some(damage) = &list.damage {
            self.log.warn(format!(
                "{damage}; some clients cannot read this list of referrers"
            ));
        }
        Ok(list)
    }

    /// The status of a referrer that must be in this list.
    fn listed(&self, list: &ReferrersList, referrer: &Referrer) -> Result<ReferrerStatus, Error> {
        let mut entries = list.entries.iter();
        let Some(entry) = entries.find(|entry| entry.digest == referrer.digest) else {
            // The damaged entry may be this referrer.
            if let Some(damage) = &list.damage {
                return Err(damage.clone());
            }
            let remedy = match list.is_tagged {
                true => "not listed: push the list, not the signature",
                false => "not listed: push it again, so that the registry lists it",
            };
            return Ok(self.unlisted(referrer, remedy));
        };
        let Some(read) = self.read(referrer)? else {
            return Ok(ReferrerStatus::Lost);
        };
        Ok(ReferrerStatus::Arrived {
            wrong_size: entry
                .size
                .zip(read.size)
                .filter(|(listed, received)| listed != received),
            hidden_type: hidden_type(list, entry, read.artifact_type),
        })
    }

    /// Reads a referrer's manifest; `None`: it does not exist.
    fn read(&self, referrer: &Referrer) -> Result<Option<ReadReferrer>, Error> {
        let (side, repository, digest) = (Side::Destination, &self.repository, &referrer.digest);
        // Docker Hub counts GETs as pulls, not HEADs; other registries confirm with HEAD manifests that a GET
        // does not find.
        if repository.registry == DOCKER_HUB {
            let there = self
                .client
                .has_manifest(side, repository, digest, &self.log)?;
            let artifact_type = Some(referrer.artifact_type.clone());
            return Ok(there.then(|| ReadReferrer {
                size: None,
                artifact_type: artifact_type.filter(|name| !name.is_empty()),
            }));
        }
        match self.client.referrer(side, repository, digest, &self.log) {
            Ok(manifest) => Ok(Some(ReadReferrer {
                size: Some(manifest.size),
                artifact_type: manifest.artifact_type,
            })),
            Err(Error::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The status of a referrer that no list contains.
    fn unlisted(&self, referrer: &Referrer, remedy: &'static str) -> ReferrerStatus {
        match self.read(referrer) {
            Ok(Some(_)) => ReferrerStatus::Unlisted(remedy),
            // An error makes no difference: clients do not find it.
            Ok(None) | Err(_) => ReferrerStatus::Missing,
        }
    }

    fn lists_attestation(&self, referrer: &Referrer) -> bool {
        let mut listed = self.attestations.iter();
        listed.any(|other| other.subject == referrer.subject && other.digest == referrer.digest)
    }

    fn tagged(&self, subject: &Digest, referrer: &Referrer) -> Result<ReferrerStatus, Error> {
        let (side, repository) = (Side::Destination, &self.repository);
        let tagged = self
            .client
            .tagged(side, repository, subject, referrer.by, &self.log)?;
        Ok(match tagged {
            None => self.unlisted(referrer, "without its tag: push the tag"),
            Some(digest) if digest == referrer.digest => ReferrerStatus::ARRIVED,
            Some(digest) => ReferrerStatus::Other(digest),
        })
    }
}

/// A referrer's manifest at the destination.
struct ReadReferrer {
    /// Its length in bytes; `None`: it was not read.
    size: Option<u64>,
    artifact_type: Option<String>,
}

/// The artifact type of a manifest, if the list under a tag lacks it. Lists of the referrers API come from
/// the manifests.
fn hidden_type(
    list: &ReferrersList,
    entry: &ListedReferrer,
    artifact_type: Option<String>,
) -> Option<String> {
    artifact_type.filter(|artifact_type| {
        list.is_tagged && entry.artifact_type.as_ref() != Some(artifact_type)
    })
}
