//! Merges reports of shards.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::MergeError;
use super::form::OtherForm;
use super::report::{IMAGE, LineLocation, Report, read};
use super::shards::{ShardFile, ShardSelection, choose};
use super::{Input, Merged, output};
use crate::exit::Exit;
use crate::output::report_object::{FORMAT, TOOL, VERSION};
use crate::output::{JsonForm, MergedForm, json_line, merged_form, show};
use crate::report_reading::Outcome;

/// Header and totals of the merged report.
#[derive(Default)]
pub struct MergedReport {
    pub passed: u64,
    pub failed: u64,
    pub not_validated: u64,
    pub requests: u64,
    pub milliseconds: u64,
    pub begun: String,
    ended: String,
}

/// Merges reports.
///
/// # Errors
/// [`MergeError`].
pub fn merge(out: &Path, inputs: Vec<Input>) -> Result<Merged, MergeError> {
    let form = merged_form(out).ok_or_else(|| MergeError::Suffix(show(out)))?;
    let mut lines = Vec::new();
    let mut reports: Vec<Report> = Vec::new();
    for (number, input) in inputs.into_iter().enumerate() {
        // The index of a report has 16 bits.
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let report = read(&input.name, input.file, number, &mut lines)?;
        refuse_others(&reports, &report)?;
        reports.push(report);
    }
    let (reports, choice) = chosen(reports, &mut lines)?;
    lines.shrink_to_fit();
    in_order(&reports, &choice, &mut lines)?;
    let whole = MergedReport::of(&reports, &choice, &lines);
    let exit = whole.exit(&choice);
    match form {
        MergedForm::Json(form) => {
            output(out)?
                .commit_other(|_, out| write(out, form, &reports, &choice, &whole, &lines, exit))?;
        }
        MergedForm::Sink(new) => {
            let made = OtherForm {
                new,
                reports: &reports,
                lines: &lines,
            };
            made.write(output(out)?, &whole, &choice)?;
        }
    }
    let images = lines.len();
    let s = if images == 1 { "" } else { "s" };
    let summary = format!(
        "{}: {images} image{s}: {} passed, {} failed, {} not validated",
        show(out),
        whole.passed,
        whole.failed,
        whole.not_validated
    );
    Ok(Merged {
        exit,
        notes: choice.notes,
        summary,
    })
}

fn refuse_others(reports: &[Report], report: &Report) -> Result<(), MergeError> {
    let digest = |report: &Report| report.list_digest.clone();
    let same_list = |other: &&Report| digest(other).is_some() && digest(report).is_some();
    if let Some(other) = reports.iter().find(same_list)
        && digest(other) != digest(report)
    {
        return Err(MergeError::Lists(
            other.part.name.clone(),
            report.part.name.clone(),
            digest(other).unwrap_or_default(),
            digest(report).unwrap_or_default(),
        ));
    }
    let Some(other) = reports.first() else {
        return Ok(());
    };
    let (ours, theirs) = (settings(report), settings(other));
    let names = ours.keys().chain(theirs.keys());
    for name in names.filter(|name| *name != "shard") {
        let value = |of: &Map<String, Value>| of.get(name).cloned().unwrap_or_default();
        if value(&ours) != value(&theirs) {
            return Err(MergeError::Settings(
                other.part.name.clone(),
                report.part.name.clone(),
                format!("{name}: {}, {}", value(&theirs), value(&ours)),
            ));
        }
    }
    Ok(())
}

fn settings(report: &Report) -> Map<String, Value> {
    serde_json::from_str(report.run.get()).unwrap_or_default()
}

/// Keeps only the lines of the used reports.
fn chosen(
    reports: Vec<Report>,
    lines: &mut Vec<LineLocation>,
) -> Result<(Vec<(usize, Report)>, ShardSelection), MergeError> {
    let mut parts = Vec::new();
    for report in &reports {
        parts.push(ShardFile {
            name: report.part.name.clone(),
            ..report.part
        });
    }
    let choice = choose(&parts)?;
    // Later reports in the choice are more recent.
    let mut rank = vec![None; reports.len()];
    for (place, number) in choice.used.iter().enumerate() {
        rank[*number] = u16::try_from(place).ok();
    }
    lines.retain_mut(|line| match rank[usize::from(line.file)] {
        Some(place) => {
            line.file = place;
            true
        }
        None => false,
    });
    let mut reports: Vec<(usize, Report)> = reports
        .into_iter()
        .enumerate()
        .filter_map(|(number, report)| Some((usize::from(rank[number]?), report)))
        .collect();
    reports.sort_by_key(|(place, _)| *place);
    Ok((reports, choice))
}

