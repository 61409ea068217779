//! Cache of the sources, so that a source with several destinations is read once.
//!
//! Memory is bounded: the last [`MOST`] sources are kept. A source that could not be read is not kept,
//! because another attempt may succeed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::source::FoundSource;
use crate::list::Image;
use crate::manifest::Filter;
use crate::sync::{Fingerprints, Flight};
use crate::verdict::Reason;

/// Sources kept; one or two KiB each.
const MOST: usize = 2_000;

/// A source that one thread reads and others may wait for.
type Reading = Arc<Flight<Arc<FoundSource>>>;

/// Shared by all threads.
#[derive(Default)]
pub struct Sources {
    fingerprints: Fingerprints,
    kept: Mutex<KeptReadings>,
}

#[derive(Default)]
struct KeptReadings {
    readings: HashMap<u128, Reading>,
    /// In the order of their first use.
    order: VecDeque<u128>,
}

impl Sources {
    /// Returns the cached source of an image, reduced by this filter, or calls `read`.
    ///
    /// # Errors
    /// Errors of `read`.
    pub fn find(
        &self,
        image: &Image,
        filter: &Filter,
        read: impl FnOnce() -> Result<FoundSource, Reason>,
    ) -> Result<Arc<FoundSource>, Reason> {
        let key = (&image.source, &image.source_reference, filter);
        let reading = self.reading(self.fingerprints.of(&key));
        reading.get(|_| true, || read().map(Arc::new))
    }

    fn reading(&self, key: u128) -> Reading {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = kept.readings.get(&key) {
            return reading.clone();
        }
        if kept.order.len() >= MOST
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.readings.remove(&oldest);
        }
        let reading = Reading::new(Flight::new());
        kept.readings.insert(key, reading.clone());
        kept.order.push_back(key);
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_is_dropped_first() {
        let sources = Sources::default();
        let first = sources.reading(0);
        for key in 1..MOST as u128 {
            sources.reading(key);
        }
        assert!(Arc::ptr_eq(&sources.reading(0), &first));
        sources.reading(MOST as u128);
        assert!(!Arc::ptr_eq(&sources.reading(0), &first));
        let kept = sources.kept.lock().expect("no panic");
        assert_eq!((kept.readings.len(), kept.order.len()), (MOST, MOST));
    }
}
