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
    /// Opens `<name>.partial`, and takes up what is in the file already; none where the recording is
    /// not wanted.
    ///
    /// # Errors
    /// [`RecordError`]; nothing has been changed then.
    pub fn create(name: &Path, input: &List) -> Result<Option<Self>, RecordError> {
        let there = match name.metadata() {
            Ok(found) if found.is_file() && found.len() > 0 => Some(Recording::load(name)?),
            _ => None,
        };
        let Some(output) = Output::create(RECORDING, name, Some(input))? else {
            return Ok(None);
        };
        let mut file = Self {
            sources: Spool::new(output),
            known: BTreeSet::new(),
            missing: BTreeSet::new(),
        };
        if let Some(there) = there {
            let (sources, missing) = there.into_parts();
            for source in sources {
                file.add(&source);
            }
            file.missing.extend(missing);
        }
        Ok(Some(file))
    }

    /// Takes up a source, in place of what was known of it.
    pub fn add(&mut self, source: &Source) {
        // Strings and numbers into memory: neither can fail.
        if let Ok(json) = serde_json::to_vec(source) {
            self.known.insert(source.source.clone());
            self.sources.add(source.source.clone(), &json);
        }
    }

    /// Takes up that a source should be here and could not be read.
    pub fn add_missing(&mut self, name: String) {
        self.missing.insert(name);
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
        let missing: Vec<&String> = self.missing.difference(&self.known).collect();
        let before = format!(
            "{{\n\"format\": {},\n\"version\": {VERSION},\n\"recorded\": {},\n\"tool\": {},\n\"missing\": {},\n\"sources\": [\n",
            json!(FORMAT),
            json!(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)),
            json!(concat!("image-tools ", env!("CARGO_PKG_VERSION"))),
            json!(missing),
        );
        self.sources.commit(",\n", before.as_bytes(), b"]\n}\n")?;
        Ok(Recorded {
            name: self.sources.output().name().display().to_string(),
            sources: self.known.len(),
            missing: missing.len(),
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
