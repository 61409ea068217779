//! What differs between two lists of images, one line for each platform that does, so that nobody
//! has to compare two JSON blocks by eye.

use crate::manifest::Spec;

/// The differing images of both sides in words; none where the sides are equal as multisets.
pub fn explain(source: &[Spec], destination: &[Spec]) -> Vec<String> {
    let mut there: Vec<&Spec> = destination.iter().collect();
    let mut differing: Vec<&Spec> = source.iter().collect();
    // Equal ones first, so that none of them is taken for another's counterpart.
    differing.retain(|spec| {
        take(&mut there, |other| {
            same_digest(spec, other) && same_platform(spec, other)
        })
        .is_none()
    });
    let mut lines = Vec::new();
    for spec in differing {
        if let Some(other) = take(&mut there, |other| same_platform(spec, other)) {
            lines.push(format!(
                "{}: other digest: source {}, destination {}",
                spec.platform, spec.digest, other.digest
            ));
        } else if let Some(other) = take(&mut there, |other| same_digest(spec, other)) {
            lines.push(format!("{}: {}", spec.platform, other_fields(spec, other)));
        } else {
            lines.push(format!(
                "{}: only at the source: {}",
                spec.platform, spec.digest
            ));
        }
    }
    lines.extend(there.iter().map(|spec| {
        format!(
            "{}: only at the destination: {}",
            spec.platform, spec.digest
        )
    }));
    lines
}

/// Takes the first that fits out of the list.
fn take<'a>(specs: &mut Vec<&'a Spec>, fits: impl Fn(&Spec) -> bool) -> Option<&'a Spec> {
    let index = specs.iter().position(|spec| fits(spec))?;
    Some(specs.remove(index))
}

fn same_digest(one: &Spec, other: &Spec) -> bool {
    one.digest == other.digest
}

fn same_platform(one: &Spec, other: &Spec) -> bool {
    one.platform.normalized() == other.platform.normalized()
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
    fn one_too_many_is_told() {
        let a = spec("a", "amd64", "");
        let lines = explain(std::slice::from_ref(&a), &[a.clone(), a.clone()]);
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].starts_with("linux/amd64: only at the destination: sha256:"),
            "{lines:?}"
        );
    }
}
