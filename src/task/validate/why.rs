//! Classifies the difference between two manifests of one platform, from the manifests and configs of both
//! sides. Pure functions, no network.
//!
//! `--accept` lets three classes pass, so these must never hide content: an attacker who can write to the
//! destination chooses every byte of it.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset};

use super::why_config::{self, Config};
use super::why_manifest::{Image, Layer};
use crate::manifest::Digest;
use crate::registry::Side;
use crate::verdict::Class;

/// The class of a difference, with evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classification {
    pub class: Class,
    /// Evidence, in one line.
    pub evidence: String,
    /// Creation dates of the source's and the destination's image.
    pub created: [Option<DateTime<FixedOffset>>; 2],
    /// Layers of the destination that must be unpacked to be verified: only the config names their content.
    pub unverified: Vec<UnverifiedLayer>,
}

/// A layer with another compression than at the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedLayer {
    pub digest: Digest,
    /// Its length in bytes, from its manifest.
    pub size: String,
    /// The digest of its uncompressed content, from the config.
    pub diff_id: String,
}

impl Classification {
    /// A class without dates.
    pub fn new(class: Class, evidence: impl Into<String>) -> Self {
        Self {
            class,
            evidence: evidence.into(),
            created: [None, None],
            unverified: Vec::new(),
        }
    }

    /// None of the known classes.
    pub fn other(evidence: impl Into<String>) -> Self {
        Self::new(Class::Other, evidence)
    }
}

/// Classifies two manifests with different digests. `config` reads the config of one side; its error is a
/// message.
pub fn classify(
    source: &[u8],
    destination: &[u8],
    config: impl Fn(Side, &Digest) -> Result<Vec<u8>, String>,
) -> Classification {
    let read = |name: &str, bytes: &[u8]| {
        Image::read(bytes)
            .map_err(|why| Classification::other(format!("the {name}'s manifest: {why}")))
    };
    let images =
        read("source", source).and_then(|source| Ok((source, read("destination", destination)?)));
    match images {
        Ok((source, destination)) => of_images(&source, &destination, config),
        Err(other) => other,
    }
}

fn of_images(
    source: &Image,
    destination: &Image,
    config: impl Fn(Side, &Digest) -> Result<Vec<u8>, String>,
) -> Classification {
    let same_layers = source.layers.len() == destination.layers.len()
        && source
            .layers
            .iter()
            .zip(&destination.layers)
            .all(|(left, right)| left.digest == right.digest && left.size == right.size);
    let same_config = source.config.digest == destination.config.digest;
    if same_config && source.config.size != destination.config.size {
        return Classification::other("the same config, but the index lists another size");
    }
    if same_layers && same_config {
        return of_same_content(source, destination, "the same config and layers");
    }
    if source.is_artifact || destination.is_artifact {
        return Classification::other("an artifact with different content");
    }
    let read = |side, name: &str, listed: &Layer| {
        let bytes = config(side, &listed.digest).map_err(|why| {
            Classification::other(format!("the {name}'s config could not be read: {why}"))
        })?;
        if bytes.len().to_string() != listed.size {
            return Err(Classification::other(format!(
                "the size of the {name}'s config is not that in its manifest"
            )));
        }
        Config::read(&bytes)
            .map_err(|why| Classification::other(format!("the {name}'s config: {why}")))
    };
    let configs =
        read(Side::Destination, "destination", &destination.config).and_then(|destination| {
            if same_config {
                return Ok((None, destination));
            }
            read(Side::Source, "source", &source.config).map(|own| (Some(own), destination))
        });
    match configs {
        Ok((None, config)) => of_configs(source, destination, [&config, &config], same_layers),
        Ok((Some(own), config)) => of_configs(source, destination, [&own, &config], same_layers),
        Err(other) => other,
    }
}

fn of_configs(
    source: &Image,
    destination: &Image,
    configs: [&Config; 2],
    same_layers: bool,
) -> Classification {
    let [own, theirs] = configs;
    let difference = match own.difference(theirs) {
        Ok(difference) => difference,
        Err(why) => return Classification::other(format!("a config: {why}")),
    };
    let judgement = match (same_layers, difference) {
        (true, None) => of_same_content(
            source,
            destination,
            "the same layers and config; only the JSON of the config differs",
        ),
        (false, None) => of_other_layers(source, destination, &theirs.diff_ids),
        (_, Some(field)) if own.diff_ids == theirs.diff_ids && !own.diff_ids.is_empty() => {
            let layers = if same_layers { "layers" } else { "diff_ids" };
            Classification::new(
                Class::ReCreated,
                format!("the same {layers}, another config: {field}"),
            )
        }
        (_, Some(_)) => by_date(own.created, theirs.created),
    };
    Classification {
        created: [own.created, theirs.created],
        ..judgement
    }
}

