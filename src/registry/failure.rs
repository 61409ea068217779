//! What can go wrong with one HTTP exchange, before there is an answer, and what it means.

use std::error::Error as _;
use std::io::ErrorKind;

use chrono::DateTime;
use rustls::CertificateError;

use super::error::{Error, Trouble, shown};
use super::resolver::LookupFailed;

const NO_CONNECTION: &str = "no connection in time";

/// Why an exchange gave no answer.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Nobody listens, or nobody can be reached.
    Refused(String),
    /// The connection broke.
    Lost {
        /// How.
        text: String,
        /// It had been kept from an earlier request: the server may have closed it meanwhile.
        stale: bool,
    },
    /// No progress in time.
    Timeout(String),
    /// The name has no address.
    Lookup(LookupFailed),
    /// The server does not speak TLS.
    NotTls(String),
    /// The server's certificate is not accepted, or TLS cannot be agreed on.
    Tls(String),
    /// What came back is not HTTP, or not decodable.
    Garbage(String),
    /// This program's own settings do not allow the exchange.
    Setup(String),
    /// The body is longer than what was asked for can be.
    TooLarge(u64),
    /// The run was interrupted.
    Interrupted,
}

impl Failure {
    /// Sorts ureq's errors; `kept`: the connection had been used before.
    pub fn new(error: &ureq::Error, kept: bool) -> Self {
        match error {
            ureq::Error::Io(error) => Self::of_io(error, kept),
            ureq::Error::Timeout(phase) => Self::Timeout(match phase {
                ureq::Timeout::Resolve => "the name server did not answer in time".to_owned(),
                ureq::Timeout::Connect => NO_CONNECTION.to_owned(),
                ureq::Timeout::RecvBody => "the answer did not end in time".to_owned(),
                _ => "no answer in time".to_owned(),
            }),
            ureq::Error::Other(other) => match other.downcast_ref::<LookupFailed>() {
                Some(lookup) => Self::Lookup(lookup.clone()),
                None => Self::Garbage(shown(other)),
            },
            ureq::Error::BodyExceedsLimit(limit) => Self::TooLarge(*limit),
            ureq::Error::Decompress(_, error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::Lost {
                    text: "the compressed answer was cut off".to_owned(),
                    stale: false,
                }
            }
            ureq::Error::Tls(text) => Self::Tls((*text).to_owned()),
            ureq::Error::ConnectProxyFailed(text) => {
                Self::Refused(format!("the proxy refused: {}", shown(text)))
            }
            ureq::Error::ConnectionFailed => Self::Refused("no connection".to_owned()),
            other => Self::Garbage(shown(other)),
        }
    }

