//! Secrets that servers repeat in their errors, and how they are kept out of messages.
//!
//! A token server that shows the request it got shows the password, in one of several spellings; and
//! so may the registry behind it, which was never sent the password itself.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use url::form_urlencoded::{byte_serialize, parse};

use super::exchange::Request;
use super::secret::Secret;

/// A secret of fewer bytes is not looked for: nothing can be found out of it, but every word could have
/// it in it.
const SHORTEST: usize = 4;

/// So many logins of a run are remembered.
const MOST_LOGINS: usize = 64;

/// What stands in the place of a secret.
const REDACTED: &str = "<redacted>";

/// The spellings of the passwords and identity tokens that were sent in a run, by the header or form
/// in which they were sent.
#[derive(Default)]
pub struct SentLogins(Mutex<Vec<(Secret, Vec<Secret>)>>);

impl SentLogins {
    /// Remembers the login of a request, if it has one. Tokens of token servers are none.
    pub fn remember(&self, request: &Request) {
        let basic = request.authorization.as_ref();
        let basic = basic.filter(|header| header.expose().starts_with("Basic "));
        let Some(sent) = request.form.as_ref().or(basic) else {
            return;
        };
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.len() < MOST_LOGINS && logins.iter().all(|(known, _)| known != sent) {
            logins.push((sent.clone(), spellings(request)));
        }
    }

    /// What the response to a request must not be quoted with, the longest first.
    pub fn with(&self, request: &Request) -> Vec<Secret> {
        let logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = spellings(request);
        all.extend(logins.iter().flat_map(|(_, spellings)| spellings).cloned());
        all.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        all
    }
}

/// A text without these secrets.
pub fn redact(text: &str, secrets: &[Secret]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret.expose(), REDACTED)
    })
}

/// The secrets of a request, in the spellings in which a server would repeat them.
fn spellings(request: &Request) -> Vec<Secret> {
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
        // Without the padding, which some leave out.
        plain.push(value.trim_end_matches('=').to_owned());
    }
    if let Some(form) = &request.form {
        let pairs = parse(form.expose().as_bytes());
        let tokens = pairs.filter(|(name, _)| name == "refresh_token");
        plain.extend(tokens.map(|(_, token)| token.into_owned()));
    }
    plain.retain(|text| text.len() >= SHORTEST);
    let mut all: Vec<String> = plain.iter().flat_map(|text| spelled(text)).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(Secret::new).collect()
}

/// A text as it is, in base64, in a URL, in JSON, and in HTML.
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
