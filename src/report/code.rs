//! Reason codes: why an image did not pass, as one stable word for programs.

use serde::Serialize;

/// A reason. The words are an interface, listed in the README and in the report's JSON Schema: new
/// ones may come, none changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Failed: the destination answers that it has no such manifest.
    DestinationMissing,
    /// Failed: the destination is an index without entries.
    DestinationEmpty,
    /// Failed: the destination is not an index.
    DestinationNotAnIndex,
    /// Failed: the source is an image, and the destination's index has not exactly one.
    DestinationNotSingle,
    /// Failed: the source has nothing for `-a` and `--os`.
    NoPlatform,
    /// Failed: the source's image, or artifact, has another digest than the destination's.
    DigestDiffers,
    /// Failed: the source's image runs on another platform than the destination's.
    PlatformDiffers,
    /// Failed: the indexes' images differ.
    IndexDiffers,
    /// Failed: images that the destination lists are not there.
    ImageMissing,
    /// Failed: blobs of the destination's images are not there.
    BlobMissing,
    /// Failed: blobs of the destination's images have another size or another digest.
    BlobDamaged,
    /// Failed: signatures or other referrers of the source are not at the destination.
    ReferrerMissing,
    /// Not validated: the line is not an image.
    InvalidLine,
    /// Not validated: the source answers that it has no such manifest.
    SourceMissing,
    /// Not validated: the source, or its referrers, are not in the recording.
    NotRecorded,
    /// Not validated: a registry, or its token server, refuses.
    Denied,
    /// Not validated: no answer, or one that says to come back later.
    Unreachable,
    /// Not validated: an answer that makes no sense.
    InvalidAnswer,
    /// Not validated: the run was interrupted before.
    Interrupted,
    /// Not validated: a fault of this program.
    InternalError,
}
