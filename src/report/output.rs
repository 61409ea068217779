//! A file that a run writes: collected beside its place, locked, and put there by a rename.
//!
//! What cannot be written is known before the first request. Until the end the file under the name
//! that the user gave is untouched, and what has been collected is in `<name>.partial`, also after
//! a run that was killed. Two runs cannot share an output.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::list::List;

/// What kind of file it is, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name in words.
    pub what: &'static str,
    /// What is collected for it.
    pub content: &'static str,
    /// The flag that names the file.
    pub flag: &'static str,
}

/// Lines that did not pass.
pub const FAILED_LIST: Kind = Kind {
    what: "failed list",
    content: "failed lines",
    flag: "-o",
};

/// What became of each line, for programs.
pub const REPORT: Kind = Kind {
    what: "report",
    content: "the report",
    flag: "--report",
};

/// The totals, for Prometheus.
pub const METRICS: Kind = Kind {
    what: "metrics",
    content: "the metrics",
    flag: "--metrics",
};

/// What the sources are.
pub const RECORDING: Kind = Kind {
    what: "recording",
    content: "sources",
    flag: "--record",
};

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The output is a directory.
    #[error("cannot write the {} {name}: it is a directory; give a file with {}", .kind.what, .kind.flag)]
    Directory {
        /// What is written.
        kind: Kind,
        /// The file.
        name: String,
    },
    /// The output is a socket, a pipe or the like.
    #[error("cannot write the {} {name}: it is not a regular file; give another file with {}", .kind.what, .kind.flag)]
    NotRegular {
        /// What is written.
        kind: Kind,
        /// The file.
        name: String,
    },
    /// The image list is the file in which the run collects.
    #[error("the image list {list} is where this run would collect {}; rename it, or give another file with {}", .kind.content, .kind.flag)]
    InputIsPartial {
        /// What is written.
        kind: Kind,
        /// The list.
        list: String,
    },
    /// The run reads that file, or writes something else to it.
    #[error("cannot write the {} {name}: it would replace the {other}; give another file with {}", .kind.what, .kind.flag)]
    Taken {
        /// What is written.
        kind: Kind,
        /// The file.
        name: String,
        /// What else it is.
        other: String,
    },
    /// Another run writes it.
    #[error("cannot write the {} {name}: another run is writing it; give another file with {}", .kind.what, .kind.flag)]
    Locked {
        /// What is written.
        kind: Kind,
        /// The file.
        name: String,
    },
    /// The system refuses.
    #[error("cannot write the {} {name}: {error}; give another file with {}", .kind.what, .kind.flag)]
    Io {
        /// What is written.
        kind: Kind,
        /// The file.
        name: String,
        /// The system's reason.
        error: io::Error,
    },
    /// The system refuses after something was collected; it is still in the partial file.
    #[error("cannot write the {} {name}: {error}; what was found is in {partial}", .kind.what)]
    Left {
        /// What is written.
        kind: Kind,
        /// The file.
        name: String,
        /// The system's reason.
        error: io::Error,
        /// Where it is.
        partial: String,
    },
}

/// Behind a file's name: where it is collected.
const PARTIAL: &str = ".partial";

/// Behind a file's name: where it is put into its order.
const SORTED: &str = ".sorted";

/// A file being written.
pub struct Output {
    kind: Kind,
    /// Its name as the user gave it.
    name: PathBuf,
    /// The file itself, links followed.
    path: PathBuf,
    partial: PathBuf,
    file: File,
    /// Nothing of the partial file is left to be seen to.
    is_done: bool,
}

