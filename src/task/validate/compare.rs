//! Comparing the two sides of an image: pure functions, no network.
//!
//! The strings in this file are an interface: users' scripts search for them, in the spelling of
//! the original ("unknow", "does not exists").

use std::collections::HashMap;

use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use super::difference;
use crate::manifest::{Digest, Filter, Manifest, Normalized, Platform, Spec};
use crate::verdict::{Code, Reason};

/// What the source is, reduced to the validated platforms.
#[derive(Clone, Debug)]
pub enum Source {
    /// An index: these entries of it.
    Index(Vec<Spec>),
    /// An image.
    Image(Spec),
    /// A schema 1 image, which mirroring converts.
    Schema1(Spec),
}

impl Source {
    /// Its images.
    pub fn specs(&self) -> &[Spec] {
        match self {
            Self::Index(specs) => specs,
            Self::Image(spec) | Self::Schema1(spec) => std::slice::from_ref(spec),
        }
    }
}

/// The names of the two sides, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The source without tag.
    pub source: &'a str,
    /// The destination without tag.
    pub destination: &'a str,
    /// The destination with tag or digest.
    pub full_destination: &'a str,
    /// Tag or digest.
    pub tag: &'a str,
}

/// The source has nothing that is validated; `available`: what it has.
pub fn nothing_selected(filter: &Filter, available: &[Spec]) -> Reason {
    let shown = |spec: &Spec| spec.platform.to_string();
    let mut available: Vec<String> = available.iter().map(shown).collect();
    available.sort_unstable();
    available.dedup();
    let details = if available.is_empty() {
        Vec::new()
    } else {
        vec![format!(
            "wanted is {filter}; the source has {}",
            available.join(", ")
        )]
    };
    Reason {
        details,
        ..Reason::new(
            Code::NoPlatform,
            "no image available for specified arch list".to_owned(),
        )
    }
}

/// The destination answers that it has no such manifest.
pub fn destination_missing(names: Names<'_>) -> Reason {
    Reason::new(
        Code::DestinationMissing,
        format!(
            "[{}]: destination manifest does not exists",
            names.full_destination
        ),
    )
}

/// The destination is an index without entries.
pub fn destination_empty(names: Names<'_>) -> Reason {
    Reason::new(
        Code::DestinationEmpty,
        format!(
            "[{}]: destination manifest list is empty",
            names.full_destination
        ),
    )
}

/// The destination is not an index.
pub fn destination_not_an_index(names: Names<'_>, media_type: &str) -> Reason {
    Reason::new(
        Code::DestinationNotAnIndex,
        format!(
            "[{}]: destination manifest MIME type unknow: {media_type}",
            names.full_destination
        ),
    )
}

/// None of these children may be missing, by what the destination answers for each.
///
/// # Errors
/// Those that are.
pub fn refuse_missing<T>(
    names: Names<'_>,
    children: &[Spec],
    answers: &[T],
    is_missing: impl Fn(&T) -> bool,
) -> Result<(), Reason> {
    let answered = children.iter().zip(answers);
    let missing: Vec<Digest> = answered
        .filter(|(_, answer)| is_missing(answer))
        .map(|(spec, _)| spec.digest.clone())
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(children_missing(names, &missing))
    }
}

/// Children that the destination lists but does not have.
pub fn children_missing(names: Names<'_>, missing: &[Digest]) -> Reason {
    let list: Vec<String> = missing
        .iter()
        .map(|digest| format!("docker://{}@{digest}", names.destination))
        .collect();
    Reason::new(
        Code::ImageMissing,
        format!("failed to inspect dest image: [{}]", list.join(" ")),
    )
}

/// Compares the source with the destination's images, attestations left out.
///
/// # Errors
/// The first difference. Without one: the images that really have to be at the destination.
pub fn compare(
    source: &Source,
    destination: &[Spec],
    filter: &Filter,
    names: Names<'_>,
) -> Result<Vec<Spec>, Reason> {
    match source {
        Source::Index(specs) => {
            let selected: Vec<Spec> = destination
                .iter()
                .filter(|spec| filter.selects(&spec.platform))
                .cloned()
                .collect();
            if specs.is_empty() {
                return Err(nothing_selected(filter, &[]));
            }
            if counted(specs) != counted(&selected) {
                return Err(Reason {
                    code: Code::IndexDiffers,
                    sides: vec![
                        format!("srcSpec: {}", json(specs)),
                        format!("dstSpec: {}", json(&selected)),
                    ],
                    details: difference::explain(specs, &selected),
                    message: format!(
                        "source manifest \"{}\" != dest \"{}\", tag \"{}\"",
                        names.source, names.destination, names.tag
                    ),
                });
            }
            Ok(distinct(&selected))
        }
        Source::Image(spec) => {
            let only = only_one(destination)?;
            differs("digest", spec.digest.as_str(), only.digest.as_str())?;
            compare_platform(&spec.platform, &only.platform)?;
            Ok(distinct(destination))
        }
        Source::Schema1(spec) => {
            let only = only_one(destination)?;
            compare_platform(&spec.platform, &only.platform)?;
            Ok(distinct(destination))
        }
    }
}

