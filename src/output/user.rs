//! The user of this process, and files that other users could have prepared.
//!
//! A run as root may write to `/tmp` or to the directory of a service. It follows no link and reuses or
//! replaces no file there that another user could have made to attack it.

#![allow(
    unsafe_code,
    reason = "the standard library has no function for the user of the process"
)]

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

const ROOT: u32 = 0;

/// Bits of a directory's mode.
const STICKY: u32 = 0o1000;
const WRITABLE_BY_ALL: u32 = 0o002;
const WRITABLE_BY_GROUP: u32 = 0o020;

/// The owner of the files that this process creates.
fn user() -> u32 {
    // SAFETY: it has no arguments, reads no memory of ours and cannot fail (POSIX).
    unsafe { libc::geteuid() }
}

fn group() -> u32 {
    // SAFETY: as `user`.
    unsafe { libc::getegid() }
}

/// The owner of a file, if that is another user who could have put it into its directory.
///
/// # Errors
/// Where the directory's metadata cannot be read.
pub fn stranger(path: &Path, found: &Metadata) -> io::Result<Option<u32>> {
    let owner = found.uid();
    if owner == user() {
        return Ok(None);
    }
    let directory = fs::metadata(directory(path))?;
    let is_shared = directory.mode() & (STICKY | WRITABLE_BY_ALL) != 0;
    Ok(is_shared.then_some(owner))
}

/// The owner of a symbolic link, unless that is root or this user.
pub fn link_maker(link: &Metadata) -> Option<u32> {
    Some(link.uid()).filter(|owner| !is_trusted(*owner))
}

/// Whether other users can create links in the directory of a file.
///
/// # Errors
/// Where the directory's metadata cannot be read.
pub fn others_can_link(path: &Path) -> io::Result<bool> {
    let directory = fs::metadata(directory(path))?;
    // On many systems every user has their own group, and their directories are group-writable.
    let is_own_group = [ROOT, group()].contains(&directory.gid());
    Ok(!is_trusted(directory.uid())
        || directory.mode() & WRITABLE_BY_ALL != 0
        || directory.mode() & WRITABLE_BY_GROUP != 0 && !is_own_group)
}

fn is_trusted(owner: u32) -> bool {
    [ROOT, user()].contains(&owner)
}

/// The directory of a file; `.` for a bare name.
pub fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
