//! The verdict on an image: its outcome, the reason for it, and the facts that were gathered.
//!
//! Tasks make findings; the pipeline and the outputs take them. This module imports neither.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::manifest::{Digest, Referrer, Spec};

/// A reason code: one stable word for programs. The words are an interface, listed in the report's
/// JSON Schema: new ones may come, none changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Failed: the destination registry answers that it has no such manifest.
    DestinationMissing,
    /// Failed: the destination is an index without entries.
    DestinationEmpty,
    /// Failed: the destination is not an index.
    DestinationNotAnIndex,
    /// Failed: the source is an image, and the destination's index has not exactly one.
    DestinationNotSingle,
    /// Failed: the source has no image for `-a` and `--os`.
    NoPlatform,
    /// Failed: the digest of the source's image, or artifact, is not that of the destination's.
    DigestDiffers,
    /// Failed: the platform of the source's image is not that of the destination's.
    PlatformDiffers,
    /// Failed: the images of the two indexes differ.
    IndexDiffers,
    /// Failed: the destination's index has a wrong size for an image.
    IndexDamaged,
    /// Failed: the destination's tag does not lead to the digest that the list pins.
    TagDiffers,
    /// Failed: the destination does not have images that its index lists.
    ImageMissing,
    /// Failed: the destination does not have blobs of its images.
    BlobMissing,
    /// Failed: blobs of the destination's images have another size or another digest.
    BlobDamaged,
    /// Failed: signatures or other referrers of the source are not at the destination.
    ReferrerMissing,
    /// Not validated: the line is not an image.
    InvalidLine,
    /// Not validated: the source registry answers that it has no such manifest.
    SourceMissing,
    /// Not validated: the source, its images, or its referrers, are not in the recording.
    NotRecorded,
    /// Not validated: a registry or its token server denied access.
    Denied,
    /// Not validated: no response, or one that says to come back later.
    Unreachable,
    /// Not validated: an unexpected response.
    InvalidAnswer,
    /// Not validated: the run was interrupted before.
    Interrupted,
    /// Not validated: an internal error of this program.
    InternalError,
}

impl Code {
    /// All of them, the failures first.
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

    /// Its word.
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

    /// Whether the image was compared and differs, as opposed to: it could not be compared.
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

/// The kind of a difference between the two sides of one platform. The words are an interface, like
/// those of [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The same config and layers; the manifest's JSON is another.
    ReSerialised,
    /// The same config and layers; the media types are another format's.
    Converted,
    /// The same config; layers that are compressed in another way.
    ReCompressed,
    /// The same content of the layers by its `diff_ids`; another config.
    ReCreated,
    /// The destination lacks the platform; all that it has is equal.
    Subset,
    /// Another build, created before the source's.
    Older,
    /// Another build, created after the source's.
    Newer,
    /// None of these, or not known.
    Other,
}

impl Class {
    /// The classes that `--accept` takes.
    pub const ACCEPTABLE: [Self; 3] = [Self::ReSerialised, Self::Converted, Self::ReCompressed];

    /// Its word.
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
pub struct Why {
    /// The platform, as `os/architecture[/variant]`; `None`: it is no image, and has none.
    pub platform: Option<String>,
    /// The kind of difference.
    pub class: Class,
    /// What the class follows from, in one line of plain text.
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

/// What a registry did instead of giving what was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The registry, as the user names it.
    pub host: String,
    /// What went wrong.
    pub cause: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

/// Why an image did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The reason in one word.
    pub code: Code,
    /// The reason in one line.
    pub message: String,
    /// The single differences, a line each.
    pub details: Vec<String>,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
    /// Both sides, as JSON of several lines each.
    pub sides: Vec<String>,
    /// The registry's part in it; its hint is the end of the message.
    pub trouble: Option<Box<Trouble>>,
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
            trouble: None,
        }
    }

    /// The message without the hint that it ends with.
    pub fn cause(&self) -> &str {
        let hint = self
            .trouble
            .as_ref()
            .and_then(|trouble| trouble.hint.as_deref());
        hint.and_then(|hint| self.message.strip_suffix(hint)?.strip_suffix("; "))
            .unwrap_or(&self.message)
    }

    /// The run ended before the image was validated.
    pub fn interrupted() -> Self {
        Self::new(Code::Interrupted, "the run was interrupted")
    }
}

/// The outcome of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The task succeeded: the destination is what the source is, or the source was recorded.
    Passed,
    /// The destination is not what the source is.
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
    /// Why the image did not pass.
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

/// A source as a recording keeps it, already in the recording's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSource {
    /// The source's resolved name with tag or digest.
    pub name: String,
    /// Digest of its manifest.
    pub digest: Digest,
    /// One line of JSON, without its line feed.
    pub json: Vec<u8>,
}

/// An outcome, and the facts that were gathered on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The outcome.
    pub outcome: Outcome,
    /// Digest of the source's own manifest; `None`: it was not read to its end.
    pub source_digest: Option<Digest>,
    /// Digest of the manifest that the destination's tag leads to; `None`: it was not read, or is
    /// not there.
    pub destination_digest: Option<Digest>,
    /// The compared images of the source; `None` where it did not come to a comparison.
    pub source: Option<Vec<Spec>>,
    /// The compared images of the destination.
    pub destination: Option<Vec<Spec>>,
    /// Wanted architectures that the source lacks, in Go's names.
    pub absent: Vec<String>,
    /// Why the digests differ, of each platform that was looked at.
    pub why: Vec<Why>,
    /// The classes of differences with which it passed (`--accept`), each once.
    pub accepted: Vec<Class>,
    /// Referrers whose type the destination's lists do not say, with the type of their manifests.
    pub referrers_without_type: Vec<Referrer>,
    /// Of the task `record`: the source that was read.
    pub recorded: Option<Box<RecordedSource>>,
    /// Requests that were sent for the image.
    pub requests: u64,
    /// How long the task took.
    pub time: Duration,
    /// The number of the earlier line with the same image, whose finding this is.
    pub same_as: Option<u64>,
}

impl From<Outcome> for Finding {
    /// A finding without facts.
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
            trouble: Some(Box::new(Trouble {
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
