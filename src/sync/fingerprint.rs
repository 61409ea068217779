//! Fingerprints: short keys for large values in tables of millions.

use std::hash::{BuildHasher as _, Hash, RandomState};

/// Computes 128-bit fingerprints with random keys per run, so that collisions are practically
/// impossible.
#[derive(Debug, Default)]
pub struct Fingerprints([RandomState; 2]);

impl Fingerprints {
    pub fn of(&self, thing: &impl Hash) -> u128 {
        let [high, low] = self
            .0
            .each_ref()
            .map(|hasher| u128::from(hasher.hash_one(thing)));
        high << 64 | low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_fingerprints_and_others_do_not() {
        let fingerprints = Fingerprints::default();
        assert_eq!(fingerprints.of(&"a"), fingerprints.of(&"a"));
        assert_ne!(fingerprints.of(&"a"), fingerprints.of(&"b"));
        assert_ne!(fingerprints.of(&"a"), Fingerprints::default().of(&"a"));
    }
}