    fn of_io(error: &std::io::Error, kept: bool) -> Self {
        if let Some(tls) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            return Self::of_tls(tls);
        }
        let text = match error.source() {
            Some(source) => shown(&source),
            None => shown(error),
        };
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused("connection refused".to_owned()),
            ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable => Self::Refused(text),
            ErrorKind::UnexpectedEof => Self::Lost {
                text: "the connection was closed before the answer was complete".to_owned(),
                stale: kept,
            },
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected => Self::Lost {
                text: "the connection was reset".to_owned(),
                stale: kept,
            },
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                Self::Timeout("no answer in time".to_owned())
            }
            ErrorKind::InvalidData | ErrorKind::InvalidInput => Self::Garbage(text),
            _ => Self::Refused(text),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let date = |seconds: u64| {
            i64::try_from(seconds)
                .ok()
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
                .map_or_else(
                    || "an unknown time".to_owned(),
                    |time| time.format("%Y-%m-%d %H:%M UTC").to_string(),
                )
        };
        match error {
            rustls::Error::InvalidMessage(_) => {
                Self::NotTls("the server does not speak TLS on this port".to_owned())
            }
            rustls::Error::InvalidCertificate(reason) => Self::Tls(match reason {
                CertificateError::UnknownIssuer => {
                    "the certificate is signed by an unknown authority".to_owned()
                }
                CertificateError::ExpiredContext { not_after, .. } => {
                    format!("the certificate expired on {}", date(not_after.as_secs()))
                }
                CertificateError::NotValidYetContext { not_before, .. } => {
                    format!(
                        "the certificate is not valid before {}; is this host's clock right?",
                        date(not_before.as_secs())
                    )
                }
                CertificateError::NotValidForNameContext { presented, .. }
                    if presented.is_empty() =>
                {
                    "the certificate names no host (it has no subjectAltName)".to_owned()
                }
                CertificateError::NotValidForNameContext { presented, .. } => {
                    format!(
                        "the certificate is for other names: {}",
                        shown(&presented.join(", "))
                    )
                }
                other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
                    "the certificate is self-signed and not configured as trusted".to_owned()
                }
                other => format!("the certificate is not valid: {}", shown(other)),
            }),
            other => Self::Tls(format!("TLS failed: {}", shown(other))),
        }
    }

    /// Whether it may pass by itself, so that asking again makes sense.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Lost { .. } | Self::Timeout(_) => true,
            Self::Lookup(lookup) => lookup.may_pass,
            Self::Setup(_) => false,
            Self::NotTls(_)
            | Self::Tls(_)
            | Self::Garbage(_)
            | Self::TooLarge(_)
            | Self::Interrupted => false,
        }
    }

    /// Whether it says something of the host, whatever it was asked: nobody listens there.
    pub fn is_host_s(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Lookup(_) => true,
            Self::Timeout(text) => text == NO_CONNECTION,
            _ => false,
        }
    }

    /// What happened, in words.
    pub fn text(&self) -> String {
        match self {
            Self::Refused(text) | Self::Lost { text, .. } | Self::Timeout(text) => text.clone(),
            Self::NotTls(text) | Self::Tls(text) | Self::Setup(text) => text.clone(),
            Self::Lookup(lookup) => format!("the host name has no address ({})", lookup.text),
            Self::Garbage(text) => format!("the answer is not HTTP as expected: {text}"),
            Self::TooLarge(limit) => {
                format!("the answer is larger than {} MiB", limit / (1024 * 1024))
            }
            Self::Interrupted => "interrupted".to_owned(),
        }
    }

    /// The error for the caller: `host` as the user knows it, `asked` as [`super::http::Request::asked`].
    pub fn into_error(self, host: &str, asked: &str) -> Error {
        let trouble = Trouble::new(host, asked, self.text());
        match self {
            Self::Interrupted => Error::Interrupted,
            Self::Tls(_) => Error::Unreachable(trouble.remedy(format!(
                "install the CA's certificate as /etc/containers/certs.d/{host}/ca.crt or give it with --ca-file, or use --tls-verify=false"
            ))),
            Self::NotTls(_) => Error::Unreachable(trouble.remedy("for plain HTTP use --tls-verify=false")),
            Self::Lookup(_) => Error::Unreachable(trouble.remedy("check the registry's name and this host's DNS")),
            Self::Garbage(_) | Self::TooLarge(_) => Error::Invalid(trouble),
            Self::Setup(_) => Error::Unreachable(trouble.remedy("correct this host's configuration")),
            Self::Refused(_) | Self::Lost { .. } | Self::Timeout(_) => Error::Unreachable(trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn of(error: io::Error) -> Failure {
        Failure::new(&ureq::Error::Io(error), true)
    }

    #[test]
    fn what_may_pass_is_told_from_what_is_final() {
        assert!(of(io::ErrorKind::ConnectionRefused.into()).may_pass());
        assert!(of(io::ErrorKind::ConnectionReset.into()).may_pass());
        assert!(matches!(
            of(io::ErrorKind::UnexpectedEof.into()),
            Failure::Lost { stale: true, .. }
        ));
        let issuer = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let tls = of(io::Error::new(io::ErrorKind::InvalidData, issuer));
        assert!(!tls.may_pass());
        let error = tls.into_error("reg.io:5000", "GET /v2/").to_string();
        assert!(
            error.contains("unknown authority")
                && error.contains("certs.d/reg.io:5000")
                && error.contains("--tls-verify=false"),
            "{error}"
        );
        let not_tls = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert!(matches!(
            of(io::Error::new(io::ErrorKind::InvalidData, not_tls)),
            Failure::NotTls(_)
        ));
    }
}
