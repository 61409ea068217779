//! Sources of trusted certificates: the system (or `$SSL_CERT_FILE` and `$SSL_CERT_DIR`), `--ca-file`, a
//! registry's `certs.d`, and Mozilla's list if the system has none.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::certs_d::HostCertificates;
use super::client_certificate::NoClientCertificate;
use super::p521;
use super::verifier::{AcceptAny, Verifier};

#[derive(Clone, Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error("cannot read the certificate file {0}: {1}")]
    Io(String, String),
    /// It is not PEM, or contains no certificate.
    #[error("the certificate file {0} contains no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    NoCertificate(String),
    /// It contains something other than certificates.
    #[error("the certificate file {0} cannot be used: {1}")]
    Damaged(String, String),
    /// A client certificate without its key.
    #[error(
        "the client certificate {0} has no key file {1}; CA certificates must have the extension .crt"
    )]
    NoKey(String, String),
    /// A key without its client certificate.
    #[error("the key file {0} has no client certificate {1}")]
    NoCertificateForKey(String, String),
    /// A client certificate and a key that do not belong together.
    #[error("the client certificate {0} cannot be used with its key: {1}")]
    Pair(String, String),
    /// The TLS library rejects the settings.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
}

/// The trusted certificates of the run.
#[derive(Clone)]
pub struct Trust {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    /// Certificates that the user configured: also accepted as server certificates.
    configured: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Reads the CAs of the system and of the user. `is_needless`: no host is verified.
    ///
    /// # Errors
    /// [`TrustError`] if a file of the user is invalid.
    pub fn load(is_needless: bool, ca_files: &[PathBuf]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let mut configured = Vec::new();
        for path in ca_files {
            configured.extend(read_certificates(path)?);
        }
        if !is_needless {
            configured.extend(named_by_environment()?);
            // Unreadable files of the system are skipped: the user did not name them.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
            roots.add_parsable_certificates(configured.iter().cloned());
        }
        let provider = Arc::new(p521::added_to(ring::default_provider()));
        Ok(Self {
            provider,
            roots: Arc::new(roots),
            configured,
        })
    }

    /// The TLS settings for a host, with its own certificates if it has any. `verify`: whether its
    /// certificate is verified.
    ///
    /// # Errors
    /// [`TrustError::Pair`] if the client certificate does not fit its key, and
    /// [`TrustError::Setup`] if the TLS library rejects the settings.
    pub fn config(
        &self,
        own: HostCertificates,
        verify: bool,
    ) -> Result<Arc<ClientConfig>, TrustError> {
        let setup = |error: rustls::Error| TrustError::Setup(error.to_string());
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(setup)?
            .dangerous();
        let builder = if verify {
            let mut roots = self.roots.clone();
            let mut configured = self.configured.clone();
            if !own.authorities.is_empty() {
                Arc::make_mut(&mut roots)
                    .add_parsable_certificates(own.authorities.iter().cloned());
                configured.extend(own.authorities);
            }
            let verifier = Verifier::new(roots, configured, self.provider.clone());
            builder.with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            builder.with_custom_certificate_verifier(Arc::new(AcceptAny(self.provider.clone())))
        };
        let config = match own.client {
            Some(client) => builder
                .with_client_auth_cert(client.chain, client.key)
                .map_err(|error| TrustError::Pair(client.file, error.to_string()))?,
            None => builder.with_client_cert_resolver(Arc::new(NoClientCertificate)),
        };
        Ok(Arc::new(config))
    }
}

/// The certificates of `$SSL_CERT_FILE` and `$SSL_CERT_DIR`: they are used or lead to an error, and are
/// never replaced by other CAs.
///
/// # Errors
/// [`TrustError`] if there is no certificate.
fn named_by_environment() -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let named = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let mut found = Vec::new();
    if let Some(path) = named("SSL_CERT_FILE") {
        let shown = format!("{} of $SSL_CERT_FILE", show(&path));
        let pem =
            fs::read(&path).map_err(|error| TrustError::Io(shown.clone(), error.to_string()))?;
        // A bundle of the system may contain unusable certificates.
        found.extend(
            CertificateDer::pem_slice_iter(&pem)
                .filter_map(Result::ok)
                .filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok()),
        );
        if found.is_empty() {
            return Err(TrustError::NoCertificate(shown));
        }
    }
    if let Some(list) = named("SSL_CERT_DIR") {
        let shown = |path: &Path| format!("{} of $SSL_CERT_DIR", show(path));
        // As in OpenSSL: a list, of which some directories may be absent.
        let read: Vec<_> = std::env::split_paths(&list)
            .map(|path| {
                fs::read_dir(&path).map_err(|error| TrustError::Io(shown(&path), error.to_string()))
            })
            .collect();
        if !read.iter().any(Result::is_ok) {
            read.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        let all = rustls_native_certs::load_native_certs().certs.into_iter();
        found.extend(all.filter(|one| RootCertStore::empty().add(one.clone()).is_ok()));
        if found.is_empty() {
            return Err(TrustError::NoCertificate(shown(&list)));
        }
    }
    Ok(found)
}

fn show(path: &Path) -> String {
    crate::escape::escape(&path.display().to_string()).into_owned()
}

/// All certificates of a PEM file.
///
/// # Errors
/// [`TrustError`] if it contains none, or something else.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let shown = show(path);
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
