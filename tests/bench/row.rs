//! A row of the table: the result of one scenario.

use std::time::Duration;

use crate::fast_registry::Requests;

/// Time and memory of one process.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    pub wall: Duration,
    /// User and system time; `None`: not measured.
    pub cpu: Option<Duration>,
    /// `None`: not measured.
    pub peak_kib: Option<u64>,
}

/// The time that something else takes for the same work.
pub struct Floor {
    /// One word for the table, explained in its legend.
    pub kind: &'static str,
    pub wall: Duration,
}

/// What one scenario measured.
pub struct Row {
    pub images: usize,
    /// `-j`.
    pub jobs: usize,
    pub cost: Cost,
    /// `None`: not counted.
    pub requests: Option<Requests>,
    /// `None`: there is nothing to compare with.
    pub floor: Option<Floor>,
    /// The peak of memory that fails the benchmark when it is exceeded, in MiB.
    pub limit_mib: Option<u64>,
    /// Figures that have no column; printed below the table.
    pub note: Option<String>,
}

/// A row, or why there is none.
pub type Measured = Result<Row, String>;

impl Row {
    pub fn new(images: usize, jobs: usize, cost: Cost) -> Self {
        Self {
            images,
            jobs,
            cost,
            requests: None,
            floor: None,
            limit_mib: None,
            note: None,
        }
    }

    pub fn requests(mut self, requests: Requests) -> Self {
        self.requests = Some(requests);
        self
    }

    pub fn floor(mut self, kind: &'static str, wall: Duration) -> Self {
        self.floor = Some(Floor { kind, wall });
        self
    }

    pub fn limit(mut self, mib: u64) -> Self {
        self.limit_mib = Some(mib);
        self
    }

    pub fn note(mut self, text: String) -> Self {
        self.note = Some(text);
        self
    }
}
