//! Files of one run that would get in each other's way.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Request;
use super::error::{OutputError, show};
use super::file::{PARTIAL, suffixed};

/// No file that is written may be one that is read, or be written twice, also not by way of its
/// partial file. [`super::file::Output::create`] checks the image list: it may be standard input,
/// and the failed list may replace it.
///
/// # Errors
/// [`OutputError::Taken`].
pub fn refuse_shared(
    outputs: &[Request],
    inputs: &[(&'static str, &Path)],
) -> Result<(), OutputError> {
    let places = |name: &Path| [name.to_owned(), suffixed(name, PARTIAL)];
    for (index, output) in outputs.iter().enumerate() {
        let own = places(&output.path);
        let is_own = |place: &PathBuf| own.iter().any(|own| is_same(own, place));
        let earlier = outputs[..index]
            .iter()
            .find(|other| places(&other.path).iter().any(is_own))
            .map(|other| other.kind.what);
        let input = inputs
            .iter()
            .find(|(_, path)| is_own(&path.to_path_buf()))
            .map(|(what, _)| *what);
        if let Some(other) = earlier.or(input) {
            return Err(OutputError::Taken {
                kind: output.kind,
                name: show(&output.path),
                other: other.to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether an output of these names no other of them and nothing that is read.
pub fn is_apart(one: &Request, outputs: &[Request], inputs: &[(&'static str, &Path)]) -> bool {
    let others = outputs
        .iter()
        .filter(|other| other.kind.flag != one.kind.flag);
    let mut pairs = others.map(|other| [other.clone(), one.clone()]);
    refuse_shared(std::slice::from_ref(one), inputs).is_ok()
        && pairs.all(|pair| refuse_shared(&pair, &[]).is_ok())
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
pub fn is_standard_output(name: &Path) -> bool {
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
