//! The output of `--record`: sources sorted by name, so that two recordings of the same state differ
//! only in their time. An existing recording is extended.

use std::collections::BTreeSet;
use std::path::Path;

use super::error::show;
use super::file::Output;
use super::spool::Spool;
use super::{LineResult, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink};
use crate::list::List;
use crate::task::record::{Recording, footer, header};
use crate::verdict::{Code, Outcome};

/// `--record`.
pub static RECORDING: OutputForm = OutputForm {
    what: "recording",
    content: "sources",
    flag: "--record",
    open,
};

struct RecordingFile {
    sources: Spool<String>,
    known: BTreeSet<String>,
    missing: BTreeSet<String>,
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<OpenedOutput, OutputError> {
    // Lock first: another run may be about to write its recording.
    let mut file = RecordingFile {
        sources: Spool::new(Output::create(&RECORDING, name, input, settings)?),
        known: BTreeSet::new(),
        missing: BTreeSet::new(),
    };
    if name.metadata().is_ok_and(|found| found.len() > 0) {
        let (sources, missing) = Recording::load(name)?.into_parts();
        for source in sources {
            file.add(source.source.clone(), &source.to_line());
        }
        file.missing.extend(missing);
    }
    Ok(Some(Box::new(file)))
}

impl RecordingFile {
    /// Adds a source, or replaces its earlier entry.
    fn add(&mut self, name: String, json: &[u8]) {
        self.missing.remove(&name);
        self.known.insert(name.clone());
        self.sources.add(name, true, json);
    }
}

impl RecordingFile {
    fn place(&mut self) -> Result<(), OutputError> {
        let before = header(&self.missing);
        self.sources.place(",\n", before.as_bytes(), footer)?;
        Ok(())
    }
}

impl Sink for RecordingFile {
    fn take(&mut self, entry: &LineResult<'_>) {
        let Some(image) = entry.image else { return };
        match &entry.finding.outcome {
            // Without a recorded source: the same image as an earlier line.
            Outcome::Passed => {
                if let Some(recorded) = &entry.finding.recorded {
                    self.add(recorded.name.clone(), &recorded.json);
                }
            }
            Outcome::NotValidated(reason) if reason.code == Code::Interrupted => {
                // Not read: the entry of an earlier run stays.
                let name = image.image.source_name();
                if !self.known.contains(&name) {
                    self.missing.insert(name);
                }
            }
            // The entry of an earlier run is kept, but not used.
            Outcome::Failed(_) | Outcome::NotValidated(_) => {
                self.missing.insert(image.image.source_name());
            }
        }
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.sources.write().map(|_| ())
    }

    /// Missing are the sources that no attempt so far has recorded.
    fn restart(&mut self, _: &RunEnd<'_>) -> Result<(), OutputError> {
        self.place()
    }

    fn finish(mut self: Box<Self>, _: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        self.place()?;
        self.sources.output().discard()?;
        let name = show(self.sources.output().name());
        let count = self.known.len();
        let s = if count == 1 { "" } else { "s" };
        let missing = match self.missing.len() {
            0 => String::new(),
            missing => format!(", {missing} missing"),
        };
        Ok(vec![format!(
            "recording: {name} ({count} source{s}{missing})"
        )])
    }
}
