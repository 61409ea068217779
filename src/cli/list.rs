//! `list`: prints image lists in canonical form on standard output. Lines that cannot be parsed are
//! reported on standard error, and all others are printed.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{
    self, BufWriter, IsTerminal as _, Read as _, StdoutLock, Write, stderr, stdin, stdout,
};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::{Error, UsageError};
use super::flags::list::{Form, ListFlags};
use super::help::HelpPage;
use super::parse::Parsed;
use super::{PROGRAM, commands::Command};
use crate::escape::escape;
use crate::exit::Exit;
use crate::list::{Entry, Line, List, Place, identity};
use crate::reference::Reference;
use crate::sync::Fingerprints;
use crate::task::record::{Recording, RecordingError};

/// Runs the command.
///
/// # Errors
/// [`Error::NotUnderstood`] where a line or a file could not be parsed, and [`Error::StandardOutput`].
pub fn run(parsed: &Parsed) -> Result<Exit, Error> {
    for warning in &parsed.warnings {
        tell(warning);
    }
    let files = files(&parsed.flags.list.files, &parsed.arguments)?;
    if parsed.flags.list.digests {
        return digests(&files);
    }
    let mut printed = Listing::new(&parsed.flags.list);
    for file in &files {
        printed.file(file).map_err(Error::StandardOutput)?;
    }
    printed.end()
}

/// The files of the command line; standard input if there are none.
fn files(flags: &[PathBuf], arguments: &[OsString]) -> Result<Vec<PathBuf>, UsageError> {
    let arguments = arguments.iter().map(PathBuf::from);
    let files: Vec<PathBuf> = flags.iter().cloned().chain(arguments).collect();
    match files.is_empty() {
        false => Ok(files),
        true if stdin().is_terminal() => Err(UsageError::NoFile),
        true => Ok(vec![PathBuf::from("-")]),
    }
}

pub fn help(command: &Command, page: HelpPage) -> String {
    format!(
        "{}
FILE is an image list in any format that mirror-validate -f reads: lines, YAML or JSON. '-', or no FILE, means standard
input. For example:
  {PROGRAM} list --unique regsync.yaml more.txt | {PROGRAM} mirror-validate -f -
Invalid lines are reported on standard error, with exit code 2; all other lines are printed.
",
        super::help::command(command, page)
    )
}

/// Prints a message on standard error; ignores errors: standard error may be closed.
fn tell(text: &str) {
    let _ = writeln!(stderr(), "{PROGRAM}: {}", escape(text));
}

/// A list being printed.
struct Listing<'a> {
    flags: &'a ListFlags,
    out: BufWriter<StdoutLock<'static>>,
    /// Fingerprints of the printed images, with `--unique`.
    printed: HashSet<u128>,
    fingerprints: Fingerprints,
    /// Place in the last printed comment.
    place: Option<Place>,
    is_first: bool,
    /// Lines and files that could not be parsed.
    mistakes: u64,
}

/// An image in `--format json`.
#[derive(Serialize)]
struct ImageObject<'a> {
    file: &'a str,
    line: u64,
    source: &'a str,
    source_tag: Option<&'a str>,
    source_digest: Option<&'a str>,
    destination: Option<&'a str>,
    destination_tag: Option<&'a str>,
    destination_digest: Option<&'a str>,
    platforms: Option<Vec<String>>,
    /// The line in `--format lines`.
    canonical: String,
}

