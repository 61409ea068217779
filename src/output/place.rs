//! The path of an output: symbolic links, an existing file, and an existing partial file.

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};

use super::user::{directory, link_maker, others_can_link, stranger};

/// Symbolic links followed per path, as in Linux.
const MAX_LINKS: usize = 40;

/// Read, write and execute for owner, group and others.
const PERMISSIONS: u32 = 0o777;

/// Permissions of a new file, before the umask.
pub const NEW: u32 = 0o666;

/// Permissions of a partial file: a later run of the same user has to be able to open it.
pub const OPEN_TO_OWNER: u32 = 0o600;

/// Why a path is not used.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    #[error("it has more than one hard link")]
    HardLink,
    #[error("another user (uid {0}) owns it, and other users can write to its directory")]
    Stranger(u32),
    #[error("another user (uid {0}) owns a symbolic link on its path")]
    LinkOfStranger(u32),
    #[error("its path has a symbolic link in a directory that other users can write to")]
    LinkAmongOthers,
    #[error("it is a {0}")]
    NoFile(&'static str),
    /// Another process holds the lock.
    #[error("another run is writing it")]
    Locked,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Resolves the symbolic links of an output.
///
/// # Errors
/// [`PathError`] where another user could have made one of them.
pub fn follow(name: &Path) -> Result<PathBuf, PathError> {
    let mut path = name.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                if let Some(owner) = link_maker(&found) {
                    return Err(PathError::LinkOfStranger(owner));
                }
                if others_can_link(&path)? {
                    return Err(PathError::LinkAmongOthers);
                }
                let target = fs::read_link(&path)?;
                path = directory(&path).join(target);
            }
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP).into())
}

/// Metadata of the file that an output replaces, if there is one; `previous`: a second name that a
/// killed run may have left.
///
/// # Errors
/// [`PathError`] where it may not be replaced.
pub fn replaced(path: &Path, previous: &Path) -> Result<Option<Metadata>, PathError> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    if let Some(owner) = stranger(path, &found)? {
        return Err(PathError::Stranger(owner));
    }
    let is_ours = || fs::symlink_metadata(previous).is_ok_and(|other| is_same(&found, &other));
    if found.nlink() > 2 || found.nlink() == 2 && !is_ours() {
        return Err(PathError::HardLink);
    }
    Ok(Some(found))
}

pub fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Opens and locks a partial file without waiting for the lock, and never through a symbolic link.
/// The file is new, or a killed run left it. Its permissions are at most those of the file that it
/// replaces.
///
/// # Errors
/// [`PathError`] where a killed run did not leave it; no file has been changed then.
pub fn open_partial(path: &Path, replaced: Option<&Metadata>) -> Result<File, PathError> {
    let permissions = replaced.map(|found| found.mode() & PERMISSIONS | OPEN_TO_OWNER);
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let created = options
            .clone()
            .create_new(true)
            .mode(permissions.map_or(NEW, |found| found & NEW))
            .open(path);
        let file = match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match open_left(path, &options) {
                    // Its run has just renamed it.
                    Err(PathError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                        continue;
                    }
                    file => file?,
                }
            }
            created => created?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PathError::Locked),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Another run may have renamed the file between the open and the lock.
        let opened = file.metadata()?;
        if fs::symlink_metadata(path).is_ok_and(|named| is_same(&named, &opened)) {
            if let Some(permissions) = permissions {
                set_permissions(&file, &opened, permissions)?;
            }
            return Ok(file);
        }
    }
}

/// Opens an existing partial file.
fn open_left(path: &Path, options: &OpenOptions) -> Result<File, PathError> {
    // Opening a device can have side effects, so the type is checked before and after.
    check_left(path, &fs::symlink_metadata(path)?)?;
    let opened = options
        .clone()
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        // Another process holds a lease (fcntl(2), `F_SETLEASE`).
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(PathError::Locked),
        opened => opened?,
    };
    check_left(path, &file.metadata()?)?;
    Ok(file)
}

/// Refuses a file that a killed run of this user cannot have left.
fn check_left(path: &Path, found: &Metadata) -> Result<(), PathError> {
    let kind = found.file_type();
    let what = match () {
        () if kind.is_file() => None,
        () if kind.is_symlink() => Some("symbolic link"),
        () if kind.is_fifo() => Some("named pipe"),
        () if kind.is_dir() => Some("directory"),
        () if kind.is_socket() => Some("socket"),
        () => Some("device"),
    };
    if let Some(what) = what {
        return Err(PathError::NoFile(what));
    }
    if let Some(owner) = stranger(path, found)? {
        return Err(PathError::Stranger(owner));
    }
    if found.nlink() > 1 {
        return Err(PathError::HardLink);
    }
    Ok(())
}

/// Gives a file the owner, the group and the permissions of the file that it replaces, as far as this
/// user is allowed to.
///
/// # Errors
/// Where the permissions cannot be set.
pub fn take_after(file: &File, replaced: &Metadata) -> io::Result<()> {
    let (user, group) = (replaced.uid(), replaced.gid());
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (user, group) {
        // Only root may change the owner; a user may set any group that they belong to.
        let _ = fchown(file, Some(user), Some(group)).or_else(|_| fchown(file, None, Some(group)));
    }
    set_permissions(file, &own, replaced.mode() & PERMISSIONS)
}

/// Does nothing where the permissions are right already: some file systems, and users of the group
/// that do not own the file, cannot set them.
fn set_permissions(file: &File, found: &Metadata, permissions: u32) -> io::Result<()> {
    if found.mode() & PERMISSIONS == permissions {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(permissions))
}
