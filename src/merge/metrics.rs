//! Merges metrics of shards: counts are added, times are the latest and longest, and the exit code is
//! that of the whole run.
//!
//! Format: Prometheus, "Exposition formats", as this program writes it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::error::MergeError;
use super::shards::{Shard, ShardFile, choose};
use super::{Input, Merged, output};
use crate::exit::Exit;
use crate::output::show;

/// Limit of a metrics file, in bytes.
const LONGEST: u64 = 64 << 20;

const SHARD: &str = ",shard=\"";

struct Metrics {
    part: ShardFile,
    /// The label `list`, escaped as in the file.
    list: String,
    digest: Option<String>,
    families: Vec<Family>,
}

#[derive(Default)]
struct Family {
    name: String,
    /// `# HELP` and `# TYPE`.
    comments: String,
    /// Labels without `shard`, and the value.
    samples: Vec<(String, String)>,
}

/// Merges metrics files.
///
/// # Errors
/// [`MergeError`].
pub fn merge(out: &Path, inputs: &[Input]) -> Result<Merged, MergeError> {
    let mut files = Vec::new();
    for input in inputs {
        let metrics = read(input)?;
        refuse_others(&files, &metrics)?;
        files.push(metrics);
    }
    let parts: Vec<ShardFile> = files
        .iter()
        .map(|file| ShardFile {
            name: file.part.name.clone(),
            ..file.part
        })
        .collect();
    let choice = choose(&parts)?;
    let files: Vec<&Metrics> = choice.used.iter().map(|number| &files[*number]).collect();
    let codes: Vec<&str> = files.iter().filter_map(|file| file.exit_code()).collect();
    let is_whole = choice.absent.is_empty() && choice.incomplete.is_empty();
    let exit = match () {
        () if codes.contains(&"1") => Exit::Failed,
        () if is_whole && codes.iter().all(|code| *code == "0") => Exit::Passed,
        () => Exit::NotValidated,
    };
    let text = text(&files, exit);
    let mut output = output(out)?;
    let written = output.file().write_all(text.as_bytes());
    written.map_err(|error| output.left(error))?;
    output.commit()?;
    let count = files.len();
    let s = if count == 1 { "" } else { "s" };
    Ok(Merged {
        exit,
        notes: choice.notes,
        summary: format!("{}: {count} metrics file{s}", show(out)),
    })
}

fn refuse_others(files: &[Metrics], file: &Metrics) -> Result<(), MergeError> {
    let Some(first) = files.first() else {
        return Ok(());
    };
    let is_same = match (&first.digest, &file.digest) {
        (Some(one), Some(other)) => one == other,
        _ => first.list == file.list,
    };
    if is_same {
        return Ok(());
    }
    let id = |of: &Metrics| of.digest.clone().unwrap_or_else(|| of.list.clone());
    Err(MergeError::Lists(
        first.part.name.clone(),
        file.part.name.clone(),
        id(first),
        id(file),
    ))
}

