//! Bearer tokens: requested from a token server, and cached until they expire.
//!
//! Specification: distribution, "Token Authentication" (docs/spec/auth/token.md). One request at a time
//! per key; no lock is held during a request. One request may cover the repositories of the next lines
//! too: [`batch`].

mod access;
mod answer;
mod batch;
mod grant;
mod query;
mod several;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::http::Method;
use url::Url;

use super::NEGATIVE_MEMORY;
use super::answer::describe;
use super::credentials::{Credential, Identity};
use super::error::{Diagnostic, Error};
use super::exchange::{BodyMode, Request, Response};
use super::login;
use super::redirect::{self, authority, without_secrets};
use super::retry::Retrier;
use super::secret::Secret;
use crate::log::Log;
use crate::sync::Flight;
use batch::Batching;
use query::Key;

pub use answer::{Token, parse};
pub use grant::{Grant, Origin};
pub use query::{NextScopes, TokenQuery};

/// The maximum size of a token server's response in bytes: it may contain the token twice, and an
/// identity token.
const LIMIT: u64 = 512 * 1024;

/// The maximum size of a challenge in bytes: it is kept with its tokens.
const LONGEST_CHALLENGE: usize = 8 * 1024;

/// The maximum number of cached tokens; beyond it the cache is cleared.
const MOST_KEPT: usize = 512;

/// The maximum size of cached tokens in bytes; beyond it the cache is cleared.
const MOST_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The maximum number of replaced identity tokens.
const MOST_REPLACED: usize = 32;

/// The result of a batch.
enum Batch {
    Granted(Grant),
    /// No batch was sent, or its failure has been evaluated.
    None,
    /// No response: a request for a single token will show the cause.
    Failed,
}

/// A token, or the final refusal of the server and its time.
type TokenResult = Result<Grant, (Instant, Error)>;

#[derive(Debug, Default)]
pub struct Tokens {
    kept: Mutex<HashMap<Key, Arc<Flight<TokenResult>>>>,
    /// The total size of the tokens cached since the cache was last cleared.
    kept_bytes: AtomicUsize,
    batching: Batching,
    /// Identity tokens that a token server has replaced, by realm and identity; never written to disk.
    replaced: Mutex<HashMap<(String, Identity), Secret>>,
}

impl Tokens {
    /// The token for a query: a cached one, or a new one.
    ///
    /// # Errors
    /// [`Error::Denied`] if the token server refuses, and the errors of [`Retrier::send`].
    pub fn get(
        &self,
        retrier: &Retrier,
        query: &TokenQuery<'_>,
        log: &Log,
    ) -> Result<Grant, Error> {
        if query.bearer.length() > LONGEST_CHALLENGE {
            let cause = format!(
                "the WWW-Authenticate header is longer than {} KiB",
                LONGEST_CHALLENGE / 1024
            );
            return Err(Error::Invalid(Diagnostic::new(
                query.host, "GET /v2/", cause,
            )));
        }
        let key = query.key();
        let now = retrier.clock().now();
        let is_alone = query.next.is_none();
        let keep =
            |fetched: &TokenResult| self.keeps(fetched, now) && !(is_alone && is_batched(fetched));
        self.flight(&key)
            .get(keep, || {
                let batch = self.fetch_several(retrier, query, &key, log)?;
                if let Batch::Granted(grant) = batch {
                    return Ok(Ok(grant));
                }
                match self.fetch(retrier, query, &key, log) {
                    // It would be refused for every image of the repository: send it once.
                    Err(error @ (Error::Denied(_) | Error::Invalid(_))) => Ok(Err((now, error))),
                    Err(error) => Err(error),
                    Ok(token) => {
                        self.kept_bytes
                            .fetch_add(token.text().len(), Ordering::Relaxed);
                        if matches!(batch, Batch::Failed) {
                            self.batching.give_up();
                        }
                        Ok(Ok(Grant::alone(token)))
                    }
                }
            })?
            .map_err(|(_, error)| error)
    }