/// The class of two manifests that have the same config and layers.
fn of_same_content(source: &Image, destination: &Image, evidence: &str) -> Classification {
    if source.has_same_types(destination) {
        return match source.difference(destination, false) {
            None => Classification::new(
                Class::ReSerialised,
                format!("{evidence}; only the JSON of the manifest differs"),
            ),
            Some(field) => Classification::other(format!("{evidence}, but another {field}")),
        };
    }
    if !source.has_types_of_other_format(destination) {
        return Classification::other(format!("{evidence}, but media types of another meaning"));
    }
    match source.difference(destination, true) {
        None => Classification::new(
            Class::Converted,
            format!(
                "{evidence}; the media types are {} at the source, {} at the destination",
                source.format(),
                destination.format()
            ),
        ),
        Some(field) => Classification::other(format!("{evidence}, but another {field}")),
    }
}

/// The class of two images of one config whose layers differ.
fn of_other_layers(source: &Image, destination: &Image, diff_ids: &[String]) -> Classification {
    let (from, to) = (&source.layers, &destination.layers);
    if from.len() != to.len() || from.len() != diff_ids.len() {
        return Classification::other(format!(
            "the same config for {} layers, but the source has {} layers and the destination {}",
            diff_ids.len(),
            from.len(),
            to.len()
        ));
    }
    if !is_possible(from, to, diff_ids) {
        return Classification::other("the same config, but the layers are in a different order");
    }
    let mut unverified = Vec::new();
    for ((left, right), diff_id) in from.iter().zip(to).zip(diff_ids) {
        if left.digest == right.digest {
            if left.size != right.size || !left.has_type_of_other_format(right) {
                return Classification::other(format!(
                    "the same config, but layer {} has a different size or type",
                    left.digest
                ));
            }
            continue;
        }
        unverified.push(UnverifiedLayer {
            digest: right.digest.clone(),
            size: right.size.clone(),
            diff_id: diff_id.clone(),
        });
        if left.compression().is_none() || right.compression().is_none() {
            return Classification::other(format!(
                "the same config, but layer {} has an unusual media type",
                right.digest
            ));
        }
    }
    if let Some(field) = source.difference(destination, true) {
        return Classification::other(format!(
            "the same config, other layers, and another {field}"
        ));
    }
    if source.canonical_types() != destination.canonical_types() {
        return Classification::other("the same config, but media types with a different meaning");
    }
    let changed = unverified.len();
    Classification {
        unverified,
        ..Classification::new(
            Class::ReCompressed,
            format!(
                "the same config; {changed} of {} layers are compressed differently ({})",
                from.len(),
                compressions(from, to)
            ),
        )
    }
}

/// Whether the layers can have the same content in this order: layers with the same digest must have the
/// same `diff_id`.
fn is_possible(source: &[Layer], destination: &[Layer], diff_ids: &[String]) -> bool {
    let mut known: HashMap<&Digest, &String> = HashMap::new();
    for layers in [source, destination] {
        for (layer, id) in layers.iter().zip(diff_ids) {
            if *known.entry(&layer.digest).or_insert(id) != id {
                return false;
            }
        }
    }
    true
}

/// `gzip at the source, zstd at the destination`.
fn compressions(source: &[Layer], destination: &[Layer]) -> String {
    let of = |layers: &[Layer]| {
        let mut names: Vec<&str> = layers.iter().filter_map(Layer::compression).collect();
        names.sort_unstable();
        names.dedup();
        names.join(" and ")
    };
    format!(
        "{} at the source, {} at the destination",
        of(source),
        of(destination)
    )
}

/// The class of two builds.
fn by_date(
    source: Option<DateTime<FixedOffset>>,
    destination: Option<DateTime<FixedOffset>>,
) -> Classification {
    let (Some(own), Some(theirs)) = (source, destination) else {
        return Classification::other("another image");
    };
    let class = match theirs.cmp(&own) {
        std::cmp::Ordering::Less => Class::Older,
        std::cmp::Ordering::Equal => {
            return Classification::other("another image, of the same date");
        }
        std::cmp::Ordering::Greater => Class::Newer,
    };
    Classification::new(
        class,
        format!(
            "another build: the source's image was created {}, the destination's {}",
            why_config::shown(own),
            why_config::shown(theirs)
        ),
    )
}

#[cfg(test)]
#[cfg(test)]
mod tests;
