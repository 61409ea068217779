//! TLS: trusted certificates per host, and explanations of errors.

mod certificate;
mod certs_d;
pub mod client_certificate;
mod explain;
mod failure;
mod p521;
mod trust;
mod verifier;

pub use certs_d::{CertsD, HostCertificates};
pub use explain::explain;
pub use failure::{Remedy, TlsFailure};
pub use trust::{Trust, TrustError};
