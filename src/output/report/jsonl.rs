//! `.jsonl`: JSON lines: a header, one object per image as soon as it has an outcome, and the totals.
//! For `tail -f`, and to have the results of a run that was killed: unlike the other forms, the file
//! is replaced when the run begins, not when it ends.

use std::io::{self, Write as _};
use std::path::Path;

use chrono::Utc;
use serde_json::json;

use super::object::{FORMAT, LineObject, ReportHeader, TOOL, VERSION, time, totals};
use super::{STANDARD_OUTPUT, report};
use crate::list::List;
use crate::manifest::Digest;
use crate::output::error::show;
use crate::output::file::Output;
use crate::output::{
    LineResult, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink, json,
};

pub static JSON_LINES: OutputForm = report(open);

struct Report {
    head: ReportHeader,
    /// The digest of the list as JSON; `null` if it is not known yet.
    list_digest: String,
    target: Target,
    /// Lines not written yet.
    lines: Vec<String>,
}

enum Target {
    File(Box<Output>),
    StandardOutput {
        /// The reader has closed the pipe, as `| head` does.
        is_closed: bool,
    },
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<OpenedOutput, OutputError> {
    let target = if name == Path::new(STANDARD_OUTPUT) {
        Target::StandardOutput { is_closed: false }
    } else {
        let output = Output::create(&JSON_LINES, name, input, settings)?;
        output.refuse_locked()?;
        Target::File(Box::new(output))
    };
    Ok(Some(Box::new(Report {
        target,
        head: ReportHeader::new(input, settings),
        list_digest: json::line(&input.digest()),
        lines: Vec::new(),
    })))
}

impl Sink for Report {
    fn begin(&mut self) -> Result<(), OutputError> {
        let head = &self.head;
        self.lines.push(format!(
            "{{\"type\":\"header\",\"format\":{},\"version\":{VERSION},\"tool\":{},\"begun\":{},\"list\":{},\
             \"list_digest\":{},\"shard\":{},\"run\":{}}}\n",
            json!(FORMAT),
            json!(TOOL),
            json!(time(head.begun)),
            json::line(&head.list),
            self.list_digest,
            json::line(&head.shard),
            head.run,
        ));
        self.flush()?;
        match &mut self.target {
            Target::File(output) => output.commit().map(|_| ()),
            Target::StandardOutput { .. } => Ok(()),
        }
    }

    fn take(&mut self, entry: &LineResult<'_>) {
        let object = json::line(&LineObject::new(entry, self.head.words));
        self.add("image", &object);
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        let lines = std::mem::take(&mut self.lines);
        // One write per line, so that a killed run leaves complete lines.
        for line in lines {
            self.target.write(line.as_bytes())?;
        }
        Ok(())
    }

    /// Objects cannot be taken back: one line says that those of images that did not pass come again.
    fn restart(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        let object = json!({"passed": end.totals.counts.passed});
        self.add("attempt", &object.to_string());
        self.flush()
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        let mut object = totals(end);
        object["ended"] = json!(time(Utc::now()));
        object["list_digest"] = json!(end.list_digest.map(Digest::as_str));
        self.add("totals", &object.to_string());
        self.flush()?;
        if let Target::File(output) = &mut self.target {
            let synced = output.file().sync_all();
            synced.map_err(|error| refused(output, error))?;
        }
        Ok(Vec::new())
    }
}

impl Report {
    fn add(&mut self, kind: &str, object: &str) {
        let fields = object.strip_prefix('{').unwrap_or(object);
        self.lines.push(format!("{{\"type\":\"{kind}\",{fields}\n"));
    }
}

impl Target {
    fn write(&mut self, line: &[u8]) -> Result<(), OutputError> {
        match self {
            Self::File(output) => {
                let written = output.file().write_all(line);
                written.map_err(|error| refused(output, error))
            }
            Self::StandardOutput { is_closed: true } => Ok(()),
            Self::StandardOutput { is_closed } => {
                let mut stdout = io::stdout().lock();
                match stdout.write_all(line).and_then(|()| stdout.flush()) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                        *is_closed = true;
                        Ok(())
                    }
                    Err(error) => Err(OutputError::Io {
                        kind: &JSON_LINES,
                        name: STANDARD_OUTPUT.to_owned(),
                        error,
                    }),
                    Ok(()) => Ok(()),
                }
            }
        }
    }
}

/// Names no partial file: the lines are in the file itself.
fn refused(output: &Output, error: io::Error) -> OutputError {
    OutputError::Left {
        kind: &JSON_LINES,
        name: show(output.name()),
        error,
        partial: show(output.name()),
    }
}
