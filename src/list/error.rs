//! Errors of reading a list.

use std::io;

/// The first field of each variant is the name of the list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Opening or reading failed.
    #[error("cannot read the image list {0}: {1}")]
    Io(String, io::Error),
    /// It is a directory.
    #[error("cannot read the image list {0}: it is a directory, not a file")]
    Directory(String),
    /// It has NUL bytes.
    #[error("cannot read the image list {0}: it is not a text file (line {1} contains a NUL byte)")]
    Binary(String, u64),
    #[error("cannot read the image list {0}: it is UTF-16 text; save the file as UTF-8")]
    Utf16(String),
    /// A line exceeds [`super::lines::MAX_KEPT`].
    #[error("cannot read the image list {0}: line {1} is longer than 16 MiB")]
    Endless(String, u64),
    /// A YAML or JSON file is not UTF-8; with the line.
    #[error(
        "cannot read the image list: {0}:{1}: the line is not UTF-8 text; save the file as UTF-8"
    )]
    NotText(String, u64),
    /// A YAML or JSON file exceeds [`super::document::MAX_BYTES`].
    #[error(
        "cannot read the image list {0}: YAML and JSON files may have at most 64 MiB; split the file"
    )]
    Large(String),
    /// A YAML or JSON file is malformed or exceeds a limit; with the line, the mistake, and the remedy.
    #[error("cannot read the image list: {0}:{1}: {2}")]
    Document(String, u64, String),
    /// A YAML or JSON file without images; with the line that begins the document.
    #[error(
        "cannot read the image list {0}: it contains no image (read as YAML or JSON because of line {1}; \
         supported are files of regsync, image-syncer, skopeo sync, ImagesLock, hauler and zarf, \
         Kubernetes manifests, Compose files and JSON arrays)"
    )]
    NoImage(String, u64),
}
