//! Conflicts between the input and output files of one run.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::OutputRequest;
use super::error::{OutputError, show};
use super::file::{PARTIAL, suffixed};

/// Refuses an output, or its partial file, that is also an input or another output.
/// [`super::file::Output::create`] checks the image list, which may be standard input, and which
/// the failed list may replace.
///
/// # Errors
/// [`OutputError::Taken`].
pub fn refuse_shared(
    outputs: &[OutputRequest],
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

/// Whether an output conflicts with no other output and no input.
pub fn is_apart(
    one: &OutputRequest,
    outputs: &[OutputRequest],
    inputs: &[(&'static str, &Path)],
) -> bool {
    let others = outputs
        .iter()
        .filter(|other| other.kind.flag != one.kind.flag);
    let mut pairs = others.map(|other| [other.clone(), one.clone()]);
    refuse_shared(std::slice::from_ref(one), inputs).is_ok()
        && pairs.all(|pair| refuse_shared(&pair, &[]).is_ok())
}

/// Whether two paths name the same regular file, which need not exist yet. Devices can be shared.
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

/// Whether a path is the regular file that standard output is redirected to, such as `/dev/stdout`
/// in a script.
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
