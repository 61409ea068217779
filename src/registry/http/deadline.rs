//! The timeout for a proxy to open a tunnel.
//!
//! ureq restarts its timeout with every byte of the response to CONNECT, so a proxy that sends single
//! bytes would hold the request forever.

use std::fmt;
use std::time::Instant;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};
use ureq::{Error, Timeout};
use url::Url;

/// The end of the head of a response (RFC 9112, 2.1).
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Sets a deadline for the first response on connections to a proxy.
pub struct DeadlineConnector {
    /// Host and port of the tunnelling proxy.
    proxy: Option<(String, Option<u16>)>,
}

impl DeadlineConnector {
    /// For tunnels through this proxy; without a proxy it does nothing.
    pub fn new(proxy: Option<&Url>) -> Self {
        let proxy = proxy.filter(|proxy| matches!(proxy.scheme(), "http" | "https"));
        let name =
            |proxy: &Url| Some((proxy.host_str()?.to_owned(), proxy.port_or_known_default()));
        Self {
            proxy: proxy.and_then(name),
        }
    }

    fn is_proxy(&self, details: &ConnectionDetails) -> bool {
        let default = match details.uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        self.proxy.as_ref().is_some_and(|(host, port)| {
            details.config.proxy().is_none()
                && details.uri.host() == Some(host)
                && details.uri.port_u16().or(Some(default)) == *port
        })
    }
}

impl<In: Transport> Connector<In> for DeadlineConnector {
    type Out = Either<In, DeadlineTransport<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !self.is_proxy(details) || details.timeout.after.is_not_happening() {
            return Ok(Some(Either::A(transport)));
        }
        Ok(Some(Either::B(DeadlineTransport {
            inner: transport,
            deadline: Some(Instant::now() + *details.timeout.after),
        })))
    }
}

impl fmt::Debug for DeadlineConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeadlineConnector")
    }
}

/// A connection to a proxy with a deadline until the tunnel is open.
#[derive(Debug)]
pub struct DeadlineTransport<In: Transport> {
    inner: In,
    deadline: Option<Instant>,
}

impl<In: Transport> Transport for DeadlineTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout(Timeout::Connect));
            }
            timeout.after = left.into();
        }
        let has_progress = self.inner.await_input(timeout)?;
        let input = self.inner.buffers().input();
        if input.windows(HEAD_END.len()).any(|bytes| bytes == HEAD_END) {
            self.deadline = None;
        }
        Ok(has_progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
