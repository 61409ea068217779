//! The tools for which remedies are printed, and what a remedy is made of.

use std::collections::BTreeSet;

use url::Url;

use crate::registry::InsecureHosts;
use crate::report_reading::Run;

/// A tool that copies images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Skopeo,
    Regctl,
    Crane,
    Oras,
    Regsync,
    ImageSyncer,
    Hangar,
}

impl Tool {
    /// Their names, for `--for`.
    pub const NAMES: &[&str] = &[
        "skopeo",
        "regctl",
        "crane",
        "oras",
        "regsync",
        "image-syncer",
        "hangar",
    ];

    /// Of a name of [`Tool::NAMES`].
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "skopeo" => Self::Skopeo,
            "regctl" => Self::Regctl,
            "crane" => Self::Crane,
            "oras" => Self::Oras,
            "regsync" => Self::Regsync,
            "image-syncer" => Self::ImageSyncer,
            "hangar" => Self::Hangar,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// What is the same for all images of a report.
pub struct Plan {
    pub tool: Tool,
    pub insecure: InsecureHosts,
    pub run: Run,
    /// The insecure registries of the images that are copied.
    pub insecure_registries: BTreeSet<String>,
}

impl Plan {
    /// Whether the user says that a registry's certificate is not to be verified.
    pub fn is_insecure(&self, registry: &str) -> bool {
        Url::parse(&format!("https://{registry}/")).is_ok_and(|url| self.insecure.covers(&url))
    }
}

/// A piece of a remedy.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Comment(String),
    /// A command, word by word.
    Command(Vec<String>),
    /// Of a file: a copy.
    Entry {
        from: String,
        to: String,
        /// Whether manifests are copied that the destination seems to have.
        force: bool,
        referrers: bool,
    },
    /// Of a file: source, destination and tag.
    Line([String; 3]),
}

impl Step {
    pub fn comment(text: impl Into<String>) -> Self {
        Self::Comment(text.into())
    }
}
