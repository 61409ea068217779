//! Requests one token for the repositories of several lines.

use super::access::readable;
use super::batch::LONGEST_REQUEST;
use super::{
    Batch, Grant, Key, NextScopes, Origin, Token, TokenQuery, TokenResult, Tokens, parse, realm,
};
use crate::log::Log;
use crate::registry::error::Error;
use crate::registry::retry::Retrier;
use crate::sync::Claim;

/// The prefix of a repository's scope.
const REPOSITORY: &str = "repository:";

/// A further scope of a batch. Threads that need its token wait for the claim.
struct ClaimedScope {
    scope: String,
    claim: Claim<TokenResult>,
}

impl Tokens {
    /// Requests a token for this scope and those of the next lines, if that may succeed. It is sent
    /// once, without retries.
    ///
    /// # Errors
    /// Only an interrupt.
    pub(super) fn fetch_several(
        &self,
        retrier: &Retrier,
        query: &TokenQuery<'_>,
        key: &Key,
        log: &Log,
    ) -> Result<Batch, Error> {
        let Some(next) = query.next else {
            return Ok(Batch::None);
        };
        next.restart();
        let Ok(realm) = realm(retrier, query) else {
            return Ok(Batch::None);
        };
        // Scopes of a challenge that name further repositories belong to this one only.
        let mut scopes = key.scopes.iter();
        let is_plain = scopes.next().is_some_and(|own| own.starts_with(REPOSITORY))
            && !scopes.any(|further| further.starts_with(REPOSITORY));
        // A password is first tried with one repository, so that a refusal is conclusive.
        let is_known = query.credential.is_none_or(|credential| {
            credential.identity_token.is_some()
                || credential.basic().is_none()
                || query.logins.have_accepted(realm.as_str(), credential)
        });
        if !is_plain || !is_known {
            return Ok(Batch::None);
        }
        let Some(most) = self.batching.begin() else {
            return Ok(Batch::None);
        };
        let (key, others) = self.collect(retrier, query, key, next, most);
        if others.is_empty() {
            self.batching.cancel();
            return Ok(Batch::None);
        }
        let request = self.request(&realm, query, &key);
        log.debug(|| {
            format!(
                "{}: requesting one token for {} repositories",
                query.host,
                others.len() + 1
            )
        });
        let response = match retrier.send_up_to(0, query.host, request, log) {
            Ok(response) => response,
            Err(Error::Interrupted) => {
                self.batching.cancel();
                return Err(Error::Interrupted);
            }
            Err(_) => {
                self.batching.doubt();
                return Ok(Batch::Failed);
            }
        };
        let parsed = (response.status.as_u16() == 200)
            .then(|| parse(&response.body, retrier.clock().now()).ok())
            .flatten();
        let Some((token, replaced)) = parsed else {
            log.debug(|| {
                format!(
                    "{}: the token server returned {} to a request for several repositories; requesting one token per repository from now on",
                    query.host,
                    response.status_text()
                )
            });
            self.batching.give_up();
            return Ok(Batch::None);
        };
        self.replace(&realm, query, replaced);
        if !self
            .batching
            .granted(others.len() + 1, token.header().expose().len())
        {
            return Ok(Batch::None);
        }
        Ok(self.hand_out(query, token, others))
    }

    /// The scopes of a batch: the key with all of them, and those of the next lines.
    fn collect(
        &self,
        retrier: &Retrier,
        query: &TokenQuery<'_>,
        key: &Key,
        next: &dyn NextScopes,
        most: usize,
    ) -> (Key, Vec<ClaimedScope>) {
        let now = retrier.clock().now();
        let mut all = key.clone();
        let mut others = Vec::new();
        // The length of realm, service and user in the URL.
        let credential = query
            .credential
            .map_or(0, |credential| credential.user.len());
        let mut length = 64 + 3 * (key.realm.len() + key.service.len() + credential);
        length += key.scopes.iter().map(|scope| encoded(scope)).sum::<usize>();
        while others.len() + 1 < most {
            let Some(scope) = next.next() else { break };
            length += encoded(&scope);
            if length > LONGEST_REQUEST {
                break;
            }
            let flight = self.flight(&query.key_of(&scope));
            // Scopes with a token, or with a request for one, are skipped.
            if let Some(claim) = flight.claim(|fetched| self.keeps(fetched, now)) {
                all.scopes.push(scope.clone());
                others.push(ClaimedScope { scope, claim });
            }
        }
        (all, others)
    }

    /// Distributes the token of a batch to its repositories. Its claims count only if they name one of
    /// them.
    fn hand_out(&self, query: &TokenQuery<'_>, token: Token, others: Vec<ClaimedScope>) -> Batch {
        let named = readable(token.text()).unwrap_or_default();
        let is_named = |scope: &str| {
            let name = scope.strip_prefix(REPOSITORY);
            let name = name.and_then(|rest| rest.rsplit_once(':'));
            name.is_some_and(|(name, _)| named.iter().any(|known| known == name))
        };
        let is_own_named = is_named(query.scope);
        let are_named = others.iter().filter(|next| is_named(&next.scope)).count();
        let says_something = is_own_named || are_named > 0;
        if says_something && are_named == 0 {
            self.batching.doubt();
        }
        for next in others {
            let is_named = is_named(&next.scope);
            if is_named || !says_something {
                next.claim.land(Ok(Grant {
                    token: token.clone(),
                    origin: Origin::Next,
                    is_named,
                }));
            }
        }
        if says_something && !is_own_named {
            return Batch::None;
        }
        Batch::Granted(Grant {
            token,
            origin: Origin::First,
            is_named: is_own_named,
        })
    }
}

/// The length of a scope in a URL.
fn encoded(scope: &str) -> usize {
    let bytes = url::form_urlencoded::byte_serialize(scope.as_bytes());
    "&scope=".len() + bytes.map(str::len).sum::<usize>()
}
