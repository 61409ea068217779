//! Plain HTTP through a proxy: the request line contains the whole URL (RFC 9112, 3.2.2).
//!
//! ureq tunnels plain HTTP too (CONNECT), which many proxies refuse for ports other than 443.

use std::fmt;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::http::Uri;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};
use ureq::{Error, http};
use url::Url;

use super::count_opened;

/// Connects to a proxy instead of the host, for `http` URLs.
#[derive(Default)]
pub struct ForwardConnector {
    proxy: Option<Proxy>,
}

struct Proxy {
    uri: Uri,
    authorization: String,
}

impl ForwardConnector {
    /// Through this proxy; without a proxy the next connector connects.
    pub fn new(proxy: Option<&Url>) -> Self {
        let proxy = proxy.and_then(|url| {
            let mut bare = url.clone();
            // Fails only for URLs that can have neither.
            let _ = bare.set_username("");
            let _ = bare.set_password(None);
            let authorization = match (url.username(), url.password()) {
                ("", None) => String::new(),
                (user, password) => {
                    let decode = |text: &str| {
                        percent_encoding::percent_decode_str(text)
                            .decode_utf8_lossy()
                            .into_owned()
                    };
                    let pair = format!("{}:{}", decode(user), decode(password.unwrap_or_default()));
                    format!(
                        "Proxy-Authorization: Basic {}\r\n",
                        BASE64_STANDARD.encode(pair)
                    )
                }
            };
            Some(Proxy {
                uri: bare.as_str().parse().ok()?,
                authorization,
            })
        });
        Self { proxy }
    }
}

impl<In: Transport> Connector<In> for ForwardConnector {
    type Out = Either<In, ForwardTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        // ureq runs the first connector of the chain for new connections only.
        count_opened();
        if let Some(transport) = chained {
            return Ok(Some(Either::A(transport)));
        }
        let Some(proxy) = &self.proxy else {
            return Ok(None);
        };
        // The connection to the proxy itself passes this connector, too.
        if details.needs_tls() || details.uri.authority() == proxy.uri.authority() {
            return Ok(None);
        }
        let proxy_details = ConnectionDetails {
            uri: &proxy.uri,
            addrs: details
                .resolver
                .resolve(&proxy.uri, details.config, details.timeout)?,
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let transport = (details.run_connector)(&proxy_details)?;
        let host = details
            .uri
            .authority()
            .map(http::uri::Authority::as_str)
            .unwrap_or_default();
        Ok(Some(Either::B(ForwardTransport {
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
            inner: TransportAdapter::new(transport, details.current_time.clone()),
            origin: format!("http://{host}"),
            authorization: proxy.authorization.clone(),
        })))
    }
}

impl fmt::Debug for ForwardConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForwardConnector")
    }
}

/// A connection to a proxy; rewrites request lines to contain the whole URL.
pub struct ForwardTransport {
    buffers: LazyBuffers,
    inner: TransportAdapter,
    origin: String,
    authorization: String,
}

impl ForwardTransport {
    /// The head of a request with its whole URL; `None` if these bytes do not begin a request.
    fn rewritten(&self, output: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(output).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (line, fields) = head.split_once("\r\n")?;
        let (method, rest) = line.split_once(' ')?;
        if !matches!(method, "GET" | "HEAD" | "POST") || !rest.starts_with('/') {
            return None;
        }
        // A proxy may join lines of the same name (RFC 9110, 5.3); some keep only the first instead.
        let is_accept = |field: &&str| field.to_ascii_lowercase().starts_with("accept:");
        let accept: Vec<&str> = fields
            .split("\r\n")
            .filter(is_accept)
            .map(|field| field["accept:".len()..].trim())
            .collect();
        let accept = match accept.is_empty() {
            true => String::new(),
            false => format!("Accept: {}\r\n", accept.join(", ")),
        };
        let others: String = fields
            .split("\r\n")
            .filter(|field| !is_accept(field))
            .map(|field| format!("{field}\r\n"))
            .collect();
        let (origin, authorization) = (&self.origin, &self.authorization);
        Some(
            format!("{method} {origin}{rest}\r\n{authorization}{accept}{others}\r\n{body}")
                .into_bytes(),
        )
    }
}

impl Transport for ForwardTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.set_timeout(timeout);
        let output = self.buffers.output()[..amount].to_vec();
        let output = self.rewritten(&output).unwrap_or(output);
        self.inner.write_all(&output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = self.inner.read(input)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Data left in the buffer of the connection below is an unsolicited response. The next request
        // would take it for its own.
        let below = self.inner.get_mut();
        below.buffers().input().is_empty() && below.is_open()
    }
}

impl fmt::Debug for ForwardTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForwardTransport")
    }
}
