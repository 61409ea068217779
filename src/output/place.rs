//! The place of an output: where its name leads, and what is there and beside it already.

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};

use super::user::{directory, link_maker, others_can_link, stranger};

/// The most links that lead from one to the next, as in Linux.
const MAX_LINKS: usize = 40;

/// Read, write and execute, for all three.
const PERMISSIONS: u32 = 0o777;

/// The permissions of a new file, from which the umask takes away.
pub const NEW: u32 = 0o666;

/// A run that comes later has to be able to open a partial file.
pub const OPEN_TO_OWNER: u32 = 0o600;

/// Why a file is not written to, or not replaced.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    #[error("it has more than one hard link")]
    HardLink,
    #[error("it belongs to another user (uid {0}), and other users can write to its directory")]
    Stranger(u32),
    #[error("it leads through a symbolic link of another user (uid {0})")]
    LinkOfStranger(u32),
    #[error("it leads through a symbolic link in a directory that other users can write to")]
    LinkAmongOthers,
    /// What it is.
    #[error("it is a {0}")]
    NoFile(&'static str),
    /// Another process has it.
    #[error("another run is writing it")]
    Locked,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Follows the links of an output.
///
/// # Errors
/// [`Distrust`] where other users could have made one of them.
pub fn follow(name: &Path) -> Result<PathBuf, Distrust> {
    let mut path = name.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                if let Some(owner) = link_maker(&found) {
                    return Err(Distrust::LinkOfStranger(owner));
                }
                if others_can_link(&path)? {
                    return Err(Distrust::LinkAmongOthers);
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

/// The file that an output replaces, if there is one; `previous`: a name that a killed run may have
/// given it besides.
///
/// # Errors
/// [`Distrust`] where it may not be replaced.
pub fn replaced(path: &Path, previous: &Path) -> Result<Option<Metadata>, Distrust> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    if let Some(owner) = stranger(path, &found)? {
        return Err(Distrust::Stranger(owner));
    }
    let is_ours = || fs::symlink_metadata(previous).is_ok_and(|other| is_same(&found, &other));
    if found.nlink() > 2 || found.nlink() == 2 && !is_ours() {
        return Err(Distrust::HardLink);
    }
    Ok(Some(found))
}

/// Whether both are the same file.
pub fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Opens and locks a partial file, never by way of a link, and without waiting for anybody. Either
/// it is new, or a killed run left it. It is no more open to others than the file that it is to
/// replace.
///
/// # Errors
/// [`Distrust`] where it may be anything else; nothing has been changed then.
pub fn open_partial(path: &Path, replaced: Option<&Metadata>) -> Result<File, Distrust> {
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
                    // Its run has just put it in its place.
                    Err(Distrust::Io(error)) if error.kind() == io::ErrorKind::NotFound => continue,
                    file => file?,
                }
            }
            created => created?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Distrust::Locked),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Another run may have renamed the file between our opening and our locking it.
        let opened = file.metadata()?;
        if fs::symlink_metadata(path).is_ok_and(|named| is_same(&named, &opened)) {
            if let Some(permissions) = permissions {
                set_permissions(&file, &opened, permissions)?;
            }
            return Ok(file);
        }
    }
}

/// Opens what is there already.
fn open_left(path: &Path, options: &OpenOptions) -> Result<File, Distrust> {
    // Opening alone can do something to a device, so it is looked at before and after.
    check_left(path, &fs::symlink_metadata(path)?)?;
    let opened = options
        .clone()
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        // A lease.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Distrust::Locked),
        opened => opened?,
    };
    check_left(path, &file.metadata()?)?;
    Ok(file)
}

/// Whether a killed run of this user may have left it.
fn check_left(path: &Path, found: &Metadata) -> Result<(), Distrust> {
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
        return Err(Distrust::NoFile(what));
    }
    if let Some(owner) = stranger(path, found)? {
        return Err(Distrust::Stranger(owner));
    }
    if found.nlink() > 1 {
        return Err(Distrust::HardLink);
    }
    Ok(())
}

/// Gives a file the owner, the group and the permissions of the one that it is about to replace, as
/// far as this user may.
///
/// # Errors
/// Where the system refuses the permissions.
pub fn take_after(file: &File, replaced: &Metadata) -> io::Result<()> {
    let (user, group) = (replaced.uid(), replaced.gid());
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (user, group) {
        // Only root may give files away; a group of one's own is always possible.
        let _ = fchown(file, Some(user), Some(group)).or_else(|_| fchown(file, None, Some(group)));
    }
    set_permissions(file, &own, replaced.mode() & PERMISSIONS)
}

/// Not every file system, and not every user of a group, can set permissions that are there already.
fn set_permissions(file: &File, found: &Metadata, permissions: u32) -> io::Result<()> {
    if found.mode() & PERMISSIONS == permissions {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(permissions))
}
