//! For tests: manifests that were changed on purpose. Whatever Go's readers see differently in a
//! changed manifest may not be read as the original.

use std::collections::BTreeSet;
use std::mem::discriminant;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::go::{self, Tree};
use super::{Blob, Body, Digest, MediaType, blobs, parse};

/// Numbers that are the same in each run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("below a usize")
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// Manifests of every type, as text.
fn originals() -> Vec<String> {
    let oci_config = "application/vnd.oci.image.config.v1+json";
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    let image = json!({"schemaVersion": 2, "mediaType": MediaType::OciManifest.as_str(),
        "config": {"mediaType": oci_config, "digest": digest("c"), "size": 3},
        "layers": [{"mediaType": layer, "digest": digest("a"), "size": 5, "urls": ["https://x"]},
            {"mediaType": layer, "digest": digest("b"), "size": 6}],
        "annotations": {"x": "y"}});
    let entry = |text: &str, platform: &serde_json::Value| json!({"mediaType": MediaType::OciManifest.as_str(), "digest": digest(text), "size": 7, "platform": platform});
    let mut attestation = entry("t", &json!({"architecture": "unknown", "os": "unknown"}));
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest("a")});
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OciIndex.as_str(), "manifests": [
        entry("a", &json!({"architecture": "amd64", "os": "linux"})),
        entry("b", &json!({"architecture": "arm", "os": "linux", "variant": "v7"})),
        entry("w", &json!({"architecture": "amd64", "os": "windows", "os.version": "10.0", "os.features": ["win32k"]})),
        attestation,
        {"mediaType": MediaType::OciIndex.as_str(), "digest": digest("n"), "size": 9},
    ]});
    let compatibility = json!({"os": "linux", "variant": "v7"}).to_string();
    let schema1 = json!({"schemaVersion": 1, "name": "x", "tag": "1", "architecture": "arm",
        "fsLayers": [{"blobSum": digest("a")}], "history": [{"v1Compatibility": compatibility}]})
    .to_string();
    let head = &schema1[..schema1.len() - 1];
    let protected =
        json!({"formatLength": head.len(), "formatTail": BASE64_URL_SAFE_NO_PAD.encode("}")});
    let protected = BASE64_URL_SAFE_NO_PAD.encode(protected.to_string());
    let signed = format!("{head},\"signatures\":[{{\"protected\":\"{protected}\"}}]}}");
    vec![index.to_string(), image.to_string(), schema1, signed]
}

/// What this program reads.
#[derive(Debug, PartialEq)]
struct ProgramReading {
    body: Body,
    blobs: Option<Vec<Blob>>,
    /// Of a signed manifest, whose digest is not that of its bytes.
    signed: Option<Digest>,
}

fn ours(text: &str) -> Option<ProgramReading> {
    let manifest = parse(text.as_bytes()).ok()?;
    let is_signed = manifest.media_type == MediaType::Schema1Signed;
    Some(ProgramReading {
        signed: is_signed.then_some(manifest.digest),
        body: manifest.body,
        blobs: blobs(text.as_bytes()).ok()?,
    })
}

/// What of it Go's readers see; nothing where they refuse it.
fn theirs(text: &str) -> Option<String> {
    let tree: Tree = serde_json::from_str(text).ok()?;
    let document = go::read(&tree).ok()?;
    let platform = |platform: &go::Platform| {
        let features = platform.os_features.elements().to_vec();
        let go::Platform {
            architecture,
            os,
            variant,
            os_version,
            ..
        } = platform;
        json!([architecture, os, variant, os_version, features])
    };
    let entries: Vec<_> = document
        .manifests
        .elements()
        .iter()
        .map(|entry| {
            let kind = entry.annotations.get("vnd.docker.reference.type");
            let on = entry.platform.as_deref().map(platform);
            let is_unknown = entry
                .platform
                .as_deref()
                .is_some_and(|on| on.architecture == "unknown" && on.os == "unknown");
            let is_attestation = is_unknown && kind == "attestation-manifest";
            let subject = entry.annotations.get("vnd.docker.reference.digest");
            let subject = subject.parse::<Digest>().ok().filter(|_| is_attestation);
            let known = super::ACCEPT
                .contains(&entry.media_type.as_str())
                .then_some(&entry.media_type);
            json!([entry.digest, entry.size, known, on, is_attestation, subject])
        })
        .collect();
    let blob = |layer: &go::Descriptor| {
        let is_elsewhere = !layer.urls.elements().is_empty()
            || layer.media_type.contains(".foreign.")
            || layer.media_type.contains(".nondistributable.");
        (layer.digest.clone(), layer.size, is_elsewhere)
    };
    let all: Vec<_> = document.layers.elements().iter().map(blob).collect();
    let layers: BTreeSet<_> = all.iter().map(|(digest, size, _)| (digest, size)).collect();
    let held: BTreeSet<_> = all
        .iter()
        .filter(|(.., is_elsewhere)| !is_elsewhere)
        .map(|(digest, ..)| digest)
        .collect();
    let sums: BTreeSet<_> = document
        .fs_layers
        .elements()
        .iter()
        .map(|layer| &layer.blob_sum)
        .collect();
    let history = document
        .history
        .elements()
        .first()
        .map(|entry| entry.compatibility.as_str());
    let history = match history {
        None | Some("") => None,
        Some(text) => Some(platform(&go::read_config(text).ok()?)),
    };
    let config = [json!(document.config.digest), json!(document.config.size)];
    Some(
        json!([
            entries,
            config,
            layers,
            held,
            document.architecture,
            sums,
            history
        ])
        .to_string(),
    )
}

