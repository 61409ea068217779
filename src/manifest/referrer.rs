//! Referrers: manifests about another manifest (signatures, SBOMs, build attestations).
//!
//! Specifications: OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema"; cosign's
//! tags; `BuildKit`'s attestation entries of an index.

use serde::{Deserialize, Serialize};

use super::document::{DESCRIPTOR, Document};
use super::entry::{each, own};
use super::strict::{Field, JsonPath, MANIFEST, to_text};
use super::{Digest, ManifestError, MediaType, digest};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referrer {
    /// The digest of its subject.
    pub subject: Digest,
    /// How it is attached.
    pub by: Link,
    pub digest: Digest,
    /// Its type (`application/vnd.dev.cosign.artifact.sig.v1+json`); empty if unknown.
    #[serde(
        rename = "artifactType",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    pub artifact_type: String,
}

/// The maximum length of a media type in bytes (RFC 6838, 4.2: two names of 127 characters).
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
    /// It is an entry of the same index as its subject.
    Index,
}

impl Link {
    /// The links by tag.
    pub const TAGS: [Self; 3] = [Self::Sig, Self::Att, Self::Sbom];

    /// The name in messages.
    pub fn describe(self, subject: &Digest) -> String {
        match self {
            Self::Referrers => "referrer".to_owned(),
            Self::Sig | Self::Att | Self::Sbom => format!("tag {}", self.tag(subject)),
            Self::Index => "attestation".to_owned(),
        }
    }

    /// The tag of a subject's referrers: `sha256-`, the hash cut to 64 digits, and cosign's suffix.
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedReferrer {
    pub digest: Digest,
    /// Its length in bytes, if the list contains it.
    pub size: Option<u64>,
    /// Its type; `None` if it is absent, or not one of the six.
    pub media_type: Option<MediaType>,
    /// Its artifact type; `None` if absent.
    pub artifact_type: Option<String>,
}

impl ListedReferrer {
    pub fn of(self, subject: &Digest) -> Referrer {
        Referrer {
            subject: subject.clone(),
            by: Link::Referrers,
            digest: self.digest,
            artifact_type: self.artifact_type.unwrap_or_default(),
        }
    }

    fn read(field: &Field<'_, '_>) -> Result<Self, ManifestError> {
        let Some([media_type, digest, size, artifact_type, ..]) = field.object(DESCRIPTOR)? else {
            return Err(field.missing());
        };
        Ok(Self {
            digest: digest::field(&digest)?,
            size: size.number()?,
            media_type: media_type.text()?.as_deref().and_then(MediaType::from_name),
            artifact_type: type_of(&artifact_type)?,
        })
    }
}

/// The field `artifactType`; an empty one is `None`.
fn type_of(field: &Field<'_, '_>) -> Result<Option<String>, ManifestError> {
    if !field.is_present() {
        return Ok(None);
    }
    let name = field.text_within(MAX_TYPE)?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// The `artifactType` of a manifest, if it has one.
///
/// # Errors
/// [`ManifestError`] if the bytes are not a manifest, or the field is invalid.
pub fn artifact_type(bytes: &[u8]) -> Result<Option<String>, ManifestError> {
    let text = to_text(bytes);
    let [field] = MANIFEST.document(&text, ["artifactType"])?;
    type_of(&field)
}

/// The referrers in an index, in order; a damaged entry is an error of its own.
///
/// # Errors
/// [`ManifestError`] if the bytes are not such a list.
pub fn referrers(
    bytes: &[u8],
) -> Result<Vec<Result<ListedReferrer, ManifestError>>, ManifestError> {
    let text = to_text(bytes);
    let document = Document::read(&text)?;
    document.refuse_foreign(MediaType::OciIndex)?;
    let mut list = Vec::new();
    each(&document.manifests, |field| {
        list.push(own(ListedReferrer::read(&field))?);
        Ok(())
    })?;
    Ok(list)
}

/// Whether a response is a list of referrers, by its body and its Content-Type. Harbor omits the entries
/// of an empty list.
pub fn is_referrers_list(bytes: &[u8], is_index: bool) -> bool {
    let text = to_text(bytes);
    match JsonPath::Root("list of referrers").document(&text, ["errors", "mediaType"]) {
        Ok([errors, media_type]) => {
            let name = media_type.text().ok().flatten();
            let known = name.as_deref().and_then(MediaType::from_name);
            !errors.has_key() && (is_index || known == Some(MediaType::OciIndex))
        }
        Err(ManifestError::NotJson(_)) => false,
        // Reading it as a list returns the error.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = referrers(&bytes);
            let _ = is_referrers_list(&bytes, true);
            let _ = artifact_type(&bytes);
        }
    }

    #[test]
    fn a_list_is_read_and_damage_is_the_entry_s() {
        let digest = Digest::of(b"y");
        let long = "t".repeat(256);
        let list = format!(
            r#"{{"manifests": [
                {{"digest": "{digest}", "artifactType": "t", "size": 7}},
                {{"digest": "{digest}", "artifactType": null}},
                {{"digest": "sha256:../x"}},
                {{"digest": "{digest}", "artifactType": "{long}"}},
                {{"digest": "{digest}", "size": "big"}}]}}"#
        );
        let found = referrers(list.as_bytes()).expect("a list");
        let kinds: Vec<_> = found
            .iter()
            .map(|entry| {
                entry
                    .as_ref()
                    .ok()
                    .map(|entry| (entry.artifact_type.as_deref(), entry.size))
            })
            .collect();
        assert_eq!(
            kinds,
            [
                Some((Some("t"), Some(7))),
                Some((None, None)),
                None,
                None,
                None
            ]
        );
        let error = found[4].as_ref().expect_err("damaged").to_string();
        assert!(
            error.contains("manifests[4].size is not a number"),
            "{error}"
        );
        let subject = Digest::of(b"x");
        let referrer = found[0].clone().expect("an entry").of(&subject);
        assert_eq!(
            (referrer.subject, referrer.artifact_type.as_str()),
            (subject, "t")
        );
        assert!(referrers(br#"{"manifests": null}"#).is_ok_and(|list| list.is_empty()));
    }

    #[test]
    fn a_list_that_two_readers_read_differently_is_refused() {
        for list in [
            r#"{"manifests": [], "Manifests": []}"#,
            r#"{"manifests": [{"digest": "x", "Digest": "y"}]}"#,
            r#"{"manifests": [], "layers": []}"#,
        ] {
            let error = referrers(list.as_bytes()).expect_err(list);
            assert!(matches!(error, ManifestError::Ambiguous(_)), "{error}");
        }
    }

    #[test]
    fn the_type_of_a_manifest_is_read() {
        for (text, expected) in [
            (r#"{"artifactType": "a/b"}"#, Ok(Some("a/b"))),
            (r#"{"artifactType": ""}"#, Ok(None)),
            (r#"{"artifactType": null}"#, Ok(None)),
            ("{}", Ok(None)),
            (
                r#"{"artifactType": 5}"#,
                Err("artifactType is not a string"),
            ),
            (r#"{"artifacttype": "x"}"#, Err("artifacttype")),
            ("[]", Err("not a JSON object")),
        ] {
            match (artifact_type(text.as_bytes()), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), expected, "{text}"),
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
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
