//! The parts of an image's manifest that are compared to classify a difference.
//!
//! Specifications: OCI image-spec, manifest.md and descriptor.md; Docker's image manifest v2, schema 2.

use crate::manifest::{self, Body, Digest, ManifestError, MediaType, Object, Value};

/// The known fields of an image's manifest.
const MANIFEST: [&str; 7] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "subject",
    "annotations",
];

/// The known fields of a descriptor.
const DESCRIPTOR: [&str; 8] = [
    "mediaType",
    "digest",
    "size",
    "artifactType",
    "platform",
    "annotations",
    "urls",
    "data",
];

/// Limit of the layers of an image.
const MAX_LAYERS: usize = 10_000;

/// Docker's media types, and OCI's with the same meaning.
const TYPES: [(&str, &str); 6] = [
    (
        MediaType::DockerManifest.as_str(),
        MediaType::OciManifest.as_str(),
    ),
    (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.oci.image.config.v1+json",
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.oci.image.layer.v1.tar",
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.oci.image.layer.v1.tar+zstd",
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ),
];

/// A manifest of an image or an artifact.
#[derive(Debug)]
pub struct Image {
    media_type: MediaType,
    /// Whether its config is not an image config.
    pub is_artifact: bool,
    pub config: Layer,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    rest: Object,
}

/// A descriptor: a layer, or the config.
#[derive(Debug)]
pub struct Layer {
    pub digest: Digest,
    /// In bytes.
    pub size: String,
    media_type: String,
    rest: Object,
}

impl Image {
    /// Parses a manifest.
    ///
    /// # Errors
    /// A message: the manifest cannot be compared.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let parsed = manifest::parse(bytes).map_err(|error| error.to_string())?;
        let is_artifact = match parsed.body {
            Body::Image { .. } => false,
            Body::Artifact => true,
            Body::Index(_) => return Err("a manifest list".to_owned()),
            Body::Schema1(_) => return Err("schema 1".to_owned()),
        };
        Self::of(parsed.media_type, is_artifact, bytes).map_err(|error| error.to_string())
    }

    fn of(media_type: MediaType, is_artifact: bool, bytes: &[u8]) -> Result<Self, ManifestError> {
        let document = Value::read(bytes)?;
        let fields = document.fields(&MANIFEST)?;
        let get = |name: &str| fields.get(name).unwrap_or(&Value::Null);
        let layers = get("layers").elements()?;
        if layers.len() > MAX_LAYERS {
            let many = format!("more than {MAX_LAYERS} layers");
            return Err(ManifestError::TooLarge(many));
        }
        let read = ["schemaVersion", "mediaType", "config", "layers"];
        Ok(Self {
            media_type,
            is_artifact,
            config: Layer::of(get("config"))?,
            layers: layers.iter().map(Layer::of).collect::<Result<_, _>>()?,
            rest: without(fields, &read),
        })
    }

    /// The name of its format.
    pub fn format(&self) -> &'static str {
        match self.media_type {
            MediaType::DockerManifest | MediaType::DockerList => "Docker's",
            _ => "OCI's",
        }
    }

    fn types(&self) -> impl Iterator<Item = &str> {
        let layers = self.layers.iter().map(|layer| layer.media_type.as_str());
        [self.media_type.as_str(), &self.config.media_type]
            .into_iter()
            .chain(layers)
    }

    /// Whether every media type is equal.
    pub fn has_same_types(&self, other: &Self) -> bool {
        self.types().eq(other.types())
    }

    /// Whether every media type has the same meaning.
    pub fn has_types_of_other_format(&self, other: &Self) -> bool {
        self.types().map(canonical).eq(other.types().map(canonical))
    }

    /// The meaning of the media types of manifest and config.
    pub fn canonical_types(&self) -> [&str; 2] {
        [self.media_type.as_str(), &self.config.media_type].map(canonical)
    }

    /// The first different field besides digests, sizes and media types. `may_drop`: the destination may lack
    /// fields, but never has additional ones.
    pub fn difference(&self, destination: &Self, may_drop: bool) -> Option<String> {
        if let Some(field) = differing(&self.rest, &destination.rest, may_drop) {
            return Some(format!("field {field}"));
        }
        let config = self.config.difference(&destination.config, may_drop);
        if let Some(field) = config {
            return Some(format!("field config.{field}"));
        }
        let layers = self.layers.iter().zip(&destination.layers).enumerate();
        layers
            .filter_map(|(index, (left, right))| {
                let field = left.difference(right, may_drop)?;
                Some(format!("field layers[{index}].{field}"))
            })
            .next()
    }
}

