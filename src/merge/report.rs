//! Reads a report for merging: memory holds only the offsets of its lines.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt as _;

use chrono::DateTime;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::MergeError;
use super::shards::{Shard, ShardFile};
use crate::report_reading::{
    Fields, Header, Outcome, Part as ReportPart, ReportError, ReportReader, Totals, one_line,
};

/// Prefix of an image's line in `.jsonl`; the rest of the object follows.
pub const IMAGE: &str = "{\"type\":\"image\",";

/// How a line's object begins in `.json`.
const DOCUMENT_LINE: &str = "{\"line\":";

/// The location of a line's object.
#[derive(Clone, Copy)]
pub struct LineLocation {
    /// Line number in the list.
    pub line: u64,
    pub offset: u64,
    length: u32,
    /// Index of the report.
    pub file: u16,
    pub outcome: Outcome,
}

#[derive(Deserialize)]
struct LineObject {
    line: u64,
    outcome: Outcome,
    #[serde(default)]
    requests: u64,
}

/// A report without its lines.
pub struct Report {
    file: File,
    pub part: ShardFile,
    pub begun: String,
    /// `None`: the run was interrupted or killed.
    pub ended: Option<String>,
    pub list: String,
    pub list_digest: Option<String>,
    pub run: Box<RawValue>,
    pub requests: u64,
    pub milliseconds: u64,
}

/// Reads a report and adds its lines; `number`: index of the report.
///
/// # Errors
/// [`MergeError`]; a report that was cut off is no error.
pub fn read(
    name: &str,
    file: File,
    number: u16,
    lines: &mut Vec<LineLocation>,
) -> Result<Report, MergeError> {
    let first = lines.len();
    let (mut header, mut totals, mut requests) = (None, None, 0);
    let input = BufReader::with_capacity(1 << 16, &file);
    let mut reader = ReportReader::<_, LineObject>::new(input, name);
    while let Some(part) = reader.next() {
        match part {
            Ok(ReportPart::Header(read)) => header = Some(*read),
            Ok(ReportPart::Line(line)) => {
                requests += line.object.requests;
                lines.push(LineLocation {
                    line: line.object.line,
                    offset: line.offset,
                    length: u32::try_from(line.length)
                        .map_err(|_| reader.damaged("a line is too long"))?,
                    file: number,
                    outcome: line.object.outcome,
                });
            }
            Ok(ReportPart::Attempt) => {
                let mut kept = lines.split_off(first);
                kept.retain(|line| matches!(line.outcome, Outcome::Passed | Outcome::Recorded));
                lines.append(&mut kept);
            }
            Ok(ReportPart::Totals(read)) => {
                if read.counts() != counts(&lines[first..]) {
                    return Err(reader.damaged("the totals do not match the lines").into());
                }
                totals = Some(read);
            }
            Err(ReportError::Unfinished { .. }) if header.is_some() => break,
            Err(error) => return Err(error.into()),
        }
    }
    let header: Header = header.ok_or_else(|| reader.damaged("it has no header"))?;
    let (mut ended, mut list_digest) = (None, header.list_digest);
    if let Some(totals) = &totals {
        ended = header.ended.or_else(|| totals.ended.clone());
        list_digest = list_digest.or_else(|| totals.list_digest.clone());
    }
    let shard = match header.shard {
        None => Shard::WHOLE,
        Some(shard) => {
            Shard::new(shard.index, shard.count).ok_or_else(|| reader.damaged("invalid shard"))?
        }
    };
    let time = ended.as_ref().unwrap_or(&header.begun);
    let time = DateTime::parse_from_rfc3339(time).map_err(|_| reader.damaged("invalid time"))?;
    let is_complete = list_digest.is_some() && totals.as_ref().is_some_and(Totals::are_complete);
    Ok(Report {
        part: ShardFile {
            name: name.to_owned(),
            shard,
            is_complete,
            time: time.timestamp(),
        },
        begun: header.begun,
        ended,
        list: header.list,
        list_digest,
        run: header.run,
        requests: totals.as_ref().map_or(requests, |of| of.requests),
        milliseconds: totals.map_or(0, |totals| totals.milliseconds),
        file,
    })
}

/// Lines that passed, failed, and were not validated.
fn counts(lines: &[LineLocation]) -> [u64; 3] {
    let mut counts = [0; 3];
    for line in lines {
        counts[match line.outcome {
            Outcome::Passed | Outcome::Recorded => 0,
            Outcome::Failed => 1,
            Outcome::NotValidated => 2,
        }] += 1;
    }
    counts
}

impl Report {
    /// The run's settings but for its shard, as JSON.
    pub fn settings_of_all(&self) -> String {
        let mut fields: Fields = serde_json::from_str(self.run.get()).unwrap_or_default();
        let is_shard = fields.remove("shard").is_some();
        if is_shard && let Ok(null) = RawValue::from_string("null".to_owned()) {
            fields.insert("shard".to_owned(), null);
        }
        one_line(&fields.to_text())
    }

    /// The object of a line, without its first brace and without the field `type`, on one line of text.
    ///
    /// # Errors
    /// Where the file cannot be read, or is another than it was.
    pub fn line(&self, kept: &LineLocation) -> io::Result<String> {
        let mut bytes = vec![0; kept.length as usize];
        self.file.read_exact_at(&mut bytes, kept.offset)?;
        let mut text = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        // As it was written; everything else was reformatted, or has characters that may have to be escaped.
        let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_plain {
            text = one_line(&text);
        }
        for (begin, before) in [(IMAGE, IMAGE.len()), (DOCUMENT_LINE, 1)] {
            if text.starts_with(begin) {
                text.drain(..before);
                return Ok(text);
            }
        }
        let mut fields: Fields = serde_json::from_str(&one_line(&text))?;
        fields.remove("type");
        text = fields.to_text();
        text.remove(0);
        Ok(text)
    }
}
