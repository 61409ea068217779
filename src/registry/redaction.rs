//! Redacts secrets that servers repeat in their errors.
//!
//! A token server that quotes the request quotes the password, in one of several encodings; and so may
//! the registry behind it, which never received the password itself.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use url::form_urlencoded::{byte_serialize, parse};

use super::exchange::Request;
use super::secret::Secret;

/// Shorter secrets are not redacted: they reveal nothing, but could occur in any word. In bytes.
const SHORTEST: usize = 4;

/// Longer secrets are redacted only as sent, and only in the response to that request. In bytes.
const LONGEST: usize = 8 * 1024;

/// The maximum number of secrets remembered per run.
const MOST_REMEMBERED: usize = 64;

/// The replacement of a secret.
const REDACTED: &str = "<redacted>";

/// The passwords and identity tokens sent in a run, with their encodings.
#[derive(Default)]
pub struct SentLogins(Mutex<Vec<(Secret, Vec<Secret>)>>);

impl SentLogins {
    /// Remembers the credentials of a request. Bearer tokens are not remembered.
    pub fn remember(&self, request: &Request) {
        let header = request.authorization.as_ref();
        let is_login = request.form.is_some()
            || header.is_some_and(|sent| sent.expose().starts_with("Basic "));
        if !is_login {
            return;
        }
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for sent in secrets(request).into_iter().map(Secret::new) {
            if sent.expose().len() <= LONGEST
                && logins.len() < MOST_REMEMBERED
                && logins.iter().all(|(known, _)| *known != sent)
            {
                let spellings = spellings([sent.expose().to_owned()]);
                logins.push((sent, spellings));
            }
        }
    }

    /// The secrets to redact from the response to a request, longest first.
    pub fn with(&self, request: &Request) -> Vec<Secret> {
        let logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = spellings(secrets(request));
        all.extend(logins.iter().flat_map(|(_, spellings)| spellings).cloned());
        all.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        all
    }
}

pub fn redact(text: &str, secrets: &[Secret]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret.expose(), REDACTED)
    })
}

fn secrets(request: &Request) -> Vec<String> {
    let mut plain = Vec::new();
    if let Some(header) = &request.authorization {
        let value = header.expose();
        let value = value.split_once(' ').map_or(value, |(_, value)| value);
        let decoded = BASE64_STANDARD.decode(value).ok();
        match decoded.and_then(|pair| String::from_utf8(pair).ok()) {
            Some(pair) => {
                plain.extend(pair.split_once(':').map(|(_, word)| word.to_owned()));
                plain.push(pair);
            }
            None => plain.push(value.to_owned()),
        }
        // Without the padding, which some servers omit.
        plain.push(value.trim_end_matches('=').to_owned());
    }
    if let Some(form) = &request.form {
        let pairs = parse(form.expose().as_bytes());
        let tokens = pairs.filter(|(name, _)| name == "refresh_token");
        plain.extend(tokens.map(|(_, token)| token.into_owned()));
    }
    plain.retain(|text| text.len() >= SHORTEST);
    plain
}

/// The encodings in which a server may repeat these secrets.
fn spellings(secrets: impl IntoIterator<Item = String>) -> Vec<Secret> {
    let mut all = Vec::new();
    for secret in secrets {
        if secret.len() <= LONGEST {
            all.extend(spelled(&secret));
        } else {
            all.push(secret);
        }
    }
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(Secret::new).collect()
}

/// A text as is, in base64, in a URL, in JSON, and in HTML.
fn spelled(text: &str) -> [String; 7] {
    let form: String = byte_serialize(text.as_bytes()).collect();
    let json = serde_json::Value::from(text).to_string();
    [
        text.to_owned(),
        BASE64_STANDARD_NO_PAD.encode(text),
        BASE64_URL_SAFE_NO_PAD.encode(text),
        form.replace('+', "%20"),
        form,
        json.trim_matches('"').to_owned(),
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::exchange::BodyMode;
    use crate::registry::token::basic;
    use ureq::http::Method;
    use url::Url;

    fn request() -> Request {
        let url = Url::parse("https://reg.io/token").expect("a URL");
        Request::new(Method::GET, url, &[], BodyMode::FirstByte)
    }

    #[test]
    fn a_password_is_found_in_every_spelling() {
        let password = "p&s \"w\"/ü+";
        let mut own = request();
        own.authorization = Some(basic("me", &Secret::new(password)));
        let sent = SentLogins::default();
        sent.remember(&own);
        let pair = format!("me:{password}");
        let header = BASE64_STANDARD.encode(&pair);
        for said in [
            password.to_owned(),
            pair.clone(),
            header.clone(),
            header.trim_end_matches('=').to_owned(),
            BASE64_URL_SAFE_NO_PAD.encode(&pair),
            BASE64_STANDARD.encode(password),
            byte_serialize(password.as_bytes()).collect(),
            "p%26s%20%22w%22%2F%C3%BC%2B".to_owned(),
            r#"p&s \"w\"/ü+"#.to_owned(),
            "p&amp;s &quot;w&quot;/ü+".to_owned(),
        ] {
            // Also by the response to another request.
            for request in [&own, &request()] {
                let shown = redact(&format!("got <{said}>"), &sent.with(request));
                let shown = shown.trim_end_matches("=>").trim_end_matches('>');
                assert!(shown.ends_with("<<redacted"), "{said}: {shown}");
            }
        }
        assert_eq!(redact("me", &sent.with(&own)), "me");
    }

    #[test]
    fn tokens_are_found_in_the_response_to_their_request() {
        let sent = SentLogins::default();
        let mut bearer = request();
        bearer.authorization = Some(Secret::new("Bearer abc.def"));
        sent.remember(&bearer);
        assert_eq!(
            redact("Bearer abc.def!", &sent.with(&bearer)),
            "Bearer <redacted>!"
        );
        assert!(sent.with(&request()).is_empty());
        let mut form = request();
        form.form = Some(Secret::new("grant_type=refresh_token&refresh_token=a%2Fbc"));
        sent.remember(&form);
        let secrets = sent.with(&request());
        assert_eq!(
            redact("a/bc a%2Fbc refresh_token", &secrets),
            "<redacted> <redacted> refresh_token"
        );
    }
}
