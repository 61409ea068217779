//! TLS: which certificates are trusted for which host, and one ureq agent for each such setting.

mod certs_d;
mod connector;
mod trust;
mod verifier;

pub use certs_d::{CertsD, HostCertificates};
pub use connector::{TlsConnector, count_opened, opened_by_this_thread};
pub use trust::{Trust, TrustError};
