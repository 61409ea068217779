//! Maps TLS errors to messages: rustls prints the Debug form of most of them.

use std::sync::Arc;

use chrono::DateTime;
use rustls::{AlertDescription, CertificateError, Error, OtherError};

use super::failure::{Remedy, TlsFailure};
use crate::registry::error::shown;

/// The verifier's reason for rejecting a certificate, in more detail than the library's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// No trusted CA has issued the certificate; with the issuer's name.
    #[error("the certificate is signed by an unknown authority{}", named(.0))]
    UnknownIssuer(Option<String>),
    /// The issuer has the name of a trusted CA, but another key; with that name.
    #[error("the certificate is signed by a CA that has the name of a trusted CA{}, but another key", named(.0))]
    OtherAuthority(Option<String>),
    /// The certificate is self-signed, and not trusted.
    #[error("the certificate is self-signed and not configured as trusted")]
    SelfSigned,
    /// An RSA key is too short; in bits.
    #[error("the certificate or its issuer has an RSA key of {0} bits; the minimum is 2048")]
    WeakKey(usize),
    /// Its extended key usage does not allow servers.
    #[error("the certificate is not a server certificate (extended key usage)")]
    NotForServers,
}

fn named(issuer: &Option<String>) -> String {
    issuer
        .as_ref()
        .map_or_else(String::new, |name| format!(" ({})", shown(name)))
}

impl From<Objection> for Error {
    fn from(objection: Objection) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(objection))))
    }
}

/// Message and remedy for a TLS error. `wants_client_certificate`: the server requested one and got
/// none.
pub fn explain(error: &Error, wants_client_certificate: bool) -> TlsFailure {
    let failed =
        |text: &str, remedy| TlsFailure::new(format!("TLS handshake failed: {text}"), remedy);
    match error {
        Error::InvalidCertificate(reason) => explain_certificate(reason),
        Error::AlertReceived(alert) => explain_alert(*alert, wants_client_certificate),
        Error::PeerIncompatible(_) => failed(
            "the server offers no protocol version or cipher suite that this program accepts (TLS 1.2 or 1.3)",
            Remedy::Version,
        ),
        Error::NoCertificatesPresented => failed("the server sent no certificate", Remedy::Server),
        Error::General(text) => failed(&shown(text), Remedy::Server),
        Error::Other(OtherError(error)) => failed(&shown(error), Remedy::Server),
        _ => failed("the server violates the TLS protocol", Remedy::Server),
    }
}

/// Whether the certificate of a CA was used as a server certificate.
pub fn is_ca_used_as_server(error: &CertificateError) -> bool {
    match error {
        CertificateError::Other(OtherError(error)) => matches!(
            error.downcast_ref::<webpki::Error>(),
            Some(webpki::Error::CaUsedAsEndEntity)
        ),
        _ => false,
    }
}

fn explain_certificate(error: &CertificateError) -> TlsFailure {
    if let CertificateError::Other(OtherError(other)) = error
        && let Some(objection) = other.downcast_ref::<Objection>()
    {
        let remedy = match objection {
            Objection::UnknownIssuer(_) | Objection::OtherAuthority(_) => Remedy::TrustAuthority,
            Objection::SelfSigned => Remedy::TrustCertificate,
            Objection::WeakKey(_) | Objection::NotForServers => Remedy::Reissue,
        };
        return TlsFailure::new(objection.to_string(), remedy);
    }
    let (text, remedy) = match error {
        CertificateError::UnknownIssuer => (
            "the certificate is signed by an unknown authority",
            Remedy::TrustAuthority,
        ),
        CertificateError::ExpiredContext { not_after, .. } => {
            let text = format!("the certificate expired on {}", date(not_after.as_secs()));
            return TlsFailure::new(text, Remedy::Renew);
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            let text = format!(
                "the certificate is not valid before {}",
                date(not_before.as_secs())
            );
            return TlsFailure::new(text, Remedy::Clock);
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            "the certificate has no host name in subjectAltName (the common name is not used)",
            Remedy::Reissue,
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            let text = format!(
                "the certificate is valid for other names only: {}",
                shown(&names.join(", "))
            );
            return TlsFailure::new(text, Remedy::Name);
        }
        error if is_ca_used_as_server(error) => (
            "the certificate is self-signed and not configured as trusted",
            Remedy::TrustCertificate,
        ),
        CertificateError::Expired => ("the certificate has expired", Remedy::Renew),
        CertificateError::NotValidYet => ("the certificate is not valid yet", Remedy::Clock),
        CertificateError::Revoked => ("the certificate has been revoked", Remedy::Renew),
        CertificateError::BadEncoding => ("the certificate is damaged", Remedy::Reissue),
        CertificateError::BadSignature => {
            ("the signature of the certificate is wrong", Remedy::Reissue)
        }
        CertificateError::UnhandledCriticalExtension => (
            "the certificate has a critical extension that is not supported",
            Remedy::Reissue,
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "the key or the signature algorithm of the certificate is not supported (SHA-1, DSA, or an unusual curve)",
            Remedy::Reissue,
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
            "the certificate is not a server certificate (extended key usage)",
            Remedy::Reissue,
        ),
        _ => ("the certificate is not valid", Remedy::Reissue),
    };
    TlsFailure::new(text, remedy)
}

