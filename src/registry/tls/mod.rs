//! TLS: which certificates are trusted for which host, and one ureq agent for each such setting.

mod connector;
mod trust;
mod verifier;

pub use connector::{TlsConnector, opened_by_this_thread};
pub use trust::{Trust, TrustError};
