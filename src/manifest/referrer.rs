//! A referrer: a manifest that says something about another one (a signature, an SBOM, an
//! attestation of how it was built).
//!
//! Specifications: OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema"; cosign's
//! tags; `BuildKit`'s attestation entries of an index.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Digest, ManifestError, entry_digest, manifests};

/// A manifest that is attached to another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referrer {
    /// What it says something about.
    pub subject: Digest,
    /// How it is attached.
    pub by: Link,
    /// Its own digest.
    pub digest: Digest,
    /// What it is (`application/vnd.dev.cosign.artifact.sig.v1+json`); empty where nothing says so.
    #[serde(
        rename = "artifactType",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    pub artifact_type: String,
}

/// The longest media type, in bytes (RFC 6838, 4.2: two names of 127 characters).
const MAX_TYPE: usize = 255;

/// How a manifest is attached to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// It names its subject, and the registry lists it.
    Referrers,
    /// It has the tag `sha256-….sig` (cosign's signatures).
    Sig,
    /// It has the tag `sha256-….att` (cosign's attestations).
    Att,
    /// It has the tag `sha256-….sbom` (cosign's SBOMs).
    Sbom,
    /// It is an entry of the index that its subject is an entry of.
    Index,
}

impl Link {
    /// Those that are tags.
    pub const TAGS: [Self; 3] = [Self::Sig, Self::Att, Self::Sbom];

    /// What it is called in messages.
    pub fn describe(self, subject: &Digest) -> String {
        match self {
            Self::Referrers => "referrer".to_owned(),
            Self::Sig | Self::Att | Self::Sbom => format!("tag {}", self.tag(subject)),
            Self::Index => "attestation".to_owned(),
        }
    }

    /// The tag under which a subject's referrers are: `sha256-` and the hash, and cosign's suffix.
    /// The hash is cut to 64 digits.
    pub fn tag(self, subject: &Digest) -> String {
        let suffix = match self {
            Self::Sig => ".sig",
            Self::Att => ".att",
            Self::Sbom => ".sbom",
            Self::Referrers | Self::Index => "",
        };
        let hash = subject.as_str().rsplit(':').next().unwrap_or_default();
        let hash = &hash[..hash.len().min(64)];
        format!("{}-{hash}{suffix}", subject.algorithm().as_str())
    }
}

/// The referrers that an index lists, all of one subject.
///
/// # Errors
/// [`ManifestError`] where the bytes are not such a list.
pub fn referrers(bytes: &[u8], subject: &Digest) -> Result<Vec<Referrer>, ManifestError> {
    let list: Map<String, Value> = serde_json::from_slice(bytes)
        .map_err(|error| ManifestError::NotJson(format!("not JSON ({error})")))?;
    let referrer = |(index, entry): (usize, &Value)| {
        let digest = entry_digest(index, entry)?;
        let artifact_type = entry.get("artifactType").and_then(Value::as_str);
        if artifact_type.is_some_and(|name| name.len() > MAX_TYPE) {
            return Err(ManifestError::Damaged(format!(
                "entry {} of the index: its artifactType is longer than {MAX_TYPE} bytes",
                index + 1
            )));
        }
        Ok(Referrer {
            subject: subject.clone(),
            by: Link::Referrers,
            digest,
            artifact_type: artifact_type.unwrap_or_default().to_owned(),
        })
    };
    manifests(&list)?.iter().enumerate().map(referrer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = referrers(&bytes, &Digest::of(b"x"));
        }
    }

    #[test]
    fn a_list_is_read_and_a_digest_that_is_none_refused() {
        let (subject, digest) = (Digest::of(b"x"), Digest::of(b"y"));
        let list = format!(
            r#"{{"manifests": [{{"digest": "{digest}", "artifactType": "t"}}, {{"digest": "{digest}"}}]}}"#
        );
        let found = referrers(list.as_bytes(), &subject).expect("a list");
        assert_eq!((found.len(), found[0].artifact_type.as_str()), (2, "t"));
        assert!(referrers(br#"{"manifests": [{"digest": "sha256:../x"}]}"#, &subject).is_err());
        assert!(referrers(br#"{"manifests": null}"#, &subject).is_ok());
        let long = list.replace("\"t\"", &format!("\"{}\"", "t".repeat(256)));
        assert!(referrers(long.as_bytes(), &subject).is_err());
    }

    #[test]
    fn the_tags_are_those_of_the_specification() {
        let subject = Digest::of(b"x");
        let hash = &subject.as_str()[7..];
        assert_eq!(Link::Sig.tag(&subject), format!("sha256-{hash}.sig"));
        assert_eq!(Link::Referrers.tag(&subject), format!("sha256-{hash}"));
        let long: Digest = format!("sha512:{}", "a".repeat(128))
            .parse()
            .expect("a digest");
        assert_eq!(
            Link::Sbom.tag(&long),
            format!("sha512-{}.sbom", "a".repeat(64))
        );
        assert!(Link::Att.tag(&long).parse::<Reference>().is_ok());
    }
}
