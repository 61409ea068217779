//! An image of one side, as compared.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Digest, Normalized, Platform};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub digest: Digest,
    pub platform: Platform,
}

impl Spec {
    /// The identity of an entry in comparisons.
    pub fn key(&self) -> (&Digest, Normalized) {
        (&self.digest, self.platform.normalized())
    }
}

/// Removes entries that are equal in digest and platform.
pub fn distinct(mut specs: Vec<Spec>) -> Vec<Spec> {
    let mut seen = HashSet::with_capacity(specs.len());
    let is_first: Vec<bool> = specs.iter().map(|spec| seen.insert(spec.key())).collect();
    let mut is_first = is_first.into_iter();
    specs.retain(|_| is_first.next().unwrap_or_default());
    specs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_entry_counts_once_and_two_images_of_one_platform_are_two() {
        let spec = |content: &str, variant: &str| Spec {
            digest: Digest::of(content.as_bytes()),
            platform: Platform {
                architecture: "arm64".into(),
                os: "linux".into(),
                variant: variant.into(),
                ..Platform::default()
            },
        };
        let specs = [
            spec("a", ""),
            spec("b", ""),
            spec("a", "v8"),
            spec("a", "v9"),
        ];
        let once = [specs[0].clone(), specs[1].clone(), specs[3].clone()];
        assert_eq!(distinct(specs.to_vec()), once);
    }
}