impl<'a> Listing<'a> {
    fn new(flags: &'a ListFlags) -> Self {
        Self {
            flags,
            out: BufWriter::new(stdout().lock()),
            printed: HashSet::new(),
            fingerprints: Fingerprints::default(),
            place: None,
            is_first: true,
            mistakes: 0,
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        let mut list = match List::open_all(&[path.to_owned()]) {
            Ok((list, _)) => list,
            Err(error) => {
                self.mistake(&error.to_string());
                return Ok(());
            }
        };
        let mut is_empty = true;
        loop {
            match list.next_line() {
                Ok(Some(line)) => {
                    is_empty = false;
                    self.line(&line)?;
                }
                Ok(None) => break,
                Err(error) => {
                    self.mistake(&error.to_string());
                    return Ok(());
                }
            }
        }
        if is_empty {
            tell(&format!("{}: the list has no images", list.name()));
        }
        Ok(())
    }

    fn mistake(&mut self, text: &str) {
        self.mistakes += 1;
        tell(text);
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        match self.flags.renaming.entry(line) {
            Ok(entry) => self.print(&line.place, &entry),
            Err(error) => {
                self.mistake(&error);
                Ok(())
            }
        }
    }

    fn print(&mut self, place: &Place, entry: &Entry) -> io::Result<()> {
        if self.flags.unique && !self.printed.insert(self.fingerprints.of(&identity(entry))) {
            return Ok(());
        }
        match self.flags.form {
            Form::Lines => {
                if self.place.as_ref() != Some(place) {
                    writeln!(self.out, "# {place}")?;
                    self.place = Some(place.clone());
                }
                writeln!(self.out, "{entry}")
            }
            Form::Json => {
                let before = if self.is_first { "[\n" } else { ",\n" };
                self.is_first = false;
                write!(self.out, "{before}")?;
                serde_json::to_writer(&mut self.out, &object(place, entry))?;
                Ok(())
            }
        }
    }

    fn end(mut self) -> Result<Exit, Error> {
        if self.flags.form == Form::Json {
            let end = if self.is_first { "[]\n" } else { "\n]\n" };
            self.out
                .write_all(end.as_bytes())
                .map_err(Error::StandardOutput)?;
        }
        self.out.flush().map_err(Error::StandardOutput)?;
        match self.mistakes {
            0 => Ok(Exit::Passed),
            count => Err(Error::NotUnderstood(count)),
        }
    }
}

fn object<'a>(place: &'a Place, entry: &'a Entry) -> ImageObject<'a> {
    let parts = |reference: &'a Reference| match reference {
        Reference::Tag(tag) => (Some(tag.as_str()), None),
        Reference::Digest(digest) => (None, Some(digest.as_str())),
    };
    let (source_tag, source_digest) = parts(&entry.source_reference);
    let (destination_tag, destination_digest) = parts(&entry.destination_reference);
    ImageObject {
        file: &place.file,
        line: place.line,
        source: &entry.source,
        source_tag,
        source_digest,
        destination: entry.destination.as_deref(),
        destination_tag,
        destination_digest,
        platforms: entry.platforms.as_ref().map(|platforms| {
            let patterns = platforms.patterns().iter();
            patterns.map(ToString::to_string).collect()
        }),
        canonical: entry.to_string(),
    }
}

fn load(file: &Path) -> Result<Recording, RecordingError> {
    if file != Path::new("-") {
        return Recording::load(file);
    }
    let name = "standard input".to_owned();
    let mut bytes = Vec::new();
    match stdin().lock().read_to_end(&mut bytes) {
        Ok(_) => Recording::parse(name, &bytes),
        Err(error) => Err(RecordingError::Io(name, error)),
    }
}

/// Prints recordings as lists of digests.
fn digests(files: &[PathBuf]) -> Result<Exit, Error> {
    let mut out = BufWriter::new(stdout().lock());
    let mut mistakes = 0;
    for file in files {
        let recording = match load(file) {
            Ok(recording) => recording,
            Err(error) => {
                mistakes += 1;
                tell(&error.to_string());
                continue;
            }
        };
        let name = recording.name().to_owned();
        for (source, digest) in recording.digests() {
            writeln!(out, "{source} {digest}").map_err(Error::StandardOutput)?;
        }
        for source in recording.missing() {
            tell(&format!(
                "{name}: omitted [{source}]: it could not be read when the recording was made"
            ));
        }
    }
    out.flush().map_err(Error::StandardOutput)?;
    match mistakes {
        0 => Ok(Exit::Passed),
        count => Err(Error::NotUnderstood(count)),
    }
}
