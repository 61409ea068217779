//! The verdict on an image: outcome, reason, and evidence. Tasks return findings; pipeline and outputs
//! consume them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::manifest::{Digest, Referrer, Spec};

/// A reason code. The codes are an interface, listed in the report's JSON Schema: codes may be added, but
/// none changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Failed: the destination registry returned 404.
    DestinationMissing,
    /// Failed: the destination is an index without entries.
    DestinationEmpty,
    /// Failed: the destination is not an index.
    DestinationNotAnIndex,
    /// Failed: the source is an image, and the destination's index does not have exactly one image.
    DestinationNotSingle,
    /// Failed: the source has no image for `-a` and `--os`.
    NoPlatform,
    /// Failed: the digests of the source's and the destination's image or artifact differ.
    DigestDiffers,
    /// Failed: the platforms of the source's and the destination's image differ.
    PlatformDiffers,
    /// Failed: the images of the two indexes differ.
    IndexDiffers,
    /// Failed: the destination's index has a wrong size for an image.
    IndexDamaged,
    /// Failed: the destination's tag does not point to the digest that the list pins.
    TagDiffers,
    /// Failed: the destination lacks images that its index lists.
    ImageMissing,
    /// Failed: the destination lacks blobs of its images.
    BlobMissing,
    /// Failed: blobs of the destination's images have a wrong size or a wrong digest.
    BlobDamaged,
    /// Failed: the destination lacks signatures or other referrers of the source.
    ReferrerMissing,
    /// Not validated: the line is not an image.
    InvalidLine,
    /// Not validated: the source registry returned 404.
    SourceMissing,
    /// Not validated: the source, its images, or its referrers, are not in the recording.
    NotRecorded,
    /// Not validated: a registry or its token server denied access.
    Denied,
    /// Not validated: no response, or a temporary error.
    Unreachable,
    /// Not validated: an unexpected response.
    InvalidAnswer,
    /// Not validated: the run was interrupted.
    Interrupted,
    /// Not validated: a bug in this program.
    InternalError,
}

impl Code {
    /// All codes, the failures first.
    pub const ALL: [Self; 22] = [
        Self::DestinationMissing,
        Self::DestinationEmpty,
        Self::DestinationNotAnIndex,
        Self::DestinationNotSingle,
        Self::NoPlatform,
        Self::DigestDiffers,
        Self::PlatformDiffers,
        Self::IndexDiffers,
        Self::IndexDamaged,
        Self::TagDiffers,
        Self::ImageMissing,
        Self::BlobMissing,
        Self::BlobDamaged,
        Self::ReferrerMissing,
        Self::InvalidLine,
        Self::SourceMissing,
        Self::NotRecorded,
        Self::Denied,
        Self::Unreachable,
        Self::InvalidAnswer,
        Self::Interrupted,
        Self::InternalError,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DestinationMissing => "destination-missing",
            Self::DestinationEmpty => "destination-empty",
            Self::DestinationNotAnIndex => "destination-not-an-index",
            Self::DestinationNotSingle => "destination-not-single",
            Self::NoPlatform => "no-platform",
            Self::DigestDiffers => "digest-differs",
            Self::PlatformDiffers => "platform-differs",
            Self::IndexDiffers => "index-differs",
            Self::IndexDamaged => "index-damaged",
            Self::TagDiffers => "tag-differs",
            Self::ImageMissing => "image-missing",
            Self::BlobMissing => "blob-missing",
            Self::BlobDamaged => "blob-damaged",
            Self::ReferrerMissing => "referrer-missing",
            Self::InvalidLine => "invalid-line",
            Self::SourceMissing => "source-missing",
            Self::NotRecorded => "not-recorded",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
            Self::InvalidAnswer => "invalid-answer",
            Self::Interrupted => "interrupted",
            Self::InternalError => "internal-error",
        }
    }

    /// Whether the code belongs to [`Outcome::Failed`]; otherwise to [`Outcome::NotValidated`].
    pub fn is_failure(self) -> bool {
        match self {
            Self::DestinationMissing
            | Self::DestinationEmpty
            | Self::DestinationNotAnIndex
            | Self::DestinationNotSingle
            | Self::NoPlatform
            | Self::DigestDiffers
            | Self::PlatformDiffers
            | Self::IndexDiffers
            | Self::IndexDamaged
            | Self::TagDiffers
            | Self::ImageMissing
            | Self::BlobMissing
            | Self::BlobDamaged
            | Self::ReferrerMissing => true,
            Self::InvalidLine
            | Self::SourceMissing
            | Self::NotRecorded
            | Self::Denied
            | Self::Unreachable
            | Self::InvalidAnswer
            | Self::Interrupted
            | Self::InternalError => false,
        }
    }
}

/// Class of the difference between the two sides of one platform. The names are an interface, as those
/// of [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The same config and layers; the JSON of the manifest differs.
    ReSerialised,
    /// The same config and layers; the media types are of the other format (Docker, OCI).
    Converted,
    /// The same config; layers are compressed differently.
    ReCompressed,
    /// The same layers by their `diff_ids`; the config differs.
    ReCreated,
    /// The destination lacks the platform; its other platforms are equal.
    Subset,
    /// Another build, created before the source's.
    Older,
    /// Another build, created after the source's.
    Newer,
    /// None of these, or unknown.
    Other,
}

impl Class {
    /// The classes that `--accept` takes.
    pub const ACCEPTABLE: [Self; 3] = [Self::ReSerialised, Self::Converted, Self::ReCompressed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReSerialised => "re-serialised",
            Self::Converted => "converted",
            Self::ReCompressed => "re-compressed",
            Self::ReCreated => "re-created",
            Self::Subset => "subset",
            Self::Older => "older",
            Self::Newer => "newer",
            Self::Other => "other",
        }
    }
}

