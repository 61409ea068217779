//! `.csv`: one row per line of the list (RFC 4180). No spreadsheet reads a cell as a formula.

use std::path::Path;

use super::object::{LineObject, ReportHeader, word};
use super::report;
use crate::list::List;
use crate::output::file::Output;
use crate::output::spool::Spool;
use crate::output::{LineResult, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink};

pub static CSV: OutputForm = report(open);

const HEADER: &str = "line,place,m_id,source,tag,destination,destination_tag,outcome,code,message,details,requests,milliseconds,same_as_line\r\n";

struct Report {
    head: ReportHeader,
    rows: Spool<u64>,
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<OpenedOutput, OutputError> {
    let output = Output::create(&CSV, name, input, settings)?;
    Ok(Some(new(output, ReportHeader::new(input, settings))))
}

/// A report of a run, into this file.
pub fn new(output: Output, head: ReportHeader) -> Box<dyn Sink> {
    Box::new(Report {
        head,
        rows: Spool::new(output),
    })
}

impl Sink for Report {
    fn take(&mut self, entry: &LineResult<'_>) {
        let object = LineObject::new(entry, self.head.words);
        let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
        let text = |text: Option<&str>| cell(text.unwrap_or_default());
        let cells = [
            object.line.to_string(),
            cell(&entry.line.place.to_string()),
            number(object.m_id),
            text(object.source.as_deref()),
            text(object.tag),
            text(object.destination.as_deref()),
            text(object.destination_tag),
            cell(object.outcome),
            object.code.map_or_else(String::new, |code| word(&code)),
            text(object.message.as_deref()),
            cell(&object.details.join("\n")),
            object.requests.to_string(),
            object.milliseconds.to_string(),
            number(object.same_as_line),
        ];
        // The spool adds the line feed.
        let row = cells.join(",") + "\r";
        let has_passed = entry.finding.outcome.has_passed();
        self.rows.add(object.line, has_passed, row.as_bytes());
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.rows.write().map(|_| ())
    }

    fn restart(&mut self, _: &RunEnd<'_>) -> Result<(), OutputError> {
        self.place()?;
        self.rows.forget_unsettled()
    }

    fn finish(mut self: Box<Self>, _: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        self.place()?;
        self.rows.output().discard()?;
        Ok(Vec::new())
    }
}

impl Report {
    fn place(&mut self) -> Result<(), OutputError> {
        let header = HEADER.as_bytes();
        self.rows.place("\n", header, |_| String::new())?;
        Ok(())
    }
}

/// A cell of text: quoted where RFC 4180 requires it, and with an apostrophe where a spreadsheet would
/// read a formula.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        for (text, expected) in [
            ("a b", "a b"),
            ("a,b", "\"a,b\""),
            ("a\"b\nc", "\"a\"\"b\nc\""),
            ("=1+1", "'=1+1"),
            ("@x,\"", "\"'@x,\"\"\""),
            ("-1", "'-1"),
            ("\tx", "'\tx"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
