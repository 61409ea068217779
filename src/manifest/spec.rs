//! One image of a side, as it is compared.

use serde::{Deserialize, Serialize};

use super::{Digest, Platform};

/// An image's digest and platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Digest of the image's manifest.
    pub digest: Digest,
    /// What it runs on.
    pub platform: Platform,
}
