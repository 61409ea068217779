//! Manifests: the JSON documents of images and of indexes.
//!
//! The type of a document follows from its body, never from Content-Type, which proxies and old
//! registries get wrong. Parsing is strict where two readers could see different content (module
//! `strict`), and ignores unused fields.
//! Specifications: OCI image-spec (manifest.md, image-index.md), Docker's image manifest v2
//! schema 1 and 2.

mod blob;
mod digest;
mod document;
mod entry;
mod filter;
mod fold;
#[cfg(test)]
mod go;
#[cfg(all(test, not(target_env = "musl")))]
mod heap;
mod media_type;
#[cfg(test)]
mod mutants;
mod pattern;
mod platform;
#[cfg(test)]
mod properties;
mod referrer;
mod schema1;
mod spec;
mod strict;
mod value;
mod visit;

pub use blob::{Blob, blobs};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use entry::{Entry, IndexEntry, MAX_ENTRIES, compared};
pub use filter::{Filter, KNOWN_ARCHITECTURES, KNOWN_SYSTEMS, PlatformNames};
pub use media_type::{ACCEPT, MediaType};
pub use pattern::PlatformPattern;
pub use platform::{Normalized, Platform};
pub use referrer::{Link, ListedReferrer, Referrer, artifact_type, is_referrers_list, referrers};
pub use spec::{Spec, distinct};
pub use value::{Object, Value};

use document::Document;
use strict::{JsonPath, to_text};

/// The maximum size of a manifest or config in bytes, as in the common registries.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The fields of a manifest that this program uses.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its type, from the body.
    pub media_type: MediaType,
    /// The digest at the registry: for a signed schema 1 manifest, that of its payload.
    pub digest: Digest,
    /// The sha256 digest of the bytes as received.
    pub raw_digest: Digest,
    /// The length in bytes as received.
    pub size: u64,
    pub body: Body,
}

/// The content of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Index(Vec<IndexEntry>),
    /// An image.
    Image {
        config: Digest,
    },
    /// An artifact (such as a Helm chart): its config is not an image's.
    Artifact,
    /// A schema 1 image, which contains its platform.
    Schema1(Platform),
}

/// Why a document is not a manifest that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not an object.
    #[error("not a manifest: {0}")]
    NotJson(String),
    /// None of the six types; with the type that it names.
    #[error("unknown manifest type{}", .0.as_ref().map(|name| format!(": {name}")).unwrap_or_default())]
    UnknownType(Option<String>),
    /// Two readers could see two manifests: keys that differ only in letter case, or fields of both an
    /// index and an image (CVE-2021-41190).
    #[error("ambiguous manifest: {0}")]
    Ambiguous(String),
    /// A required field is absent or has a wrong type.
    #[error("damaged manifest: {0}")]
    Damaged(String),
    #[error("manifest exceeds a limit: {0}")]
    TooLarge(String),
}

/// Parses a manifest from the bytes as received.
///
/// # Errors
/// [`ManifestError`] if the bytes are not an unambiguous manifest.
pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let manifest = |media_type, digest, body| {
        Ok(Manifest {
            media_type,
            digest,
            raw_digest: Digest::of(bytes),
            size: bytes.len() as u64,
            body,
        })
    };
    let text = to_text(bytes);
    let document = Document::read(&text)?;
    let media_type = document.media_type()?;
    let body = match media_type {
        MediaType::OciIndex | MediaType::DockerList => {
            Body::Index(entry::entries(&document.manifests)?)
        }
        MediaType::OciManifest | MediaType::DockerManifest => document.image()?,
        MediaType::Schema1 => Body::Schema1(schema1::platform(&document)?),
        MediaType::Schema1Signed => {
            let payload = schema1::payload(bytes, &text, &document)?;
            let body = Body::Schema1(schema1::platform(&inner(&to_text(&payload))?)?);
            return manifest(media_type, Digest::of(&payload), body);
        }
    };
    manifest(media_type, Digest::of(bytes), body)
}

/// The payload of a signed schema 1 manifest, which must be schema 1 itself.
fn inner(payload: &str) -> Result<Document<'_>, ManifestError> {
    let document = Document::read(payload)?;
    match document.media_type()? {
        MediaType::Schema1 => Ok(document),
        _ => Err(ManifestError::Damaged(
            "schema 1 signature: the payload is not schema 1".to_owned(),
        )),
    }
}

