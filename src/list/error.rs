//! Why a list cannot be read.

use std::io;

/// Why a list cannot be read. The first text of each is the list's name.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Opening it or reading from it failed.
    #[error("cannot read the image list {0}: {1}")]
    Io(String, io::Error),
    /// It is a directory.
    #[error("cannot read the image list {0}: it is a directory, not a file")]
    Directory(String),
    /// It has NUL bytes.
    #[error("cannot read the image list {0}: it is not a text file (line {1} contains a NUL byte)")]
    Binary(String, u64),
    /// It is text in UTF-16.
    #[error("cannot read the image list {0}: it is UTF-16 text; save the file as UTF-8")]
    Utf16(String),
    /// A line above [`super::lines::MAX_KEPT`].
    #[error("cannot read the image list {0}: line {1} is longer than 16 MiB")]
    Endless(String, u64),
    /// A YAML or JSON file that is not UTF-8; and a line.
    #[error(
        "cannot read the image list: {0}:{1}: the line is not UTF-8 text; save the file as UTF-8"
    )]
    NotText(String, u64),
    /// A YAML or JSON file above [`super::document::MAX_BYTES`].
    #[error(
        "cannot read the image list {0}: YAML and JSON files may have at most 64 MiB; split the file"
    )]
    Large(String),
    /// A YAML or JSON file that is malformed, or has more than is read; its line, what is wrong, and
    /// what to do.
    #[error("cannot read the image list: {0}:{1}: {2}")]
    Document(String, u64, String),
    /// A YAML or JSON file without an image; the line because of which it was read as such.
    #[error(
        "cannot read the image list {0}: it contains no image (read as YAML or JSON because of line {1}; \
         supported are files of regsync, image-syncer, skopeo sync, ImagesLock, hauler and zarf, \
         Kubernetes manifests, Compose files and JSON arrays)"
    )]
    NoImage(String, u64),
}