impl Drop for Output {
    /// A run that could not begin leaves no partial file behind.
    fn drop(&mut self) {
        if !self.is_done && self.file.metadata().is_ok_and(|found| found.len() == 0) {
            // Best effort: an empty file does no harm.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

impl Output {
    /// Opens `<name>.partial`.
    ///
    /// # Errors
    /// [`OutputError`]; nothing has been changed then.
    pub fn create(kind: Kind, name: &Path, input: &List) -> Result<Self, OutputError> {
        let shown = || show(name);
        if name == Path::new("-") {
            return Err(OutputError::NotRegular {
                kind,
                name: shown(),
            });
        }
        if is_standard_output(name) {
            return Err(OutputError::Taken {
                kind,
                name: shown(),
                other: "standard output".to_owned(),
            });
        }
        match fs::metadata(name) {
            Ok(found) if found.is_dir() => {
                return Err(OutputError::Directory {
                    kind,
                    name: shown(),
                });
            }
            Ok(found) if !found.is_file() => {
                return Err(OutputError::NotRegular {
                    kind,
                    name: shown(),
                });
            }
            // The failed list may replace the list that it was made from.
            Ok(found) if kind != FAILED_LIST && input.is_file(&found) => {
                return Err(OutputError::Taken {
                    kind,
                    name: shown(),
                    other: "image list".to_owned(),
                });
            }
            _ => {}
        }
        if name.file_name().is_none() {
            return Err(OutputError::Directory {
                kind,
                name: shown(),
            });
        }
        // A link stays a link: the file that it leads to is replaced.
        let path = fs::canonicalize(name).unwrap_or_else(|_| name.to_owned());
        for place in [PARTIAL, SORTED].map(|suffix| suffixed(&path, suffix)) {
            if fs::metadata(place).is_ok_and(|found| input.is_file(&found)) {
                return Err(OutputError::InputIsPartial {
                    kind,
                    list: input.name().to_owned(),
                });
            }
        }
        let partial = suffixed(&path, PARTIAL);
        let file = lock(kind, &partial, &shown())?;
        file.set_len(0).map_err(|error| OutputError::Io {
            kind,
            name: shown(),
            error,
        })?;
        Ok(Self {
            kind,
            name: name.to_owned(),
            path,
            partial,
            file,
            is_done: false,
        })
    }

    /// Its name as the user gave it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The partial file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts the partial file in its place.
    ///
    /// # Errors
    /// [`OutputError::Left`].
    pub fn commit(&mut self) -> Result<(), OutputError> {
        self.file.sync_all().map_err(|error| self.left(error))?;
        fs::rename(&self.partial, &self.path).map_err(|error| self.left(error))?;
        self.is_done = true;
        sync_directory(&self.path);
        Ok(())
    }

    /// Puts something else in its place, made from the partial file, and takes that away.
    ///
    /// # Errors
    /// [`OutputError::Left`]; the partial file is still there then.
    pub fn commit_other(
        &mut self,
        write: impl FnOnce(&File, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        let other = suffixed(&self.path, SORTED);
        let written = File::create(&other)
            .and_then(|file| {
                let mut out = BufWriter::new(file);
                write(&self.file, &mut out)?;
                out.into_inner()
                    .map_err(io::IntoInnerError::into_error)?
                    .sync_all()
            })
            .and_then(|()| fs::rename(&other, &self.path));
        if let Err(error) = written {
            // Best effort: the error is reported, and what was collected is in the partial file.
            let _ = fs::remove_file(&other);
            return Err(self.left(error));
        }
        remove(&self.partial).map_err(|error| self.refused(error))?;
        self.is_done = true;
        sync_directory(&self.path);
        Ok(())
    }

    /// Leaves no file, also none of an earlier run.
    ///
    /// # Errors
    /// [`OutputError::Io`].
    pub fn remove(&mut self) -> Result<(), OutputError> {
        remove(&self.path)
            .and_then(|()| remove(&self.partial))
            .map_err(|error| self.refused(error))?;
        self.is_done = true;
        Ok(())
    }

    /// The error of a system that refuses in the middle; what was collected until then stays.
    pub fn left(&self, error: io::Error) -> OutputError {
        if self.file.metadata().is_ok_and(|found| found.len() == 0) {
            return self.refused(error);
        }
        OutputError::Left {
            kind: self.kind,
            name: show(&self.name),
            error,
            partial: self.partial_name(),
        }
    }

    /// The name of the partial file, for messages.
    pub fn partial_name(&self) -> String {
        let is_link = fs::symlink_metadata(&self.name).is_ok_and(|found| found.is_symlink());
        if is_link {
            show(&self.partial)
        } else {
            show(&suffixed(&self.name, PARTIAL))
        }
    }

    fn refused(&self, error: io::Error) -> OutputError {
        OutputError::Io {
            kind: self.kind,
            name: show(&self.name),
            error,
        }
    }
}

/// No file that is written may be one that is read, or be written twice; nor may one of those that are
/// used on the way. The image list is seen to
/// by [`Output::create`]: it may be standard input, and the failed list may replace it.
///
/// # Errors
/// [`OutputError::Taken`].
pub fn refuse_shared(
    outputs: &[(Kind, &Path)],
    inputs: &[(&'static str, &Path)],
) -> Result<(), OutputError> {
    let places = |name: &Path| ["", PARTIAL, SORTED].map(|suffix| suffixed(name, suffix));
    for (index, (kind, name)) in outputs.iter().enumerate() {
        let own = places(name);
        let is_own = |place: &PathBuf| own.iter().any(|own| is_same(own, place));
        let output = outputs[..index]
            .iter()
            .find(|(_, other)| places(other).iter().any(is_own))
            .map(|(other, _)| other.what);
        let input = inputs
            .iter()
            .find(|(_, path)| is_own(&path.to_path_buf()))
            .map(|(what, _)| *what);
        if let Some(other) = output.or(input) {
            return Err(OutputError::Taken {
                kind: *kind,
                name: show(name),
                other: other.to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether two names are those of one file, which need not be there yet. Devices can be shared.
fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        (Err(_), Err(_)) => {
            let place = |path: &Path| {
                let parent = path.parent().filter(|path| !path.as_os_str().is_empty());
                let parent = parent.unwrap_or(Path::new("."));
                Some((fs::canonicalize(parent).ok()?, path.file_name()?.to_owned()))
            };
            place(one).is_some_and(|found| place(other) == Some(found))
        }
        _ => false,
    }
}

/// Whether a file is the one to which the log goes: `/dev/stdout` in a script.
fn is_standard_output(name: &Path) -> bool {
    let own = io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|fd| File::from(fd).metadata());
    match (fs::metadata(name), own) {
        (Ok(named), Ok(own)) => {
            named.is_file() && (named.dev(), named.ino()) == (own.dev(), own.ino())
        }
        _ => false,
    }
}

/// Opens and locks the partial file; what a killed run left in it is only cut once it is ours.
fn lock(kind: Kind, path: &Path, name: &str) -> Result<File, OutputError> {
    let fail = |error| OutputError::Io {
        kind,
        name: name.to_owned(),
        error,
    };
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OutputError::Locked {
                    kind,
                    name: name.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        // Another run may have renamed the file between our opening and our locking it.
        let opened = file.metadata().map_err(fail)?;
        match fs::metadata(path) {
            Ok(named) if named.dev() == opened.dev() && named.ino() == opened.ino() => {
                return Ok(file);
            }
            _ => {}
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a rename last through a power failure; not every file system can.
fn sync_directory(path: &Path) {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if let Ok(directory) = File::open(parent) {
        let _ = directory.sync_all();
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn show(path: &Path) -> String {
    crate::escape::escape(&path.display().to_string()).into_owned()
}
