//! The rounds of authorization: with what a request is sent first, and with what after a refusal.

use std::sync::PoisonError;

use super::Host;
use crate::registry::authorization::{AuthContext, Authorization, Tried, first_bearer};
use crate::registry::challenge::{self, Bearer, Challenge};
use crate::registry::credentials::Credential;
use crate::registry::error::Error;
use crate::registry::exchange::Response;
use crate::registry::probe::{Endpoint, host_wide};
use crate::registry::secret::Secret;
use crate::registry::several::{Opinion, opinion};
use crate::registry::token::{Grant, TokenQuery};

impl Host {
    /// The authorization of the first request.
    pub(super) fn authorize(
        &self,
        context: &AuthContext<'_>,
        offered: &[Challenge],
    ) -> Result<Authorization, Error> {
        if let Some(token) = context
            .credential
            .and_then(|credential| credential.registry_token.as_ref())
        {
            return Ok(Authorization::Header(Secret::new(format!(
                "Bearer {}",
                token.expose()
            ))));
        }
        let basic = Authorization::basic(context.credential, offered);
        match (first_bearer(offered), basic) {
            (Some(bearer), basic) => match (self.token(context, &bearer), basic) {
                // Some registries advertise a token server that does not work beside Basic.
                (Err(Error::Denied(_) | Error::Invalid(_)), Some(basic)) => Ok(basic),
                (other, _) => other,
            },
            (None, Some(basic)) => Ok(basic),
            (None, None) => Ok(Authorization::None),
        }
    }

    /// The authorization after a refusal; none: there is no other. A host may have several back ends
    /// that want different kinds, so each kind is tried once for a request.
    pub(super) fn respond(
        &self,
        context: &AuthContext<'_>,
        tried: &mut Tried,
        authorization: &Authorization,
        refused: &Response,
    ) -> Result<Option<Authorization>, Error> {
        if !authorization.may_be_replaced(refused) {
            return Ok(None);
        }
        let offered = challenge::parse(&refused.header_lines("www-authenticate"));
        match authorization {
            Authorization::None => {
                self.learn(host_wide(refused));
                match self.authorize(context, &offered)? {
                    Authorization::None => Ok(None),
                    other => Ok(Some(other)),
                }
            }
            // A token from the user: there is no other.
            Authorization::Header(_) if context.credential.is_some_and(Credential::is_token) => {
                Ok(None)
            }
            Authorization::Header(_) => {
                tried.basic = true;
                match first_bearer(&offered).filter(|_| !tried.token) {
                    None => Ok(None),
                    Some(bearer) => match self.token(context, &bearer) {
                        Ok(token) => Ok(Some(token)),
                        Err(Error::Denied(_) | Error::Invalid(_)) => Ok(None),
                        Err(error) => Err(error),
                    },
                }
            }
            Authorization::Token(bearer, grant) => {
                let context = &context.alone();
                let is_first = !std::mem::replace(&mut tried.token, true);
                if is_first && let Some(other) = self.renew(context, bearer, grant, &offered) {
                    if other.realm != bearer.realm || other.service != bearer.service {
                        self.learn(host_wide(refused));
                    }
                    return self.token(context, &other).map(Some);
                }
                let basic = Authorization::basic(context.credential, &offered);
                Ok(basic.filter(|_| !std::mem::replace(&mut tried.basic, true)))
            }
        }
    }

    /// The authorization after the refusal of a token for several repositories: a token for this one
    /// alone, whose answer counts; none where the answer counts already.
    pub(super) fn judge_batch(
        &self,
        context: &AuthContext<'_>,
        offered: &[Challenge],
        tried: &mut Tried,
        authorization: &Authorization,
        response: &Response,
    ) -> Result<Option<Authorization>, Error> {
        let batching = self.tokens.batching();
        let refused = tried.several.take();
        if refused.is_some_and(|refused| refused != response.status) {
            batching.give_up();
        }
        let (bearer, grant) = match authorization {
            Authorization::Token(bearer, grant) if grant.is_batched() => (bearer, grant),
            _ => return Ok(None),
        };
        match opinion(response, grant, context.base) {
            Opinion::Accepted => {
                let query = self.token_query(context, bearer);
                self.tokens.confirm(&query, grant);
                return Ok(None);
            }
            Opinion::Nothing => return Ok(None),
            Opinion::Doubtful => {}
        }
        // A 404 is mostly what it says; the next answer shows whether it was the token's fault.
        if response.status.as_u16() != 404 {
            batching.doubt();
        }
        tried.several = Some(response.status);
        match self.token(&context.alone(), bearer) {
            Err(error @ (Error::Denied(_) | Error::Invalid(_))) => {
                Authorization::basic(context.credential, offered)
                    .ok_or(error)
                    .map(Some)
            }
            other => other.map(Some),
        }
    }

    /// The challenge for another token after one was refused; none where it would be the same.
    pub(super) fn renew(
        &self,
        context: &AuthContext<'_>,
        bearer: &Bearer,
        grant: &Grant,
        offered: &[Challenge],
    ) -> Option<Bearer> {
        // Harbor answers a request that had a token with a Basic challenge: what counts is what it
        // wanted before.
        let other = first_bearer(offered).unwrap_or_else(|| bearer.clone());
        let refused = self.token_query(context, bearer);
        let is_same = self.token_query(context, &other).is_same(&refused);
        if other.error == "insufficient_scope" && is_same {
            return None;
        }
        self.tokens.forget(&refused, &grant.header());
        Some(other)
    }

    /// Remembers the authentication that the registry wants, for all repositories.
    pub(super) fn learn(&self, offered: Vec<Challenge>) {
        if !offered.is_empty() {
            *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = offered;
        }
    }

    pub(super) fn token(
        &self,
        context: &AuthContext<'_>,
        bearer: &Bearer,
    ) -> Result<Authorization, Error> {
        let query = self.token_query(context, bearer);
        let grant = self.tokens.get(context.retrier, &query, context.log);
        let grant = grant.map_err(|error| match error {
            Error::Denied(refusal) if context.credential.is_none() => {
                Error::Denied(refusal.hint(self.without_credentials(context)))
            }
            other => other,
        })?;
        Ok(Authorization::Token(bearer.clone(), grant))
    }

    pub(super) fn token_query<'a>(
        &'a self,
        context: &'a AuthContext<'_>,
        bearer: &'a Bearer,
    ) -> TokenQuery<'a> {
        TokenQuery {
            host: &self.name,
            base: context.base,
            bearer,
            scope: context.scope,
            credential: context.credential,
            logins: &self.logins,
            next: context.next,
        }
    }

    pub(super) fn offered(&self, endpoint: &Endpoint) -> Vec<Challenge> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.is_empty() {
            endpoint.challenges.clone()
        } else {
            learned.clone()
        }
    }
}
