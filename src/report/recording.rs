//! The recording being written: sources in the order of their names, so that two recordings of the
//! same state differ in nothing but their time. A recording that is there already is extended.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use chrono::{SecondsFormat, Utc};
use serde_json::json;

use super::output::{Output, OutputError, RECORDING};
use super::spool::Spool;
use crate::list::List;
use crate::manifest::Digest;
use crate::recording::{FORMAT, Recording, RecordingError, Source, VERSION};

/// A recording being written.
pub struct RecordingFile {
    sources: Spool<String>,
    known: BTreeSet<String>,
    missing: BTreeSet<String>,
}

/// Why a recording cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// What is there cannot be extended.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl RecordingFile {
    /// Opens `<name>.partial`, and takes up what is in the file already.
    ///
    /// # Errors
    /// [`RecordError`]; nothing has been changed then.
    pub fn create(name: &Path, input: &List) -> Result<Self, RecordError> {
        // First the lock: another run may be about to put its recording there.
        let mut file = Self {
            sources: Spool::new(Output::create(RECORDING, name, input)?),
            known: BTreeSet::new(),
            missing: BTreeSet::new(),
        };
        if name.metadata().is_ok_and(|found| found.len() > 0) {
            let (sources, missing) = Recording::load(name)?.into_parts();
            for source in sources {
                file.add(&source);
            }
            file.missing.extend(missing);
        }
        Ok(file)
    }

    /// Takes up a source, in place of what was known of it.
    pub fn add(&mut self, source: &Source) {
        self.missing.remove(&source.source);
        self.known.insert(source.source.clone());
        self.sources.add(source.source.clone(), &source.to_line());
    }

    /// Takes up that a source could not be read; what an earlier run knew of it is kept, and not used.
    pub fn add_missing(&mut self, name: String) {
        self.missing.insert(name);
    }

    /// Takes up that a source was not read, because the run was interrupted: what is known of it stands.
    pub fn add_unread(&mut self, name: String) {
        if !self.known.contains(&name) {
            self.missing.insert(name);
        }
    }

    /// Puts what was taken up into the partial file.
    ///
    /// # Errors
    /// [`OutputError::Left`] where the disk refuses.
    pub fn write(&mut self) -> Result<(), OutputError> {
        self.sources.write().map(|_| ())
    }

    /// Puts the recording in its place.
    ///
    /// # Errors
    /// [`OutputError::Left`]; what was taken up is in the partial file then.
    pub fn finish(mut self) -> Result<Recorded, OutputError> {
        let before = format!(
            "{{\n\"format\": {},\n\"version\": {VERSION},\n\"recorded\": {},\n\"tool\": {},\n\"missing\": {},\n\"sources\": [\n",
            json!(FORMAT),
            json!(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)),
            json!(concat!("image-tools ", env!("CARGO_PKG_VERSION"))),
            json!(self.missing),
        );
        let after = |checksum: &Digest| format!("],\n\"checksum\": {}\n}}\n", json!(checksum));
        self.sources.commit(",\n", before.as_bytes(), after)?;
        Ok(Recorded {
            name: self.sources.output().name().display().to_string(),
            sources: self.known.len(),
            missing: self.missing.len(),
        })
    }
}

/// A recording that has been written.
pub struct Recorded {
    name: String,
    /// How many sources are in it.
    sources: usize,
    /// How many should be and are not.
    missing: usize,
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.sources == 1 { "" } else { "s" };
        write!(f, "recording: {} ({} source{s}", self.name, self.sources)?;
        if self.missing > 0 {
            write!(f, ", {} missing", self.missing)?;
        }
        f.write_str(")")
    }
}
