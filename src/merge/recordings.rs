//! Merges recordings. A recording does not name its shard.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::error::MergeError;
use super::{Input, Merged, output};
use crate::exit::Exit;
use crate::manifest::{Algorithm, Hasher};
use crate::output::show;
use crate::task::record::{Recording, Source, footer, header};

struct RecordedEntry {
    source: Source,
    file: usize,
    /// The entry is of an earlier run: the last run could not read the source.
    is_old: bool,
}

///
/// # Errors
/// [`MergeError`].
pub fn merge(out: &Path, inputs: &[Input]) -> Result<Merged, MergeError> {
    let mut all: BTreeMap<String, RecordedEntry> = BTreeMap::new();
    let mut missing = BTreeSet::new();
    for (file, input) in inputs.iter().enumerate() {
        let (sources, not_read) = Recording::load(&input.path)?.into_parts();
        for source in sources {
            let is_old = not_read.contains(&source.source);
            let found = RecordedEntry {
                source,
                file,
                is_old,
            };
            match all.remove(&found.source.source) {
                Some(other) => {
                    let one = better(other, found, inputs)?;
                    all.insert(one.source.source.clone(), one);
                }
                None => {
                    all.insert(found.source.source.clone(), found);
                }
            }
        }
        missing.extend(not_read);
    }
    // A source that is missing in one recording may be in another.
    missing.retain(|name| all.get(name).is_none_or(|found| found.is_old));
    output(out)?.commit_other(|_, out| {
        out.write_all(header(&missing).as_bytes())?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut sources = all.values().peekable();
        while let Some(found) = sources.next() {
            let line = found.source.to_line();
            hasher.update(&line);
            hasher.update(b"\n");
            out.write_all(&line)?;
            let is_last = sources.peek().is_none();
            out.write_all(if is_last { "\n" } else { ",\n" }.as_bytes())?;
        }
        out.write_all(footer(&hasher.finish()).as_bytes())
    })?;
    let count = all.len();
    let s = if count == 1 { "" } else { "s" };
    let more = match missing.len() {
        0 => String::new(),
        missing => format!(", {missing} missing"),
    };
    Ok(Merged {
        exit: if missing.is_empty() {
            Exit::Passed
        } else {
            Exit::NotValidated
        },
        notes: Vec::new(),
        summary: format!("{}: {count} source{s}{more}", show(out)),
    })
}

/// Chooses the more complete of two records of one source.
fn better(
    one: RecordedEntry,
    other: RecordedEntry,
    inputs: &[Input],
) -> Result<RecordedEntry, MergeError> {
    match (one.is_old, other.is_old) {
        (false, true) => return Ok(one),
        (true, false | true) => return Ok(other),
        (false, false) => {}
    }
    let (mut left, mut right) = (one.source.clone(), other.source.clone());
    // Only one of the runs may have had --referrers.
    if left.referrers.is_none() || right.referrers.is_none() {
        (left.referrers, right.referrers) = (None, None);
    }
    if left != right {
        return Err(MergeError::States(
            inputs[one.file].name.clone(),
            inputs[other.file].name.clone(),
            left.source.clone(),
            format!("{}, {}", left.digest, right.digest),
        ));
    }
    Ok(if other.source.referrers.is_some() {
        other
    } else {
        one
    })
}