/// Compares what is no image: it has to be at the destination as it is.
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

/// A multiset: how often each image is there.
fn counted(specs: &[Spec]) -> HashMap<(&Digest, Normalized), usize> {
    let mut counts = HashMap::new();
    for spec in specs {
        *counts
            .entry((&spec.digest, spec.platform.normalized()))
            .or_default() += 1;
    }
    counts
}

/// Each digest once, in the list's order.
fn distinct(specs: &[Spec]) -> Vec<Spec> {
    let mut found: Vec<Spec> = Vec::new();
    for spec in specs {
        if !found.iter().any(|known| known.digest == spec.digest) {
            found.push(spec.clone());
        }
    }
    found
}

/// JSON as the original prints it, indented by four blanks.
fn json(specs: &[Spec]) -> String {
    let mut out = Vec::new();
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    // Strings into memory: neither can fail.
    let _ = specs.serialize(&mut serializer);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn filter() -> Filter {
        Filter::new(&["amd64".into(), "arm64".into(), "arm".into()], None)
    }

    fn compared(source: &Source, destination: &[Spec]) -> Result<Vec<Spec>, Reason> {
        compare(source, destination, &filter(), NAMES)
    }

    fn reason(source: &Source, destination: &[Spec]) -> String {
        compared(source, destination)
            .expect_err("a difference")
            .message
    }

    #[test]
    fn an_index_passes_in_any_order_with_other_architectures_beside() {
        let source = Source::Index(vec![spec("a", "amd64", ""), spec("b", "arm64", "v8")]);
        let destination = [
            spec("b", "arm64", ""),
            spec("s", "s390x", ""),
            spec("a", "amd64", ""),
        ];
        let children = compared(&source, &destination).expect("equal");
        assert_eq!(children, [destination[0].clone(), destination[2].clone()]);
    }

    #[test]
    fn an_index_is_a_multiset() {
        let (a, b) = (spec("a", "amd64", ""), spec("b", "arm64", ""));
        let source = Source::Index(vec![a.clone(), b.clone()]);
        let expected =
            "source manifest \"docker.io/x\" != dest \"reg.io/library/x\", tag \"latest\"";
        for destination in [
            vec![a.clone()],
            vec![],
            vec![a.clone(), b.clone(), b.clone()],
            vec![a.clone(), spec("c", "arm64", "")],
            vec![a.clone(), spec("b", "arm64", "v9")],
        ] {
            assert_eq!(reason(&source, &destination), expected);
        }
        let twice = Source::Index(vec![a.clone(), a.clone()]);
        assert_eq!(
            compared(&twice, &[a.clone(), a.clone()])
                .expect("equal")
                .len(),
            1
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
    fn an_empty_comparison_never_passes() {
        assert_eq!(
            reason(&Source::Index(vec![]), &[]),
            "no image available for specified arch list"
        );
    }

    #[test]
    fn an_image_needs_a_list_of_exactly_one() {
        let a = spec("a", "amd64", "");
        let source = Source::Image(a.clone());
        assert_eq!(
            compared(&source, std::slice::from_ref(&a)).expect("equal"),
            std::slice::from_ref(&a)
        );
        for destination in [vec![], vec![a.clone(), a.clone()]] {
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
    fn the_source_s_own_os_version_may_be_at_the_destination_or_not() {
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

    #[test]
    fn the_strings_are_an_interface() {
        assert_eq!(
            destination_missing(NAMES).message,
            "[reg.io/library/x:latest]: destination manifest does not exists"
        );
        assert_eq!(
            destination_empty(NAMES).message,
            "[reg.io/library/x:latest]: destination manifest list is empty"
        );
        assert_eq!(
            destination_not_an_index(NAMES, "application/x").message,
            "[reg.io/library/x:latest]: destination manifest MIME type unknow: application/x"
        );
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_eq!(
            children_missing(NAMES, &[a.clone(), b.clone()]).message,
            format!(
                "failed to inspect dest image: [docker://reg.io/library/x@{a} docker://reg.io/library/x@{b}]"
            )
        );
    }
}
