//! The objects of a report. Unknown fields are ignored.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Debug, Deserialize)]
pub struct Header {
    /// RFC 3339.
    #[serde(default)]
    pub begun: String,
    /// `.json` only; `.jsonl` has it in its totals.
    #[serde(default)]
    pub ended: Option<String>,
    pub list: String,
    #[serde(default)]
    pub list_digest: Option<String>,
    #[serde(default)]
    pub shard: Option<Shard>,
    /// The settings, with their keys in the order of the file.
    pub run: Box<RawValue>,
}

/// The part of a list.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Shard {
    pub index: u64,
    pub count: u64,
}

/// Settings of the run.
#[derive(Debug, Default, Deserialize)]
pub struct Run {
    pub arch: Vec<String>,
    #[serde(default)]
    pub os: Option<Vec<String>>,
    pub allow_single: bool,
    pub referrers: bool,
}

/// One line of the list. Names, tags and digests have not been validated.
#[derive(Debug, Deserialize)]
pub struct LineObject {
    pub line: u64,
    pub m_id: Option<u64>,
    pub source: Option<String>,
    pub destination: Option<String>,
    pub tag: Option<String>,
    /// Missing in reports of versions before 0.1.0.
    #[serde(default)]
    pub destination_tag: Option<String>,
    pub outcome: Outcome,
    pub code: Option<String>,
    pub message: Option<String>,
    #[serde(default)]
    pub details: Vec<String>,
    #[serde(default)]
    pub source_digest: Option<String>,
    #[serde(default)]
    pub destination_digest: Option<String>,
    #[serde(default)]
    pub source_spec: Option<Vec<Spec>>,
    #[serde(default)]
    pub same_as_line: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub struct Spec {
    pub digest: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    NotValidated,
    Recorded,
}

#[derive(Debug, Deserialize)]
pub struct Totals {
    /// `.jsonl` only.
    #[serde(default)]
    pub ended: Option<String>,
    /// `.jsonl` only.
    #[serde(default)]
    pub list_digest: Option<String>,
    pub lines: u64,
    #[serde(default)]
    pub passed: u64,
    #[serde(default)]
    pub failed: u64,
    #[serde(default)]
    pub not_validated: u64,
    #[serde(default)]
    pub requests: u64,
    #[serde(default)]
    pub milliseconds: u64,
    #[serde(default)]
    pub exit_code: Option<u8>,
    #[serde(default)]
    pub signal: Option<i32>,
    #[serde(default)]
    pub absent_shards: Vec<Shard>,
    #[serde(default)]
    pub incomplete_shards: Vec<Shard>,
}

impl Totals {
    /// Lines that passed, failed, and were not validated.
    pub fn counts(&self) -> [u64; 3] {
        [self.passed, self.failed, self.not_validated]
    }

    /// Whether the run, and every run that was merged into it, came to its end.
    pub fn are_complete(&self) -> bool {
        self.signal.is_none()
            && matches!(self.exit_code, Some(0 | 1 | 3))
            && self.absent_shards.is_empty()
            && self.incomplete_shards.is_empty()
    }
}