/// Sorts the lines in the order of the list. Of several results of one line the most recent is kept.
fn in_order(
    reports: &[(usize, Report)],
    choice: &ShardSelection,
    lines: &mut Vec<LineLocation>,
) -> Result<(), MergeError> {
    lines.sort_unstable_by_key(|line| (line.line, Reverse((line.file, line.offset))));
    let part = |line: &LineLocation| &reports[usize::from(line.file)].1.part;
    for pair in lines.windows(2) {
        let (one, other) = (part(&pair[0]), part(&pair[1]));
        if pair[0].line != pair[1].line {
            continue;
        }
        if one.shard != other.shard {
            return Err(MergeError::Overlap(
                one.name.clone(),
                other.name.clone(),
                pair[0].line,
            ));
        }
        if !choice.incomplete.contains(&one.shard) {
            let why = format!("line {} of the list occurs twice", pair[0].line);
            return Err(MergeError::Damaged(one.name.clone(), why));
        }
    }
    lines.dedup_by_key(|line| line.line);
    Ok(())
}

impl MergedReport {
    fn of(reports: &[(usize, Report)], choice: &ShardSelection, lines: &[LineLocation]) -> Self {
        let mut whole = Self::default();
        for line in lines {
            *match line.outcome {
                Outcome::Passed | Outcome::Recorded => &mut whole.passed,
                Outcome::Failed => &mut whole.failed,
                Outcome::NotValidated => &mut whole.not_validated,
            } += 1;
        }
        let reports = || reports.iter().map(|(_, report)| report);
        whole.requests = reports().map(|report| report.requests).sum();
        whole.milliseconds = reports()
            .map(|report| report.milliseconds)
            .max()
            .unwrap_or(0);
        whole.begun = reports()
            .map(|report| &report.begun)
            .min()
            .cloned()
            .unwrap_or_default();
        let ended = reports().map(|report| report.ended.as_ref().unwrap_or(&report.begun));
        whole.ended = ended.max().cloned().unwrap_or_default();
        debug_assert!(choice.used.len() == reports().count());
        whole
    }

    fn exit(&self, choice: &ShardSelection) -> Exit {
        match (self.failed, self.not_validated) {
            (1.., _) => Exit::Failed,
            (0, 0) if choice.is_whole() => Exit::Passed,
            _ => Exit::NotValidated,
        }
    }
}

fn write(
    out: &mut dyn Write,
    form: JsonForm,
    reports: &[(usize, Report)],
    choice: &ShardSelection,
    whole: &MergedReport,
    lines: &[LineLocation],
    exit: Exit,
) -> io::Result<()> {
    let Some((_, first)) = reports.first() else {
        return Ok(());
    };
    let digest = reports
        .iter()
        .find_map(|(_, report)| report.list_digest.as_ref());
    let mut totals = json!({
        "lines": lines.len(),
        "passed": whole.passed,
        "failed": whole.failed,
        "not_validated": whole.not_validated,
        "requests": whole.requests,
        "milliseconds": whole.milliseconds,
        "exit_code": exit.code(),
        "signal": null,
    });
    for (name, shards) in [
        ("absent_shards", &choice.absent),
        ("incomplete_shards", &choice.incomplete),
    ] {
        if !shards.is_empty() {
            let of =
                |shard: &super::shards::Shard| json!({"index": shard.index, "count": shard.count});
            totals[name] = shards.iter().map(of).collect();
        }
    }
    let (list, digest) = (json_line(&first.list), json_line(&digest));
    let (begun, ended) = (json!(whole.begun), json!(whole.ended));
    let (format, tool, run) = (json!(FORMAT), json!(TOOL), first.settings_of_all());
    let (prefix, separator) = match form {
        JsonForm::Document => {
            write!(
                out,
                "{{\n\"format\": {format},\n\"version\": {VERSION},\n\"tool\": {tool},\n\"begun\": {begun},\n\"ended\": {ended},\n\
                 \"list\": {list},\n\"list_digest\": {digest},\n\"shard\": null,\n\"run\": {run},\n\"lines\": [\n"
            )?;
            ("{", ",\n")
        }
        JsonForm::Lines => {
            writeln!(
                out,
                "{{\"type\":\"header\",\"format\":{format},\"version\":{VERSION},\"tool\":{tool},\"begun\":{begun},\"list\":{list},\
                 \"list_digest\":{digest},\"shard\":null,\"run\":{run}}}"
            )?;
            (IMAGE, "\n")
        }
    };
    for (index, line) in lines.iter().enumerate() {
        let object = reports[usize::from(line.file)].1.line(line)?;
        out.write_all(prefix.as_bytes())?;
        out.write_all(object.as_bytes())?;
        let is_last = index + 1 == lines.len();
        out.write_all(if is_last { "\n" } else { separator }.as_bytes())?;
    }
    match form {
        JsonForm::Document => write!(out, "],\n\"totals\": {totals}\n}}\n"),
        JsonForm::Lines => {
            totals["ended"] = ended;
            let fields = totals.to_string();
            let fields = fields.strip_prefix('{').unwrap_or_default();
            let fields = fields.strip_suffix('}').unwrap_or_default();
            writeln!(
                out,
                "{{\"type\":\"totals\",{fields},\"list_digest\":{digest}}}"
            )
        }
    }
}
