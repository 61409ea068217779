//! The media types of manifests. Specifications: OCI image-spec, media-types.md; Docker's image manifest
//! v2, schema 1 and 2.

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The media types of manifests in order of preference, for the Accept header.
pub const ACCEPT: [&str; 6] = [
    MediaType::OciIndex.as_str(),
    MediaType::DockerList.as_str(),
    MediaType::OciManifest.as_str(),
    MediaType::DockerManifest.as_str(),
    MediaType::Schema1Signed.as_str(),
    MediaType::Schema1.as_str(),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    OciIndex,
    DockerList,
    OciManifest,
    DockerManifest,
    Schema1Signed,
    Schema1,
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Str(&name), &"the media type of a manifest")
        })
    }
}

impl MediaType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::OciManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::Schema1Signed => "application/vnd.docker.distribution.manifest.v1+prettyjws",
            Self::Schema1 => "application/vnd.docker.distribution.manifest.v1+json",
        }
    }

    /// The type of a Content-Type header; parameters, blanks and letter case are ignored.
    pub fn from_header(name: &str) -> Option<Self> {
        let name = name.split(';').next().unwrap_or_default().trim();
        Self::from_name(&name.to_ascii_lowercase())
    }

    /// The type of a `mediaType` field, which must match exactly.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::OciIndex,
            Self::DockerList,
            Self::OciManifest,
            Self::DockerManifest,
            Self::Schema1Signed,
            Self::Schema1,
        ]
        .into_iter()
        .find(|known| known.as_str() == name)
    }

    pub fn is_same_kind(self, other: Self) -> bool {
        self == other || self.is_schema1() && other.is_schema1()
    }

    pub fn is_schema1(self) -> bool {
        matches!(self, Self::Schema1 | Self::Schema1Signed)
    }

    pub fn is_index(self) -> bool {
        matches!(self, Self::OciIndex | Self::DockerList)
    }
}
