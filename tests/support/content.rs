//! The content of a registry: images and indexes, built for a test.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest as hash};
use serde_json::{Value, json};

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
pub const V2: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const V1: &str = "application/vnd.docker.distribution.manifest.v1+json";
pub const V1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// The sha256 digest of some bytes.
pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    let hash = hash(&SHA256, bytes.as_ref());
    let hex: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// A manifest in a registry.
#[derive(Clone, Debug)]
pub struct Stored {
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// Manifests and blobs, by repository.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// In push order: children before parents.
    pub manifests: Vec<(String, String, Stored)>,
    pub blobs: BTreeMap<(String, String), Vec<u8>>,
    /// Whether the scripted server lists referrers; `docker-registry` does not.
    pub lists_referrers: bool,
}

/// `os/architecture[/variant][:os.version]` as JSON.
pub fn platform(text: &str) -> Value {
    let (names, version) = text
        .split_once(':')
        .map_or((text, None), |(names, version)| (names, Some(version)));
    let mut parts = names.split('/');
    let mut value = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        value["variant"] = json!(variant);
    }
    if let Some(version) = version {
        value["os.version"] = json!(version);
    }
    value
}

/// A descriptor without platform.
pub fn descriptor(stored: &Stored) -> Value {
    json!({"mediaType": stored.media_type, "size": stored.bytes.len(), "digest": digest(&stored.bytes)})
}

/// An entry of an index.
pub fn entry(stored: &Stored, on: &str) -> Value {
    let mut entry = descriptor(stored);
    entry["platform"] = platform(on);
    entry
}

impl Content {
    /// Adds a manifest under a tag or its digest; returns it.
    pub fn put(
        &mut self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: impl Into<Vec<u8>>,
    ) -> Stored {
        let stored = Stored {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        };
        self.manifests
            .push((repository.to_owned(), reference.to_owned(), stored.clone()));
        stored
    }

    /// Adds a blob; returns its digest.
    pub fn blob(&mut self, repository: &str, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let name = digest(&bytes);
        self.blobs
            .insert((repository.to_owned(), name.clone()), bytes);
        name
    }

