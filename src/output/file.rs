//! An output file: written and locked as `<name>.partial`, and renamed to its name at the end.
//!
//! A file that cannot be written is an error before the first request. The file under the name that
//! the user gave is untouched until the end, and `<name>.partial` has the results so far, also after
//! the run was killed. Two runs cannot share an output.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::conflicts::is_standard_output;
use super::error::{OutputError, show};
use super::failed::may_replace_list;
use super::place::{NEW, OPEN_TO_OWNER, PathError, follow, open_partial, replaced, take_after};
use super::user::directory;
use super::{OutputForm, RunSettings};
use crate::list::List;

/// Suffix of the file that is written until the end of the run.
pub const PARTIAL: &str = ".partial";

/// Suffix of the image list after its own failed list replaced it.
const PREVIOUS: &str = ".previous";

pub struct Output {
    kind: &'static OutputForm,
    /// As the user gave it.
    name: PathBuf,
    /// With symbolic links resolved.
    path: PathBuf,
    partial: PathBuf,
    file: File,
    /// Metadata of the file that it replaces, from before the run.
    replaced: Option<Metadata>,
    /// The partial file has been renamed or removed; `Drop` has nothing to do.
    is_done: bool,
    /// The file is the run's own image list.
    is_list: bool,
}

/// The earlier file of an output that leaves no file.
pub enum Removed {
    Nothing,
    /// The output of an earlier run.
    Earlier,
    /// The run's own image list, renamed to this name.
    Kept(String),
}

impl Drop for Output {
    /// Removes an empty partial file, so that a run that could not begin leaves none behind.
    fn drop(&mut self) {
        if !self.is_done && self.file.metadata().is_ok_and(|found| found.len() == 0) {
            // Best effort: an empty file does no harm.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

impl Output {
    /// Creates `<name>.partial`.
    ///
    /// # Errors
    /// [`OutputError`]; no file has been changed then.
    pub fn create(
        kind: &'static OutputForm,
        name: &Path,
        input: &List,
        settings: &RunSettings,
    ) -> Result<Self, OutputError> {
        Self::create_for(kind, name, input, settings.shard.is_some())
    }

    /// As [`Output::create`]; `is_shard`: the run validates only a part of the list.
    ///
    /// # Errors
    /// [`OutputError`]; no file has been changed then.
    pub fn create_for(
        kind: &'static OutputForm,
        name: &Path,
        input: &List,
        is_shard: bool,
    ) -> Result<Self, OutputError> {
        Self::create_from(kind, name, Some(input), is_shard)
    }

    /// As [`Output::create`], for a run without an image list.
    ///
    /// # Errors
    /// [`OutputError`]; no file has been changed then.
    pub fn create_apart(kind: &'static OutputForm, name: &Path) -> Result<Self, OutputError> {
        Self::create_from(kind, name, None, false)
    }

    fn create_from(
        kind: &'static OutputForm,
        name: &Path,
        input: Option<&List>,
        is_shard: bool,
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
        let is_list = input.is_some_and(|input| found.is_some_and(|found| input.is_file(&found)));
        // The failed list may replace the image list of its run.
        if is_list && !may_replace_list(kind) {
            return Err(OutputError::Taken {
                kind,
                name: shown,
                other: "image list".to_owned(),
            });
        }
        if is_list && is_shard {
            return Err(OutputError::ShardOfOwnList { kind, name: shown });
        }
        let distrusts = |distrust| OutputError::of(kind, &shown, distrust);
        // A symbolic link is kept: its target is replaced.
        let path = follow(name).map_err(distrusts)?;
        let replaced = replaced(&path, &suffixed(&path, PREVIOUS)).map_err(distrusts)?;
        let partial = suffixed(&path, PARTIAL);
        if let Some(input) = input
            && fs::metadata(&partial).is_ok_and(|found| input.is_file(&found))
        {
            return Err(OutputError::InputIsPartial {
                kind,
                list: input.name().to_owned(),
            });
        }
        let file =
            open_partial(&partial, replaced.as_ref()).map_err(|distrust| match distrust {
                PathError::Locked | PathError::Io(_) => distrusts(distrust),
                distrust => OutputError::InTheWay {
                    kind,
                    name: shown.clone(),
                    partial: show(&partial),
                    distrust,
                },
            })?;
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
            replaced,
            is_done: false,
            is_list,
        })
    }

    /// Refuses a file that another run writes directly, without a partial file.
    ///
    /// # Errors
    /// [`OutputError::Locked`].
    pub fn refuse_locked(&self) -> Result<(), OutputError> {
        if self.replaced.is_none() {
            return Ok(());
        }
        let options = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&self.path);
        // A file that cannot be read can still be replaced.
        match options.map(|file| file.try_lock_shared()) {
            Ok(Err(TryLockError::WouldBlock)) => Err(OutputError::Locked {
                kind: self.kind,
                name: show(&self.name),
            }),
            _ => Ok(()),
        }
    }

