//! The blobs of an image that a registry must hold.
//!
//! Specifications: OCI image-spec, manifest.md and layer.md, "Non-Distributable Layers"; Docker's image
//! manifest schema 1 and 2.

use std::collections::HashSet;

use super::document::{DESCRIPTOR, Document};
use super::entry::each;
use super::strict::{Field, to_text};
use super::{Digest, ManifestError, MediaType, digest, inner, schema1};

/// A config or a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub is_config: bool,
    pub digest: Digest,
    /// Its length in bytes; a schema 1 manifest does not contain it.
    pub size: Option<u64>,
    /// Whether a registry need not hold it: it is available elsewhere (`urls`), or must not be
    /// distributed.
    pub is_foreign: bool,
}

/// The blobs of an image's manifest, config first, without duplicates; `None` for an index.
///
/// # Errors
/// [`ManifestError`] if the bytes are not a manifest, or a blob has no digest or no size.
pub fn blobs(bytes: &[u8]) -> Result<Option<Vec<Blob>>, ManifestError> {
    let text = to_text(bytes);
    let document = Document::read(&text)?;
    let mut blobs = match document.media_type()? {
        MediaType::OciIndex | MediaType::DockerList => return Ok(None),
        MediaType::Schema1 => schema1_layers(&document)?,
        MediaType::Schema1Signed => {
            let payload = schema1::payload(bytes, &text, &document)?;
            schema1_layers(&inner(&to_text(&payload))?)?
        }
        MediaType::OciManifest | MediaType::DockerManifest => {
            let mut blobs = vec![descriptor(&document.config, true)?];
            each(&document.layers, |layer| {
                blobs.push(descriptor(&layer, false)?);
                Ok(())
            })?;
            blobs
        }
    };
    // Of duplicates, the one that must be held counts.
    let held: HashSet<Digest> = blobs
        .iter()
        .filter(|blob| !blob.is_foreign)
        .map(|blob| blob.digest.clone())
        .collect();
    let mut seen = HashSet::new();
    blobs.retain(|blob| seen.insert((blob.digest.clone(), blob.size)));
    for blob in &mut blobs {
        blob.is_foreign = !held.contains(&blob.digest);
    }
    Ok(Some(blobs))
}

fn descriptor(field: &Field<'_, '_>, is_config: bool) -> Result<Blob, ManifestError> {
    let Some([media_type, digest, size, _, _, _, urls, _]) = field.object(DESCRIPTOR)? else {
        return Err(field.missing());
    };
    let digest = digest::field(&digest)?;
    let size = size.number()?.ok_or_else(|| size.missing())?;
    let media_type = media_type.text()?.unwrap_or_default();
    let mut has_urls = false;
    urls.each(|_| {
        has_urls = true;
        Ok(())
    })?;
    Ok(Blob {
        is_config,
        digest,
        size: Some(size),
        is_foreign: !is_config
            && (has_urls
                || media_type.contains(".foreign.")
                || media_type.contains(".nondistributable.")),
    })
}

fn schema1_layers(document: &Document<'_>) -> Result<Vec<Blob>, ManifestError> {
    let mut blobs = Vec::new();
    each(&document.fs_layers, |layer| {
        let Some([sum]) = layer.object(["blobSum"])? else {
            return Err(layer.missing());
        };
        blobs.push(Blob {
            is_config: false,
            digest: digest::field(&sum)?,
            size: None,
            is_foreign: false,
        });
        Ok(())
    })?;
    Ok(blobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn of(value: &Value) -> Result<Vec<Blob>, ManifestError> {
        blobs(value.to_string().as_bytes()).map(|blobs| blobs.expect("an image"))
    }

    #[test]
    fn config_and_layers_each_once() {
        let layer = |text: &str, more: &Value| {
            let mut layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(text), "size": 5});
            for (key, value) in more.as_object().expect("an object") {
                layer[key] = value.clone();
            }
            layer
        };
        let found = of(
            &json!({"schemaVersion": 2, "mediaType": MediaType::OciManifest.as_str(),
            "config": {"digest": digest("c"), "size": 3},
            "layers": [
                layer("a", &json!({})),
                layer("a", &json!({})),
                layer("b", &json!({"urls": ["https://x"]})),
                layer("d", &json!({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "urls": null})),
            ]}),
        )
        .expect("blobs");
        let shown: Vec<_> = found
            .iter()
            .map(|blob| (blob.digest.clone(), blob.is_config, blob.is_foreign))
            .collect();
        assert_eq!(
            shown,
            [
                (digest("c"), true, false),
                (digest("a"), false, false),
                (digest("b"), false, true),
                (digest("d"), false, true)
            ]
        );
    }

    #[test]
    fn one_required_blob_makes_all_equal_ones_required() {
        let urls = json!(["https://x"]);
        let found = of(&json!({"schemaVersion": 2,
            "config": {"digest": digest("c"), "size": 3, "urls": urls},
            "layers": [{"digest": digest("a"), "size": 5, "urls": urls}, {"digest": digest("a"), "size": 5}]}))
        .expect("blobs");
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|blob| !blob.is_foreign));
    }

    #[test]
    fn an_index_is_no_image() {
        let index = json!({"schemaVersion": 2, "manifests": []});
        assert_eq!(blobs(index.to_string().as_bytes()), Ok(None));
    }

    #[test]
    fn schema_1_has_no_sizes() {
        let found = of(&json!({"schemaVersion": 1, "fsLayers": [{"blobSum": digest("a")}]}));
        assert_eq!(found.expect("blobs")[0].size, None);
    }

    #[test]
    fn an_invalid_descriptor_is_an_error() {
        let config = json!({"digest": digest("c"), "size": 3});
        for layers in [
            json!("x"),
            json!([{"digest": "sha256:../x", "size": 1}]),
            json!([{"digest": digest("a"), "size": -1}]),
            json!([null]),
        ] {
            let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
            assert!(
                matches!(of(&manifest), Err(ManifestError::Damaged(_))),
                "{manifest}"
            );
        }
        assert!(
            of(&json!({"schemaVersion": 2, "config": config, "layers": null}))
                .is_ok_and(|blobs| blobs.len() == 1)
        );
    }
}
