//! What can come of asking a registry, in four classes that callers tell apart.
//!
//! Only [`Error::Missing`] says that something is not there. Error codes: OCI distribution-spec,
//! "Error Codes"; the decision is made by the HTTP status, because the codes vary.

use std::fmt;

use serde_json::Value;

use super::http::Response;
use crate::escape::{escape, escape_bytes};

/// The most characters of a registry's own words that are shown.
const SHOWN: usize = 200;

/// Why a registry did not give what was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The registry answered that there is no such thing.
    #[error("{0}")]
    Missing(Trouble),
    /// The registry, or its token server, refused: private, or not there and not said so.
    #[error("{0}")]
    Denied(Trouble),
    /// No answer, or one that says to come back later.
    #[error("{0}")]
    Unreachable(Trouble),
    /// An answer that cannot be one of a registry, or cannot be what was asked for.
    #[error("{0}")]
    Invalid(Trouble),
    /// The run was interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether asking again, in the same run, may have another answer.
    pub fn may_pass(&self) -> bool {
        match self {
            // What is wrong for good says what to do about it.
            Self::Unreachable(trouble) => trouble.remedy.is_none(),
            Self::Interrupted => true,
            Self::Missing(_) | Self::Denied(_) | Self::Invalid(_) => false,
        }
    }

    /// The same, and what to do about it.
    pub fn with_remedy(self, remedy: &str) -> Self {
        match self {
            Self::Missing(trouble) => Self::Missing(trouble.remedy(remedy)),
            Self::Denied(trouble) => Self::Denied(trouble.remedy(remedy)),
            Self::Unreachable(trouble) => Self::Unreachable(trouble.remedy(remedy)),
            Self::Invalid(trouble) => Self::Invalid(trouble.remedy(remedy)),
            Self::Interrupted => Self::Interrupted,
        }
    }
}

/// One line for the operator: who was asked, for what, what came back, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The registry, as the user knows it.
    pub host: String,
    /// Method and path.
    pub asked: String,
    /// What came back.
    pub answer: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Trouble {
    /// Trouble without a remedy.
    pub fn new(host: &str, asked: &str, answer: impl Into<String>) -> Self {
        Self {
            host: host.to_owned(),
            asked: asked.to_owned(),
            answer: answer.into(),
            remedy: None,
        }
    }

    /// The same, and what to do about it.
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.host, self.asked, self.answer)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// Status, and the registry's own words, escaped and cut: `404 Not Found (MANIFEST_UNKNOWN: …)`.
pub fn describe(response: &Response) -> String {
    let status = response.status_text();
    match words(response) {
        words if words.is_empty() => status,
        words => format!("{status} ({words})"),
    }
}

/// The registry's own words: code and message of its first error, or the beginning of its text.
pub fn words(response: &Response) -> String {
    if response.is_html() {
        return "an HTML page".to_owned();
    }
    let words = match serde_json::from_slice::<Value>(&response.body) {
        Ok(value) => json_words(&value).unwrap_or_default(),
        Err(_) if response.body.first() == Some(&b'<') => xml_words(&response.body),
        Err(_) => String::from_utf8_lossy(&response.body).trim().to_owned(),
    };
    escape_bytes(words.as_bytes(), SHOWN)
}

/// The shapes that registries give to their errors.
fn json_words(value: &Value) -> Option<String> {
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let error = value
        .get("errors")
        .and_then(|errors| errors.get(0))
        .unwrap_or(value);
    let code = text(error, "code").or_else(|| text(error, "error"));
    let message = text(error, "message")
        .or_else(|| text(error, "details"))
        .or_else(|| text(error, "error_description"))
        .or_else(|| text(error, "detail"));
    match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (one, other) => one.or(other),
    }
}

/// What a blob store answers after a redirect.
fn xml_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let tag = |name: &str| {
        let rest = &text[text.find(&format!("<{name}>"))? + name.len() + 2..];
        Some(rest[..rest.find('<')?].to_owned())
    };
    match (tag("Code"), tag("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (one, other) => one
            .or(other)
            .unwrap_or_else(|| "an XML document".to_owned()),
    }
}

/// Text of an error that is not ours, for a message.
pub fn shown(error: &impl fmt::Display) -> String {
    escape(&error.to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        words(&Response::for_test(404, &[], body))
    }

    #[test]
    fn every_shape_of_error_is_read() {
        for (body, expected) in [
            (
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}"#,
                "MANIFEST_UNKNOWN: manifest unknown",
            ),
            (r#"{"errors":[{"code":"DENIED"}]}"#, "DENIED"),
            (r#"{"errors":null}"#, ""),
            (r#"{"errors":[]}"#, ""),
            (r#"{"details":"no"}"#, "no"),
            (r#"{"message":"denied"}"#, "denied"),
            ("404 page not found\n", "404 page not found"),
            ("", ""),
            (
                "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>",
                "NoSuchKey: gone",
            ),
            ("\x1b[31mred", "\\u{1b}[31mred"),
        ] {
            assert_eq!(said(body), expected, "{body}");
        }
        assert_eq!(
            words(&Response::for_test(
                404,
                &[("content-type", "text/html")],
                "<html>"
            )),
            "an HTML page"
        );
        assert!(said(&"x".repeat(5000)).chars().count() <= SHOWN + 1);
    }
}
