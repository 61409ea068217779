//! Counts by registry and reason code, for the HTML and Markdown reports.

use std::collections::BTreeMap;

use super::object::word;
use crate::output::{Counts, LineResult};
use crate::task::TaskWording;

/// Registries counted separately; a list can name millions.
const MAX_REGISTRIES: usize = 500;

/// Images by registry.
#[derive(Default)]
pub struct Tally {
    pub registries: BTreeMap<String, Row>,
}

#[derive(Default)]
pub struct Row {
    pub counts: Counts,
    /// By reason code.
    pub reasons: BTreeMap<String, u64>,
}

impl Tally {
    /// `words`: of the task. Where nothing is compared, the sources' registries are counted.
    pub fn add(&mut self, entry: &LineResult<'_>, words: &TaskWording) {
        let registry = match entry.image {
            Some(image) if words.compares => image.image.destination.registry.as_str(),
            Some(image) => image.image.source.registry.as_str(),
            None => "(no image)",
        };
        let is_full = self.registries.len() >= MAX_REGISTRIES;
        let name = if is_full && !self.registries.contains_key(registry) {
            "(other registries)"
        } else {
            registry
        };
        let row = self.registries.entry(name.to_owned()).or_default();
        row.counts.add(&entry.finding.outcome);
        if let Some(reason) = entry.finding.outcome.reason() {
            *row.reasons.entry(word(&reason.code)).or_default() += 1;
        }
    }

    /// Removes the images that did not pass.
    pub fn forget_unsettled(&mut self) {
        for row in self.registries.values_mut() {
            row.counts.forget_unsettled();
            row.reasons.clear();
        }
    }

    /// Counts by reason code for all registries, the most frequent first.
    pub fn reasons(&self) -> Vec<(String, u64)> {
        let mut all: BTreeMap<&str, u64> = BTreeMap::new();
        for (reason, count) in self.registries.values().flat_map(|row| &row.reasons) {
            *all.entry(reason).or_default() += count;
        }
        let mut all: Vec<_> = all.into_iter().map(|(r, n)| (r.to_owned(), n)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}
