//! Reasons of failures.
//!
//! The messages are an interface: users' scripts search for them in the spelling of image-tools 1.3.0
//! ("unknow", "does not exists").

use std::collections::BTreeSet;

use crate::manifest::{Digest, Filter, Spec};
use crate::task::specs::ListedManifest;
use crate::verdict::{Code, Reason};

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

/// The source has platforms, but none is selected.
pub fn nothing_selected(filter: &Filter, available: &BTreeSet<String>) -> Reason {
    let details = if available.is_empty() {
        Vec::new()
    } else {
        let available: Vec<&str> = available.iter().map(String::as_str).collect();
        vec![format!(
            "requested: {filter}; the source has: {}",
            available.join(", ")
        )]
    };
    Reason {
        details,
        ..Reason::new(
            Code::NoPlatform,
            "no image available for specified arch list",
        )
    }
}

/// The source lacks architectures of `-a` (`--require-arch`).
pub fn architecture_missing(absent: &[String]) -> Reason {
    Reason::new(
        Code::NoPlatform,
        format!(
            "the source has no image for {}, which --require-arch requires",
            absent.join(", ")
        ),
    )
}

/// The destination registry returned 404.
pub fn destination_missing(destination: &str) -> Reason {
    Reason::new(
        Code::DestinationMissing,
        format!("[{destination}]: destination manifest does not exists"),
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
pub fn destination_not_an_index(names: Names<'_>, media_type: &str, is_image: bool) -> Reason {
    let hint = "the destination is a single image, as `skopeo copy` without --all and `docker push` create it: use --allow-single to accept it, or copy the whole manifest list (`skopeo copy --all`, `crane copy`, `regctl image copy`)";
    Reason {
        hints: if is_image {
            vec![hint.to_owned()]
        } else {
            Vec::new()
        },
        ..Reason::new(
            Code::DestinationNotAnIndex,
            format!(
                "[{}]: destination manifest MIME type unknow: {media_type}",
                names.full_destination
            ),
        )
    }
}

/// The tag of a pinned image points to another digest, or does not exist.
pub fn tag_differs(names: Names<'_>, pinned: &Digest, found: Option<&Digest>) -> Reason {
    let found = found.map_or_else(
        || "the tag does not exist".to_owned(),
        |found| format!("the tag points to {found}"),
    );
    Reason {
        details: vec![format!("{found}; the digest exists at the destination")],
        ..Reason::new(
            Code::TagDiffers,
            format!(
                "[{}]: destination tag does not lead to {pinned}",
                names.full_destination
            ),
        )
    }
}

/// Listed manifests that the destination lacks, in the order of its index.
pub fn children_missing<'a>(
    names: Names<'_>,
    missing: impl Iterator<Item = (&'a Digest, Option<&'a Spec>)>,
) -> Reason {
    let mut details = Vec::new();
    let mut list = Vec::new();
    for (digest, spec) in missing {
        let platform = spec.filter(|spec| spec.platform.is_known());
        details.push(match platform {
            Some(spec) => format!("{}: not at the destination: {digest}", spec.platform),
            None => format!("not at the destination: {digest}"),
        });
        list.push(format!("docker://{}@{digest}", names.destination));
    }
    Reason {
        details,
        ..Reason::new(
            Code::ImageMissing,
            format!("failed to inspect dest image: [{}]", list.join(" ")),
        )
    }
}

/// Entries of the destination's index with a wrong `size`, each with the received size in bytes.
pub fn wrong_sizes(names: Names<'_>, wrong: &[(&ListedManifest, u64)]) -> Reason {
    let digests: Vec<&str> = wrong
        .iter()
        .map(|(listed, _)| listed.spec.digest.as_str())
        .collect();
    Reason {
        details: wrong
            .iter()
            .map(|(listed, received)| wrong_size(listed, *received))
            .collect(),
        ..Reason::new(
            Code::IndexDamaged,
            format!(
                "[{}]: destination manifest list has a wrong size for {}",
                names.full_destination,
                digests.join(" ")
            ),
        )
    }
}

/// Referrers that the destination lacks, one line each; `count`: all referrers of the source.
pub fn referrers_missing(missing: Vec<String>, count: usize) -> Reason {
    let message = format!(
        "{} of {count} referrers of the source are not at the destination",
        missing.len()
    );
    Reason {
        details: missing,
        ..Reason::new(Code::ReferrerMissing, message)
    }
}

/// Referrers with a wrong `size` in the destination's list, one line each.
pub fn wrong_referrer_sizes(names: Names<'_>, wrong: Vec<(Digest, String)>) -> Reason {
    let digests: Vec<&str> = wrong.iter().map(|(digest, _)| digest.as_str()).collect();
    let message = format!(
        "[{}]: destination list of referrers has a wrong size for {}",
        names.full_destination,
        digests.join(" ")
    );
    Reason {
        details: wrong.into_iter().map(|(_, line)| line).collect(),
        ..Reason::new(Code::IndexDamaged, message)
    }
}

/// One wrong size, in one line.
pub fn wrong_size(listed: &ListedManifest, received: u64) -> String {
    format!(
        "{}: the list has the size {}, but the manifest {} has {received} bytes; containerd cannot pull this image",
        listed.spec.platform,
        listed.size.unwrap_or_default(),
        listed.spec.digest
    )
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

    #[test]
    fn the_strings_are_an_interface() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        for (reason, expected) in [
            (
                nothing_selected(&Filter::new(&["amd64".into()], None), &BTreeSet::new()),
                "no image available for specified arch list".to_owned(),
            ),
            (
                destination_missing(NAMES.full_destination),
                "[reg.io/library/x:latest]: destination manifest does not exists".to_owned(),
            ),
            (
                destination_empty(NAMES),
                "[reg.io/library/x:latest]: destination manifest list is empty".to_owned(),
            ),
            (
                destination_not_an_index(NAMES, "application/x", true),
                "[reg.io/library/x:latest]: destination manifest MIME type unknow: application/x"
                    .to_owned(),
            ),
            (
                tag_differs(NAMES, &a, Some(&b)),
                format!("[reg.io/library/x:latest]: destination tag does not lead to {a}"),
            ),
            (
                children_missing(NAMES, [(&a, None), (&b, None)].into_iter()),
                format!(
                    "failed to inspect dest image: [docker://reg.io/library/x@{a} docker://reg.io/library/x@{b}]"
                ),
            ),
        ] {
            assert_eq!(reason.message, expected);
            assert!(reason.code.is_failure());
        }
    }
}
