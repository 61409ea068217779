//! The objects of a report. Unknown fields are ignored.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Header {
    pub list: String,
    pub run: Run,
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

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Totals {
    pub lines: u64,
}
