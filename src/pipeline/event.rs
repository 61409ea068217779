//! Messages to the writer.

use super::places::Load;
use crate::list::{Line, Numbered};
use crate::log::Record;
use crate::manifest::Digest;
use crate::verdict::{Finding, Reason};

/// A message to the writer.
#[derive(Debug)]
pub enum Event {
    /// A log line.
    Log(Record),
    /// An image of the list is in progress.
    Begun {
        /// The line.
        line: Line,
        /// Its image.
        image: Numbered,
        /// The place that it took.
        load: Load,
    },
    /// An image that had begun was put aside: it needs no place meanwhile.
    PutAside {
        /// The line's number in the list.
        line: u64,
    },
    /// An image that had begun has its finding.
    Ended {
        /// The line's number in the list.
        line: u64,
        /// The finding.
        finding: Box<Finding>,
    },
    /// A line that is not begun: it is not an image, or the run was interrupted before.
    NotBegun {
        /// The line.
        line: Line,
        /// Its image, if it is one.
        image: Option<Numbered>,
        /// Why not.
        reason: Reason,
        /// The place that it took.
        load: Load,
    },
    /// The reader is done, with the digest of the list; without this message, the list was not read to its end.
    ListEnded(Result<Option<Digest>, String>),
    /// Text for the person at the terminal, printed as it is.
    Prompt(&'static str),
}
