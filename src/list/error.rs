//! Why a list cannot be read.

use std::io;

/// Why a list cannot be read. The first text of each is the list's name.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Opening it or reading from it failed.
    #[error("cannot read the image list {0}: {1}")]
    Io(String, io::Error),
    /// It is a directory.
    #[error("cannot read the image list {0}: it is a directory; give a file")]
    Directory(String),
    /// It has NUL bytes.
    #[error(
        "cannot read the image list {0}: it is not text (line {1} has a NUL byte); give a UTF-8 text file"
    )]
    Binary(String, u64),
    /// It is text in UTF-16.
    #[error("cannot read the image list {0}: it is UTF-16 text; save it as UTF-8")]
    Utf16(String),
    /// A line above [`super::lines::MAX_KEPT`].
    #[error(
        "cannot read the image list {0}: line {1} is longer than 16 MiB; this is not an image list"
    )]
    Endless(String, u64),
    /// A YAML or JSON file that is not UTF-8; and a line.
    #[error(
        "cannot read the image list: {0}:{1}: the line is not UTF-8 text; save the file as UTF-8"
    )]
    NotText(String, u64),
    /// A YAML or JSON file above [`super::document::MAX_BYTES`].
    #[error(
        "cannot read the image list {0}: it is a YAML or JSON file of more than 64 MiB; split it"
    )]
    Large(String),
    /// A YAML or JSON file that is malformed, or has more than is read; its line, what is wrong, and
    /// what to do.
    #[error("cannot read the image list: {0}:{1}: {2}")]
    Document(String, u64, String),
    /// A YAML or JSON file without an image; the line because of which it was read as such.
    #[error(
        "cannot read the image list {0}: there is no image in it (line {1} makes it a YAML or JSON file; \
         images are read from regsync, image-syncer, skopeo sync, ImagesLock, hauler and zarf files, \
         from Kubernetes manifests and Compose files, and from JSON arrays)"
    )]
    NoImage(String, u64),
}
