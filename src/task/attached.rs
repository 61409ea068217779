//! Referrers of a source: signatures, SBOMs and attestations, as its registry lists them.

use std::collections::HashSet;
use std::sync::Arc;

use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Digest, Referrer};
use crate::registry::{Client, Side};
use crate::sync::fan_out;
use crate::verdict::Reason;

/// The referrers of these manifests at the source, with the attestations that its index lists, in a
/// fixed order.
///
/// # Errors
/// The reason why the referrers of one of them cannot be listed.
pub fn attached(
    client: &Arc<Client>,
    image: &Image,
    subjects: &[Digest],
    attestations: Vec<Referrer>,
    log: &Log,
) -> Result<Vec<Referrer>, Reason> {
    let (client, repository, log) = (client.clone(), image.source.clone(), log.clone());
    let lists = fan_out(subjects.to_vec(), move |subject| {
        client.referrers(Side::Source, &repository, subject, &log)
    });
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
