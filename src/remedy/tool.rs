//! The supported copy tools, and the steps of a repair.

use std::collections::BTreeSet;

use url::Url;

use crate::registry::InsecureHosts;
use crate::report_reading::Run;

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
    /// Values of `--for`.
    pub const NAMES: &[&str] = &[
        "skopeo",
        "regctl",
        "crane",
        "oras",
        "regsync",
        "image-syncer",
        "hangar",
    ];

    /// `name`: one of [`Tool::NAMES`].
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

/// Settings for all images of a report.
pub struct Plan {
    pub tool: Tool,
    pub insecure: InsecureHosts,
    pub run: Run,
    /// Insecure registries of the copied images.
    pub insecure_registries: BTreeSet<String>,
}

impl Plan {
    /// Whether `--insecure` or `--tls-verify=false` applies to a registry.
    pub fn is_insecure(&self, registry: &str) -> bool {
        Url::parse(&format!("https://{registry}/")).is_ok_and(|url| self.insecure.covers(&url))
    }
}

/// One step of a repair.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Comment(String),
    /// A command as a list of words.
    Command(Vec<String>),
    /// A copy, in a configuration file.
    Entry {
        from: String,
        to: String,
        /// Whether to copy manifests that the destination seems to have.
        force: bool,
        referrers: bool,
    },
    /// Source, destination and tag, in an image list.
    Line([String; 3]),
}

impl Step {
    pub fn comment(text: impl Into<String>) -> Self {
        Self::Comment(text.into())
    }
}
