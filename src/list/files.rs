//! The list of a run: one or several files, or standard input, read in order.

use std::fs::{File, Metadata};
use std::io::{self, Seek};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ListError;
use super::hashed::{DigestCell, HashingReader, combined};
use super::lines::{Line, Lines};
use crate::manifest::Digest;

/// The file name of standard input.
const STDIN: &str = "-";

pub struct List {
    name: String,
    files: Vec<ListFile>,
    /// The current file.
    current: usize,
    /// The last line number of the files before.
    base: u64,
    /// The last line number.
    last: u64,
}

struct ListFile {
    lines: Lines,
    /// The file's metadata before its first line was read.
    metadata: Option<Metadata>,
    /// The path; `None`: standard input.
    path: Option<PathBuf>,
    digest: DigestCell,
}

impl List {
    pub fn stdin() -> Self {
        Self::of(vec![ListFile::stdin()])
    }

    /// Opens files (`-` for standard input) as one list. Also returns the number of their images and
    /// mistakes, which is unknown for a pipe.
    ///
    /// # Errors
    /// [`ListError`] of the first file that is not a readable list; nothing has been validated then.
    pub fn open_all(paths: &[PathBuf]) -> Result<(Self, Option<u64>), ListError> {
        let mut files = Vec::new();
        let mut total = Some(0);
        for path in paths {
            let (file, count) = if path == Path::new(STDIN) {
                (ListFile::stdin(), None)
            } else {
                ListFile::open(path)?
            };
            files.push(file);
            total = total.zip(count).map(|(total, count)| total + count);
        }
        Ok((Self::of(files), total))
    }

    /// A list with a name and without lines, for a run that cannot start.
    pub fn unopened(paths: &[PathBuf]) -> Self {
        let file = |path: &PathBuf| match path == Path::new(STDIN) {
            true => ListFile::stdin(),
            false => ListFile::unopened(path),
        };
        match paths {
            [] => Self::stdin(),
            paths => Self::of(paths.iter().map(file).collect()),
        }
    }

    fn of(files: Vec<ListFile>) -> Self {
        let names: Vec<&str> = files.iter().map(|file| &**file.lines.name()).collect();
        Self {
            name: names.join(", "),
            files,
            current: 0,
            base: 0,
            last: 0,
        }
    }

    /// Whether a file has changed since it was opened: written to, truncated, or replaced.
    pub fn has_changed(&self) -> bool {
        self.files.iter().any(ListFile::has_changed)
    }

    /// Whether reading never blocks on a writer.
    pub fn is_regular_file(&self) -> bool {
        self.files
            .iter()
            .all(|file| file.metadata.as_ref().is_some_and(Metadata::is_file))
    }

    /// The name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of the list's bytes, by [`combined`]; `None` until a file that can be read only once
    /// has been read to its end.
    pub fn digest(&self) -> Option<Digest> {
        let digests: Option<Vec<&Digest>> =
            self.files.iter().map(|file| file.digest.get()).collect();
        combined(&digests?)
    }

    /// Whether one of the files has this metadata.
    pub fn is_file(&self, other: &Metadata) -> bool {
        self.files.iter().any(|file| {
            file.metadata
                .as_ref()
                .is_some_and(|own| own.dev() == other.dev() && own.ino() == other.ino())
        })
    }

    /// The next line that is not empty and not a comment; `None` at the end.
    ///
    /// # Errors
    /// [`ListError`] if reading fails or the input turns out not to be a list.
    pub fn next_line(&mut self) -> Result<Option<Line>, ListError> {
        self.next(Lines::next_line)
    }

    /// The next line, including empty lines and comments; `None` at the end.
    ///
    /// # Errors
    /// As [`List::next_line`].
    pub fn next_of_any_kind(&mut self) -> Result<Option<Line>, ListError> {
        self.next(Lines::next_of_any_kind)
    }

    fn next(
        &mut self,
        read: impl Fn(&mut Lines) -> Result<Option<Line>, ListError>,
    ) -> Result<Option<Line>, ListError> {
        while let Some(file) = self.files.get_mut(self.current) {
            if let Some(line) = read(&mut file.lines)? {
                let number = self.base + line.number;
                self.last = number;
                return Ok(Some(Line {
                    number,
                    shows_place: line.shows_place || self.files.len() > 1,
                    ..line
                }));
            }
            self.current += 1;
            self.base = self.last;
        }
        Ok(None)
    }
}

impl ListFile {
    fn stdin() -> Self {
        let digest = DigestCell::default();
        let input = HashingReader::new(io::stdin(), digest.clone());
        Self {
            lines: Lines::new("standard input".into(), input),
            digest,
            // If redirected from a file, it is that file.
            metadata: metadata_of_stdin(),
            path: None,
        }
    }

    fn unopened(path: &Path) -> Self {
        let name: Arc<str> = crate::escape::escape(&path.display().to_string()).into();
        Self {
            lines: Lines::new(name, io::empty()),
            metadata: std::fs::metadata(path).ok(),
            path: Some(path.to_owned()),
            digest: DigestCell::default(),
        }
    }

    fn open(path: &Path) -> Result<(Self, Option<u64>), ListError> {
        let name: Arc<str> = crate::escape::escape(&path.display().to_string()).into();
        let fail = |error| ListError::Io(name.to_string(), error);
        let mut file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(ListError::Directory(name.to_string()));
        }
        let mut count = None;
        let mut document = None;
        let digest = DigestCell::default();
        if metadata.is_file() {
            // Both handles share one position: read to the end, then rewind.
            let first_pass = file.try_clone().map_err(fail)?;
            let mut lines =
                Lines::new(name.clone(), HashingReader::new(first_pass, digest.clone()));
            let mut images = 0;
            while lines.next_line()?.is_some() {
                images += 1;
            }
            count = Some(images);
            document = lines.into_document();
            file.rewind().map_err(fail)?;
        }
        let lines = match document {
            Some(document) => document,
            None if count.is_some() => Lines::new(name, file),
            None => Lines::new(name, HashingReader::new(file, digest.clone())),
        };
        let own = Self {
            lines,
            digest,
            metadata: Some(metadata),
            path: Some(path.to_owned()),
        };
        Ok((own, count))
    }

    fn has_changed(&self) -> bool {
        let Some(before) = self.metadata.as_ref().filter(|before| before.is_file()) else {
            return false;
        };
        let now = match &self.path {
            Some(path) => std::fs::metadata(path).ok(),
            None => metadata_of_stdin(),
        };
        let state = |file: &Metadata| {
            let identity = (file.dev(), file.ino());
            (identity, file.size(), file.mtime(), file.mtime_nsec())
        };
        now.is_none_or(|now| state(&now) != state(before))
    }
}

fn metadata_of_stdin() -> Option<Metadata> {
    let own = io::stdin().as_fd().try_clone_to_owned();
    own.and_then(|fd| File::from(fd).metadata()).ok()
}