    /// Whether a cached result is still valid.
    fn keeps(&self, fetched: &TokenResult, now: Instant) -> bool {
        match fetched {
            Ok(grant) => {
                grant.token.is_fresh(now) && !(grant.is_batched() && self.batching.is_over())
            }
            Err((at, _)) => now.saturating_duration_since(*at) < NEGATIVE_MEMORY,
        }
    }

    /// Records that a registry has accepted this token of a batch.
    pub fn confirm(&self, query: &TokenQuery<'_>, accepted: &Grant) {
        if accepted.origin == Origin::Next {
            self.batching.prove();
        }
        self.flight(&query.key()).update(|fetched| {
            if let Ok(grant) = fetched
                && grant.token.header() == accepted.token.header()
            {
                grant.origin = Origin::Alone;
            }
        });
    }

    pub fn batching(&self) -> &Batching {
        &self.batching
    }

    /// Forgets a token that a registry has refused.
    pub fn forget(&self, query: &TokenQuery<'_>, refused: &Secret) {
        self.flight(&query.key()).forget(|fetched| {
            fetched
                .as_ref()
                .is_ok_and(|grant| grant.token.header() == *refused)
        });
    }

    fn flight(&self, key: &Key) -> Arc<Flight<TokenResult>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_much = self.kept_bytes.load(Ordering::Relaxed) >= MOST_KEPT_BYTES;
        if (is_much || kept.len() >= MOST_KEPT) && !kept.contains_key(key) {
            self.kept_bytes.store(0, Ordering::Relaxed);
            // The tokens for the next lines stay; they are short.
            kept.retain(|_, flight| flight.is_wanted(is_batched));
            if kept.len() >= MOST_KEPT / 2 {
                kept.clear();
            }
        }
        kept.entry(key.clone())
            .or_insert_with(|| Arc::new(Flight::new()))
            .clone()
    }

    fn fetch(
        &self,
        retrier: &Retrier,
        query: &TokenQuery<'_>,
        key: &Key,
        log: &Log,
    ) -> Result<Token, Error> {
        let realm = realm(retrier, query)?;
        let request = self.request(&realm, query, key);
        let line = format!("{} {}", request.method, without_secrets(&request.url));
        let diagnostic = |cause: String| Diagnostic::new(query.host, &line, cause);
        let response = match query.credential.filter(|_| request.authorization.is_some()) {
            None => retrier.send(query.host, request, log)?,
            Some(credential) => {
                let send = |request: &Request| retrier.send(query.host, request.clone(), log);
                let is_refusal = |response: &Response| response.status.as_u16() == 401;
                // A login requests a token without scopes, as `docker login` does.
                let confirm = || {
                    let key = Key {
                        scopes: Vec::new(),
                        ..key.clone()
                    };
                    let mut login = token_request(realm.clone(), &key, Some(credential));
                    login.named_by.clone_from(&request.named_by);
                    Ok(match send(&login)?.status.as_u16() {
                        200 => Some(true),
                        401 => Some(false),
                        _ => None,
                    })
                };
                query
                    .logins
                    .send(
                        realm.as_str(),
                        credential,
                        || send(&request),
                        is_refusal,
                        confirm,
                    )?
                    .ok_or_else(|| {
                        let cause = login::skipped(&authority(&realm), credential);
                        Error::Denied(diagnostic(cause).hint(login::HINT))
                    })?
            }
        };
        match response.status.as_u16() {
            200 => {}
            400 | 401 | 403 => {
                let hint = match query.credential {
                    Some(credential) => format!(
                        "the token server rejected the credentials from {}, or the repository does not exist: {}",
                        credential.origin,
                        login::HINT
                    ),
                    // The caller knows where credentials were searched.
                    None => return Err(Error::Denied(diagnostic(describe(&response)))),
                };
                return Err(Error::Denied(diagnostic(describe(&response)).hint(hint)));
            }
            _ => {
                return Err(Error::Invalid(diagnostic(format!(
                    "the token server returned {}",
                    describe(&response)
                ))));
            }
        }
        let now = retrier.clock().now();
        let (token, replaced) = parse(&response.body, now)
            .map_err(|error| Error::Invalid(diagnostic(error.to_string())))?;
        self.replace(&realm, query, replaced);
        Ok(token)
    }

    fn request(&self, realm: &Url, query: &TokenQuery<'_>, key: &Key) -> Request {
        let credential = query.credential;
        let mut request = match credential.and_then(|credential| credential.identity_token.as_ref())
        {
            Some(token) => {
                let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
                let known = key
                    .identity
                    .clone()
                    .and_then(|whose| replaced.get(&(realm.to_string(), whose)).cloned());
                drop(replaced);
                exchange(realm.clone(), key, &known.unwrap_or_else(|| token.clone()))
            }
            None => token_request(realm.clone(), key, credential),
        };
        request.named_by = Some(query.base.clone());
        request
    }

    /// Stores an identity token that replaces the one that was sent.
    fn replace(&self, realm: &Url, query: &TokenQuery<'_>, replaced: Option<Secret>) {
        let sent = query
            .credential
            .filter(|credential| credential.identity_token.is_some());
        if let (Some(replaced), Some(credential)) = (replaced, sent) {
            let key = (realm.to_string(), credential.identity());
            let mut known = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST_REPLACED && !known.contains_key(&key) {
                known.clear();
            }
            known.insert(key, replaced);
        }
    }
}

