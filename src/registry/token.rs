//! Bearer tokens: asked for at a token server, kept until they expire.
//!
//! Specification: distribution, "Token Authentication" (docs/spec/auth/token.md). One fetch at a
//! time for each key; no lock is held while one is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use ureq::http::Method;
use url::Url;

use super::challenge::Bearer;
use super::credentials::Credential;
use super::error::{Error, Trouble, describe};
use super::flight::Flight;
use super::http::{Request, without_secrets};
use super::redirect;
use super::secret::Secret;
use super::wire::Wire;
use crate::report::Logger;

/// Tokens live at least this long, whatever the server says (as all clients have it).
const LEAST_LIFE: Duration = Duration::from_secs(60);

/// They are renewed this long before they expire.
const EARLY: Duration = Duration::from_secs(10);

/// The largest answer of a token server, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// So many tokens are kept; beyond it all are forgotten and asked for again when needed.
const MOST_KEPT: usize = 512;

/// A token with its end.
#[derive(Clone, Debug)]
pub struct Token {
    secret: Secret,
    expires: Instant,
}

impl Token {
    /// The value of the Authorization header.
    pub fn header(&self) -> Secret {
        Secret::new(format!("Bearer {}", self.secret.expose()))
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.expires
    }
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    realm: String,
    service: String,
    scopes: Vec<String>,
    user: Option<String>,
}

/// A fetched token, or the final refusal of the server.
type Fetched = Result<Token, Error>;

/// The tokens of one registry.
#[derive(Debug, Default)]
pub struct Tokens {
    kept: Mutex<HashMap<Key, Arc<Flight<Fetched>>>>,
}

/// One wish for a token.
pub struct Wanted<'a> {
    /// The registry as the user knows it.
    pub host: &'a str,
    /// URL of the registry, which a relative realm is relative to.
    pub base: &'a Url,
    /// Where to ask.
    pub bearer: &'a Bearer,
    /// The scope that this program needs, first of all.
    pub scope: &'a str,
    /// Who asks; nobody: an anonymous token.
    pub credential: Option<&'a Credential>,
}

impl Wanted<'_> {
    fn key(&self) -> Key {
        let mut scopes = vec![self.scope.to_owned()];
        // Some registries look at the first scope only, so our own stands first.
        let further = self
            .bearer
            .scopes
            .iter()
            .filter(|scope| !is_covered(scope, self.scope));
        scopes.extend(further.cloned());
        scopes.retain(|scope| !scope.is_empty());
        Key {
            realm: self.bearer.realm.clone(),
            service: self.bearer.service.clone(),
            scopes,
            user: self.credential.map(|credential| credential.user.clone()),
        }
    }
}

/// Whether a scope of a challenge says no more than ours.
fn is_covered(scope: &str, own: &str) -> bool {
    scope == own
        || own.strip_suffix(":pull").is_some_and(|name| {
            scope
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(':'))
        })
}

impl Tokens {
    /// The token: one that is kept, or a new one.
    ///
    /// # Errors
    /// [`Error::Denied`] where the token server refuses, and whatever [`Wire::send`] says.
    pub fn get(&self, wire: &Wire, wanted: &Wanted<'_>, log: &Logger) -> Result<Token, Error> {
        let key = wanted.key();
        let keep = |fetched: &Fetched| fetched.as_ref().map_or(true, Token::is_fresh);
        self.flight(&key)
            .get(keep, || match fetch(wire, wanted, &key, log) {
                // It will be refused for every image of the repository: ask once.
                Err(error @ (Error::Denied(_) | Error::Invalid(_))) => Ok(Err(error)),
                Err(error) => Err(error),
                Ok(token) => Ok(Ok(token)),
            })?
    }

    /// Forgets a token that a registry has refused.
    pub fn forget(&self, wanted: &Wanted<'_>, refused: &Secret) {
        self.flight(&wanted.key()).forget(|fetched| {
            fetched
                .as_ref()
                .is_ok_and(|token| token.header() == *refused)
        });
    }

    fn flight(&self, key: &Key) -> Arc<Flight<Fetched>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT && !kept.contains_key(key) {
            kept.clear();
        }
        kept.entry(key.clone())
            .or_insert_with(|| Arc::new(Flight::new()))
            .clone()
    }
}

