//! Compares the two sides of an image with pure functions, without network access.
//!
//! The messages in this file are an interface: users' scripts search for them in the spelling of
//! image-tools 1.3.0 ("unknow", "does not exists").

use std::collections::HashSet;

use indicatif::HumanCount;
use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use super::difference::differences;
use super::reasons::Names;
use crate::manifest::{Digest, Manifest, Normalized, Platform, Spec, distinct};
use crate::verdict::{Code, Reason};

/// Entries per side in the log.
const MOST_SHOWN: usize = 100;

/// The source, reduced to the validated platforms.
#[derive(Clone, Debug)]
pub enum Source {
    /// Entries of an index.
    Index(Vec<Spec>),
    /// An image.
    Image(Spec),
    /// A schema 1 image, which mirroring converts.
    Schema1(Spec),
}

impl Source {
    pub fn specs(&self) -> &[Spec] {
        match self {
            Self::Index(specs) => specs,
            Self::Image(spec) | Self::Schema1(spec) => std::slice::from_ref(spec),
        }
    }
}

/// Compares the source with the destination's images, without attestations.
///
/// # Errors
/// The first difference.
pub fn compare(source: &Source, destination: &[Spec], names: Names<'_>) -> Result<(), Reason> {
    let destination = distinct(destination.to_vec());
    match source {
        Source::Index(specs) => compare_sets(specs, &destination, names),
        Source::Image(spec) => {
            let only = only_one(&destination)?;
            differs("digest", spec.digest.as_str(), only.digest.as_str())?;
            compare_platform(&spec.platform, &only.platform)
        }
        Source::Schema1(spec) => {
            let only = only_one(&destination)?;
            compare_platform(&spec.platform, &only.platform)
        }
    }
}

/// Compares the images of two indexes as sets. An empty comparison never passes.
fn compare_sets(source: &[Spec], destination: &[Spec], names: Names<'_>) -> Result<(), Reason> {
    if !source.is_empty() && keys(source) == keys(destination) {
        return Ok(());
    }
    let message = format!(
        "source manifest \"{}\" != dest \"{}\", tag \"{}\"",
        names.source, names.destination, names.tag
    );
    Err(Reason {
        sides: vec![
            format!("srcSpec: {}", json(source)),
            format!("dstSpec: {}", json(destination)),
        ],
        details: differences(source, destination)
            .iter()
            .map(ToString::to_string)
            .collect(),
        ..Reason::new(Code::IndexDiffers, message)
    })
}

fn keys(specs: &[Spec]) -> HashSet<(&Digest, Normalized)> {
    specs.iter().map(Spec::key).collect()
}

/// Compares a manifest that is not an image, by digest.
///
/// # Errors
/// The digests differ.
pub fn compare_artifact(source: &Digest, destination: &Manifest) -> Result<(), Reason> {
    differs("digest", source.as_str(), destination.digest.as_str())
}

fn only_one(destination: &[Spec]) -> Result<&Spec, Reason> {
    match destination {
        [only] => Ok(only),
        _ => Err(Reason::new(
            Code::DestinationNotSingle,
            "destination manifest list length should be 1".to_owned(),
        )),
    }
}

fn compare_platform(source: &Platform, destination: &Platform) -> Result<(), Reason> {
    let (left, right) = (source.normalized(), destination.normalized());
    for (name, equal, source, destination) in [
        (
            "arch",
            left.architecture == right.architecture,
            &source.architecture,
            &destination.architecture,
        ),
        ("os", left.os == right.os, &source.os, &destination.os),
        (
            "Variant",
            left.variant == right.variant,
            &source.variant,
            &destination.variant,
        ),
    ] {
        if !equal {
            differs(name, source, destination)?;
        }
    }
    if !destination.os_version.is_empty() && destination.os_version != source.os_version {
        return Err(Reason::new(
            Code::PlatformDiffers,
            format!(
                "dest os.version is {:?}, should be empty",
                destination.os_version
            ),
        ));
    }
    if !right.os_features.is_empty() && right.os_features != left.os_features {
        return Err(Reason::new(
            Code::PlatformDiffers,
            format!(
                "dest os.features is {:?}, should be {}",
                right.os_features,
                if left.os_features.is_empty() {
                    "empty".to_owned()
                } else {
                    format!("{:?}", left.os_features)
                }
            ),
        ));
    }
    Ok(())
}

