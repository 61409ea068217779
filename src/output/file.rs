//! A file that a run writes: collected beside its place, locked, and put there by a rename.
//!
//! What cannot be written is known before the first request. Until the end the file under the name
//! that the user gave is untouched, and what has been collected is in `<name>.partial`, also after
//! a run that was killed. Two runs cannot share an output.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::conflicts::is_standard_output;
use super::error::{OutputError, show};
use super::failed::FAILED_LIST;
use super::{Kind, RunSettings};
use crate::list::List;

/// Behind a file's name: where it is collected.
pub const PARTIAL: &str = ".partial";

/// Behind the name of an image list that is its own failed list: the list as it was.
const PREVIOUS: &str = ".previous";

/// A file being written.
pub struct Output {
    kind: &'static Kind,
    /// Its name as the user gave it.
    name: PathBuf,
    /// The file itself, links followed.
    path: PathBuf,
    partial: PathBuf,
    file: File,
    /// The partial file has been renamed or removed; `Drop` has nothing to do.
    is_done: bool,
    /// The file is the run's own image list.
    is_list: bool,
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
    pub fn create(
        kind: &'static Kind,
        name: &Path,
        input: &List,
        settings: &RunSettings,
    ) -> Result<Self, OutputError> {
        let shown = show(name);
        if name == Path::new("-") {
            return Err(OutputError::NotRegular { kind, name: shown });
        }
        if is_standard_output(name) {
            return Err(OutputError::Taken {
                kind,
                name: shown,
                other: "standard output".to_owned(),
            });
        }
        let found = fs::metadata(name).ok();
        if name.file_name().is_none() || found.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(OutputError::Directory { kind, name: shown });
        }
        if found.as_ref().is_some_and(|found| !found.is_file()) {
            return Err(OutputError::NotRegular { kind, name: shown });
        }
        let is_list = found.is_some_and(|found| input.is_file(&found));
        // The failed list may replace the list that it was made from.
        if is_list && !std::ptr::eq(kind, &raw const FAILED_LIST) {
            return Err(OutputError::Taken {
                kind,
                name: shown,
                other: "image list".to_owned(),
            });
        }
        if is_list && settings.shard.is_some() {
            return Err(OutputError::ShardOfOwnList { name: shown });
        }
        // A link stays a link: the file that it leads to is replaced.
        let path = fs::canonicalize(name).unwrap_or_else(|_| name.to_owned());
        let partial = suffixed(&path, PARTIAL);
        if fs::metadata(&partial).is_ok_and(|found| input.is_file(&found)) {
            return Err(OutputError::InputIsPartial {
                kind,
                list: input.name().to_owned(),
            });
        }
        let file = lock(kind, &partial, &shown)?;
        file.set_len(0).map_err(|error| OutputError::Io {
            kind,
            name: shown,
            error,
        })?;
        Ok(Self {
            kind,
            name: name.to_owned(),
            path,
            partial,
            file,
            is_done: false,
            is_list,
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
        let other = self.temporary();
        let written = create_new(&other)
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

    /// Leaves no file, also none of an earlier run; true if there was one.
    ///
    /// # Errors
    /// [`OutputError::Io`].
    pub fn remove(&mut self) -> Result<bool, OutputError> {
        let had_one = fs::symlink_metadata(&self.path).is_ok();
        remove(&self.path).map_err(|error| self.refused(error))?;
        self.discard()?;
        Ok(had_one)
    }

    /// Removes the partial file only.
    ///
    /// # Errors
    /// [`OutputError::Io`].
    pub fn discard(&mut self) -> Result<(), OutputError> {
        remove(&self.partial).map_err(|error| self.refused(error))?;
        self.is_done = true;
        Ok(())
    }

    /// Keeps the image list as it was, where this output is about to take its place; its name.
    ///
    /// # Errors
    /// [`OutputError::Left`]; the image list is untouched then.
    pub fn keep_previous(&self) -> Result<Option<String>, OutputError> {
        if !self.is_list {
            return Ok(None);
        }
        let previous = suffixed(&self.path, PREVIOUS);
        let other = self.temporary();
        // Not every file system has links.
        fs::hard_link(&self.path, &other)
            .or_else(|_| copy(&self.path, &other))
            .and_then(|()| fs::rename(&other, &previous))
            .map_err(|error| {
                // Best effort: the error is reported.
                let _ = fs::remove_file(&other);
                self.left(error)
            })?;
        Ok(Some(self.beside(PREVIOUS)))
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
        self.beside(PARTIAL)
    }

    /// The name of a file beside this one, for messages.
    fn beside(&self, suffix: &str) -> String {
        let is_link = fs::symlink_metadata(&self.name).is_ok_and(|found| found.is_symlink());
        let name = if is_link { &self.path } else { &self.name };
        show(&suffixed(name, suffix))
    }

    /// A name in the same directory that nobody has.
    fn temporary(&self) -> PathBuf {
        let mut random = [0; 8];
        // Without randomness the name may be taken, which `create_new` reports.
        let _ = SystemRandom::new().fill(&mut random);
        let number = u64::from_ne_bytes(random);
        let mut name = std::ffi::OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(format!(".{number:016x}.tmp"));
        self.path.with_file_name(name)
    }

    fn refused(&self, error: io::Error) -> OutputError {
        OutputError::Io {
            kind: self.kind,
            name: show(&self.name),
            error,
        }
    }
}

/// Opens and locks the partial file; what a killed run left in it is only cut once it is ours.
fn lock(kind: &'static Kind, path: &Path, name: &str) -> Result<File, OutputError> {
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

/// Creates a file that is not there, also not as a link.
fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut out = create_new(to)?;
    io::copy(&mut File::open(from)?, &mut out)?;
    out.sync_all()
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

pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
