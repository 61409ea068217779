use std::io;
use std::path::Path;

use super::OutputForm;
use super::place::PathError;
use crate::escape::escape;
use crate::task::record::RecordingError;

#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("cannot write the {} {name}: it is a directory; name a file with {}", .kind.what, .kind.flag)]
    Directory {
        kind: &'static OutputForm,
        name: String,
    },
    #[error("cannot write the {} {name}: it is not a regular file; name another file with {}", .kind.what, .kind.flag)]
    NotRegular {
        kind: &'static OutputForm,
        name: String,
    },
    /// The image list is the partial file of this output.
    #[error("cannot read the image list {list}: this run writes {} to that file until it ends; rename the list, or name another file with {}", .kind.content, .kind.flag)]
    InputIsPartial {
        kind: &'static OutputForm,
        list: String,
    },
    /// A shard would replace the whole image list.
    #[error(
        "cannot write the {} {name}: it is the image list, and --shard validates only a part of it; name another file with {}", .kind.what, .kind.flag
    )]
    ShardOfOwnList {
        kind: &'static OutputForm,
        name: String,
    },
    /// The run reads this file, or writes another output to it.
    #[error("cannot write the {} {name}: it would overwrite the {other}; name another file with {}", .kind.what, .kind.flag)]
    Taken {
        kind: &'static OutputForm,
        name: String,
        /// The other use of the file.
        other: String,
    },
    /// Another user could have prepared the path, or the file has a second name.
    #[error("cannot write the {} {name}: {distrust}; name another file with {}", .kind.what, .kind.flag)]
    Distrusted {
        kind: &'static OutputForm,
        name: String,
        distrust: PathError,
    },
    /// A killed run did not leave this partial file.
    #[error("cannot write the {} {name}: {partial} exists, but {distrust}; remove {partial}, or name another file with {}", .kind.what, .kind.flag)]
    InTheWay {
        kind: &'static OutputForm,
        name: String,
        partial: String,
        distrust: PathError,
    },
    #[error("cannot write the {} {name}: another run is writing it; name another file with {}", .kind.what, .kind.flag)]
    Locked {
        kind: &'static OutputForm,
        name: String,
    },
    #[error("cannot write the {} {name}: {error}; name another file with {}", .kind.what, .kind.flag)]
    Io {
        kind: &'static OutputForm,
        name: String,
        error: io::Error,
    },
    /// The write failed after some entries were collected; they are still in the partial file.
    #[error("cannot write the {} {name}: {error}; the results until then are in {partial}", .kind.what)]
    Left {
        kind: &'static OutputForm,
        name: String,
        error: io::Error,
        partial: String,
    },
    /// The existing recording cannot be extended.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl OutputError {
    pub fn of(kind: &'static OutputForm, name: &str, distrust: PathError) -> Self {
        let name = name.to_owned();
        match distrust {
            PathError::Locked => Self::Locked { kind, name },
            PathError::Io(error) => Self::Io { kind, name, error },
            distrust => Self::Distrusted {
                kind,
                name,
                distrust,
            },
        }
    }
}

/// A path, escaped for messages.
pub fn show(path: &Path) -> String {
    escape(&path.display().to_string()).into_owned()
}

impl std::fmt::Debug for OutputForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.what)
    }
}
