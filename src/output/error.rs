//! Why a file cannot be written, in words for the person who named it.

use std::io;
use std::path::Path;

use super::Kind;
use super::place::Distrust;
use crate::escape::escape;
use crate::task::record::RecordingError;

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The output is a directory.
    #[error("cannot write the {} {name}: it is a directory, not a file with {}", .kind.what, .kind.flag)]
    Directory {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
    },
    /// The output is a socket, a pipe or the like.
    #[error("cannot write the {} {name}: it is not a regular file; give another file with {}", .kind.what, .kind.flag)]
    NotRegular {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
    },
    /// The image list is the file in which the run collects.
    #[error("the image list {list} is where this run would collect {}; rename it, or give another file with {}", .kind.content, .kind.flag)]
    InputIsPartial {
        /// The form of output.
        kind: &'static Kind,
        /// The list.
        list: String,
    },
    /// A shard would replace the whole list.
    #[error(
        "cannot write the {} {name}: it is the image list, and --shard validates only a part of it; give another file with {}", .kind.what, .kind.flag
    )]
    ShardOfOwnList {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
    },
    /// The run reads that file, or writes something else to it.
    #[error("cannot write the {} {name}: it would replace the {other}; give another file with {}", .kind.what, .kind.flag)]
    Taken {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
        /// What else it is.
        other: String,
    },
    /// Another user could have a hand in it, or it has another name.
    #[error("cannot write the {} {name}: {distrust}; give another file with {}", .kind.what, .kind.flag)]
    Distrusted {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
        distrust: Distrust,
    },
    /// The partial file cannot be one that a killed run left.
    #[error("cannot write the {} {name}: {partial} is in the way: {distrust}; remove it, or give another file with {}", .kind.what, .kind.flag)]
    InTheWay {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
        /// The partial file.
        partial: String,
        distrust: Distrust,
    },
    /// Another run writes it.
    #[error("cannot write the {} {name}: another run is writing it; give another file with {}", .kind.what, .kind.flag)]
    Locked {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
    },
    /// The system refuses.
    #[error("cannot write the {} {name}: {error}; give another file with {}", .kind.what, .kind.flag)]
    Io {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
        /// The system's reason.
        error: io::Error,
    },
    /// The system refuses after something was collected; it is still in the partial file.
    #[error("cannot write the {} {name}: {error}; what was found is in {partial}", .kind.what)]
    Left {
        /// The form of output.
        kind: &'static Kind,
        /// The file.
        name: String,
        /// The system's reason.
        error: io::Error,
        /// The partial file.
        partial: String,
    },
    /// The recording that is there cannot be extended.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl OutputError {
    /// The error of an output whose place is not trusted.
    pub fn of(kind: &'static Kind, name: &str, distrust: Distrust) -> Self {
        let name = name.to_owned();
        match distrust {
            Distrust::Locked => Self::Locked { kind, name },
            Distrust::Io(error) => Self::Io { kind, name, error },
            distrust => Self::Distrusted {
                kind,
                name,
                distrust,
            },
        }
    }
}

/// A path for messages.
pub fn show(path: &Path) -> String {
    escape(&path.display().to_string()).into_owned()
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.what)
    }
}
