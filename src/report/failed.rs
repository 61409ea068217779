//! The failed list: the lines that failed or could not be validated, as they stood in the input.
//!
//! While a run goes on they are appended to `<output>.partial` in the order in which they are
//! found, so that a killed run leaves what it has found; at the end they are put into the list's
//! order and appear under their name by a rename. The input is only ever read, so it may be the
//! output of the same run. The partial file is locked: two runs cannot share an output.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::list::{Line, List};

/// Why the failed list cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FailedListError {
    /// The output is a directory.
    #[error("cannot write the failed list {0}: it is a directory; give a file with -o")]
    Directory(String),
    /// The output is a socket, a pipe or the like.
    #[error(
        "cannot write the failed list {0}: it is not a regular file; give another file with -o"
    )]
    NotRegular(String),
    /// The image list is the file in which failures are collected.
    #[error(
        "the image list {0} is where this run would collect failed lines; rename it, or give another file with -o"
    )]
    InputIsPartial(String),
    /// Another run writes it.
    #[error(
        "cannot write the failed list {0}: another run is writing it; give another file with -o"
    )]
    Locked(String),
    /// The system refuses.
    #[error("cannot write the failed list {0}: {1}; give another file with -o")]
    Io(String, io::Error),
    /// The system refuses after lines were found; they are still in the partial file.
    #[error("cannot write the failed list {0}: {1}; what was found is in {2}")]
    Left(String, io::Error, String),
}

/// One line in the partial file.
struct Kept {
    number: u64,
    offset: u64,
    length: usize,
}

/// A failed list being written.
pub struct FailedList {
    /// Its name as the user gave it.
    name: PathBuf,
    /// The file itself, links followed.
    output: PathBuf,
    store: Option<Store>,
}

/// The partial file, and which lines stand where in it.
struct Store {
    path: PathBuf,
    file: File,
    kept: Vec<Kept>,
    buffer: Vec<u8>,
    length: u64,
}

impl FailedList {
    /// Opens `<output>.partial`, so that what cannot be written is known before the first request.
    ///
    /// # Errors
    /// [`FailedListError`]; nothing has been changed then.
    pub fn create(output: &Path, input: Option<&List>) -> Result<Self, FailedListError> {
        let shown = show(output);
        let fail = |error| FailedListError::Io(shown.clone(), error);
        match fs::metadata(output) {
            Ok(found) if found.is_dir() => return Err(FailedListError::Directory(shown)),
            // `-o /dev/null`: the list is not wanted.
            Ok(found) if found.file_type().is_char_device() => {
                return Ok(Self {
                    name: output.to_owned(),
                    output: output.to_owned(),
                    store: None,
                });
            }
            Ok(found) if !found.is_file() => return Err(FailedListError::NotRegular(shown)),
            _ => {}
        }
        if output.file_name().is_none() {
            return Err(FailedListError::Directory(shown));
        }
        // A link stays a link: the file that it leads to is replaced.
        let name = output.to_owned();
        let output = fs::canonicalize(output).unwrap_or_else(|_| output.to_owned());
        let path = suffixed(&output, ".partial");
        if let (Some(input), Ok(found)) = (input, fs::metadata(&path))
            && input.is_file(&found)
        {
            return Err(FailedListError::InputIsPartial(input.name().to_owned()));
        }
        let file = lock(&path, &shown)?;
        file.set_len(0).map_err(fail)?;
        let store = Store {
            path,
            file,
            kept: Vec::new(),
            buffer: Vec::new(),
            length: 0,
        };
        Ok(Self {
            name,
            output,
            store: Some(store),
        })
    }

    /// Takes up a line; [`FailedList::sync`] puts it on disk.
    pub fn add(&mut self, line: &Line) {
        let Some(store) = &mut self.store else { return };
        let length = line.bytes.len() + 1;
        store.kept.push(Kept {
            number: line.number,
            offset: store.length,
            length,
        });
        store.buffer.extend_from_slice(&line.bytes);
        store.buffer.push(b'\n');
        store.length += length as u64;
    }

    /// Puts the lines taken up since the last time on disk.
    ///
    /// # Errors
    /// [`FailedListError::Left`] where the disk refuses (full, gone).
    pub fn sync(&mut self) -> Result<(), FailedListError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        if store.buffer.is_empty() {
            return Ok(());
        }
        let written = store
            .file
            .write_all(&store.buffer)
            .and_then(|()| store.file.sync_data());
        store.buffer.clear();
        written.map_err(|error| FailedListError::Left(show(&self.output), error, show(&store.path)))
    }

    /// Ends the list: its file where there are lines, no file where there are none.
    ///
    /// # Errors
    /// [`FailedListError::Left`]; the partial file is still there then.
    pub fn finish(&mut self) -> Result<Option<PathBuf>, FailedListError> {
        self.sync()?;
        let Some(store) = self.store.take() else {
            return Ok(None);
        };
        let output = &self.output;
        let left = |error| FailedListError::Left(show(output), error, show(&store.path));
        if store.kept.is_empty() {
            remove(output).map_err(|error| FailedListError::Io(show(output), error))?;
            remove(&store.path).map_err(|error| FailedListError::Io(show(&store.path), error))?;
            return Ok(None);
        }
        if store.kept.is_sorted_by_key(|kept| kept.number) {
            store.file.sync_all().map_err(left)?;
            fs::rename(&store.path, output).map_err(left)?;
        } else {
            let sorted = suffixed(output, ".sorted");
            let written = write_sorted(&store, &sorted).and_then(|()| fs::rename(&sorted, output));
            if let Err(error) = written {
                // Best effort: the error is reported, and the lines are in the partial file.
                let _ = fs::remove_file(&sorted);
                return Err(left(error));
            }
            remove(&store.path).map_err(|error| FailedListError::Io(show(&store.path), error))?;
        }
        sync_directory(output);
        Ok(Some(self.name.clone()))
    }
}

/// Opens and locks the partial file; what a killed run left in it is only cut once it is ours.
fn lock(path: &Path, output: &str) -> Result<File, FailedListError> {
    let fail = |error| FailedListError::Io(output.to_owned(), error);
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
                return Err(FailedListError::Locked(output.to_owned()));
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

/// Copies the partial file in the list's order.
fn write_sorted(store: &Store, to: &Path) -> io::Result<()> {
    let mut order: Vec<&Kept> = store.kept.iter().collect();
    order.sort_by_key(|kept| kept.number);
    let mut out = BufWriter::new(File::create(to)?);
    let mut line = Vec::new();
    for kept in order {
        line.resize(kept.length, 0);
        store.file.read_exact_at(&mut line, kept.offset)?;
        out.write_all(&line)?;
    }
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
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
