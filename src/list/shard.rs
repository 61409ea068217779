//! A part of a list: what one of several hosts validates.
//!
//! Which part an image belongs to depends on its source's name only, so that the shards of two runs
//! agree, also when lines were added to the list meanwhile.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::manifest::Digest;

/// The `index`-th of `count` parts, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shard {
    index: u64,
    /// How many parts there are.
    pub count: u64,
}

impl Shard {
    /// Whether an image belongs to this part, by its source's name (or whatever stands in the line).
    pub fn has(self, name: &[u8]) -> bool {
        let digest = Digest::of(name);
        let hex = digest
            .as_str()
            .rsplit(':')
            .next()
            .and_then(|hex| hex.get(..16))
            .unwrap_or_default();
        // Sixteen hexadecimal digits are a number of 64 bits.
        u64::from_str_radix(hex, 16).unwrap_or_default() % self.count == self.index
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (index, count) = text.split_once('/').ok_or(())?;
        let (index, count) = (
            index.parse().map_err(|_| ())?,
            count.parse().map_err(|_| ())?,
        );
        if index < count {
            Ok(Self { index, count })
        } else {
            Err(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_belongs_to_exactly_one_part() {
        let parts: Vec<Shard> = (0..4)
            .map(|index| format!("{index}/4").parse().expect("a shard"))
            .collect();
        let mut sizes = [0; 4];
        for number in 0..1000 {
            let name = format!("docker.io/x{number}:1");
            let of: Vec<usize> = (0..4)
                .filter(|index| parts[*index].has(name.as_bytes()))
                .collect();
            assert_eq!(of.len(), 1, "{name}");
            sizes[of[0]] += 1;
        }
        assert!(sizes.iter().all(|size| *size > 150), "{sizes:?}");
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["", "1", "4/4", "0/0", "-1/4", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
