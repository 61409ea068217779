//! A manifest: the JSON document that a registry stores for an image or for an index of images.
//!
//! What a document *is* comes from its body, never from a Content-Type, which proxies and old
//! registries get wrong. Reading is tolerant where Go's encoders are (`null` lists, duplicate
//! keys) and strict where two readers could disagree on what they see.
//! Specifications: OCI image-spec (manifest.md, image-index.md), Docker's image manifest v2
//! schema 1 and 2.

mod blob;
mod digest;
mod media_type;
mod pattern;
mod platform;
mod referrer;
mod schema1;
mod spec;

pub use blob::{Blob, blobs};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use media_type::{ACCEPT, MediaType};
pub use pattern::PlatformPattern;
pub use platform::{Filter, Normalized, Platform};
pub use referrer::{Link, Referrer, referrers};
pub use spec::Spec;

use serde_json::{Map, Value};

/// The largest manifest or config that is read, in bytes: the limit of the common registries.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The most entries of one index that are read.
pub const MAX_ENTRIES: usize = 10_000;

/// A manifest as far as this program reads it.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// What it is, by its body.
    pub media_type: MediaType,
    /// The digest that a registry knows it by.
    pub digest: Digest,
    /// Its length as it was received, in bytes.
    pub size: u64,
    /// What it holds.
    pub body: Body,
}

/// What a manifest holds.
#[derive(Clone, Debug)]
pub enum Body {
    /// The entries of an index, in its order.
    Index(Vec<Entry>),
    /// An image: its config blob.
    Image {
        /// Digest of the config blob.
        config: Digest,
    },
    /// Something else that is stored like an image (a Helm chart): it runs on no platform.
    Artifact,
    /// A schema 1 image, which carries its platform in itself.
    Schema1(Platform),
}

/// One entry (descriptor) of an index.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The digest of the manifest that it names.
    pub digest: Digest,
    /// Whether it names another index.
    pub is_index: bool,
    /// Its platform, where the index says one.
    pub platform: Option<Platform>,
    /// Whether it is no image but a statement about one (`BuildKit` attestations).
    pub is_attestation: bool,
    /// Of an attestation: the image that it is about.
    pub subject: Option<Digest>,
}

/// Why a body is not a manifest that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not an object.
    #[error("not a manifest: {0}")]
    NotJson(String),
    /// JSON, but none of the six types.
    #[error("not a manifest of a known type{}", .0.as_ref().map(|name| format!(": {name}")).unwrap_or_default())]
    UnknownType(Option<String>),
    /// Fields of an index and of an image in one document (CVE-2021-41190).
    #[error("ambiguous manifest: {0} has the field {1:?}")]
    Ambiguous(&'static str, String),
    /// A field that has to be there is not, or is of another type.
    #[error("damaged manifest: {0}")]
    Damaged(String),
    /// Above [`MAX_ENTRIES`].
    #[error("the index has {0} entries, more than {MAX_ENTRIES}")]
    TooLarge(usize),
}

/// Reads a manifest from the bytes that a registry sent.
///
/// # Errors
/// [`ManifestError`] where the bytes are not a manifest that means one thing only.
pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| ManifestError::NotJson(format!("not JSON ({error})")))?;
    let Value::Object(object) = value else {
        return Err(ManifestError::NotJson("JSON, but not an object".to_owned()));
    };
    let media_type = guess(&object)?;
    refuse_ambiguous(&object, media_type)?;
    let body = match media_type {
        MediaType::OciIndex | MediaType::DockerList => Body::Index(entries(&object)?),
        MediaType::OciManifest if is_artifact(&object) => Body::Artifact,
        MediaType::OciManifest | MediaType::DockerManifest => Body::Image {
            config: config_digest(&object)?,
        },
        MediaType::Schema1Signed | MediaType::Schema1 => Body::Schema1(schema1::platform(&object)?),
    };
    let digest = match media_type {
        MediaType::Schema1Signed => schema1::payload_digest(bytes, &object)?,
        _ => Digest::of(bytes),
    };
    Ok(Manifest {
        media_type,
        digest,
        size: bytes.len() as u64,
        body,
    })
}

