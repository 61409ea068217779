//! Classifies the errors of ureq, of the system and of rustls.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use url::Url;

use super::resolver::OwnAddress;
use crate::registry::error::shown;
use crate::registry::exchange::Response;
use crate::registry::failure::{Failure, LookupFailed};
use crate::registry::quirks;
use crate::registry::redirect::authority;
use crate::registry::tls::{self, Remedy, TlsFailure, client_certificate};

/// The failure for an error of ureq. `kept`: the connection was reused.
pub fn failure(error: &ureq::Error, kept: bool) -> Failure {
    match error {
        ureq::Error::Io(error) => of_io(error, kept),
        ureq::Error::Timeout(phase) => match phase {
            ureq::Timeout::Connect => Failure::ConnectTimeout,
            ureq::Timeout::Resolve => Failure::Timeout("the DNS lookup timed out".to_owned()),
            ureq::Timeout::RecvBody => {
                Failure::Timeout("timed out while reading the response".to_owned())
            }
            _ => Failure::Timeout("timed out while waiting for the response".to_owned()),
        },
        ureq::Error::Other(other) => match other.downcast_ref::<LookupFailed>() {
            Some(lookup) => Failure::Lookup(lookup.clone()),
            None if other.is::<OwnAddress>() => Failure::OwnAddress,
            None => Failure::NotHttp(shown(other)),
        },
        ureq::Error::BodyExceedsLimit(limit) => Failure::TooLarge(*limit),
        ureq::Error::Decompress(_, error) if error.kind() == ErrorKind::UnexpectedEof => {
            Failure::Lost {
                text: "the compressed response was truncated".to_owned(),
                stale: false,
            }
        }
        ureq::Error::Tls(text) => Failure::Tls(TlsFailure::new(*text, Remedy::Server)),
        ureq::Error::ConnectProxyFailed(text) => {
            Failure::Refused(format!("refused: {}", shown(text)))
        }
        ureq::Error::ConnectionFailed => Failure::Refused("no connection".to_owned()),
        other => Failure::NotHttp(shown(other)),
    }
}

/// The result of an exchange through a proxy; failures of the proxy name it, without its password.
pub fn through_proxy(result: Result<Response, Failure>, proxy: &Url) -> Result<Response, Failure> {
    let name = authority(proxy);
    let login = || Failure::ProxyLogin {
        proxy: name.clone(),
        is_refused: !proxy.username().is_empty(),
    };
    match result {
        Ok(response) if quirks::is_proxy_login(&response) => Err(login()),
        // ureq's message for a tunnel.
        Err(Failure::Refused(text))
            if ["responded 407", "responded 401"]
                .iter()
                .any(|refusal| text.contains(refusal)) =>
        {
            Err(login())
        }
        Err(Failure::Refused(text)) => Err(Failure::Refused(format!("the proxy {name}: {text}"))),
        Err(Failure::ConnectTimeout) => Err(Failure::Refused(format!(
            "the proxy {name}: the connection timed out"
        ))),
        Err(Failure::Lookup(lookup)) => Err(Failure::Lookup(LookupFailed {
            text: format!("proxy {name}: {}", lookup.text),
            ..lookup
        })),
        other => other,
    }
}

fn of_io(error: &io::Error, kept: bool) -> Failure {
    if let Some(error) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return match error {
            rustls::Error::InvalidMessage(_) => Failure::NotTls,
            error => Failure::Tls(tls::explain(error, client_certificate::was_wanted())),
        };
    }
    let text = match error.source() {
        Some(source) => shown(&source),
        None => shown(error),
    };
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused("connection refused".to_owned()),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::AddrNotAvailable => Failure::Refused(text),
        ErrorKind::UnexpectedEof => Failure::Lost {
            text: "the connection was closed before the response was complete".to_owned(),
            stale: kept,
        },
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected => Failure::Lost {
            text: "the connection was reset".to_owned(),
            stale: kept,
        },
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            Failure::Timeout("timed out while waiting for the response".to_owned())
        }
        ErrorKind::InvalidData | ErrorKind::InvalidInput => Failure::NotHttp(text),
        _ => Failure::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{CertificateError, InvalidMessage};

    fn of(error: io::Error, kept: bool) -> Failure {
        failure(&ureq::Error::Io(error), kept)
    }

    #[test]
    fn the_system_s_errors_are_classified() {
        assert!(matches!(
            of(ErrorKind::ConnectionRefused.into(), false),
            Failure::Refused(_)
        ));
        for kept in [false, true] {
            assert!(matches!(
                of(ErrorKind::UnexpectedEof.into(), kept),
                Failure::Lost { stale, .. } if stale == kept
            ));
        }
        assert!(matches!(
            failure(&ureq::Error::Timeout(ureq::Timeout::Connect), false),
            Failure::ConnectTimeout
        ));
    }

    #[test]
    fn tls_errors_are_distinguished_from_a_server_without_tls() {
        let error = |inner: rustls::Error| io::Error::new(ErrorKind::InvalidData, inner);
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert!(matches!(of(error(unknown), false), Failure::Tls(_)));
        let plain = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert!(matches!(of(error(plain), false), Failure::NotTls));
    }
}
