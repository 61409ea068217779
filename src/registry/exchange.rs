//! One HTTP exchange: a request goes out, and a response or a failure comes back.
//!
//! Everything above this trait (retries, redirects, authorization) is tested with a scripted
//! exchange and a clock of its own; [`super::http`] is the exchange over the network.

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

/// The most bytes of a blob whose size is unknown.
pub const UNKNOWN_SIZE_LIMIT: u64 = 64 * 1024 * 1024 * 1024;

/// Sends requests, each once. Redirects, retries and authorization belong to the callers.
pub trait Exchange: Send + Sync {
    /// Sends a request and reads its response to the end.
    ///
    /// # Errors
    /// [`Failure`] where no complete response came; every status is a response.
    fn send(&self, request: &Request, log: &Log) -> Result<Response, Failure>;

    /// Ends all exchanges, and refuses new ones.
    fn shutdown(&self);
}

/// Time, and waiting: tests have a clock that does not wait.
pub trait Clock: Send + Sync {
    /// The present, by a clock that is never set.
    fn now(&self) -> Instant;

    /// Waits; true if the run was interrupted meanwhile.
    fn sleep(&self, time: Duration) -> bool;

    /// Whether the run was interrupted.
    fn is_interrupted(&self) -> bool;
}

/// The system's clock; its waits end with the run.
pub struct SystemClock(Arc<Interrupt>);

impl SystemClock {
    /// A clock whose waits this interrupt ends.
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

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET, HEAD, or POST for identity tokens.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// Accepted media types, most wanted first; one header line each.
    pub accept: &'static [&'static str],
    /// The Authorization header, for this URL's origin only.
    pub authorization: Option<Secret>,
    /// A form to send (POST).
    pub form: Option<Secret>,
    /// How a successful body is read.
    pub body: BodyMode,
    /// The longest time for the response to begin; `None`: `--timeout`.
    pub time: Option<Duration>,
    /// The URL whose server named this one, by a redirect or as its token server: a stranger.
    pub named_by: Option<Url>,
}

/// How a successful body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    /// It is kept; at most so many bytes.
    Keep(u64),
    /// Only its length and its hash are kept; reading ends beyond so many bytes, or, where the size is
    /// unknown, fails beyond [`UNKNOWN_SIZE_LIMIT`].
    Hash(Algorithm, Option<u64>),
    /// As [`BodyMode::Hash`], and the hash of what it unpacks to, by the second algorithm.
    Unpack(Algorithm, u64, Algorithm),
    /// Only its first byte is requested, for the total length that comes with it.
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

    /// Method and path, for messages; a query may be a signature and is left out.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.url.path())
    }
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body; of a response that is no success at most its beginning.
    pub body: Vec<u8>,
    /// Of a body that was not kept: its digest and its length in bytes.
    pub hashed: Option<(Digest, u64)>,
    /// Of a body that was unpacked: the digest of what it unpacks to, or why it does not.
    pub unpacked: Option<Result<Digest, String>>,
    /// What must not be shown of it, if it is no success.
    pub secrets: Vec<Secret>,
    /// The URL that this is the response of, after redirects.
    pub url: Url,
}

impl Response {
    /// A header field as text; registries send bytes that are not UTF-8.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    }

    /// All lines of a header field as text.
    pub fn header_lines(&self, name: &str) -> Vec<String> {
        let lines = self.headers.get_all(name).iter();
        lines
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }

    /// Whether it is a page for people, not a response of a registry.
    pub fn is_html(&self) -> bool {
        let content_type = self.header("content-type").unwrap_or_default();
        quirks::is_html(&content_type, &self.body)
    }

    /// The status with its usual reason phrase: `404 Not Found`.
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
