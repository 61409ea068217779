//! Finds lines with the same destination and different sources.
//!
//! Bounded for lists of any length: the first [`MOST`] destinations are remembered, about 60 bytes
//! each.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::list::{Image, Line, Place};
use crate::sync::Fingerprints;

/// Destinations remembered.
const MOST: usize = 200_000;

#[derive(Debug, Default)]
pub struct Destinations {
    fingerprints: Fingerprints,
    /// Source and place of the first line, by destination.
    known: HashMap<u128, (u128, Place)>,
}

impl Destinations {
    /// Adds the destination of a line; returns a warning if an earlier line has another source for it.
    pub fn add(&mut self, line: &Line, image: &Image) -> Option<String> {
        let destination = (&image.destination, &image.destination_reference);
        let destination = self.fingerprints.of(&destination);
        // A tag, and the same tag with a digest, are the same source.
        let reference = match image.pinned() {
            Some(_) => &image.destination_reference,
            None => &image.source_reference,
        };
        let source = self.fingerprints.of(&(&image.source, reference));
        let has_room = self.known.len() < MOST;
        match self.known.entry(destination) {
            Entry::Occupied(known) if known.get().0 != source => Some(format!(
                "{} and {} have the same destination [{}] but different sources, so at most one of them can pass; use -d REG/{{registry}}/{{path}} to separate the source registries",
                known.get().1,
                line.place,
                image.destination_name()
            )),
            Entry::Vacant(entry) if has_room => {
                entry.insert((source, line.place.clone()));
                None
            }
            Entry::Occupied(_) | Entry::Vacant(_) => None,
        }
    }
}
