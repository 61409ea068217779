//! Evaluates a response: a result, or one of the four classes of errors.

use ureq::http::Method;

use super::error::{Diagnostic, Error};
use super::exchange::{BodyMode, Response};
use super::fields::{Field, fields};
use super::pull_limit;
use super::query::Query;
use super::quirks;
use super::redaction::redact;
use super::redirect::without_secrets;
use crate::escape::escape_bytes;

/// The maximum number of characters quoted from a registry's error.
const SHOWN: usize = 200;

/// A final response, and where it came from.
pub struct FinalResponse {
    /// May be a refusal (401, 403).
    pub response: Response,
    /// Whether the registry itself sent it, and not a store behind a redirect.
    pub from_registry: bool,
    /// The registry requires a login and there was none: private repositories look missing.
    pub logged_out: bool,
    /// The hint for a refusal.
    pub hint: String,
    /// The probe's evidence that this host is not a registry.
    pub doubt: Option<Diagnostic>,
}

impl FinalResponse {
    /// Whether this is a 404 that a front end may have sent: without an error body in the registries'
    /// format.
    pub fn is_bare_404(&self) -> bool {
        self.from_registry
            && self.response.status.as_u16() == 404
            && !has_errors(&self.response)
            && is_missing(&self.response)
    }

    /// Evaluates the response. A result has status 200, or 206 for a range.
    ///
    /// # Errors
    /// [`Error::Missing`] only if the registry, or its store, reports that the object does not exist.
    pub fn judge(self, query: &Query<'_>) -> Result<Response, Error> {
        let Self {
            response,
            from_registry,
            logged_out,
            hint,
            doubt,
        } = self;
        let diagnostic = || query.diagnostic(describe(&response));
        if let Some((words, remedy)) = quirks::client_certificate(&response) {
            let cause = format!("{} ({words})", response.status_text());
            let host = &query.repository.registry;
            return Err(Error::Denied(
                query.diagnostic(cause).hint(remedy.hint(host)),
            ));
        }
        match response.status.as_u16() {
            200 if query.method == Method::GET && is_encoded(&response) => {
                let encoding = response.header("content-encoding").unwrap_or_default();
                Err(Error::Invalid(query.diagnostic(format!(
                    "the response has Content-Encoding {encoding}, which was not requested"
                ))))
            }
            200 => Ok(response),
            206 if query.body == BodyMode::FirstByte => Ok(response),
            404 if !from_registry && quirks::names_missing_object(&words(&response)) => {
                Err(Error::Missing(diagnostic()))
            }
            404 if from_registry && logged_out && is_missing(&response) => {
                Err(Error::Denied(diagnostic().hint(hint)))
            }
            // The store behind a redirect may be missing altogether, and a host with a failed probe may
            // not be a registry: then only an error body in the registries' format counts.
            404 if is_missing(&response)
                && (from_registry && doubt.is_none() || has_errors(&response)) =>
            {
                Err(Error::Missing(diagnostic()))
            }
            404 if from_registry => Err(Error::Invalid(doubt.unwrap_or_else(|| {
                diagnostic()
                    .hint("the response does not look like a registry's; check the host name and the path")
            }))),
            401 | 403 if from_registry => Err(Error::Denied(match doubt {
                Some(doubt) if !has_errors(&response) => doubt,
                _ => diagnostic().hint(hint),
            })),
            429 if quirks::is_pull_limit(&response, &words(&response)) => Err(Error::Unreachable(
                pull_limit::diagnostic(query, &pull_limit::cause(&response)),
            )),
            _ if !from_registry => {
                let from = redact(&without_secrets(&response.url), &response.secrets);
                Err(Error::Invalid(query.diagnostic(format!(
                    "redirected to {from}, which returned {}",
                    describe(&response)
                ))))
            }
            _ => Err(Error::Invalid(diagnostic())),
        }
    }
}

/// Whether a body is still compressed; gzip has been decoded already.
fn is_encoded(response: &Response) -> bool {
    response
        .header("content-encoding")
        .is_some_and(|encoding| !matches!(encoding.as_str(), "" | "identity"))
}

/// Whether a 404 means that the object does not exist, and not that the host is no registry or cannot
/// serve a requested type.
fn is_missing(response: &Response) -> bool {
    !response.is_html() && !quirks::is_about_accept(&words(response))
}

/// Whether a body is an error in the registries' format (a store has another one).
fn has_errors(response: &Response) -> bool {
    fields(&response.body, &["errors"]).is_ok_and(|found| found[0] != Field::Absent)
}

/// Status and error text of the registry, escaped and cut: `404 Not Found (MANIFEST_UNKNOWN: …)`.
pub fn describe(response: &Response) -> String {
    let status = response.status_text();
    let words = redact(&whole_words(response), &response.secrets);
    match escape_bytes(words.as_bytes(), SHOWN) {
        words if words.is_empty() => status,
        words => format!("{status} ({words})"),
    }
}

/// The error text of the registry, for decisions. It may repeat a secret: [`describe`] is for messages.
pub fn words(response: &Response) -> String {
    escape_bytes(whole_words(response).as_bytes(), SHOWN)
}

/// Code and message of the first error, or the text of the body.
fn whole_words(response: &Response) -> String {
    if response.is_html() {
        return "an HTML page".to_owned();
    }
    match fields(&response.body, &WORDS) {
        Ok(found) => json_words(found).unwrap_or_default(),
        Err(_) if response.body.first() == Some(&b'<') => xml_words(&response.body),
        Err(_) => String::from_utf8_lossy(&response.body).trim().to_owned(),
    }
}

/// The fields of an error: those for the code, those for the message, and the list of errors.
const WORDS: [&str; 7] = [
    "code",
    "error",
    "message",
    "details",
    "error_description",
    "detail",
    "errors",
];

/// Reads the JSON error formats of all known registries.
fn json_words(mut found: Vec<Field>) -> Option<String> {
    let texts = match found.pop() {
        Some(Field::List(Some(first))) => first,
        _ => found,
    };
    let mut texts = texts.into_iter().map(Field::text);
    let code = texts.by_ref().take(2).fold(None, Option::or);
    let message = texts.take(4).fold(None, Option::or);
    match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (one, other) => one.or(other),
    }
}

/// Reads the XML error of a blob store.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        words(&Response::for_test(404, &[], body))
    }

    #[test]
    fn every_error_format_is_read() {
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
