//! A shard of a list: the part that one of several hosts validates.
//!
//! The shard of an image depends only on the name of its source, so that the shards of two runs agree
//! even if lines were added meanwhile.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::manifest::Digest;

/// The shard with this index, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shard {
    index: u64,
    /// The number of shards.
    pub count: u64,
}

impl Shard {
    /// Whether an image belongs to this shard, by the name of its source (or the text of an invalid
    /// line).
    pub fn has(self, name: &[u8]) -> bool {
        let digest = Digest::of(name);
        let hex = digest
            .as_str()
            .rsplit(':')
            .next()
            .and_then(|hex| hex.get(..16))
            .unwrap_or_default();
        // Cannot fail: sixteen hexadecimal digits fit into 64 bits.
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
    fn every_name_belongs_to_exactly_one_shard() {
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
    fn invalid_shards_are_refused() {
        for text in ["", "1", "4/4", "0/0", "-1/4", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
