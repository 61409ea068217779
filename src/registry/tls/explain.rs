//! TLS errors in words: rustls prints the Debug form of most of them.

use chrono::DateTime;
use rustls::{AlertDescription, CertificateError, Error, OtherError};

use crate::registry::error::shown;

/// What a TLS error means.
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(reason) => explain_certificate(reason),
        Error::AlertReceived(alert) => format!("TLS failed: the server {}", explain_alert(*alert)),
        Error::PeerIncompatible(_) => {
            "TLS failed: the server offers no protocol version or cipher suite that this program accepts (TLS 1.2 or 1.3)".to_owned()
        }
        Error::NoCertificatesPresented => "TLS failed: the server sent no certificate".to_owned(),
        Error::General(text) => format!("TLS failed: {}", shown(text)),
        Error::Other(OtherError(error)) => format!("TLS failed: {}", shown(error)),
        _ => "TLS failed: the server does not follow the protocol".to_owned(),
    }
}

/// Whether a certificate authority's own certificate was used as a server's.
pub fn is_ca_used_as_server(error: &CertificateError) -> bool {
    match error {
        CertificateError::Other(OtherError(error)) => matches!(
            error.downcast_ref::<webpki::Error>(),
            Some(webpki::Error::CaUsedAsEndEntity)
        ),
        _ => false,
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    let text = match error {
        CertificateError::UnknownIssuer => "the certificate is signed by an unknown authority",
        CertificateError::ExpiredContext { not_after, .. } => {
            return format!("the certificate expired on {}", date(not_after.as_secs()));
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            return format!(
                "the certificate is not valid before {}; is this host's clock right?",
                date(not_before.as_secs())
            );
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "the certificate names no host (it has no subjectAltName)"
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            return format!(
                "the certificate is for other names: {}",
                shown(&names.join(", "))
            );
        }
        error if is_ca_used_as_server(error) => {
            "the certificate is self-signed and not configured as trusted"
        }
        CertificateError::Expired => "the certificate is not valid: it has expired",
        CertificateError::NotValidYet => "the certificate is not valid: not yet",
        CertificateError::Revoked => "the certificate is not valid: it has been revoked",
        CertificateError::BadEncoding => "the certificate is not valid: it is damaged",
        CertificateError::BadSignature => "the certificate is not valid: its signature is wrong",
        CertificateError::UnhandledCriticalExtension => {
            "the certificate is not valid: it has a critical extension that is not supported"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate is not valid: its key or its signature algorithm is not supported"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not valid: it is not for servers (extended key usage)"
        }
        _ => "the certificate is not valid",
    };
    text.to_owned()
}

fn explain_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::HandshakeFailure => {
            "shares no cipher suite with this program (alert: handshake failure)".to_owned()
        }
        AlertDescription::ProtocolVersion => {
            "accepts no TLS version of this program, 1.2 or 1.3 (alert: protocol version)"
                .to_owned()
        }
        AlertDescription::CertificateRequired => {
            "wants a client certificate (alert: certificate required)".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => "does not accept the client certificate".to_owned(),
        AlertDescription::UnrecognisedName => {
            "does not know this host name (alert: unrecognized name)".to_owned()
        }
        AlertDescription::InternalError => "had an internal error".to_owned(),
        other => format!("ended the handshake (alert {})", u8::from(other)),
    }
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

/// A name without the type that webpki writes around it: `DnsName("x")`, `IpAddress(1.2.3.4)`.
fn bare_name(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

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
                "the certificate is for other names: a.io, 10.0.0.1",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected,
                    presented: Vec::new(),
                },
                "the certificate names no host (it has no subjectAltName)",
            ),
        ] {
            assert_eq!(explain(&Error::InvalidCertificate(error)), text);
        }
        let alert = explain(&Error::AlertReceived(AlertDescription::NoRenegotiation));
        assert_eq!(
            alert,
            "TLS failed: the server ended the handshake (alert 100)"
        );
    }
}
