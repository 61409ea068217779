//! The shards of the input files: which are missing, and which of several files of one shard is used.

use std::collections::{BTreeMap, BTreeSet};

use super::error::MergeError;

/// Missing shards that are named.
const NAMED: usize = 50;

/// A part of a list; the whole list is shard 0 of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub index: u64,
    pub count: u64,
}

impl Shard {
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// `None`: `index` is not below `count`.
    pub fn new(index: u64, count: u64) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (index, count) = text.split_once('/')?;
        Self::new(index.parse().ok()?, count.parse().ok()?)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::WHOLE => f.write_str("the whole list"),
            Self { index, count } => write!(f, "shard {index}/{count}"),
        }
    }
}

/// Shard and completeness of one file.
pub struct ShardFile {
    pub name: String,
    pub shard: Shard,
    /// Whether the run of the file was completed.
    pub is_complete: bool,
    /// End of the run, or else its start, in seconds since 1970.
    pub time: i64,
}

/// The files to be used.
#[derive(Debug, Default)]
pub struct ShardSelection {
    /// Their indices, sorted by time within a shard.
    pub used: Vec<usize>,
    /// Shards without a file, at most [`NAMED`].
    pub absent: Vec<Shard>,
    /// Shards without a complete file.
    pub incomplete: Vec<Shard>,
    /// Messages on missing, incomplete and superseded files.
    pub notes: Vec<String>,
}

impl ShardSelection {
    /// Whether there is a complete file of every shard.
    pub fn is_whole(&self) -> bool {
        self.absent.is_empty() && self.incomplete.is_empty()
    }
}

/// Chooses the latest complete file of each shard. Of a shard without one, all files are used.
///
/// # Errors
/// [`MergeError::Divisions`] where the files have different shard counts.
pub fn choose(parts: &[ShardFile]) -> Result<ShardSelection, MergeError> {
    let mut choice = ShardSelection::default();
    let Some(first) = parts.first() else {
        return Ok(choice);
    };
    let count = first.shard.count;
    let mut by_index: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (number, part) in parts.iter().enumerate() {
        if part.shard.count != count {
            return Err(MergeError::Divisions(
                first.name.clone(),
                part.name.clone(),
                first.shard.to_string(),
                part.shard.to_string(),
            ));
        }
        by_index.entry(part.shard.index).or_default().push(number);
    }
    for (index, mut files) in by_index.clone() {
        let shard = Shard { index, count };
        // The sort is stable: of equal times the order of the arguments decides.
        files.sort_by_key(|file| (parts[*file].is_complete, parts[*file].time));
        let Some(last) = files.last().copied() else {
            continue;
        };
        if parts[last].is_complete {
            for superseded in &files[..files.len() - 1] {
                choice.notes.push(format!(
                    "{shard}: using {}, and ignoring the older {}",
                    parts[last].name, parts[*superseded].name
                ));
            }
            choice.used.push(last);
        } else {
            for file in &files {
                choice.notes.push(format!(
                    "{shard} is incomplete: the run of {} was interrupted or killed",
                    parts[*file].name
                ));
            }
            choice.used.extend(files);
            choice.incomplete.push(shard);
        }
    }
    let present: BTreeSet<u64> = by_index.into_keys().collect();
    choice.absent = (0..count)
        .filter(|index| !present.contains(index))
        .take(NAMED)
        .map(|index| Shard { index, count })
        .collect();
    let absent = choice.absent.iter();
    let mut notes: Vec<String> = absent.map(|shard| format!("{shard} is missing")).collect();
    let more = (count - present.len() as u64).saturating_sub(notes.len() as u64);
    if more > 0 {
        notes.push(format!("{more} more shards are missing"));
    }
    choice.notes.append(&mut notes);
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(shard: &str, is_complete: bool, time: i64) -> ShardFile {
        ShardFile {
            name: format!("{shard}@{time}"),
            shard: Shard::parse(shard).expect("a shard"),
            is_complete,
            time,
        }
    }

    #[test]
    fn the_latest_complete_file_of_a_shard_counts() {
        let parts = [
            part("0/3", true, 9),
            part("0/3", true, 7),
            part("0/3", false, 11),
            part("2/3", false, 5),
            part("2/3", false, 4),
        ];
        let choice = choose(&parts).expect("a choice");
        assert_eq!(choice.used, [0, 4, 3]);
        assert_eq!(choice.absent, [Shard { index: 1, count: 3 }]);
        assert_eq!(choice.incomplete, [Shard { index: 2, count: 3 }]);
        let same = [part("0/1", true, 3), part("0/1", true, 3)];
        assert_eq!(choose(&same).expect("a choice").used, [1]);
    }

    #[test]
    fn only_the_first_of_many_missing_shards_are_named() {
        let choice = choose(&[part("0/18446744073709551615", true, 1)]).expect("a choice");
        assert_eq!(choice.absent.len(), NAMED);
        assert_eq!(
            choice.notes.last().map(String::as_str),
            Some("18446744073709551564 more shards are missing")
        );
    }
}