fn fetch(wire: &Wire, wanted: &Wanted<'_>, key: &Key, log: &Logger) -> Result<Token, Error> {
    let realm = realm(wire, wanted)?;
    let mut request = Request::new(Method::GET, realm, &[], LIMIT);
    {
        let mut query = request.url.query_pairs_mut();
        if !key.service.is_empty() {
            query.append_pair("service", &key.service);
        }
        for scope in &key.scopes {
            query.append_pair("scope", scope);
        }
        if let Some(credential) = wanted.credential {
            query.append_pair("account", &credential.user);
        }
    }
    request.authorization = wanted.credential.map(basic);
    let asked = format!("GET {}", without_secrets(&request.url));
    let response = wire.send(wanted.host, request, log)?;
    let trouble = |answer: String| Trouble::new(wanted.host, &asked, answer);
    match response.status.as_u16() {
        200 => {}
        401 | 403 => {
            let remedy = match wanted.credential {
                Some(credential) => format!(
                    "the credentials from {} were refused, or the repository does not exist",
                    credential.origin
                ),
                None => format!(
                    "the repository is private or does not exist; log in to {}",
                    wanted.host
                ),
            };
            return Err(Error::Denied(trouble(describe(&response)).remedy(remedy)));
        }
        _ => {
            return Err(Error::Invalid(trouble(format!(
                "the token server answers {}",
                describe(&response)
            ))));
        }
    }
    parse(&response.body)
        .ok_or_else(|| Error::Invalid(trouble("the token server's answer has no token".to_owned())))
}

/// Reads a token server's answer, leniently: servers disagree on names and types.
fn parse(body: &[u8]) -> Option<Token> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let secret = text("access_token").or_else(|| text("token"))?;
    // A token with control characters would be a header of its own.
    if secret.bytes().any(|b| b.is_ascii_control()) {
        return None;
    }
    let seconds = value.get("expires_in").and_then(|expires| match expires {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_f64(),
    });
    let life = seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(LEAST_LIFE);
    let life = life.clamp(LEAST_LIFE, Duration::from_secs(24 * 3600));
    Some(Token {
        secret: Secret::new(secret),
        expires: Instant::now() + life.saturating_sub(EARLY),
    })
}

/// The realm as a URL that credentials may be sent to.
fn realm(wire: &Wire, wanted: &Wanted<'_>) -> Result<Url, Error> {
    let refuse = |realm: &str, why: &str| {
        let answer = format!("the registry names the token server {realm}: {why}");
        let remedy = "the registry's external URL is set up wrong, or somebody is in between";
        Error::Invalid(Trouble::new(wanted.host, "GET /v2/", answer).remedy(remedy))
    };
    let realm = wanted
        .base
        .join(&wanted.bearer.realm)
        .map_err(|_| refuse("by something that is not a URL", "it cannot be asked"))?;
    redirect::check(wanted.base, &realm, wire.is_insecure())
        .map_err(|why| refuse(&without_secrets(&realm), why))?;
    Ok(realm)
}

/// The Authorization header of user and password. Specification: RFC 7617.
pub fn basic(credential: &Credential) -> Secret {
    let pair = format!("{}:{}", credential.user, credential.password.expose());
    Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_leniently() {
        let life = |body: &str| {
            parse(body.as_bytes()).map(|token| (token.expires - Instant::now()).as_secs() + 1)
        };
        assert_eq!(life(r#"{"token":"a"}"#), Some(50));
        assert_eq!(life(r#"{"access_token":"a","expires_in":300}"#), Some(290));
        assert_eq!(life(r#"{"token":"a","expires_in":"300"}"#), Some(290));
        assert_eq!(life(r#"{"token":"a","expires_in":300.5}"#), Some(291));
        assert_eq!(life(r#"{"token":"a","expires_in":-5}"#), Some(50));
        assert_eq!(
            life(r#"{"token":"a","expires_in":1,"issued_at":"yesterday"}"#),
            Some(50)
        );
        for body in [
            "",
            "[]",
            "{}",
            r#"{"token":""}"#,
            r#"{"token":7}"#,
            r#"{"token":"a\nb"}"#,
        ] {
            assert!(parse(body.as_bytes()).is_none(), "{body}");
        }
        let both = parse(br#"{"token":"a","access_token":"b"}"#).expect("a token");
        assert_eq!(both.header().expose(), "Bearer b");
    }

    #[test]
    fn our_scope_stands_first_and_once() {
        let bearer = Bearer {
            scopes: vec!["repository:a/b:pull,push".to_owned(), "aws".to_owned()],
            ..Bearer::default()
        };
        let base = Url::parse("https://reg.io/").expect("a URL");
        let wanted = Wanted {
            host: "reg.io",
            base: &base,
            bearer: &bearer,
            scope: "repository:a/b:pull",
            credential: None,
        };
        assert_eq!(wanted.key().scopes, ["repository:a/b:pull", "aws"]);
    }
}
