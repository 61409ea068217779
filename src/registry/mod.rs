//! Reading a registry: manifests, configs, referrers, and whether something is there.
//!
//! The layers, each of which can be read alone, from the user's wish to the wire:
//! [`client`] with [`blobs`] and [`referrers`] (what is asked for, and what an answer means) → [`host`] (one registry: [`probe`],
//! authorization with [`credentials`]) → [`token`] and [`challenge`] → [`wire`] (retries, [`brake`],
//! [`redirect`]) → [`transport`] (one exchange) → [`agents`] (connections) → [`tls`], [`proxy`] and
//! [`resolver`].
//!
//! Specification: OCI distribution-spec, "Pulling manifests" and "Pulling blobs".

mod agents;
mod blobs;
mod brake;
mod challenge;
mod client;
mod credentials;
mod error;
mod failure;
mod host;
mod http;
mod probe;
mod proxy;
mod redirect;
mod referrers;
mod resolver;
mod secret;
mod tls;
mod token;
mod transport;
mod wire;

pub use client::{Client, Settings};
pub use credentials::Credentials;
pub use error::Error;
pub use proxy::Proxies;
pub use referrers::ReferrersList;
pub use tls::{CertsD, TrustError};

/// Which of the two registries of an image: each side may have credentials of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Where the image comes from.
    Source,
    /// Where it was mirrored to.
    Destination,
}
