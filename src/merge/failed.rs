//! Merges failed lists of shards.
//!
//! A failed list has no line numbers: the lines stay in the order of the files, or are sorted in the
//! order of the image list if that is given.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, Write as _};
use std::path::Path;

use super::error::MergeError;
use super::{Input, Merged, output};
use crate::escape::escape;
use crate::exit::Exit;
use crate::list::List;
use crate::output::{Output, show};
use crate::sync::Fingerprints;

/// Occurrences of a line. There can be a million of these structs: 16 bytes each.
#[derive(Default)]
struct Occurrences {
    /// The last file with the line, and its occurrences there.
    file: u32,
    in_file: u32,
    /// The highest count of all files: equal lines belong to one shard.
    lines: u32,
    in_list: bool,
}

/// `list`: the image list, for the order.
///
/// # Errors
/// [`MergeError`].
pub fn merge(out: &Path, inputs: &[Input], list: Option<&Path>) -> Result<Merged, MergeError> {
    let mut output = output(out)?;
    let mut counts: HashMap<u128, Occurrences> = HashMap::new();
    let fingerprints = Fingerprints::default();
    let mut written = 0_u64;
    let full = |output: &Output, error| MergeError::Output(output.left(error));
    let mut buffer = Vec::new();
    for (file, input) in (0..).zip(inputs) {
        for_each_line(input, |line| {
            let count = counts.entry(fingerprints.of(&line)).or_default();
            if count.file != file {
                (count.file, count.in_file) = (file, 0);
            }
            count.in_file += 1;
            if count.in_file > count.lines {
                count.lines = count.in_file;
                if list.is_none() {
                    written += 1;
                    put(&mut buffer, output.file(), line)?;
                }
            }
            Ok(())
        })?;
    }
    if let Some(path) = list {
        let (mut list, _) = List::open_all(&[path.to_owned()])?;
        while let Some(line) = list.next_line()? {
            let Some(count) = counts.get_mut(&fingerprints.of(&line.bytes.as_slice())) else {
                continue;
            };
            count.in_list = true;
            if count.lines > 0 {
                count.lines -= 1;
                written += 1;
                let put = put(&mut buffer, output.file(), &line.bytes);
                put.map_err(|error| full(&output, error))?;
            }
        }
        refuse_unknown(inputs, &counts, &fingerprints, path)?;
    }
    let rest = output.file().write_all(&buffer);
    rest.map_err(|error| full(&output, error))?;
    if written == 0 {
        output.remove()?;
        output.discard()?;
    } else {
        output.commit()?;
    }
    let s = if written == 1 { "" } else { "s" };
    Ok(Merged {
        exit: if written == 0 {
            Exit::Passed
        } else {
            Exit::Failed
        },
        notes: Vec::new(),
        summary: format!("{}: {written} line{s}", show(out)),
    })
}

/// Appends a line to the buffer, and writes the buffer to the file when it is full.
fn put(buffer: &mut Vec<u8>, file: &mut File, line: &[u8]) -> io::Result<()> {
    const FULL: usize = 1 << 16;
    buffer.extend_from_slice(line);
    buffer.push(b'\n');
    if buffer.len() > FULL {
        file.write_all(buffer)?;
        buffer.clear();
    }
    Ok(())
}

fn for_each_line(
    input: &Input,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), MergeError> {
    let failed = |error| MergeError::Io(input.name.clone(), error);
    let mut file = BufReader::new(&input.file);
    file.rewind().map_err(failed)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(());
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if !text.is_empty() {
            take(text).map_err(failed)?;
        }
    }
}

/// Refuses a line that is not in the image list, because the output would not have it.
fn refuse_unknown(
    inputs: &[Input],
    counts: &HashMap<u128, Occurrences>,
    fingerprints: &Fingerprints,
    list: &Path,
) -> Result<(), MergeError> {
    for input in inputs {
        let mut unknown = None;
        for_each_line(input, |line| {
            let count = counts.get(&fingerprints.of(&line));
            if unknown.is_none() && count.is_none_or(|count| !count.in_list) {
                unknown = Some(escape(&String::from_utf8_lossy(line)).into_owned());
            }
            Ok(())
        })?;
        if let Some(line) = unknown {
            return Err(MergeError::NotInList(input.name.clone(), line, show(list)));
        }
    }
    Ok(())
}