fn differs(name: &str, source: &str, destination: &str) -> Result<(), Reason> {
    if source == destination {
        return Ok(());
    }
    let code = if name == "digest" {
        Code::DigestDiffers
    } else {
        Code::PlatformDiffers
    };
    Err(Reason::new(
        code,
        format!("source {name} {source:?} != dest {name} {destination:?}"),
    ))
}

/// JSON as image-tools 1.3.0 prints it, indented by four blanks; a long list is cut.
fn json(specs: &[Spec]) -> String {
    let left_out = specs.len().saturating_sub(MOST_SHOWN);
    let specs = &specs[..specs.len() - left_out];
    let mut out = Vec::new();
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    // Serialising strings to memory cannot fail.
    let _ = specs.serialize(&mut serializer);
    let mut text = String::from_utf8_lossy(&out).into_owned();
    if left_out > 0 {
        text += &format!(
            "\n… and {} more entries; use --report to see all of them",
            HumanCount(left_out as u64)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: Names<'_> = Names {
        source: "docker.io/x",
        destination: "reg.io/library/x",
        full_destination: "reg.io/library/x:latest",
        tag: "latest",
    };

    fn spec(content: &str, architecture: &str, variant: &str) -> Spec {
        Spec {
            digest: Digest::of(content.as_bytes()),
            platform: Platform {
                architecture: architecture.into(),
                os: "linux".into(),
                variant: variant.into(),
                ..Platform::default()
            },
        }
    }

    fn compared(source: &Source, destination: &[Spec]) -> Result<(), Reason> {
        compare(source, destination, NAMES)
    }

    fn reason(source: &Source, destination: &[Spec]) -> String {
        compared(source, destination)
            .expect_err("a difference")
            .message
    }

    #[test]
    fn an_index_is_a_set_of_images() {
        let (a, b) = (spec("a", "amd64", ""), spec("b", "arm64", "v8"));
        let source = Source::Index(vec![a.clone(), b.clone()]);
        for destination in [
            vec![spec("b", "arm64", ""), a.clone()],
            vec![a.clone(), b.clone(), spec("b", "arm64", "")],
        ] {
            assert_eq!(compared(&source, &destination), Ok(()));
        }
        let expected =
            "source manifest \"docker.io/x\" != dest \"reg.io/library/x\", tag \"latest\"";
        for destination in [
            vec![a.clone()],
            vec![],
            vec![a.clone(), b.clone(), spec("c", "arm64", "")],
            vec![a.clone(), spec("c", "arm64", "")],
            vec![a.clone(), spec("b", "arm64", "v9")],
            vec![a.clone(), spec("b", "aarch64", "")],
            vec![a.clone(), b.clone(), spec("x", "", "")],
        ] {
            assert_eq!(reason(&source, &destination), expected);
        }
    }

    #[test]
    fn entries_that_differ_only_in_os_features_are_different() {
        let with = |features: &[&str]| {
            let mut spec = spec("a", "amd64", "");
            spec.platform.os_features = features.iter().map(|f| (*f).to_owned()).collect();
            spec
        };
        let source = Source::Index(vec![with(&["x", "y"])]);
        assert_eq!(compared(&source, &[with(&["y", "x", "y"])]), Ok(()));
        assert!(compared(&source, &[with(&["x"])]).is_err());
        let single = Source::Image(with(&[]));
        assert_eq!(
            reason(&single, &[with(&["x"])]),
            "dest os.features is [\"x\"], should be empty"
        );
    }

    #[test]
    fn a_mismatch_shows_both_sides_whole() {
        let source = Source::Index(vec![spec("a", "arm", "v7")]);
        let mismatch = compared(&source, &[]).expect_err("a difference");
        let digest = Digest::of(b"a");
        let expected = format!(
            "srcSpec: [\n    {{\n        \"digest\": \"{digest}\",\n        \"platform\": {{\n            \"architecture\": \"arm\",\n            \"os\": \"linux\",\n            \"variant\": \"v7\"\n        }}\n    }}\n]"
        );
        assert_eq!(mismatch.sides, [expected, "dstSpec: []".to_owned()]);
        assert_eq!(
            mismatch.details,
            [format!("linux/arm/v7: only at the source: {digest}")]
        );
    }

    #[test]
    fn of_a_long_side_the_log_shows_the_beginning() {
        let specs = |count: usize| -> Vec<Spec> {
            let names = (0..count).map(|number| number.to_string());
            names.map(|name| spec(&name, "amd64", "")).collect()
        };
        assert!(json(&specs(MOST_SHOWN)).ends_with(']'));
        let text = json(&specs(MOST_SHOWN + 7));
        assert_eq!(text.matches("digest").count(), MOST_SHOWN);
        assert!(text.ends_with("]\n… and 7 more entries; use --report to see all of them"));
    }

    #[test]
    fn an_empty_comparison_never_passes() {
        assert!(compared(&Source::Index(vec![]), &[]).is_err());
    }

    #[test]
    fn an_image_needs_a_list_of_exactly_one() {
        let a = spec("a", "amd64", "");
        let source = Source::Image(a.clone());
        assert_eq!(compared(&source, &[a.clone(), a.clone()]), Ok(()));
        for destination in [vec![], vec![a.clone(), spec("b", "amd64", "")]] {
            assert_eq!(
                reason(&source, &destination),
                "destination manifest list length should be 1"
            );
        }
    }

    #[test]
    fn the_first_difference_of_an_image_wins() {
        let a = spec("a", "arm", "v7");
        let source = Source::Image(a.clone());
        let with = |change: &dyn Fn(&mut Platform)| {
            let mut changed = a.clone();
            change(&mut changed.platform);
            changed
        };
        let other = spec("b", "arm", "v7");
        assert_eq!(
            reason(&source, std::slice::from_ref(&other)),
            format!(
                "source digest \"{}\" != dest digest \"{}\"",
                a.digest, other.digest
            )
        );
        for (destination, expected) in [
            (
                with(&|p| p.architecture = "amd64".into()),
                "source arch \"arm\" != dest arch \"amd64\"",
            ),
            (
                with(&|p| p.os = "windows".into()),
                "source os \"linux\" != dest os \"windows\"",
            ),
            (
                with(&|p| p.variant = "v6".into()),
                "source Variant \"v7\" != dest Variant \"v6\"",
            ),
            (
                with(&|p| p.os_version = "10".into()),
                "dest os.version is \"10\", should be empty",
            ),
        ] {
            assert_eq!(reason(&source, &[destination]), expected);
        }
    }

    #[test]
    fn the_destination_may_omit_the_source_s_os_version() {
        let mut a = spec("a", "amd64", "");
        a.platform.os_version = "10.0".into();
        let mut without = a.clone();
        without.platform.os_version.clear();
        let source = Source::Image(a.clone());
        assert!(compared(&source, &[a]).is_ok());
        assert!(compared(&source, &[without]).is_ok());
    }

    #[test]
    fn schema_1_is_compared_without_its_digest() {
        let source = Source::Schema1(spec("a", "amd64", ""));
        assert!(compared(&source, &[spec("converted", "amd64", "")]).is_ok());
        assert_eq!(
            reason(&source, &[spec("b", "arm64", "")]),
            "source arch \"amd64\" != dest arch \"arm64\""
        );
        assert_eq!(
            reason(&source, &[]),
            "destination manifest list length should be 1"
        );
    }

    fn any_spec() -> impl Strategy<Value = Spec> {
        let architecture = prop_oneof![Just("amd64"), Just("arm64"), Just("arm"), Just("")];
        let variant = prop_oneof![Just(""), Just("v7"), Just("v8")];
        ("[ab]", architecture, variant)
            .prop_map(|(content, architecture, variant)| spec(&content, architecture, variant))
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter_and_the_sides_can_change_places(
            one in prop::collection::vec(any_spec(), 0..5),
            other in prop::collection::vec(any_spec(), 0..5),
        ) {
            let (one, other) = (distinct(one), distinct(other));
            let passes = |source: &[Spec], destination: &[Spec]| {
                compared(&Source::Index(source.to_vec()), destination).is_ok()
            };
            let reversed: Vec<Spec> = other.iter().rev().cloned().collect();
            prop_assert_eq!(passes(&one, &other), passes(&one, &reversed));
            prop_assert_eq!(passes(&one, &other), passes(&other, &one));
            let is_same = one.len() == other.len() && keys(&one).is_subset(&keys(&other));
            prop_assert_eq!(passes(&one, &other), is_same && !one.is_empty());
        }
    }
}
