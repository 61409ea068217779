//! One HTTP exchange: a request and its response, or a failure.
//!
//! Everything above this trait (retries, redirects, authorization) is tested with a scripted exchange
//! and a fake clock; [`super::http`] is the exchange over the network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::failure::Failure;
use super::quirks;
use super::secret::Secret;
use crate::log::Log;
use crate::manifest::{Algorithm, Digest};
use crate::sync::Interrupt;

/// The maximum size in bytes of a blob of unknown size.
pub const UNKNOWN_SIZE_LIMIT: u64 = 64 * 1024 * 1024 * 1024;

/// Sends requests, each once. Callers handle redirects, retries and authorization.
pub trait Exchange: Send + Sync {
    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// [`Failure`] if there is no complete response. A response of any status is a success here.
    fn send(&self, request: &Request, log: &Log) -> Result<Response, Failure>;

    /// Aborts all exchanges, and refuses new ones.
    fn shutdown(&self);
}

/// Time and sleeping; tests use a clock that does not sleep.
pub trait Clock: Send + Sync {
    /// Monotonic time.
    fn now(&self) -> Instant;

    /// Sleeps; returns true if the run was interrupted.
    fn sleep(&self, time: Duration) -> bool;

    fn is_interrupted(&self) -> bool;
}

/// The system's clock; an interrupt ends its sleeps.
pub struct SystemClock(Arc<Interrupt>);

impl SystemClock {
    pub fn new(interrupt: Arc<Interrupt>) -> Self {
        Self(interrupt)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, time: Duration) -> bool {
        self.0.sleep(time)
    }

    fn is_interrupted(&self) -> bool {
        self.0.is_set()
    }
}

/// A request; can be sent more than once.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET, HEAD, or POST for identity tokens.
    pub method: Method,
    pub url: Url,
    /// Accepted media types in order of preference; one header line each.
    pub accept: &'static [&'static str],
    /// The Authorization header, for this URL's origin only.
    pub authorization: Option<Secret>,
    /// Form data (POST).
    pub form: Option<Secret>,
    /// How to read the body of a successful response.
    pub body: BodyMode,
    /// The timeout for the first byte of the response; `None`: `--timeout`.
    pub time: Option<Duration>,
    /// The URL whose server directed the client here, by a redirect or as its token server.
    pub named_by: Option<Url>,
}

/// How to read the body of a successful response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    /// Keep it; at most this many bytes.
    Keep(u64),
    /// Keep only its length and hash; stop behind this many bytes or, for an unknown size, fail above
    /// [`UNKNOWN_SIZE_LIMIT`].
    Hash(Algorithm, Option<u64>),
    /// As [`BodyMode::Hash`]; also hash the decompressed content with the second algorithm.
    Unpack(Algorithm, u64, Algorithm),
    /// Request only its first byte, for the total length in the response.
    FirstByte,
}

impl Request {
    /// A request without body or authorization.
    pub fn new(method: Method, url: Url, accept: &'static [&'static str], body: BodyMode) -> Self {
        Self {
            method,
            url,
            accept,
            authorization: None,
            form: None,
            body,
            time: None,
            named_by: None,
        }
    }

    /// Method and path, for messages; the query is left out because it may be a signature.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.url.path())
    }
}

/// A complete response.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body; for errors, at most its beginning.
    pub body: Vec<u8>,
    /// For a hashed body: digest and length in bytes.
    pub hashed: Option<(Digest, u64)>,
    /// For a decompressed body: the digest of the content, or why it cannot be decompressed.
    pub unpacked: Option<Result<Digest, String>>,
    /// Secrets to redact from it, if it is an error.
    pub secrets: Vec<Secret>,
    /// The URL of the response, after redirects.
    pub url: Url,
}

impl Response {
    /// A header field as text; invalid UTF-8 is replaced.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    }

    pub fn header_lines(&self, name: &str) -> Vec<String> {
        let lines = self.headers.get_all(name).iter();
        lines
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }

    /// Whether it is an HTML page.
    pub fn is_html(&self) -> bool {
        let content_type = self.header("content-type").unwrap_or_default();
        quirks::is_html(&content_type, &self.body)
    }

    /// The status with its standard reason phrase: `404 Not Found`.
    pub fn status_text(&self) -> String {
        match self.status.canonical_reason() {
            Some(reason) => format!("{} {reason}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }

    /// A response for unit tests.
    #[cfg(test)]
    pub fn for_test(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        use ureq::http::{HeaderName, HeaderValue};
        let pairs = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("a header"),
            )
        });
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        Self {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: map,
            body: body.into(),
            hashed: None,
            unpacked: None,
            secrets: Vec::new(),
            url: Url::parse("https://reg.io/v2/x").expect("a URL"),
        }
    }
}
