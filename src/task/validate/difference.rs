//! The differences between two lists of images, one line per platform, in linear time: each list may have
//! 10,000 entries.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;

use crate::manifest::{Normalized, Spec};

/// A difference between two lists of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference<'a> {
    /// Same platform, different digests.
    OtherDigest {
        source: &'a Spec,
        destination: &'a Spec,
    },
    /// Same digest, different platforms.
    OtherPlatform {
        source: &'a Spec,
        destination: &'a Spec,
    },
    /// The destination has neither digest nor platform.
    OnlySource(&'a Spec),
    /// The source has neither digest nor platform.
    OnlyDestination(&'a Spec),
}

impl<'a> Difference<'a> {
    /// The entries of the source and of the destination.
    pub fn sides(&self) -> (Option<&'a Spec>, Option<&'a Spec>) {
        match *self {
            Self::OtherDigest {
                source,
                destination,
            }
            | Self::OtherPlatform {
                source,
                destination,
            } => (Some(source), Some(destination)),
            Self::OnlySource(source) => (Some(source), None),
            Self::OnlyDestination(destination) => (None, Some(destination)),
        }
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherDigest {
                source,
                destination,
            } => write!(
                f,
                "{}: other digest: source {}, destination {}",
                source.platform, source.digest, destination.digest
            ),
            Self::OtherPlatform {
                source,
                destination,
            } => write!(
                f,
                "{}: {}",
                source.platform,
                other_fields(source, destination)
            ),
            Self::OnlySource(spec) => {
                write!(f, "{}: only at the source: {}", spec.platform, spec.digest)
            }
            Self::OnlyDestination(spec) => write!(
                f,
                "{}: only at the destination: {}",
                spec.platform, spec.digest
            ),
        }
    }
}

/// The differences; none if both sides are equal as multisets.
pub fn differences<'a>(source: &'a [Spec], destination: &'a [Spec]) -> Vec<Difference<'a>> {
    let mut left = UnmatchedEntries {
        taken: vec![false; destination.len()],
    };
    let mut equal = by(destination.iter().map(Spec::key));
    // Equal entries first, so that none of them becomes the counterpart of a different entry.
    let differing: Vec<&Spec> = source
        .iter()
        .filter(|spec| left.take(&mut equal, &spec.key()).is_none())
        .collect();
    let mut by_platform = by(destination.iter().map(platform));
    let mut by_digest = by(destination.iter().map(|spec| &spec.digest));
    let mut found = Vec::new();
    for source in differing {
        found.push(
            if let Some(index) = left.take(&mut by_platform, &platform(source)) {
                let destination = &destination[index];
                Difference::OtherDigest {
                    source,
                    destination,
                }
            } else if let Some(index) = left.take(&mut by_digest, &&source.digest) {
                let destination = &destination[index];
                Difference::OtherPlatform {
                    source,
                    destination,
                }
            } else {
                Difference::OnlySource(source)
            },
        );
    }
    let rest = destination.iter().zip(&left.taken);
    found.extend(
        rest.filter(|(_, taken)| !**taken)
            .map(|(spec, _)| Difference::OnlyDestination(spec)),
    );
    found
}

/// The entries of the destination that have no counterpart yet.
struct UnmatchedEntries {
    taken: Vec<bool>,
}

impl UnmatchedEntries {
    /// Takes the first entry with this key.
    fn take<K: Eq + Hash>(
        &mut self,
        entries: &mut HashMap<K, VecDeque<usize>>,
        key: &K,
    ) -> Option<usize> {
        let places = entries.get_mut(key)?;
        while let Some(index) = places.pop_front() {
            if !std::mem::replace(&mut self.taken[index], true) {
                return Some(index);
            }
        }
        None
    }
}

/// The indexes of the entries with each key, in ascending order.
fn by<K: Eq + Hash>(keys: impl Iterator<Item = K>) -> HashMap<K, VecDeque<usize>> {
    let mut places: HashMap<K, VecDeque<usize>> = HashMap::new();
    for (index, key) in keys.enumerate() {
        places.entry(key).or_default().push_back(index);
    }
    places
}

fn platform(spec: &Spec) -> Normalized {
    spec.platform.normalized()
}

/// The platform fields in which two entries for the same image differ.
fn other_fields(source: &Spec, destination: &Spec) -> String {
    let (left, right) = (
        source.platform.normalized(),
        destination.platform.normalized(),
    );
    [
        ("architecture", left.architecture, right.architecture),
        ("os", left.os, right.os),
        ("variant", left.variant, right.variant),
        ("os.version", left.os_version, right.os_version),
        (
            "os.features",
            left.os_features.join(","),
            right.os_features.join(","),
        ),
    ]
    .into_iter()
    .filter(|(_, left, right)| left != right)
    .map(|(name, left, right)| format!("other {name}: source {left:?}, destination {right:?}"))
    .collect::<Vec<_>>()
    .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Digest, Platform};

    fn explain(source: &[Spec], destination: &[Spec]) -> Vec<String> {
        let found = differences(source, destination);
        found.iter().map(ToString::to_string).collect()
    }

    fn spec(content: &str, architecture: &str, variant: &str) -> Spec {
        let platform = Platform {
            architecture: architecture.into(),
            os: "linux".into(),
            variant: variant.into(),
            ..Platform::default()
        };
        Spec {
            digest: Digest::of(content.as_bytes()),
            platform,
        }
    }

    #[test]
    fn every_kind_of_difference_has_its_words() {
        let source = [
            spec("a", "amd64", ""),
            spec("b", "arm64", "v8"),
            spec("c", "arm", "v7"),
            spec("d", "s390x", ""),
        ];
        let destination = [
            spec("c", "arm", "v6"),
            spec("x", "arm64", ""),
            spec("e", "ppc64le", ""),
            spec("a", "amd64", ""),
        ];
        let digest = |content: &str| Digest::of(content.as_bytes());
        assert_eq!(
            explain(&source, &destination),
            [
                format!(
                    "linux/arm64/v8: other digest: source {}, destination {}",
                    digest("b"),
                    digest("x")
                ),
                "linux/arm/v7: other variant: source \"v7\", destination \"v6\"".to_owned(),
                format!("linux/s390x: only at the source: {}", digest("d")),
                format!("linux/ppc64le: only at the destination: {}", digest("e")),
            ]
        );
        assert!(explain(&source, &source).is_empty());
    }

    #[test]
    fn an_additional_entry_is_reported() {
        let a = spec("a", "amd64", "");
        let lines = explain(std::slice::from_ref(&a), &[a.clone(), a.clone()]);
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].starts_with("linux/amd64: only at the destination: sha256:"),
            "{lines:?}"
        );
    }

    #[test]
    fn thousands_that_have_nothing_in_common_are_compared_in_linear_time() {
        let specs = |from: usize| -> Vec<Spec> {
            (from..from + 10_000)
                .map(|number| spec(&number.to_string(), &format!("arch{number}"), ""))
                .collect()
        };
        let (source, destination) = (specs(0), specs(10_000));
        let begun = std::time::Instant::now();
        assert_eq!(differences(&source, &destination).len(), 20_000);
        // 300 times the usual time; a quadratic comparison takes longer.
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }
}
