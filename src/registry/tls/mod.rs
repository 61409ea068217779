//! TLS: which certificates are trusted for which host, and what its errors mean.

mod certs_d;
mod explain;
mod trust;
mod verifier;

pub use certs_d::{CertsD, HostCertificates};
pub use explain::explain;
pub use trust::{Trust, TrustError};