/// Whether it is a token of a batch that no registry has accepted yet.
fn is_batched(fetched: &TokenResult) -> bool {
    fetched.as_ref().is_ok_and(Grant::is_batched)
}

/// The request for a token with user and password, or anonymously; every token server supports it.
fn token_request(realm: Url, key: &Key, credential: Option<&Credential>) -> Request {
    let mut request = Request::new(Method::GET, realm, &[], BodyMode::Keep(LIMIT));
    let mut query = request.url.query_pairs_mut();
    if !key.service.is_empty() {
        query.append_pair("service", &key.service);
    }
    for scope in &key.scopes {
        query.append_pair("scope", scope);
    }
    let basic_credential = credential.and_then(Credential::basic);
    if let Some((user, _)) = basic_credential {
        query.append_pair("account", user);
    }
    drop(query);
    request.authorization = basic_credential.map(|(user, password)| basic(user, password));
    request
}

/// The request for a token with an identity token. Specification: distribution, docs/spec/auth/oauth.md.
fn exchange(realm: Url, key: &Key, identity: &Secret) -> Request {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(realm.query_pairs());
    form.append_pair("grant_type", "refresh_token")
        .append_pair("refresh_token", identity.expose());
    if !key.service.is_empty() {
        form.append_pair("service", &key.service);
    }
    form.append_pair("scope", &key.scopes.join(" "))
        .append_pair("client_id", "image-tools");
    let mut request = Request::new(Method::POST, realm, &[], BodyMode::Keep(LIMIT));
    request.form = Some(Secret::new(form.finish()));
    request
}

/// The realm as a URL to which credentials may be sent.
fn realm(retrier: &Retrier, query: &TokenQuery<'_>) -> Result<Url, Error> {
    let refuse = |realm: &str, why: &str| {
        let cause = format!("cannot use the token server {realm}: {why}");
        let hint = "check the external URL in the registry's configuration; a proxy may be intercepting the connection";
        Error::Invalid(Diagnostic::new(query.host, "GET /v2/", cause).hint(hint))
    };
    let realm = query
        .base
        .join(&query.bearer.realm)
        .map_err(|_| refuse("of WWW-Authenticate", "the realm is not a valid URL"))?;
    redirect::check(query.base, &realm, retrier.insecure())
        .map_err(|why| refuse(&without_secrets(&realm), why))?;
    Ok(realm)
}

/// The Authorization header of user and password. Specification: RFC 7617.
pub fn basic(user: &str, password: &Secret) -> Secret {
    let pair = format!("{user}:{}", password.expose());
    Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests;
