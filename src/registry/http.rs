//! An HTTP request and its answer, as the layers of this folder pass them on.

use ureq::http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::secret::Secret;
use crate::manifest::{Algorithm, Digest};

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET, HEAD, or POST for identity tokens.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Media types that are accepted, one header line each, most wanted first.
    pub accept: &'static [&'static str],
    /// The Authorization header, for this URL's origin only.
    pub authorization: Option<Secret>,
    /// A form to send (POST).
    pub form: Option<Secret>,
    /// What is wanted of a successful body.
    pub want: Want,
}

/// What is wanted of a successful body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// All of it; at most so many bytes.
    Body(u64),
    /// Its length and its hash; reading ends beyond so many bytes. Nothing of it is kept.
    Hash(Algorithm, u64),
    /// Its first byte, for the length that is told with it.
    FirstByte,
}

impl Request {
    /// A request without body or authorization.
    pub fn new(method: Method, url: Url, accept: &'static [&'static str], want: Want) -> Self {
        Self {
            method,
            url,
            accept,
            authorization: None,
            form: None,
            want,
        }
    }

    /// Method and path, for messages; a query may be a signature and is left out.
    pub fn asked(&self) -> String {
        format!("{} {}", self.method, self.url.path())
    }
}

/// The URL without what may be a secret, for logs and messages: a query may be a signature, and a
/// user name may have a password.
pub fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    // Fails only for URLs that can have neither.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    let had_query = shown.query().is_some();
    shown.set_query(None);
    shown.set_fragment(None);
    format!("{shown}{}", if had_query { "?…" } else { "" })
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body; of an answer that is no success at most its beginning.
    pub body: Vec<u8>,
    /// Of a body that was not kept: its digest and its length in bytes.
    pub hashed: Option<(Digest, u64)>,
    /// What was asked, after redirects.
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

    /// Whether it is a page for people, not an answer of a registry.
    pub fn is_html(&self) -> bool {
        let html = |text: &str| text.to_ascii_lowercase().starts_with("text/html");
        let looks = |body: &[u8]| {
            let start = body.trim_ascii_start();
            let start = start[..start.len().min(14)].to_ascii_lowercase();
            start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
        };
        self.header("content-type").is_some_and(|text| html(&text)) && !self.body.starts_with(b"{")
            || looks(&self.body)
    }

    /// The status with its usual words: `404 Not Found`.
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
            url: Url::parse("https://reg.io/v2/x").expect("a URL"),
        }
    }
}
