//! `.xml`: `JUnit`, as GitLab and Jenkins read it. One test case per line of the list: a failed image
//! is a `failure`, an image that could not be checked is an `error`.

use std::collections::HashMap;
use std::path::Path;

use super::object::{LineObject, ReportHeader, time, word};
use super::{report, text::xml};
use crate::list::List;
use crate::output::file::Output;
use crate::output::spool::Spool;
use crate::output::{LineResult, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink};
use crate::sync::Fingerprints;
use crate::verdict::Outcome;

pub static JUNIT: OutputForm = report(open);

/// Limit of the file, in bytes: `GitLab` reads up to 30 MB.
const MAX_BYTES: u64 = 29_000_000;

/// Separates a test case from its details in the spool; escaped text never contains it.
const SPLIT: char = '\0';

/// Bit in the spool's keys of passed images, which sorts them last.
const PASSED: u64 = 1 << 63;

struct Report {
    head: ReportHeader,
    cases: Spool<u64>,
    fingerprints: Fingerprints,
    /// The first line of each name.
    names: HashMap<u64, u64>,
    /// Bytes of the test cases that did not pass, without their details.
    bytes: u64,
    bytes_of_details: u64,
    bytes_of_passed: u64,
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<OpenedOutput, OutputError> {
    let output = Output::create(&JUNIT, name, input, settings)?;
    Ok(Some(new(output, ReportHeader::new(input, settings))))
}

/// A report of a run, into this file.
pub fn new(output: Output, head: ReportHeader) -> Box<dyn Sink> {
    Box::new(Report {
        cases: Spool::new(output),
        head,
        fingerprints: Fingerprints::default(),
        names: HashMap::new(),
        bytes: 0,
        bytes_of_details: 0,
        bytes_of_passed: 0,
    })
}

impl Sink for Report {
    fn take(&mut self, entry: &LineResult<'_>) {
        let object = LineObject::new(entry, self.head.words);
        let (class, mut name) = match entry.image.map(|image| &image.image) {
            Some(image) if self.head.words.compares => (
                image.destination.registry.clone(),
                format!("{} -> {}", image.source_name(), image.destination_name()),
            ),
            Some(image) => (image.source.registry.clone(), image.source_name()),
            None => ("invalid-line".to_owned(), entry.line.place.to_string()),
        };
        let fingerprint = self.fingerprints.of(&name);
        #[expect(clippy::cast_possible_truncation, reason = "half of a fingerprint")]
        let first = *self.names.entry(fingerprint as u64).or_insert(object.line);
        if first != object.line || object.same_as_line.is_some() {
            name += &format!(" (line {})", object.line);
        }
        let seconds = std::time::Duration::from_millis(object.milliseconds).as_secs_f64();
        let begin = format!(
            "<testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"",
            xml(&class),
            xml(&name)
        );
        let element = match entry.finding.outcome {
            Outcome::Passed => {
                let case = format!("{begin}/>");
                self.bytes_of_passed += case.len() as u64 + 1;
                self.cases.add(PASSED | object.line, true, case.as_bytes());
                return;
            }
            Outcome::Failed(_) => "failure",
            Outcome::NotValidated(_) => "error",
        };
        let head = format!(
            "{begin}><{element} type=\"{}\" message=\"{}\">",
            object.code.map_or_else(String::new, |code| word(&code)),
            xml(object.message.as_deref().unwrap_or_default())
        );
        let details = xml(&object.details.join("\n"));
        let case = format!("{head}{SPLIT}{details}{SPLIT}</{element}></testcase>");
        self.bytes += (case.len() - details.len()) as u64;
        self.bytes_of_details += details.len() as u64;
        self.cases.add(object.line, false, case.as_bytes());
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.cases.write().map(|_| ())
    }

    fn restart(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        self.place(end)?;
        (self.bytes, self.bytes_of_details) = (0, 0);
        self.cases.forget_unsettled()
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        self.place(end)?;
        self.cases.output().discard()?;
        Ok(Vec::new())
    }
}

impl Report {
    fn place(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        let (counts, seconds) = (end.totals.counts, end.elapsed.as_secs_f64());
        let attributes = format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{seconds:.3}\"",
            end.totals.images(),
            counts.failed,
            counts.not_validated
        );
        // JUnit's times have no zone; this is UTC.
        let begun = time(self.head.begun).replace('Z', "");
        let before = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {attributes}>\n\
             <testsuite name=\"{}\" {attributes} timestamp=\"{begun}\">\n",
            xml(&self.head.list)
        );
        // The cases that did not pass come first, then their details, then the passed cases.
        let mut room = MAX_BYTES.saturating_sub(self.bytes);
        let has_all = self.bytes_of_details + self.bytes_of_passed <= room;
        let mut written = 0;
        let (mut cases, mut details) = (0_u64, 0_u64);
        self.cases.place_each(|entries, out| {
            out.write_all(before.as_bytes())?;
            let mut bytes = Vec::new();
            while entries.next(&mut bytes)?.is_some() {
                let text = String::from_utf8_lossy(&bytes);
                let mut parts = text.split(SPLIT);
                let (head, body) = (parts.next().unwrap_or_default(), parts.next());
                let tail = parts.next().unwrap_or_default();
                let own = (head.len() + tail.len()) as u64;
                let fits = match body {
                    Some(_) => written + own <= MAX_BYTES,
                    None => has_all || own <= room,
                };
                if !fits {
                    cases += 1;
                    continue;
                }
                written += own;
                out.write_all(head.as_bytes())?;
                match body {
                    Some(body) if has_all || body.len() as u64 <= room => {
                        room = room.saturating_sub(body.len() as u64);
                        out.write_all(body.as_bytes())?;
                    }
                    Some(_) => details += 1,
                    None => room = room.saturating_sub(own),
                }
                out.write_all(tail.as_bytes())?;
            }
            if cases + details > 0 {
                writeln!(
                    out,
                    "<system-out>The file is limited to 30 MB: {cases} test cases and the details of {details} other test cases are left out. Use --report with a file of another suffix to see them.</system-out>"
                )?;
            }
            out.write_all(b"</testsuite>\n</testsuites>\n")
        })
    }
}
