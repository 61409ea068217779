//! `remedy`: prints the commands, or the configuration file of a mirror tool, that repair the failed
//! images of a report. Nothing is run.
//!
//! A report is untrusted, and the output is for a shell: names, tags and digests are parsed as
//! references, and an incomplete report prints nothing.

mod failure;
mod print;
mod steps;
mod text;
mod tool;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::registry::InsecureHosts;
use crate::report_reading::{
    Header, LineObject, Located, Outcome, Part, ReportError, ReportReader, Run, Totals,
};
use failure::{Failure, Repair};
use print::Printer;
use tool::Plan;

pub use tool::Tool;

const STANDARD_INPUT: &str = "-";

#[derive(Debug, thiserror::Error)]
pub enum RemedyError {
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

/// Arguments of the command.
pub struct RemedyOptions {
    pub report: PathBuf,
    pub tool: Tool,
    pub insecure: InsecureHosts,
}

/// Lines of a report by treatment.
#[derive(Debug, Default)]
pub struct LineCounts {
    pub lines: u64,
    /// Failed images.
    pub failed: u64,
    pub not_validated: u64,
    /// Lines with an image that has already failed in an earlier line.
    pub repeated: u64,
}

/// Prints the commands for a report.
///
/// # Errors
/// The report is damaged or incomplete, or the file is not a report; nothing has been printed then.
pub fn run(wish: RemedyOptions, out: &mut impl Write) -> Result<(), RemedyError> {
    let name = match wish.report.as_path() {
        path if path == Path::new(STANDARD_INPUT) => "standard input".to_owned(),
        path => path.display().to_string(),
    };
    let mut file = open(&wish.report).map_err(|error| ReportError::Unreadable {
        name: name.clone(),
        error,
    })?;
    let mut counts = LineCounts::default();
    let mut header = None;
    let mut plan = Plan {
        tool: wish.tool,
        insecure: wish.insecure,
        run: Run::default(),
        insecure_registries: BTreeSet::new(),
    };
    let mut registries = BTreeSet::new();
    let mut attempts = 0_u64;
    read(&file, &name, |part| {
        match part {
            ReportItem::Header(read) => header = Some(read),
            ReportItem::Failure(failure) => {
                counts.failed += 1;
                if !matches!(failure.mending, Repair::Nothing(_)) {
                    for registry in failure.registries() {
                        if !registries.contains(registry) {
                            registries.insert(registry.to_owned());
                        }
                    }
                }
            }
            ReportItem::Attempt => {
                attempts += 1;
                counts = LineCounts::default();
                registries.clear();
            }
            ReportItem::Repeated => counts.repeated += 1,
            ReportItem::NotValidated => counts.not_validated += 1,
            ReportItem::Totals(totals) => counts.lines = totals.lines,
        }
        Ok(())
    })?;
    let Some(header) = header else {
        return Ok(());
    };
    plan.insecure_registries = registries
        .into_iter()
        .filter(|registry| plan.is_insecure(registry))
        .collect();
    plan.run = serde_json::from_str(header.run.get()).map_err(|error| ReportError::Damaged {
        name: name.clone(),
        line: 1,
        why: format!("run: {error}"),
    })?;
    file.rewind().map_err(|error| ReportError::Unreadable {
        name: name.clone(),
        error,
    })?;
    let mut printer = Printer::new(out, &plan);
    printer
        .begin(&header.list, &counts)
        .map_err(RemedyError::Output)?;
    read(&file, &name, |part| match part {
        ReportItem::Attempt => {
            attempts -= 1;
            Ok(())
        }
        ReportItem::Failure(failure) if attempts == 0 => {
            printer.image(&failure).map_err(RemedyError::Output)
        }
        _ => Ok(()),
    })?;
    printer.end(&counts).map_err(RemedyError::Output)
}

/// A part of a report that this command uses.
enum ReportItem {
    Header(Header),
    Failure(Box<Failure>),
    /// The failures so far do not count.
    Attempt,
    Repeated,
    NotValidated,
    Totals(Totals),
}

fn read(
    file: &File,
    name: &str,
    mut take: impl FnMut(ReportItem) -> Result<(), RemedyError>,
) -> Result<(), RemedyError> {
    let mut reader =
        ReportReader::<_, LineObject>::new(BufReader::with_capacity(1 << 16, file), name);
    while let Some(part) = reader.next() {
        match part? {
            Part::Header(header) => take(ReportItem::Header(*header))?,
            Part::Line(Located { object, .. }) => {
                if let Some(line) = of_line(&object).map_err(|why| {
                    reader.damaged(format!("line {} of the list: {why}", object.line))
                })? {
                    take(line)?;
                }
            }
            Part::Attempt => take(ReportItem::Attempt)?,
            Part::Totals(totals) => take(ReportItem::Totals(totals))?,
        }
    }
    Ok(())
}

fn of_line(object: &LineObject) -> Result<Option<ReportItem>, String> {
    Ok(match object.outcome {
        Outcome::Passed | Outcome::Recorded => None,
        Outcome::NotValidated => Some(ReportItem::NotValidated),
        Outcome::Failed => {
            let failure = Failure::of(object)?;
            Some(match object.same_as_line {
                Some(_) => ReportItem::Repeated,
                None => ReportItem::Failure(Box::new(failure)),
            })
        }
    })
}

/// Opens the report as a file that can be read twice.
fn open(path: &Path) -> io::Result<File> {
    if path == Path::new(STANDARD_INPUT) {
        return copied(&mut io::stdin().lock());
    }
    let mut file = File::open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        copied(&mut file)
    }
}

/// Creates a temporary file without a name.
fn nameless() -> io::Result<File> {
    let name = format!("image-tools-remedy-{}", std::process::id());
    for attempt in 0..100 {
        let path = std::env::temp_dir().join(format!("{name}-{attempt}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match file {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            file => {
                let file = file?;
                fs::remove_file(&path)?;
                return Ok(file);
            }
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Copies the input to a temporary file without a name.
fn copied(input: &mut impl io::Read) -> io::Result<File> {
    let mut file = nameless()?;
    io::copy(input, &mut file)?;
    file.rewind()?;
    Ok(file)
}