    /// Adds an image without a tag. `salt` makes its digest unique.
    pub fn image(&mut self, repository: &str, media_type: &str, on: &str, salt: &str) -> Stored {
        let mut config = platform(on);
        config["config"] = json!({"Labels": {"salt": salt}});
        config["rootfs"] = json!({"type": "layers", "diff_ids": []});
        let config = config.to_string();
        let layer = format!("layer of {salt} on {on}");
        let (config_type, layer_type) = if media_type == V2 {
            (
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            )
        } else {
            (
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.layer.v1.tar+gzip",
            )
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {"mediaType": config_type, "size": config.len(), "digest": self.blob(repository, config.clone())},
            "layers": [{"mediaType": layer_type, "size": layer.len(), "digest": self.blob(repository, layer.clone())}],
        });
        let bytes = manifest.to_string();
        self.put(repository, &digest(&bytes), media_type, bytes)
    }

    /// Adds a manifest with a subject.
    pub fn attach(&mut self, repository: &str, subject: &Stored, kind: &str) -> Stored {
        let config = self.blob(repository, "{}");
        let layer = format!("{kind} of {}", digest(&subject.bytes));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI,
            "artifactType": kind,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": config},
            "layers": [{"mediaType": kind, "size": layer.len(), "digest": self.blob(repository, layer.clone())}],
            "subject": descriptor(subject),
        });
        let bytes = manifest.to_string();
        self.put(repository, &digest(&bytes), OCI, bytes)
    }

    /// The tag of the list of referrers at registries without the referrers API (OCI distribution-spec).
    pub fn referrers_tag(&mut self, repository: &str, subject: &Stored, referrers: &[&Stored]) {
        let entries: Vec<Value> = referrers.iter().map(|stored| self.listed(stored)).collect();
        let tag = digest(&subject.bytes).replace(':', "-");
        self.index(repository, Some(&tag), INDEX, &entries);
    }

    fn listed(&self, stored: &Stored) -> Value {
        let manifest: Value = serde_json::from_slice(&stored.bytes).expect("JSON");
        let mut entry = descriptor(stored);
        entry["artifactType"] = manifest["artifactType"].clone();
        entry
    }

    /// The response of the referrers API for a subject.
    pub fn referrers(&self, repository: &str, subject: &str) -> Vec<Value> {
        let is_about = |stored: &Stored| {
            serde_json::from_slice::<Value>(&stored.bytes)
                .is_ok_and(|manifest| manifest["subject"]["digest"] == subject)
        };
        self.manifests
            .iter()
            .filter(|(name, _, stored)| name == repository && is_about(stored))
            .map(|(_, _, stored)| self.listed(stored))
            .collect()
    }

    /// Tags a manifest.
    pub fn tag(&mut self, repository: &str, tag: &str, stored: &Stored) -> Stored {
        self.put(repository, tag, &stored.media_type, stored.bytes.clone())
    }

    /// Adds an index of these entries, under a tag or its digest.
    pub fn index(
        &mut self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        entries: &[Value],
    ) -> Stored {
        let bytes =
            json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).to_string();
        let name = digest(&bytes);
        self.put(repository, tag.unwrap_or(&name), media_type, bytes)
    }

    /// Wraps an index into this many levels of indexes, each with one entry; returns the outermost.
    pub fn nest(&mut self, repository: &str, index: Stored, levels: usize) -> Stored {
        (0..levels).fold(index, |inner, _| {
            self.index(repository, None, INDEX, &[descriptor(&inner)])
        })
    }

    /// Adds a Docker image per platform, and a tagged manifest list of them.
    pub fn multi(&mut self, repository: &str, tag: &str, platforms: &[&str], salt: &str) -> Stored {
        let entries: Vec<Value> = platforms
            .iter()
            .map(|on| entry(&self.image(repository, V2, on, salt), on))
            .collect();
        self.index(repository, Some(tag), LIST, &entries)
    }

    /// Adds a schema 1 manifest; signed: in libtrust's form, with a signature that is not valid.
    pub fn schema1(&mut self, repository: &str, tag: &str, on: &str, signed: bool) -> Stored {
        let platform = platform(on);
        let compatibility = json!({"os": platform["os"], "architecture": platform["architecture"], "variant": platform["variant"]});
        let body = json!({
            "schemaVersion": 1,
            "name": repository,
            "tag": tag,
            "architecture": platform["architecture"],
            "fsLayers": [{"blobSum": digest("layer")}],
            "history": [{"v1Compatibility": compatibility.to_string()}],
        });
        let payload = serde_json::to_string_pretty(&body).expect("JSON");
        if !signed {
            return self.put(repository, tag, V1, payload);
        }
        let head = payload.strip_suffix("\n}").expect("an object");
        let protected =
            json!({"formatLength": head.len(), "formatTail": BASE64_URL_SAFE_NO_PAD.encode("\n}")});
        let protected = BASE64_URL_SAFE_NO_PAD.encode(protected.to_string());
        let text = format!(
            "{head},\n  \"signatures\": [{{\"header\": {{\"alg\": \"ES256\"}}, \"signature\": \"AA\", \"protected\": \"{protected}\"}}]\n}}"
        );
        self.put(repository, tag, V1_SIGNED, text)
    }

    /// The manifest under a tag or digest.
    pub fn find(&self, repository: &str, reference: &str) -> Option<&Stored> {
        let mut there = self
            .manifests
            .iter()
            .rev()
            .filter(|(name, _, _)| name == repository);
        let named = there.clone().find(|(_, known, _)| known == reference);
        named
            .or_else(|| there.find(|(_, _, stored)| digest(&stored.bytes) == reference))
            .map(|(_, _, stored)| stored)
    }

    /// Removes a manifest.
    pub fn remove(&mut self, repository: &str, reference: &str) {
        self.manifests
            .retain(|(name, known, _)| !(name == repository && known == reference));
    }
}
