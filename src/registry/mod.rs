//! Reading a registry: manifests, configs, referrers, and whether an object exists.
//!
//! The layers, from the caller down to the network: [`client`] with [`blobs`] and [`referrers`]
//! (queries) and [`answer`] (evaluation of responses) → [`host`] (one registry: its [`probe`], and
//! [`authorization`] with [`credentials`]) → [`token`] (one for [`several`] lines, which are
//! [`upcoming`]) and [`challenge`] → [`retry`] (retries, and the brake of each host) and [`redirect`] →
//! [`exchange`] (one exchange; scripted in tests) → [`http`] (connections), [`tls`], [`proxy`].
//!
//! [`quirks`] contains all special cases of single registries. Specification: OCI distribution-spec,
//! "Pulling manifests" and "Pulling blobs".

mod address;
pub mod answer;
mod authorization;
mod blobs;
pub mod challenge;
mod client;
pub mod credentials;
mod error;
pub mod exchange;
mod failure;
mod fields;
mod home;
mod host;
mod http;
mod insecure;
mod login;
mod probe;
mod proxy;
mod pull_limit;
mod query;
mod quirks;
mod redaction;
mod redirect;
pub mod referrers;
mod registries_conf;
mod retry;
#[cfg(test)]
mod scripted;
mod secret;
mod several;
mod tls;
pub mod token;
mod unpack;
mod upcoming;

use std::time::Duration;

pub use client::{Client, Settings};
pub use credentials::{CredentialError, Credentials};
pub use error::Error;
pub use insecure::{HostPattern, InsecureHosts};
pub use proxy::Proxies;
pub use referrers::ReferrersList;
pub use registries_conf::{RegistriesConf, RegistriesConfError};
pub use retry::Gate;
pub use tls::{CertsD, TrustError};

/// The side of an image: each may have credentials of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The source registry.
    Source,
    /// The destination registry.
    Destination,
}

/// How long failures are remembered: a host that is not a registry, a refusal of a token server. An
/// operator may fix them while the program runs.
const NEGATIVE_MEMORY: Duration = Duration::from_secs(30);
