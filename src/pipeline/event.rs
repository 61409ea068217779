//! Messages to the writer.

use super::places::Load;
use crate::list::{Line, NumberedImage};
use crate::log::Record;
use crate::manifest::Digest;
use crate::verdict::{Finding, Reason};

#[derive(Debug)]
pub enum Event {
    /// A log line.
    Log(Record),
    /// An image is in progress.
    Begun {
        /// The line.
        line: Line,
        /// Its image.
        image: NumberedImage,
        /// Memory and place that it occupies.
        load: Load,
    },
    /// An image in progress was put aside, and occupies no place meanwhile.
    PutAside {
        /// Line number in the list.
        line: u64,
    },
    /// An image in progress has its finding.
    Ended {
        /// Line number in the list.
        line: u64,
        /// The finding.
        finding: Box<Finding>,
    },
    /// A line that was not started: it is not an image, or the run was interrupted before.
    NotBegun {
        /// The line.
        line: Line,
        image: Option<NumberedImage>,
        reason: Reason,
        /// Memory that it occupies.
        load: Load,
    },
    /// The reader has ended, with the digest of the list. Without this event the list was not read to its
    /// end.
    ListEnded(Result<Option<Digest>, String>),
    /// Text for the user at the terminal, printed unchanged.
    Prompt(&'static str),
}