/// The platform of an image, read from its config blob.
///
/// Specification: OCI image-spec, config.md. A config that is not an image's has no architecture.
///
/// # Errors
/// [`ManifestError::NotJson`] where the blob is not a JSON object.
pub fn config_platform(bytes: &[u8]) -> Result<Platform, ManifestError> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(Platform::from_json(&Value::Object(object))),
        Ok(_) => Err(ManifestError::NotJson(
            "the config is JSON, but not an object".to_owned(),
        )),
        Err(error) => Err(ManifestError::NotJson(format!(
            "the config is not JSON ({error})"
        ))),
    }
}

/// The type of a document, as containers/image's `GuessMIMEType` finds it.
fn guess(object: &Map<String, Value>) -> Result<MediaType, ManifestError> {
    let named = object
        .get("mediaType")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty());
    if let Some(known) = named.and_then(MediaType::from_name)
        && !matches!(known, MediaType::Schema1 | MediaType::Schema1Signed)
    {
        return Ok(known);
    }
    let unknown =
        || ManifestError::UnknownType(named.map(|name| crate::escape::escape(name).into_owned()));
    match object.get("schemaVersion").and_then(Value::as_i64) {
        Some(1) if object.get("signatures").is_some_and(|s| !s.is_null()) => {
            Ok(MediaType::Schema1Signed)
        }
        Some(1) => Ok(MediaType::Schema1),
        Some(2) if named.is_none() => {
            let config = object.get("config").filter(|config| !config.is_null());
            match (object.contains_key("manifests"), config) {
                (true, None) => Ok(MediaType::OciIndex),
                (true, Some(_)) => Err(ManifestError::Ambiguous("an index", "config".to_owned())),
                (false, Some(config)) => match config.get("mediaType").and_then(Value::as_str) {
                    Some("application/vnd.docker.container.image.v1+json") => {
                        Ok(MediaType::DockerManifest)
                    }
                    _ => Ok(MediaType::OciManifest),
                },
                (false, None) => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

/// Go's readers match keys in any letter case, so no spelling of a foreign field may be there.
fn refuse_ambiguous(
    object: &Map<String, Value>,
    media_type: MediaType,
) -> Result<(), ManifestError> {
    let (what, foreign): (_, &[&str]) = match media_type {
        MediaType::OciIndex | MediaType::DockerList => {
            ("an index", &["config", "layers", "fslayers", "history"])
        }
        MediaType::OciManifest | MediaType::DockerManifest => {
            ("an image manifest", &["manifests", "fslayers", "history"])
        }
        MediaType::Schema1 | MediaType::Schema1Signed => {
            ("a schema 1 manifest", &["config", "layers", "manifests"])
        }
    };
    let is_foreign = |key: &&String| foreign.contains(&key.to_ascii_lowercase().as_str());
    match object.keys().find(is_foreign) {
        Some(key) => Err(ManifestError::Ambiguous(
            what,
            crate::escape::escape(key).into_owned(),
        )),
        None => Ok(()),
    }
}

fn entries(object: &Map<String, Value>) -> Result<Vec<Entry>, ManifestError> {
    let list = manifests(object)?.iter().enumerate();
    list.map(|(index, value)| entry(index, value)).collect()
}

/// The entries of an index, within the bounds.
fn manifests(object: &Map<String, Value>) -> Result<&[Value], ManifestError> {
    let list = list(object, "manifests")?;
    if list.len() > MAX_ENTRIES {
        return Err(ManifestError::TooLarge(list.len()));
    }
    Ok(list)
}

/// A field that is a list; Go writes an empty one as `null`.
fn list<'a>(object: &'a Map<String, Value>, field: &str) -> Result<&'a [Value], ManifestError> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(ManifestError::Damaged(format!("{field:?} is not a list"))),
    }
}

/// The digest of an entry of an index, by its place.
fn entry_digest(index: usize, value: &Value) -> Result<Digest, ManifestError> {
    digest_field(value).map_err(|error| {
        ManifestError::Damaged(format!("entry {} of the index: {error}", index + 1))
    })
}

fn entry(index: usize, value: &Value) -> Result<Entry, ManifestError> {
    let digest = entry_digest(index, value)?;
    let text = |value: &Value, field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let platform = value
        .get("platform")
        .filter(|p| p.is_object())
        .map(Platform::from_json);
    let annotation = |name: &str| {
        value
            .get("annotations")
            .map(|annotations| text(annotations, name))
            .unwrap_or_default()
    };
    let is_attestation = annotation("vnd.docker.reference.type") == "attestation-manifest";
    Ok(Entry {
        digest,
        is_index: MediaType::from_name(&text(value, "mediaType")).is_some_and(MediaType::is_index),
        is_attestation: is_attestation || platform.as_ref().is_some_and(Platform::is_unknown),
        subject: if is_attestation {
            annotation("vnd.docker.reference.digest").parse().ok()
        } else {
            None
        },
        // An empty platform object says as little as none.
        platform: platform.filter(|platform| !platform.architecture.is_empty()),
    })
}

