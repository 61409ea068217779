//! The command `merge`.

use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};

use super::PROGRAM;
use super::commands::{self, Command};
use super::error::{Error, UsageError};
use super::help::HelpPage;
use super::parse::Parsed;
use crate::escape::escape;
use crate::exit::Exit;

const USAGE: &str = "image-tools merge OUT IN...";

/// Returns the exit code of the whole run.
///
/// # Errors
/// [`Error::Merge`] where the files cannot be merged.
pub fn run(parsed: &Parsed) -> Result<Exit, Error> {
    let (out, inputs) = match parsed.arguments.as_slice() {
        [] => return Err(UsageError::Required("the output file OUT", USAGE).into()),
        [_] => return Err(UsageError::Required("an input file", USAGE).into()),
        [out, inputs @ ..] => (Path::new(out), inputs),
    };
    let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
    let merged = crate::merge::run(out, &inputs, parsed.flags.merge.list.as_deref())
        .map_err(|error| Error::Merge(Box::new(error)))?;
    for note in &merged.notes {
        // Nobody reads a closed standard error.
        let _ = writeln!(stderr(), "{PROGRAM}: {}", escape(note));
    }
    commands::print(&format!("{}\n", merged.summary))?;
    Ok(merged.exit)
}

pub fn help(command: &Command, page: HelpPage) -> String {
    format!(
        "{}
Merges reports (.json, .jsonl), failed lists, metrics or recordings of the shards of one list; all files must be of the same type.
The suffix of OUT selects the format of a merged report, as for --report. For example:
  {PROGRAM} merge all.json shard-*.json
Missing and incomplete shards are reported on standard error. The exit code is that of the whole run: 1 if an
image failed, else 3 if an image was not validated or a shard is missing or incomplete.
",
        super::help::command(command, page)
    )
}
