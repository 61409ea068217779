//! `.json`: one JSON document. The object of each line of the list is on one line of text.

use std::path::Path;

use chrono::Utc;
use serde_json::json;

use super::object::{FORMAT, LineObject, ReportHeader, TOOL, VERSION, time, totals};
use super::report;
use crate::list::List;
use crate::output::file::Output;
use crate::output::spool::Spool;
use crate::output::{
    LineResult, OpenedOutput, OutputError, OutputForm, RunEnd, RunSettings, Sink, json,
};

pub static JSON: OutputForm = report(open);

struct Report {
    head: ReportHeader,
    lines: Spool<u64>,
}

fn open(name: &Path, input: &List, settings: &RunSettings) -> Result<OpenedOutput, OutputError> {
    Ok(Some(Box::new(Report {
        lines: Spool::new(Output::create(&JSON, name, input, settings)?),
        head: ReportHeader::new(input, settings),
    })))
}

impl Sink for Report {
    fn take(&mut self, entry: &LineResult<'_>) {
        let object = LineObject::new(entry, self.head.words);
        let has_passed = entry.finding.outcome.has_passed();
        let text = json::line(&object);
        self.lines.add(object.line, has_passed, text.as_bytes());
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.lines.write().map(|_| ())
    }

    fn restart(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        self.place(end)?;
        self.lines.forget_unsettled()
    }

    fn finish(mut self: Box<Self>, end: &RunEnd<'_>) -> Result<Vec<String>, OutputError> {
        self.place(end)?;
        self.lines.output().discard()?;
        Ok(Vec::new())
    }
}

impl Report {
    fn place(&mut self, end: &RunEnd<'_>) -> Result<(), OutputError> {
        let head = &self.head;
        let before = format!(
            "{{\n\"format\": {},\n\"version\": {VERSION},\n\"tool\": {},\n\"begun\": {},\n\"ended\": {},\n\"list\": {},\n\
             \"list_digest\": {},\n\"shard\": {},\n\"run\": {},\n\"lines\": [\n",
            json!(FORMAT),
            json!(TOOL),
            json!(time(head.begun)),
            json!(time(Utc::now())),
            json::line(&head.list),
            json::line(&end.list_digest),
            json::line(&head.shard),
            head.run,
        );
        let after = format!("],\n\"totals\": {}\n}}\n", totals(end));
        self.lines.place(",\n", before.as_bytes(), |_| after)?;
        Ok(())
    }
}
