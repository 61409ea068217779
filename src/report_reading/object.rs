//! The objects of a report, as far as they are read. Fields that a later version adds are no matter.

use serde::Deserialize;

/// What a report says of its run.
#[derive(Debug, Deserialize)]
pub struct Header {
    /// The name of the list.
    pub list: String,
    pub run: Run,
}

/// What the run looked at.
#[derive(Debug, Default, Deserialize)]
pub struct Run {
    pub arch: Vec<String>,
    #[serde(default)]
    pub os: Option<Vec<String>>,
    pub allow_single: bool,
    pub referrers: bool,
}

/// One line of the list. Names, tags and digests are text from outside: nothing has checked them.
#[derive(Debug, Deserialize)]
pub struct LineObject {
    pub line: u64,
    pub m_id: Option<u64>,
    pub source: Option<String>,
    pub destination: Option<String>,
    pub tag: Option<String>,
    /// Absent in reports of versions before 0.1.0.
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

/// An image of one side.
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
