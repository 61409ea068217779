//! The rounds of authorization: the authorization of the first request, and those after refusals.

use std::sync::PoisonError;

use super::Host;
use crate::registry::authorization::{AuthAttempts, AuthContext, Authorization, first_bearer};
use crate::registry::challenge::{self, Bearer, Challenge};
use crate::registry::credentials::Credential;
use crate::registry::error::Error;
use crate::registry::exchange::Response;
use crate::registry::probe::{Endpoint, host_wide};
use crate::registry::secret::Secret;
use crate::registry::several::{BatchOpinion, opinion};
use crate::registry::token::{Grant, TokenQuery};

impl Host {
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
                // Some registries advertise a broken token server beside Basic.
                (Err(Error::Denied(_) | Error::Invalid(_)), Some(basic)) => Ok(basic),
                (other, _) => other,
            },
            (None, Some(basic)) => Ok(basic),
            (None, None) => Ok(Authorization::None),
        }
    }

    /// The authorization after a refusal; `None` if there is no other. The back ends of a host may
    /// require different schemes, so each is tried once per request.
    pub(super) fn respond(
        &self,
        context: &AuthContext<'_>,
        tried: &mut AuthAttempts,
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
            // A token from the user: there is no alternative.
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
    /// only, whose response counts; `None` if the response counts already.
    pub(super) fn judge_batch(
        &self,
        context: &AuthContext<'_>,
        offered: &[Challenge],
        tried: &mut AuthAttempts,
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
            BatchOpinion::Accepted => {
                let query = self.token_query(context, bearer);
                self.tokens.confirm(&query, grant);
                return Ok(None);
            }
            BatchOpinion::Nothing => return Ok(None),
            BatchOpinion::Doubtful => {}
        }
        // A 404 usually is correct; the next response shows whether the token was the cause.
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

    /// The challenge for a new token after a refusal; `None` if the token would be the same.
    pub(super) fn renew(
        &self,
        context: &AuthContext<'_>,
        bearer: &Bearer,
        grant: &Grant,
        offered: &[Challenge],
    ) -> Option<Bearer> {
        // Harbor responds to a request that had a token with a Basic challenge; the earlier challenge
        // counts.
        let other = first_bearer(offered).unwrap_or_else(|| bearer.clone());
        let refused = self.token_query(context, bearer);
        let is_same = self.token_query(context, &other).is_same(&refused);
        if other.error == "insufficient_scope" && is_same {
            return None;
        }
        self.tokens.forget(&refused, &grant.header());
        Some(other)
    }

    /// Remembers the challenges of the registry, for all repositories.
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
