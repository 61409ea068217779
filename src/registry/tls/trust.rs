//! Where trusted certificates come from: the system, `--ca-file`, and Mozilla's list where the
//! system has none.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::verifier::{AcceptAny, Verifier};

/// Why a certificate file cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error("cannot read the certificate file {0}: {1}")]
    Io(String, String),
    /// It is not PEM, or has no certificate.
    #[error(
        "the certificate file {0} has no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    )]
    NoCertificate(String),
    /// It has something that is no certificate.
    #[error("the certificate file {0} cannot be used: {1}")]
    Damaged(String, String),
    /// The TLS library refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// The trusted certificates of the run.
#[derive(Clone)]
pub struct Trust {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    /// Certificates that the user configured: accepted also when a server shows one as its own.
    configured: Vec<CertificateDer<'static>>,
    verify: bool,
}

impl Trust {
    /// Reads the system's CAs and the user's.
    ///
    /// # Errors
    /// [`TrustError`] where the user's file cannot be used.
    pub fn load(verify: bool, ca_file: Option<&Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let mut configured = Vec::new();
        if let Some(path) = ca_file {
            configured = read_certificates(path)?;
        }
        if verify {
            // Unreadable files of the system are not the user's: what can be read is used.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
            roots.add_parsable_certificates(configured.iter().cloned());
        }
        let provider = Arc::new(ring::default_provider());
        Ok(Self {
            provider,
            roots: Arc::new(roots),
            configured,
            verify,
        })
    }

    /// The TLS settings for hosts without settings of their own.
    ///
    /// # Errors
    /// [`TrustError::Setup`] where the TLS library refuses them.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let setup = |error: rustls::Error| TrustError::Setup(error.to_string());
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(setup)?
            .dangerous();
        let builder = if self.verify {
            let verifier = Verifier::new(
                self.roots.clone(),
                self.configured.clone(),
                self.provider.clone(),
            );
            builder.with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            builder.with_custom_certificate_verifier(Arc::new(AcceptAny(self.provider.clone())))
        };
        Ok(Arc::new(builder.with_no_client_auth()))
    }
}

/// All certificates of a PEM file.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let shown = crate::escape::escape(&path.display().to_string()).into_owned();
    let pem = fs::read(path).map_err(|error| TrustError::Io(shown.clone(), error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TrustError::Damaged(shown.clone(), error.to_string()))?;
    if certificates.is_empty() {
        return Err(TrustError::NoCertificate(shown));
    }
    for certificate in &certificates {
        RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|error| TrustError::Damaged(shown.clone(), error.to_string()))?;
    }
    Ok(certificates)
}