impl Layer {
    fn of(value: &Value) -> Result<Self, ManifestError> {
        let fields = value.fields(&DESCRIPTOR)?;
        let get = |name: &str| fields.get(name).unwrap_or(&Value::Null);
        let digest = get("digest").text()?;
        let digest = digest
            .parse()
            .map_err(|error| ManifestError::Damaged(format!("a descriptor: {error}")))?;
        let Value::Number(size) = get("size") else {
            return Err(ManifestError::Damaged(
                "a descriptor has no size".to_owned(),
            ));
        };
        Ok(Self {
            digest,
            size: size.clone(),
            media_type: get("mediaType").text()?.to_owned(),
            rest: without(fields, &["mediaType", "digest", "size"]),
        })
    }

    /// Its compression; `None` if the media type is not a usual layer type.
    pub fn compression(&self) -> Option<&'static str> {
        match canonical(&self.media_type) {
            "application/vnd.oci.image.layer.v1.tar" => Some("plain tar"),
            "application/vnd.oci.image.layer.v1.tar+gzip" => Some("gzip"),
            "application/vnd.oci.image.layer.v1.tar+zstd" => Some("zstd"),
            _ => None,
        }
    }

    /// Whether the media type has the same meaning.
    pub fn has_type_of_other_format(&self, other: &Self) -> bool {
        canonical(&self.media_type) == canonical(&other.media_type)
    }

    fn difference(&self, destination: &Self, may_drop: bool) -> Option<&'static str> {
        // Embedded content replaces the blob.
        let data = destination.rest.get("data").unwrap_or(&Value::Null);
        if self.digest != destination.digest && !data.is_empty() {
            return Some("data");
        }
        let urls = |layer: &Self| layer.rest.get("urls").cloned().unwrap_or(Value::Null);
        let (own, theirs) = (urls(self), urls(destination));
        if own != theirs && !(own.is_empty() && theirs.is_empty()) {
            return Some("urls");
        }
        differing(&self.rest, &destination.rest, may_drop)
    }
}

fn without(object: &Object, names: &[&str]) -> Object {
    let others = object
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()));
    others
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn canonical(media_type: &str) -> &str {
    let found = TYPES.iter().find(|(docker, _)| *docker == media_type);
    found.map_or(media_type, |(_, oci)| oci)
}

/// The first field that differs; unknown fields are not named.
fn differing(left: &Object, right: &Object, may_drop: bool) -> Option<&'static str> {
    let names = left.keys().chain(right.keys());
    let differs = |name: &&String| {
        let (left, right) = (
            left.get(*name).unwrap_or(&Value::Null),
            right.get(*name).unwrap_or(&Value::Null),
        );
        let is_part = match (left, right) {
            (Value::Object(left), Value::Object(right)) if *name == "annotations" => right
                .iter()
                .all(|(key, value)| left.get(key) == Some(value)),
            _ => false,
        };
        let is_dropped = may_drop && (right.is_empty() || is_part);
        !(left == right || left.is_empty() && right.is_empty() || is_dropped)
    };
    let name = names.into_iter().find(differs)?;
    let known = MANIFEST.into_iter().chain(DESCRIPTOR);
    Some(
        known
            .into_iter()
            .find(|known| known == name)
            .unwrap_or("that is not known"),
    )
}
