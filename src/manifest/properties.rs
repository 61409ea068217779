//! For tests: properties of the reading of indexes.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::go::Tree;
use super::{Body, Digest, Entry, ManifestError, MediaType, Platform, blobs, parse};

fn platform() -> impl Strategy<Value = Platform> {
    let text = || prop_oneof![3 => "[a-z0-9.]{0,8}", 1 => "\\PC{0,6}"];
    let features = proptest::collection::vec("\\PC{0,6}", 0..3);
    (text(), text(), text(), text(), features).prop_map(
        |(architecture, os, variant, os_version, os_features)| Platform {
            architecture,
            os,
            variant,
            os_version,
            os_features,
        },
    )
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let media_type = prop_oneof![
        Just(None),
        Just(Some(MediaType::OciIndex)),
        Just(Some(MediaType::DockerManifest)),
    ];
    let entry = (
        any::<u8>(),
        any::<Option<u32>>(),
        media_type,
        proptest::option::of(platform()),
    );
    let entry = entry.prop_map(|(content, size, media_type, platform)| Entry {
        digest: Digest::of(&[content]),
        size: size.map(u64::from),
        media_type,
        platform,
        is_attestation: false,
        subject: None,
    });
    proptest::collection::vec(entry, 0..6)
}

fn written(entries: &[Entry]) -> Tree {
    let entry = |entry: &Entry| {
        json!({"digest": entry.digest, "size": entry.size, "mediaType": entry.media_type,
            "platform": entry.platform, "annotations": {"x": "y"}, "junk": [{"Digest": 1, "digest": 2}]})
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    let index = json!({"schemaVersion": 2, "manifests": entries, "annotations": null});
    // As text: not every number of a value is one of a tree.
    serde_json::from_str(&index.to_string()).expect("JSON")
}

fn text(tree: &Tree) -> String {
    let mut text = String::new();
    tree.write(&mut text);
    text
}

/// An object that is read: its place, and the keys that are known there.
const OBJECTS: [(&[&str], &[&str]); 4] = [
    (
        &[],
        &[
            "schemaVersion",
            "mediaType",
            "manifests",
            "config",
            "layers",
            "fsLayers",
            "history",
            "signatures",
            "architecture",
            "artifactType",
            "subject",
            "annotations",
        ],
    ),
    (
        &["manifests", "*"],
        &[
            "mediaType",
            "digest",
            "size",
            "platform",
            "annotations",
            "artifactType",
            "urls",
            "data",
        ],
    ),
    (
        &["manifests", "*", "platform"],
        &["architecture", "os", "os.version", "os.features", "variant"],
    ),
    (
        &["manifests", "*", "annotations"],
        &["vnd.docker.reference.type", "vnd.docker.reference.digest"],
    ),
];

/// The object at a place; `*` is one of a list.
fn object<'t>(
    tree: &'t mut Tree,
    place: &[&str],
    one: &Index,
) -> Option<&'t mut Vec<(String, Tree)>> {
    match (tree, place) {
        (Tree::Object(pairs), []) => Some(pairs),
        (Tree::Object(pairs), [key, rest @ ..]) => {
            let (_, value) = pairs.iter_mut().find(|(name, _)| name == key)?;
            object(value, rest, one)
        }
        (Tree::List(values), [_, rest @ ..]) if !values.is_empty() => {
            let at = one.index(values.len());
            object(&mut values[at], rest, one)
        }
        _ => None,
    }
}

/// Every object's keys in another order.
fn shuffle(tree: &mut Tree, by: usize) {
    match tree {
        Tree::List(values) => values.iter_mut().for_each(|value| shuffle(value, by)),
        Tree::Object(pairs) => {
            pairs.iter_mut().for_each(|(_, value)| shuffle(value, by));
            let count = pairs.len().max(1);
            pairs.rotate_left(by % count);
            if by % 2 == 1 {
                pairs.reverse();
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), json in "[{}\\[\\]\":, a-zA-Z0-9]{0,60}") {
        for bytes in [&bytes, json.as_bytes()] {
            let _ = parse(bytes);
            let _ = blobs(bytes);
        }
    }

    #[test]
    fn a_written_index_is_read_as_it_was(entries in entries()) {
        let manifest = parse(text(&written(&entries)).as_bytes()).expect("an index");
        let expected: Vec<_> = entries.into_iter().map(Ok).collect();
        prop_assert_eq!(manifest.body, Body::Index(expected));
    }

    #[test]
    fn the_order_of_keys_does_not_matter(entries in entries(), by in 0_usize..50) {
        let mut tree = written(&entries);
        shuffle(&mut tree, by);
        let expected: Vec<_> = entries.into_iter().map(Ok).collect();
        prop_assert_eq!(parse(text(&tree).as_bytes()).expect("an index").body, Body::Index(expected));
    }

    #[test]
    fn a_known_key_in_another_spelling_is_refused(
        entries in entries(),
        (place, keys) in proptest::sample::select(&OBJECTS[..]),
        (entry, key, letter, at) in any::<(Index, Index, Index, Index)>(),
        value in prop_oneof![Just(json!(null)), Just(json!("x")), Just(json!([])), Just(json!({}))],
    ) {
        let mut tree = written(&entries);
        let Some(pairs) = object(&mut tree, place, &entry) else {
            return Ok(());
        };
        let mut key: Vec<char> = key.get(keys).chars().collect();
        let letters: Vec<usize> = (0..key.len()).filter(|&at| key[at].is_ascii_alphabetic()).collect();
        let changed = *letter.get(&letters);
        key[changed] = match key[changed] {
            's' if at.index(2) == 0 => '\u{17f}',
            'k' if at.index(2) == 0 => '\u{212a}',
            c if c.is_ascii_lowercase() => c.to_ascii_uppercase(),
            c => c.to_ascii_lowercase(),
        };
        let place = at.index(pairs.len() + 1);
        let value = serde_json::from_value(value).expect("JSON");
        pairs.insert(place, (key.into_iter().collect(), value));
        let error = parse(text(&tree).as_bytes()).expect_err("ambiguous");
        prop_assert!(matches!(error, ManifestError::Ambiguous(_)), "{}", error);
    }
}