fn count(tree: &Tree) -> usize {
    1 + match tree {
        Tree::List(values) => values.iter().map(count).sum(),
        Tree::Object(pairs) => pairs.iter().map(|(_, value)| count(value)).sum(),
        _ => 0,
    }
}

/// The value of this number, counted from the top.
fn nth<'t>(tree: &'t mut Tree, number: &mut usize) -> Option<&'t mut Tree> {
    if *number == 0 {
        return Some(tree);
    }
    *number -= 1;
    match tree {
        Tree::List(values) => values.iter_mut().find_map(|value| nth(value, number)),
        Tree::Object(pairs) => pairs.iter_mut().find_map(|(_, value)| nth(value, number)),
        _ => None,
    }
}

/// The same key for some readers.
fn respelled(key: &str, dice: &mut Dice) -> String {
    if dice.below(3) == 0 {
        return key.to_owned();
    }
    let letter = |c: char, dice: &mut Dice| match (c, dice.below(4)) {
        ('s' | 'S', 0) => '\u{17f}',
        ('k' | 'K', 0) => '\u{212a}',
        (c, 1) => c.to_ascii_uppercase(),
        (c, 2) => c.to_ascii_lowercase(),
        (c, _) => c,
    };
    key.chars().map(|c| letter(c, dice)).collect()
}

/// A value that means something, or nothing, at most places.
fn other_value(dice: &mut Dice) -> Tree {
    let evil = digest("evil");
    let platform = json!({"architecture": "amd64", "os": "windows"});
    let values = [
        json!(null),
        json!(true),
        json!(7),
        json!(1.5),
        json!(""),
        json!("windows"),
        json!("unknown"),
        json!("arm64"),
        json!(MediaType::OciIndex.as_str()),
        json!(evil),
        json!([]),
        json!({}),
        platform.clone(),
        // Of these, a reader that decodes one value over another keeps a part.
        json!({"variant": "v2", "os.version": "9", "os.features": ["a"]}),
        json!({"digest": evil, "size": 7, "urls": ["https://x"], "platform": platform}),
        json!([{"digest": evil, "size": 7}]),
        json!([{"platform": {"variant": "v2"}, "urls": ["https://x"]}, {"platform": platform}]),
        json!([{"v1Compatibility": "{\"os\":\"windows\"}"}]),
    ];
    serde_json::from_value(dice.one_of(&values).clone()).unwrap_or(Tree::Null)
}

/// Changes one thing.
fn mutate(tree: &mut Tree, dice: &mut Dice) {
    let mut number = dice.below(count(tree));
    let Some(value) = nth(tree, &mut number) else {
        return;
    };
    match value {
        Tree::Object(pairs) if !pairs.is_empty() => {
            let at = dice.below(pairs.len());
            let place = dice.below(pairs.len() + 1);
            match dice.below(6) {
                // A second key, before or after the first.
                0 | 1 => {
                    let key = respelled(&pairs[at].0, dice);
                    // Mostly of the same JSON type, which every reader takes.
                    let mut value = other_value(dice);
                    for _ in 0..20 {
                        if discriminant(&value) != discriminant(&pairs[at].1) {
                            value = other_value(dice);
                        }
                    }
                    pairs.insert(place, (key, value));
                }
                2 => pairs[at].0 = respelled(&pairs[at].0, dice),
                3 => pairs[at].1 = other_value(dice),
                4 => {
                    pairs.remove(at);
                }
                _ => {
                    let pair = pairs.remove(at);
                    pairs.insert(place.min(pairs.len()), pair);
                }
            }
        }
        Tree::List(values) if !values.is_empty() => {
            let at = dice.below(values.len());
            match dice.below(4) {
                0 => values.push(values[at].clone()),
                1 => values.insert(at, other_value(dice)),
                2 => {
                    values.remove(at);
                }
                _ => values.reverse(),
            }
        }
        value => *value = other_value(dice),
    }
}

/// One byte is another one, is gone, or is there twice.
fn mutate_text(text: &str, dice: &mut Dice) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = dice.below(bytes.len());
    match dice.below(3) {
        0 => bytes[at] = *dice.one_of(b"{}[]\",:\\ AaSsKk05u"),
        1 => {
            bytes.remove(at);
        }
        _ => bytes.insert(at, bytes[at]),
    }
    String::from_utf8(bytes).ok()
}

#[test]
fn a_mutant_that_go_sees_differently_is_never_read_as_the_original() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut refused, mut same, mut different) = (0, 0, 0);
    for original in originals() {
        let expected = ours(&original).expect("readable");
        let seen = theirs(&original).expect("readable by Go");
        let tree: Tree = serde_json::from_str(&original).expect("JSON");
        for _ in 0..3000 {
            let mutant = if dice.below(5) == 0 {
                mutate_text(&original, &mut dice)
            } else {
                let mut changed = tree.clone();
                for _ in 0..=dice.below(2) {
                    mutate(&mut changed, &mut dice);
                }
                let mut text = String::new();
                changed.write(&mut text);
                Some(text)
            };
            let Some(mutant) = mutant else { continue };
            match (ours(&mutant), theirs(&mutant)) {
                (None, _) => refused += 1,
                (Some(read), Some(theirs)) if read == expected => {
                    assert_eq!(theirs, seen, "{original}\n{mutant}");
                    same += 1;
                }
                // What Go refuses is no other manifest.
                (Some(read), None) if read == expected => {}
                (Some(_), _) => different += 1,
            }
        }
    }
    // Each kind is there in numbers, so that the comparison is one.
    assert!(
        refused > 4000 && same > 400 && different > 1000,
        "{refused} {same} {different}"
    );
}