fn explain_alert(alert: AlertDescription, wants_client_certificate: bool) -> TlsFailure {
    let wanted = wants_client_certificate || alert == AlertDescription::CertificateRequired;
    let (text, remedy) = match alert {
        _ if wanted => (
            format!("requires a client certificate (alert {})", u8::from(alert)),
            Remedy::ClientCertificate,
        ),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => (
            "supports no cipher suite of this program (alert: handshake failure)".to_owned(),
            Remedy::Cipher,
        ),
        AlertDescription::ProtocolVersion => (
            "supports neither TLS 1.2 nor TLS 1.3 (alert: protocol version)".to_owned(),
            Remedy::Version,
        ),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError
        | AlertDescription::UnknownCA => (
            format!(
                "does not accept the client certificate (alert {})",
                u8::from(alert)
            ),
            Remedy::OtherClientCertificate,
        ),
        AlertDescription::UnrecognisedName => (
            "does not know this host name (alert: unrecognized name)".to_owned(),
            Remedy::Server,
        ),
        AlertDescription::InternalError => {
            ("reported an internal error".to_owned(), Remedy::Server)
        }
        other => (
            format!("aborted the handshake (alert {})", u8::from(other)),
            Remedy::Server,
        ),
    };
    TlsFailure::new(format!("TLS handshake failed: the server {text}"), remedy)
}

fn date(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .map_or_else(
            || "an unknown time".to_owned(),
            |time| time.format("%Y-%m-%d %H:%M UTC").to_string(),
        )
}

/// A name without webpki's wrapper: `DnsName("x")`, `IpAddress(1.2.3.4)`.
fn bare_name(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_has_the_debug_text_of_a_library() {
        let webpki = |error| CertificateError::Other(OtherError(Arc::new(error)));
        let presented = vec![
            "DnsName(\"a.io\")".to_owned(),
            "IpAddress(10.0.0.1)".to_owned(),
        ];
        let expected = rustls_pki_types::ServerName::try_from("b.io").expect("a name");
        for (error, text) in [
            (
                webpki(webpki::Error::CaUsedAsEndEntity),
                "the certificate is self-signed and not configured as trusted",
            ),
            (
                webpki(webpki::Error::UnsupportedCertVersion),
                "the certificate is not valid",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: expected.clone(),
                    presented,
                },
                "the certificate is valid for other names only: a.io, 10.0.0.1",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected,
                    presented: Vec::new(),
                },
                "the certificate has no host name in subjectAltName (the common name is not used)",
            ),
        ] {
            assert_eq!(explain(&Error::InvalidCertificate(error), false).text, text);
        }
        let alert = explain(
            &Error::AlertReceived(AlertDescription::NoRenegotiation),
            false,
        )
        .text;
        assert_eq!(
            alert,
            "TLS handshake failed: the server aborted the handshake (alert 100)"
        );
    }
}