    /// The name as the user gave it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Renames the partial file to its final name. Returns the new name of the image list, if that was
    /// replaced.
    ///
    /// # Errors
    /// [`OutputError::Left`].
    pub fn commit(&mut self) -> Result<Option<String>, OutputError> {
        let placed = self
            .take_after(&self.file)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| self.put(&self.partial));
        let previous = placed.map_err(|error| self.left(error))?;
        self.is_done = true;
        sync_directory(&self.path);
        Ok(previous)
    }

    /// Writes the final file from the content of the partial file, and keeps the partial file. Returns the
    /// new name of the image list, if that was replaced.
    ///
    /// # Errors
    /// [`OutputError::Left`].
    pub fn place(
        &mut self,
        write: impl FnOnce(&File, &mut dyn Write) -> io::Result<()>,
    ) -> Result<Option<String>, OutputError> {
        let other = self.temporary();
        let placed = self
            .create_new(&other)
            .and_then(|file| {
                let mut out = BufWriter::new(file);
                write(&self.file, &mut out)?;
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                self.take_after(&file)?;
                file.sync_all()
            })
            .and_then(|()| self.put(&other));
        let previous = placed.map_err(|error| {
            // Best effort: the error is reported, and the results are in the partial file.
            let _ = fs::remove_file(&other);
            self.left(error)
        })?;
        self.is_list = false;
        self.replaced = fs::symlink_metadata(&self.path).ok();
        sync_directory(&self.path);
        Ok(previous)
    }

    /// As [`Output::place`], and removes the partial file.
    ///
    /// # Errors
    /// [`OutputError`]; after [`OutputError::Left`] the partial file is still there.
    pub fn commit_other(
        &mut self,
        write: impl FnOnce(&File, &mut dyn Write) -> io::Result<()>,
    ) -> Result<Option<String>, OutputError> {
        let previous = self.place(write)?;
        self.discard()?;
        Ok(previous)
    }

    /// Removes the file of an earlier run; an image list is renamed instead. Keeps the partial file.
    ///
    /// # Errors
    /// [`OutputError::Io`].
    pub fn remove(&mut self) -> Result<Removed, OutputError> {
        let removed = if fs::symlink_metadata(&self.path).is_err() {
            Removed::Nothing
        } else if self.is_list {
            let previous = suffixed(&self.path, PREVIOUS);
            // rename(2) does nothing where both names are links to the same file.
            remove(&previous)
                .and_then(|()| fs::rename(&self.path, previous))
                .map_err(|error| self.left(error))?;
            Removed::Kept(self.beside(PREVIOUS))
        } else {
            remove(&self.path).map_err(|error| self.refused(error))?;
            Removed::Earlier
        };
        self.is_list = false;
        self.replaced = None;
        Ok(removed)
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

    /// Renames a file to the final name. Returns the new name of the image list, if that was replaced.
    /// After an error the image list is untouched.
    fn put(&self, file: &Path) -> io::Result<Option<String>> {
        if !self.is_list {
            return fs::rename(file, &self.path).map(|()| None);
        }
        let previous = suffixed(&self.path, PREVIOUS);
        remove(&previous)?;
        // The list has two names for a moment. Some file systems have no hard links.
        fs::hard_link(&self.path, &previous)
            .or_else(|_| self.copy(&previous))
            .and_then(|()| fs::rename(file, &self.path))
            .inspect_err(|_| {
                // Best effort: the error is reported, and the image list is unchanged.
                let _ = fs::remove_file(&previous);
            })?;
        Ok(Some(self.beside(PREVIOUS)))
    }

    fn copy(&self, to: &Path) -> io::Result<()> {
        let mut out = self.create_new(to)?;
        io::copy(&mut File::open(&self.path)?, &mut out)?;
        self.take_after(&out)?;
        out.sync_all()
    }

    /// Creates a file that does not exist, not even as a symbolic link. Only its owner can read it until
    /// it gets the permissions of the file that it replaces.
    fn create_new(&self, path: &Path) -> io::Result<File> {
        let mode = if self.replaced.is_some() {
            OPEN_TO_OWNER
        } else {
            NEW
        };
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)
    }

    /// Gives a file the owner and the permissions of the one that it replaces.
    fn take_after(&self, file: &File) -> io::Result<()> {
        match &self.replaced {
            Some(replaced) => take_after(file, replaced),
            None => Ok(()),
        }
    }

    /// The error of a write that failed; names the partial file if that has content.
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

    /// Name of the partial file, for messages.
    pub fn partial_name(&self) -> String {
        self.beside(PARTIAL)
    }

    /// Name of a file in the same directory, for messages.
    fn beside(&self, suffix: &str) -> String {
        let is_link = fs::symlink_metadata(&self.name).is_ok_and(|found| found.is_symlink());
        let name = if is_link { &self.path } else { &self.name };
        show(&suffixed(name, suffix))
    }

    /// An unused name in the same directory.
    fn temporary(&self) -> PathBuf {
        let mut random = [0; 8];
        // Without random bytes the name may exist already, which `create_new` reports.
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

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a rename survive a power failure, where the file system supports it.
fn sync_directory(path: &Path) {
    if let Ok(directory) = File::open(directory(path)) {
        let _ = directory.sync_all();
    }
}

pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
