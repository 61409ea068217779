//! The format of a recording: one JSON document, one source per line of text, and a checksum over
//! the lines of the sources.

use std::collections::BTreeSet;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::manifest::{Algorithm, Digest, Hasher, MediaType, Referrer, Spec};

/// What the field `format` of every recording says.
pub const FORMAT: &str = "image-tools recording";

/// The version of the format that this program reads and writes.
pub const VERSION: u64 = 1;

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its resolved name with tag or digest.
    pub source: String,
    /// Type of its manifest.
    #[serde(rename = "mediaType")]
    pub media_type: MediaType,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Length of its manifest, in bytes.
    pub size: u64,
    /// Its images, all platforms, in the source's order; absent: it is an artifact, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<Spec>>,
    /// What is attached to it and its images; absent: nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrers: Option<Vec<Referrer>>,
}

impl Source {
    /// The line of a recording that it is: JSON without its line feed.
    pub fn to_line(&self) -> Vec<u8> {
        // Strings and numbers into memory: neither can fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The beginning of a recording, up to its sources; `missing`: names of sources that could not be
/// read.
pub fn header(missing: &BTreeSet<String>) -> String {
    format!(
        "{{\n\"format\": {},\n\"version\": {VERSION},\n\"recorded\": {},\n\"tool\": {},\n\"missing\": {},\n\"sources\": [\n",
        json!(FORMAT),
        json!(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)),
        json!(concat!("image-tools ", env!("CARGO_PKG_VERSION"))),
        json!(missing),
    )
}

/// The end of a recording.
pub fn footer(checksum: &Digest) -> String {
    format!("],\n\"checksum\": {}\n}}\n", json!(checksum))
}

/// The checksum of sources: sha256 over their lines, each with a line feed.
pub(super) fn checksum(sources: &[Source]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for source in sources {
        hasher.update(&source.to_line());
        hasher.update(b"\n");
    }
    hasher.finish()
}
