//! Format of a recording: one JSON document with one source per line of text, and a checksum of these
//! lines.

use std::collections::BTreeSet;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::manifest::{Algorithm, Digest, Hasher, MediaType, Referrer, Spec};

/// The field `format`.
pub const FORMAT: &str = "image-tools recording";

/// The field `version`.
pub const VERSION: u64 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Resolved name with tag or digest.
    pub source: String,
    /// Media type of the manifest.
    #[serde(rename = "mediaType")]
    pub media_type: MediaType,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Size of the manifest in bytes.
    pub size: u64,
    /// Images of all platforms, in the order of the source; absent for an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<Spec>>,
    /// Referrers of the source and its images; absent without `--referrers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrers: Option<Vec<Referrer>>,
}

impl Source {
    /// The line of the recording, without its line feed.
    pub fn to_line(&self) -> Vec<u8> {
        // Serialising strings and numbers to memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The text before the sources; `missing`: names of sources that could not be read.
pub fn header(missing: &BTreeSet<String>) -> String {
    format!(
        "{{\n\"format\": {},\n\"version\": {VERSION},\n\"recorded\": {},\n\"tool\": {},\n\"missing\": {},\n\"sources\": [\n",
        json!(FORMAT),
        json!(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)),
        json!(concat!("image-tools ", env!("CARGO_PKG_VERSION"))),
        json!(missing),
    )
}

/// The text after the sources.
pub fn footer(checksum: &Digest) -> String {
    format!("],\n\"checksum\": {}\n}}\n", json!(checksum))
}

/// sha256 of the lines of the sources, each with a line feed.
pub(super) fn checksum(sources: &[Source]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for source in sources {
        hasher.update(&source.to_line());
        hasher.update(b"\n");
    }
    hasher.finish()
}