/// Why the two sides of one platform differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformDifference {
    /// `os/architecture[/variant]`; `None` for artifacts.
    pub platform: Option<String>,
    pub class: Class,
    /// Evidence for the class, in one line of plain text.
    pub evidence: String,
    /// Digest of the source's manifest; `None`: the source has none for the platform.
    pub source: Option<Digest>,
    /// Digest of the destination's manifest.
    pub destination: Option<Digest>,
    /// When the source's image was created, by its config.
    pub source_created: Option<String>,
    /// When the destination's image was created, by its config.
    pub destination_created: Option<String>,
}

/// Failure of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFailure {
    /// The registry, as the user names it.
    pub host: String,
    pub cause: String,
    pub hint: Option<String>,
}

/// Why an image did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub code: Code,
    pub message: String,
    /// One line per difference.
    pub details: Vec<String>,
    /// One line per hint.
    pub hints: Vec<String>,
    /// `srcSpec` and `dstSpec`, each several lines of JSON.
    pub sides: Vec<String>,
    /// The registry failure behind this reason; the message ends with its hint.
    pub host_failure: Option<Box<HostFailure>>,
}

impl Reason {
    /// A reason without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            hints: Vec::new(),
            sides: Vec::new(),
            host_failure: None,
        }
    }

    /// The message without its hint.
    pub fn cause(&self) -> &str {
        let hint = self
            .host_failure
            .as_ref()
            .and_then(|host_failure| host_failure.hint.as_deref());
        hint.and_then(|hint| self.message.strip_suffix(hint)?.strip_suffix("; "))
            .unwrap_or(&self.message)
    }

    pub fn interrupted() -> Self {
        Self::new(Code::Interrupted, "the run was interrupted")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination equals the source, or the source was recorded.
    Passed,
    /// The destination differs from the source.
    Failed(Reason),
    /// The image could not be checked.
    NotValidated(Reason),
}

impl From<Reason> for Outcome {
    fn from(reason: Reason) -> Self {
        if reason.code.is_failure() {
            Self::Failed(reason)
        } else {
            Self::NotValidated(reason)
        }
    }
}

impl Outcome {
    /// `None`: the image passed.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Passed => None,
            Self::Failed(reason) | Self::NotValidated(reason) => Some(reason),
        }
    }

    /// Whether a signal ended the run before the image had an outcome.
    pub fn is_interrupted(&self) -> bool {
        let reason = self.reason();
        reason.is_some_and(|reason| reason.code == Code::Interrupted)
    }

    /// Whether the image passed, or was recorded.
    pub fn has_passed(&self) -> bool {
        *self == Self::Passed
    }
}

/// The entry of a source in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSource {
    /// The source's resolved name with tag or digest.
    pub name: String,
    /// Digest of its manifest.
    pub digest: Digest,
    /// One line of JSON, without its line feed.
    pub json: Vec<u8>,
}

/// Outcome and evidence of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub outcome: Outcome,
    /// Digest of the source's manifest; `None`: it could not be read.
    pub source_digest: Option<Digest>,
    /// Digest of the manifest that the destination's tag points to; `None`: it does not exist, or could not
    /// be read.
    pub destination_digest: Option<Digest>,
    /// The compared images of the source; `None` without a comparison.
    pub source: Option<Vec<Spec>>,
    /// The compared images of the destination.
    pub destination: Option<Vec<Spec>>,
    /// Architectures of `-a` that the source lacks, as `GOARCH` spells them.
    pub absent: Vec<String>,
    /// Reasons for different digests, by examined platform.
    pub why: Vec<PlatformDifference>,
    /// Accepted classes of differences (`--accept`), each once.
    pub accepted: Vec<Class>,
    /// Referrers whose type is missing in the lists of the destination, with the type from their manifests.
    pub referrers_without_type: Vec<Referrer>,
    /// The recorded source, for the task `record`.
    pub recorded: Option<Box<RecordedSource>>,
    /// Requests sent for the image.
    pub requests: u64,
    pub time: Duration,
    /// Number of the earlier line with the same image and the same finding.
    pub same_as: Option<u64>,
}

impl From<Outcome> for Finding {
    /// A finding without evidence.
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            source_digest: None,
            destination_digest: None,
            source: None,
            destination: None,
            absent: Vec::new(),
            why: Vec::new(),
            accepted: Vec::new(),
            referrers_without_type: Vec::new(),
            recorded: None,
            requests: 0,
            time: Duration::ZERO,
            same_as: None,
        }
    }
}

impl From<Reason> for Finding {
    fn from(reason: Reason) -> Self {
        Outcome::from(reason).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_under_its_word() {
        for code in Code::ALL {
            let word = serde_json::to_value(code).expect("a word");
            assert_eq!(word, code.as_str());
        }
        assert!(Code::ALL.is_sorted());
        // The last one: what is added behind it is missing in the list.
        assert_eq!(Code::ALL.len(), Code::InternalError as usize + 1);
    }

    #[test]
    fn a_hint_is_the_end_of_the_message() {
        let with = |message: &str, hint: Option<&str>| Reason {
            host_failure: Some(Box::new(HostFailure {
                host: "reg.io".to_owned(),
                cause: "no".to_owned(),
                hint: hint.map(str::to_owned),
            })),
            ..Reason::new(Code::Denied, message)
        };
        assert_eq!(
            with("reg.io: no; log in", Some("log in")).cause(),
            "reg.io: no"
        );
        assert_eq!(
            with("reg.io: no; log in", None).cause(),
            "reg.io: no; log in"
        );
        assert_eq!(with("reg.io: no", Some("log in")).cause(), "reg.io: no");
    }
}
