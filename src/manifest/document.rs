//! The fields of a manifest, and its type.

use super::strict::{Field, MANIFEST, shown};
use super::{Body, ManifestError, MediaType, digest};

/// The fields of a descriptor that some reader knows, those used here first.
pub const DESCRIPTOR: [&str; 8] = [
    "mediaType",
    "digest",
    "size",
    "artifactType",
    "platform",
    "annotations",
    "urls",
    "data",
];

pub struct Document<'a> {
    schema_version: Field<'a, 'static>,
    named: Field<'a, 'static>,
    /// Of an image.
    pub config: Field<'a, 'static>,
    /// Of an image.
    pub layers: Field<'a, 'static>,
    /// Of an index.
    pub manifests: Field<'a, 'static>,
    /// Of schema 1.
    pub architecture: Field<'a, 'static>,
    /// Of schema 1: its layers.
    pub fs_layers: Field<'a, 'static>,
    /// Of schema 1.
    pub history: Field<'a, 'static>,
    /// Of schema 1.
    pub signatures: Field<'a, 'static>,
}

impl<'a> Document<'a> {
    /// Reads a document of any type.
    ///
    /// # Errors
    /// [`ManifestError`] if it is not an object, or ambiguous.
    pub fn read(text: &'a str) -> Result<Self, ManifestError> {
        let [
            schema_version,
            named,
            config,
            layers,
            manifests,
            architecture,
            fs_layers,
            history,
            signatures,
            ..,
        ] = MANIFEST.document(
            text,
            [
                "schemaVersion",
                "mediaType",
                "config",
                "layers",
                "manifests",
                "architecture",
                "fsLayers",
                "history",
                "signatures",
                // Not used, but known to other readers.
                "name",
                "tag",
                "artifactType",
                "subject",
                "annotations",
                "blobs",
            ],
        )?;
        Ok(Self {
            schema_version,
            named,
            config,
            layers,
            manifests,
            architecture,
            fs_layers,
            history,
            signatures,
        })
    }

    /// Its type, as in containers/image's `GuessMIMEType`.
    ///
    /// # Errors
    /// [`ManifestError`] if it is none of the six types, or has fields of two of them (CVE-2021-41190).
    pub fn media_type(&self) -> Result<MediaType, ManifestError> {
        let media_type = self.guess()?;
        self.refuse_foreign(media_type)?;
        Ok(media_type)
    }

    fn guess(&self) -> Result<MediaType, ManifestError> {
        let named = self.named.text()?.filter(|name| !name.is_empty());
        let version = self.schema_version.number()?;
        if let Some(known) = named.as_deref().and_then(MediaType::from_name)
            && !known.is_schema1()
        {
            return Ok(known);
        }
        let unknown = || {
            let name = named.as_ref().map(|name| shown(name.as_bytes()));
            Err(ManifestError::UnknownType(name))
        };
        match version {
            Some(1) if self.signatures.is_present() => Ok(MediaType::Schema1Signed),
            Some(1) => Ok(MediaType::Schema1),
            Some(2) if named.is_none() => match self.config.object(DESCRIPTOR)? {
                // Go writes an empty index as `null`.
                None if self.manifests.has_key() => Ok(MediaType::OciIndex),
                None => unknown(),
                Some([config, ..]) => match config.text()?.as_deref() {
                    Some("application/vnd.docker.container.image.v1+json") => {
                        Ok(MediaType::DockerManifest)
                    }
                    _ => Ok(MediaType::OciManifest),
                },
            },
            _ => unknown(),
        }
    }

    /// Rejects fields that make it another type for some readers.
    ///
    /// # Errors
    /// [`ManifestError::Ambiguous`].
    pub fn refuse_foreign(&self, media_type: MediaType) -> Result<(), ManifestError> {
        let Self {
            config,
            layers,
            manifests,
            fs_layers,
            history,
            ..
        } = self;
        let (what, foreign): (_, &[&Field<'_, '_>]) = match media_type {
            MediaType::OciIndex | MediaType::DockerList => {
                ("an index", &[config, layers, fs_layers, history])
            }
            MediaType::OciManifest | MediaType::DockerManifest => {
                ("an image manifest", &[manifests, fs_layers, history])
            }
            MediaType::Schema1 | MediaType::Schema1Signed => {
                ("a schema 1 manifest", &[config, layers, manifests])
            }
        };
        match foreign.iter().find(|field| field.is_present()) {
            Some(field) => Err(ManifestError::Ambiguous(format!(
                "{what} has the field \"{}\"",
                field.at()
            ))),
            None => Ok(()),
        }
    }

    /// The content of an image manifest.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`] if it has no valid config.
    pub fn image(&self) -> Result<Body, ManifestError> {
        self.layers.expect_list()?;
        let config = &self.config;
        let Some([media_type, digest, ..]) = config.object(DESCRIPTOR)? else {
            return Err(config.missing());
        };
        let name = media_type.text()?.unwrap_or_default();
        if is_image_config(&name) {
            let config = digest::field(&digest)?;
            Ok(Body::Image { config })
        } else {
            Ok(Body::Artifact)
        }
    }
}

/// Whether a config of this media type is an image's. Early registries used the generic types, which
/// Docker accepts for images too (moby, `daemon/pkg/registry`, "Handle unexpected values").
fn is_image_config(name: &str) -> bool {
    let name = name.split(';').next().unwrap_or_default().trim();
    [
        "",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
        "application/octet-stream",
        "application/json",
        "text/html",
    ]
    .iter()
    .any(|known| known.eq_ignore_ascii_case(name))
}