fn read(input: &Input) -> Result<Metrics, MergeError> {
    let mut text = String::new();
    let read = (&input.file).take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| MergeError::Io(input.name.clone(), error))?;
    let damaged = |number: usize, why: &str| {
        MergeError::Damaged(input.name.clone(), format!("line {}: {why}", number + 1))
    };
    let mut families: Vec<Family> = Vec::new();
    let mut shard = None;
    let mut list = None;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            let name = line.split(' ').nth(2).unwrap_or_default();
            if families.last().is_none_or(|family| family.name != name) {
                families.push(Family {
                    name: name.to_owned(),
                    ..Family::default()
                });
            }
            if let Some(family) = families.last_mut() {
                family.comments += line;
                family.comments.push('\n');
            }
            continue;
        }
        let sample = line.rsplit_once(' ').and_then(|(key, value)| {
            value.parse::<f64>().ok()?;
            let (name, labels) = key.split_once('{')?;
            let (list, _) = quoted(labels.strip_prefix("list=\"")?)?;
            Some((name, labels, list, value))
        });
        let Some((name, labels, own_list, value)) = sample else {
            return Err(damaged(number, "not a sample in the format of image-tools"));
        };
        let (labels, own_shard) = match labels.split_once(SHARD) {
            None => (labels.to_owned(), Shard::WHOLE),
            Some((before, after)) => {
                let parsed = quoted(after).and_then(|(text, rest)| {
                    Some((format!("{before}{rest}"), Shard::parse(text)?))
                });
                parsed.ok_or_else(|| damaged(number, "invalid shard"))?
            }
        };
        if *shard.get_or_insert(own_shard) != own_shard {
            return Err(damaged(number, "the shard differs from the lines before"));
        }
        if list.get_or_insert_with(|| own_list.to_owned()) != own_list {
            return Err(damaged(number, "the list differs from the lines before"));
        }
        match families.last_mut().filter(|family| family.name == name) {
            Some(family) => family.samples.push((labels, value.to_owned())),
            None => return Err(damaged(number, "a sample without a # TYPE line")),
        }
    }
    if text.len() as u64 == LONGEST || !text.ends_with('\n') {
        return Err(damaged(text.lines().count() - 1, "the file was cut off"));
    }
    let mut metrics = Metrics {
        part: ShardFile {
            name: input.name.clone(),
            shard: shard.unwrap_or(Shard::WHOLE),
            is_complete: false,
            time: 0,
        },
        list: list.unwrap_or_default(),
        digest: None,
        families,
    };
    metrics.part.is_complete = matches!(metrics.exit_code(), Some("0" | "1" | "3"));
    let ended = metrics.value("mirror_validate_last_run_timestamp_seconds");
    metrics.part.time = ended.and_then(|value| value.parse().ok()).unwrap_or(0);
    metrics.digest = metrics.list_digest();
    Ok(metrics)
}

/// Splits at the quote that ends a label's value.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some((&text[..end], &text[end + 1..]))
}

impl Metrics {
    fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// The value of a metric with one sample.
    fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.family(name)?.samples.first()?;
        Some(value)
    }

    fn exit_code(&self) -> Option<&str> {
        self.value("mirror_validate_last_run_exit_code")
    }

    fn list_digest(&self) -> Option<String> {
        let family = self.family("mirror_validate_list_info")?;
        let (labels, _) = family.samples.first()?;
        let (_, digest) = labels.split_once(",digest=\"")?;
        Some(quoted(digest)?.0.to_owned()).filter(|digest| !digest.is_empty())
    }
}

fn text(files: &[&Metrics], exit: Exit) -> String {
    let mut order: Vec<&Family> = Vec::new();
    for family in files.iter().flat_map(|file| &file.families) {
        if !order.iter().any(|known| known.name == family.name) {
            order.push(family);
        }
    }
    let mut text = String::new();
    for family in order {
        text += &family.comments;
        let name = &family.name;
        // Position and value by label set.
        let mut values: BTreeMap<String, (usize, f64, String)> = BTreeMap::new();
        for file in files {
            let samples = file.family(name).map_or(&[][..], |found| &found.samples);
            for (labels, value) in samples {
                // The name of the list may differ between hosts.
                let labels = labels.replacen(&file.list, &files[0].list, 1);
                let number: f64 = value.parse().unwrap_or_default();
                let place = values.len();
                let merged = values
                    .entry(labels)
                    .or_insert_with(|| (place, f64::NEG_INFINITY, String::new()));
                if is_latest(name) {
                    if number > merged.1 {
                        (merged.1, merged.2) = (number, value.clone());
                    }
                } else {
                    merged.1 = merged.1.max(0.0) + number;
                    merged.2 = merged.1.to_string();
                }
            }
        }
        let mut values: Vec<_> = values.into_iter().collect();
        // Registries are sorted by name, all other samples keep their order.
        if name == "mirror_validate_registry_images" {
            let registry = |labels: &str| labels.split(",outcome=").next().map(str::to_owned);
            values.sort_by_cached_key(|(labels, (place, ..))| (registry(labels), *place));
        } else {
            values.sort_by_key(|(_, (place, ..))| *place);
        }
        for (labels, (_, _, value)) in values {
            let value = match name.as_str() {
                "mirror_validate_last_run_exit_code" => exit.code().to_string(),
                _ => value,
            };
            text += &format!("{name}{{{labels} {value}\n");
        }
    }
    text
}

/// Whether the merged value is the maximum; otherwise it is the sum.
fn is_latest(name: &str) -> bool {
    ["_seconds", "_info", "_exit_code"]
        .iter()
        .any(|suffix| name.ends_with(suffix))
}