/// The platform of an image, from its config blob.
///
/// Specification: OCI image-spec, config.md. Configs of artifacts have no architecture.
///
/// # Errors
/// [`ManifestError`] if the blob is not a JSON object, or its platform is invalid.
pub fn config_platform(bytes: &[u8]) -> Result<Platform, ManifestError> {
    let text = to_text(bytes);
    let root = JsonPath::Root("image config");
    Platform::of(&root.document(&text, platform::FIELDS)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(value: &Value) -> Result<Manifest, ManifestError> {
        parse(value.to_string().as_bytes())
    }

    fn digest(text: &str) -> String {
        Digest::of(text.as_bytes()).to_string()
    }

    #[test]
    fn each_type_is_known_by_its_name_or_by_its_shape() {
        let image = json!({"schemaVersion": 2, "config": {"digest": digest("c")}, "layers": null});
        let mut docker = image.clone();
        docker["config"]["mediaType"] = json!("application/vnd.docker.container.image.v1+json");
        let cases = [
            (
                json!({"schemaVersion": 2, "manifests": []}),
                MediaType::OciIndex,
            ),
            (
                json!({"schemaVersion": 2, "manifests": null}),
                MediaType::OciIndex,
            ),
            (
                json!({"schemaVersion": 2, "mediaType": MediaType::DockerList.as_str(), "manifests": []}),
                MediaType::DockerList,
            ),
            (image, MediaType::OciManifest),
            (docker, MediaType::DockerManifest),
            (
                json!({"schemaVersion": 1, "architecture": "amd64"}),
                MediaType::Schema1,
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(
                read(&value).expect("a manifest").media_type,
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn invalid_manifests_are_refused() {
        for text in [
            "",
            "<html>",
            "[]",
            "{}",
            "null",
            "\"\\ud800\"",
            r#"{"errors":[]}"#,
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":3}"#,
            r#"{"schemaVersion":2,"manifests":[]} x"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn unused_fields_do_not_matter() {
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        for field in [
            format!(r#""x":{deep}"#),
            r#""annotations":{"a":1e400,"b":"\ud800","a":-0}"#.to_owned(),
            r#""\ud800":0"#.to_owned(),
            r#""subject":"x","config":null,"artifactType":5"#.to_owned(),
        ] {
            let text = format!(r#"{{"schemaVersion":2,"manifests":[],{field}}}"#);
            assert_eq!(
                parse(text.as_bytes()).expect(&text).body,
                Body::Index(Vec::new())
            );
        }
        let latin1 = b"{\"schemaVersion\":2,\"manifests\":[],\"x\":\"\xe9\"}";
        assert!(parse(latin1).is_ok());
        assert!(parse(b"{\"schemaVersion\":2,\"manifests\":[]\xe9}").is_err());
    }

    #[test]
    fn a_field_of_a_wrong_type_is_damage_and_null_is_absent() {
        let index =
            json!({"schemaVersion": 2, "mediaType": MediaType::OciIndex.as_str(), "manifests": []});
        let image = json!({"schemaVersion": 2, "mediaType": MediaType::OciManifest.as_str(),
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest("c")}, "layers": []});
        for (original, field, value, why) in [
            (&index, "mediaType", json!(7), "mediaType is not a string"),
            (
                &index,
                "schemaVersion",
                json!("2"),
                "schemaVersion is not a number",
            ),
            (
                &index,
                "schemaVersion",
                json!(2.0),
                "schemaVersion is not a number",
            ),
            (&index, "manifests", json!({}), "manifests is not a list"),
            (&image, "config", json!("x"), "config is not an object"),
            (&image, "config", Value::Null, "config is missing"),
            (
                &image,
                "config",
                json!({"digest": 5}),
                "config.digest is not a string",
            ),
            (
                &image,
                "config",
                json!({"mediaType": 5}),
                "config.mediaType is not a string",
            ),
            (&image, "config", json!({}), "config.digest is missing"),
            (
                &image,
                "config",
                json!({"digest": "sha1:00"}),
                "config.digest: the digest algorithm",
            ),
            (&image, "layers", json!("x"), "layers is not a list"),
        ] {
            let mut changed = original.clone();
            changed[field] = value;
            let error = read(&changed).expect_err(why);
            assert!(matches!(error, ManifestError::Damaged(_)), "{error}");
            assert!(error.to_string().starts_with("damaged manifest: "));
            assert!(error.to_string().contains(why), "{error}");
        }
        for field in ["mediaType", "manifests", "annotations", "layers", "config"] {
            let mut changed = index.clone();
            changed[field] = Value::Null;
            assert!(read(&changed).is_ok(), "{changed}");
        }
    }

    #[test]
    fn fields_of_another_type_are_ambiguous() {
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OciIndex.as_str(), "manifests": [], "layers": []});
        assert_eq!(
            read(&index).expect_err("ambiguous").to_string(),
            "ambiguous manifest: an index has the field \"layers\""
        );
        let image = json!({"schemaVersion": 2, "mediaType": MediaType::OciManifest.as_str(),
            "config": {"digest": digest("c")}, "manifests": []});
        assert!(matches!(read(&image), Err(ManifestError::Ambiguous(_))));
        let both = json!({"schemaVersion": 2, "config": {"digest": digest("c")}, "manifests": []});
        assert!(matches!(read(&both), Err(ManifestError::Ambiguous(_))));
    }

    #[test]
    fn an_artifact_is_known_by_its_config_only() {
        let of = |config: &str, more: &Value| {
            let mut value = json!({"schemaVersion": 2, "mediaType": MediaType::OciManifest.as_str(),
                "config": {"mediaType": config, "digest": digest("c")}, "layers": []});
            if let Some(kind) = more.as_str() {
                value["artifactType"] = json!(kind);
            }
            read(&value).expect("a manifest").body
        };
        for config in [
            "",
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.docker.container.image.v1+json",
            "Application/VND.oci.image.config.v1+json; x=y",
            "application/octet-stream",
        ] {
            for kind in [Value::Null, json!("application/spdx+json")] {
                assert!(matches!(of(config, &kind), Body::Image { .. }), "{config}");
            }
        }
        assert_eq!(
            of("application/vnd.oci.empty.v1+json", &Value::Null),
            Body::Artifact
        );
        let without = json!({"schemaVersion": 2, "artifactType": "x"});
        assert!(matches!(
            read(&without),
            Err(ManifestError::UnknownType(None))
        ));
    }

    #[test]
    fn too_many_entries_are_refused() {
        let entry = json!({"digest": digest("a")});
        let index = json!({"schemaVersion": 2, "manifests": vec![entry; MAX_ENTRIES + 1]});
        assert_eq!(
            read(&index).expect_err("too many").to_string(),
            "manifest exceeds a limit: manifests has more than 10000 entries"
        );
    }

    #[test]
    fn a_config_is_read_as_strictly_as_a_manifest() {
        let platform =
            config_platform(br#"{"architecture":"arm","os":"linux","variant":"v7","Config":{}}"#);
        assert_eq!(platform.expect("a platform").to_string(), "linux/arm/v7");
        for (text, why) in [
            ("[]", "not a manifest: image config: not a JSON object"),
            (
                r#"{"os":5}"#,
                "damaged manifest: image config: os is not a string",
            ),
            (
                r#"{"os":"linux","OS":"windows"}"#,
                "ambiguous manifest: image config has the key \"OS\", which some JSON readers treat as \"os\"",
            ),
        ] {
            let error = config_platform(text.as_bytes()).expect_err(text);
            assert_eq!(error.to_string(), why);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = parse(&bytes);
            let _ = config_platform(&bytes);
        }

        #[test]
        fn no_json_makes_it_panic(
            version in prop_oneof![Just(json!(1)), Just(json!(2)), Just(json!("2")), Just(Value::Null)],
            field in prop_oneof![Just("manifests"), Just("config"), Just("history"), Just("signatures"), Just("mediaType")],
            value in prop_oneof![Just(json!([])), Just(json!({})), Just(json!([null])), Just(json!([{"digest": 1}])),
                Just(json!([{"protected": "e30"}])), Just(json!([{"v1Compatibility": "{}"}])), Just(Value::Null), Just(json!("x"))],
        ) {
            let _ = read(&json!({"schemaVersion": version, field: value}));
        }
    }
}
