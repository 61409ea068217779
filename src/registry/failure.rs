//! Failures of an HTTP exchange: no complete response.

use super::address::REFUSED_ADDRESS;
use super::error::{Diagnostic, Error};
use super::tls::TlsFailure;

const MIB: u64 = 1024 * 1024;

/// A DNS lookup that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct LookupFailed {
    pub text: String,
    /// Whether the name server is unavailable, as opposed to: the name does not exist.
    pub is_temporary: bool,
}

#[derive(Clone, Debug)]
pub enum Failure {
    /// No connection: refused, or no route.
    Refused(String),
    ConnectTimeout,
    Lost {
        text: String,
        /// Whether the connection was reused: the server may have closed it while idle.
        stale: bool,
    },
    Timeout(String),
    Lookup(LookupFailed),
    /// The server does not speak TLS.
    NotTls,
    /// The certificate was rejected, or the handshake failed.
    Tls(TlsFailure),
    /// The proxy requires a login.
    ProxyLogin {
        /// Its host and port.
        proxy: String,
        /// Whether the proxy rejected the configured login.
        is_refused: bool,
    },
    /// The response is not valid HTTP, or cannot be decoded.
    NotHttp(String),
    /// The configuration of this machine is invalid.
    Setup(String),
    /// A server directed the client to an address of this machine.
    OwnAddress,
    /// The body exceeds this limit in bytes.
    TooLarge(u64),
    /// The run was interrupted.
    Interrupted,
}

impl Failure {
    pub fn text(&self) -> String {
        match self {
            Self::Refused(text)
            | Self::Lost { text, .. }
            | Self::Timeout(text)
            | Self::Setup(text) => text.clone(),
            Self::Tls(failure) => failure.text.clone(),
            Self::ProxyLogin {
                proxy,
                is_refused: false,
            } => {
                format!("the proxy {proxy} requires a user name and password (407)")
            }
            Self::ProxyLogin {
                proxy,
                is_refused: true,
            } => {
                format!("the proxy {proxy} rejected the user name or password (407)")
            }
            Self::ConnectTimeout => "the connection timed out".to_owned(),
            Self::NotTls => "the server does not speak TLS on this port".to_owned(),
            Self::Lookup(lookup) => format!("cannot resolve the host name ({})", lookup.text),
            Self::NotHttp(text) => format!("the response is not valid HTTP: {text}"),
            Self::TooLarge(limit) if *limit < MIB => {
                format!("the response is larger than {} KiB", limit / 1024)
            }
            Self::TooLarge(limit) => format!("the response is larger than {} MiB", limit / MIB),
            Self::OwnAddress => REFUSED_ADDRESS.to_owned(),
            Self::Interrupted => "interrupted".to_owned(),
        }
    }

    /// The message, with the server's name if that is not the registry itself.
    pub fn text_of(&self, other: Option<&str>) -> String {
        match (self, other) {
            // The failure is of this program or of the proxy.
            (Self::Setup(_) | Self::ProxyLogin { .. } | Self::Interrupted, _) | (_, None) => {
                self.text()
            }
            (_, Some(other)) => format!("{other}: {}", self.text()),
        }
    }

    /// The error for the caller. `host`: the registry as the user names it; `request`: as
    /// [`super::exchange::Request::line`]; `other`: the server if it is not the registry itself, but a
    /// token server or a store.
    pub fn into_error(self, host: &str, request: &str, other: Option<&str>) -> Error {
        let diagnostic = Diagnostic::new(host, request, self.text_of(other));
        let server = other.unwrap_or(host);
        match self {
            Self::Interrupted => Error::Interrupted,
            Self::Tls(failure) => Error::Unreachable(diagnostic.hint(failure.remedy.hint(server))),
            Self::ProxyLogin { proxy, .. } => Error::Unreachable(diagnostic.hint(format!(
                "set them in the proxy variable: HTTPS_PROXY=http://USER:PASSWORD@{proxy} (HTTP_PROXY for plain HTTP)"
            ))),
            Self::NotTls => {
                Error::Unreachable(diagnostic.hint("for plain HTTP, use --tls-verify=false"))
            }
            Self::Lookup(_) => Error::Unreachable(
                diagnostic.hint("check the host name and the DNS configuration of this machine"),
            ),
            Self::NotHttp(_) | Self::TooLarge(_) | Self::OwnAddress => Error::Invalid(diagnostic),
            Self::Setup(_) => {
                Error::Unreachable(diagnostic.hint("fix the configuration on this machine"))
            }
            Self::Refused(_) | Self::ConnectTimeout | Self::Lost { .. } | Self::Timeout(_) => {
                Error::Unreachable(diagnostic)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tls::Remedy;

    #[test]
    fn an_error_names_host_request_cause_and_hint() {
        let text = "the certificate is signed by an unknown authority";
        let failure = Failure::Tls(TlsFailure::new(text, Remedy::TrustAuthority));
        assert_eq!(
            failure
                .into_error("reg.io:5000", "GET /v2/", None)
                .to_string(),
            "reg.io:5000: GET /v2/: the certificate is signed by an unknown authority; install the \
             CA certificate as /etc/containers/certs.d/reg.io:5000/ca.crt or pass it with \
             --ca-file, or use --tls-verify=false"
        );
    }
}