/// Whether the config is not that of an image. Specification: OCI image-spec, manifest.md,
/// "Guidelines for Artifact Usage".
fn is_artifact(object: &Map<String, Value>) -> bool {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let config = text(
        object
            .get("config")
            .and_then(|config| config.get("mediaType")),
    );
    let is_image = matches!(
        config.as_str(),
        "" | "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json"
    );
    !is_image || !text(object.get("artifactType")).is_empty()
}

fn config_digest(object: &Map<String, Value>) -> Result<Digest, ManifestError> {
    let config = object.get("config").unwrap_or(&Value::Null);
    digest_field(config).map_err(|error| ManifestError::Damaged(format!("config: {error}")))
}

/// A digest in a document is checked before anything is asked for by it (CVE-2024-3727).
fn digest_field(value: &Value) -> Result<Digest, DigestError> {
    value
        .get("digest")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

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
    fn what_is_no_manifest_is_refused() {
        for text in [
            "",
            "<html>",
            "[]",
            "{}",
            "null",
            r#"{"errors":[]}"#,
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":3}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(
            parse(format!(r#"{{"schemaVersion":2,"manifests":[],"x":{deep}}}"#).as_bytes())
                .is_err()
        );
    }

    #[test]
    fn an_ambiguous_document_is_refused_in_any_letter_case() {
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OciIndex.as_str(), "manifests": [], "Layers": []});
        assert!(
            matches!(read(&index), Err(ManifestError::Ambiguous("an index", key)) if key == "Layers")
        );
        let image = json!({"schemaVersion": 2, "mediaType": MediaType::OciManifest.as_str(),
            "config": {"digest": digest("c")}, "manifests": []});
        assert!(matches!(read(&image), Err(ManifestError::Ambiguous(..))));
    }

    #[test]
    fn entries_keep_their_order_and_attestations_are_marked() {
        let index = json!({"schemaVersion": 2, "manifests": [
            {"digest": digest("a"), "platform": {"architecture": "amd64", "os": "linux"}},
            {"digest": digest("b"), "platform": {"architecture": "unknown", "os": "unknown"}},
            {"digest": digest("c"), "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
            {"digest": digest("d"), "mediaType": MediaType::OciIndex.as_str(), "annotations": null},
            {"digest": digest("e"), "platform": {}},
        ]});
        let Body::Index(entries) = read(&index).expect("an index").body else {
            panic!("not an index")
        };
        let marks: Vec<_> = entries
            .iter()
            .map(|e| (e.is_attestation, e.is_index, e.platform.is_some()))
            .collect();
        assert_eq!(
            marks,
            [
                (false, false, true),
                (true, false, true),
                (true, false, false),
                (false, true, false),
                (false, false, false),
            ]
        );
        assert_eq!(entries[0].digest.as_str(), digest("a"));
    }

    #[test]
    fn the_last_of_two_equal_keys_wins_as_in_go() {
        let text = format!(
            r#"{{"schemaVersion":1,"schemaVersion":2,"manifests":[{{"digest":"x","digest":"{}"}}]}}"#,
            digest("a")
        );
        assert!(
            matches!(parse(text.as_bytes()).expect("an index").body, Body::Index(entries) if entries.len() == 1)
        );
    }

    #[test]
    fn a_digest_that_is_none_is_never_followed() {
        let index = json!({"schemaVersion": 2, "manifests": [{"digest": "sha256:../../x"}]});
        assert!(matches!(read(&index), Err(ManifestError::Damaged(_))));
    }

    #[test]
    fn too_many_entries_are_refused() {
        let entry = json!({"digest": digest("a")});
        let index = json!({"schemaVersion": 2, "manifests": vec![entry; MAX_ENTRIES + 1]});
        assert_eq!(
            read(&index).expect_err("too many"),
            ManifestError::TooLarge(MAX_ENTRIES + 1)
        );
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
