//! Decides which server certificates are accepted.
//!
//! webpki's rules apply, with one addition: a certificate that is itself one of the configured CA files
//! is accepted if names and validity match, as in Go and curl. webpki rejects such certificates if they
//! have `CA:TRUE`, which `openssl req -x509` sets; most private registries are set up this way.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::certificate::Certificate;
use super::explain::{Objection, is_ca_used_as_server};

/// webpki's rules, and directly trusted certificates.
#[derive(Debug)]
pub struct Verifier {
    webpki: Option<Arc<WebPkiServerVerifier>>,
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// Trusts certificates issued by these roots, and these certificates themselves.
    pub fn new(
        roots: Arc<RootCertStore>,
        trusted: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        // Fails only for an empty store: then only the certificates themselves are trusted.
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .ok();
        Self {
            webpki,
            trusted,
            provider,
        }
    }

    /// Adds details about the certificates to the library's error.
    fn named(
        &self,
        error: Error,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Error {
        let trusted = self.trusted.iter();
        let mut chain = std::iter::once(end_entity)
            .chain(intermediates)
            .chain(trusted);
        match &error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                match Certificate::read(end_entity) {
                    Some(found) if found.is_self_issued() => Objection::SelfSigned.into(),
                    found => {
                        let issuer = found.and_then(|found| found.issuer_name());
                        Objection::UnknownIssuer(issuer).into()
                    }
                }
            }
            Error::InvalidCertificate(
                CertificateError::BadSignature
                | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
            ) => match (chain.find_map(weak_key), &error) {
                (Some(bits), _) => Objection::WeakKey(bits).into(),
                // A CA that was recreated under its old name, or one of several with the same name.
                (None, Error::InvalidCertificate(CertificateError::BadSignature)) => {
                    match Certificate::read(end_entity) {
                        Some(found) if found.is_self_issued() => Objection::SelfSigned.into(),
                        found => {
                            let issuer = found.and_then(|found| found.issuer_name());
                            Objection::OtherAuthority(issuer).into()
                        }
                    }
                }
                (None, _) => error,
            },
            _ => error,
        }
    }

    fn trusts(&self, certificate: &CertificateDer<'_>) -> bool {
        self.webpki.is_some()
            && self
                .trusted
                .iter()
                .any(|trusted| trusted.as_ref() == certificate.as_ref())
    }
}

/// The minimum size of an RSA key in bits.
const LEAST_RSA: usize = 2048;

/// The size in bits of an RSA key that is too short.
fn weak_key(certificate: &CertificateDer<'_>) -> Option<usize> {
    let bits = Certificate::read(certificate)?.rsa_bits()?;
    (bits < LEAST_RSA).then_some(bits)
}

/// The error of a signature, with the reason that the library does not return.
fn of_signature(error: Error, certificate: &CertificateDer<'_>) -> Error {
    weak_key(certificate).map_or(error, |bits| Objection::WeakKey(bits).into())
}

/// Whether webpki's only objection is that the certificate is a CA's or self-signed. webpki checks the
/// validity period first, so that is fine then.
fn is_only_self_signed(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(error) => is_ca_used_as_server(error),
        _ => false,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = match &self.webpki {
            Some(webpki) => webpki.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        match verified {
            Err(error) if is_only_self_signed(&error) && self.trusts(end_entity) => {
                // The library stopped before this check.
                if !Certificate::read(end_entity).is_some_and(|found| found.is_for_servers()) {
                    return Err(Objection::NotForServers.into());
                }
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            Err(error) => Err(self.named(error, end_entity, intermediates)),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
        .map_err(|error| of_signature(error, cert))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
        .map_err(|error| of_signature(error, cert))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[derive(Debug)]
pub struct AcceptAny(pub Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
