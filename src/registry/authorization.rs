//! How a request is authorized, and which authorization to try after a refusal.

use ureq::http::StatusCode;
use url::Url;

use super::answer::words;
use super::challenge::{self, Bearer, Challenge};
use super::credentials::Credential;
use super::exchange::Response;
use super::quirks;
use super::retry::Retrier;
use super::secret::Secret;
use super::token::{Grant, NextScopes, basic};
use crate::log::Log;
use crate::reference::Repository;

/// Everything that an authorization depends on.
#[derive(Clone, Copy)]
pub struct AuthContext<'a> {
    pub retrier: &'a Retrier,
    pub repository: &'a Repository,
    pub base: &'a Url,
    /// The scope of the query; empty if only the challenge knows it.
    pub scope: &'a str,
    pub credential: Option<&'a Credential>,
    /// The repositories of the next lines; `None`: request tokens for this scope only.
    pub next: Option<&'a dyn NextScopes>,
    pub log: &'a Log,
}

impl AuthContext<'_> {
    /// The same context with tokens for this scope only.
    pub fn alone(&self) -> Self {
        Self {
            next: None,
            ..*self
        }
    }
}

#[derive(Clone)]
pub enum Authorization {
    None,
    /// A header that does not depend on the scope: a password, or a token from the user.
    Header(Secret),
    /// A token for this challenge.
    Token(Bearer, Grant),
}

impl Authorization {
    /// User and password, if the user has them and the server accepts them.
    pub fn basic(credential: Option<&Credential>, offered: &[Challenge]) -> Option<Self> {
        let (user, password) = credential?.basic()?;
        offered
            .contains(&Challenge::Basic)
            .then(|| Self::Header(basic(user, password)))
    }

    pub fn header(&self) -> Option<Secret> {
        match self {
            Self::None => None,
            Self::Header(header) => Some(header.clone()),
            Self::Token(_, grant) => Some(grant.header()),
        }
    }

    /// Whether another authorization may succeed after this refusal.
    pub fn may_be_replaced(&self, response: &Response) -> bool {
        match response.status.as_u16() {
            401 => true,
            400 | 403 => {
                matches!(self, Self::Token(..)) && quirks::names_bad_token(&words(response))
            }
            _ => false,
        }
    }
}

/// The authorizations that were tried for one request; each kind gets one more request.
#[derive(Default)]
pub struct AuthAttempts {
    /// A second token.
    pub token: bool,
    /// User and password.
    pub basic: bool,
    /// User and password, after a 404 from a registry that requires none.
    pub hidden: bool,
    /// The status of the refusal of a token for several repositories.
    pub several: Option<StatusCode>,
}

impl AuthAttempts {
    /// The authorization after a 404 of a registry that requires none: some registries (Artifactory)
    /// hide private repositories from anonymous clients.
    pub fn hidden(
        &mut self,
        authorization: &Authorization,
        credential: Option<&Credential>,
    ) -> Option<Authorization> {
        let is_first = matches!(authorization, Authorization::None) && !self.hidden;
        let basic = Authorization::basic(credential, &[Challenge::Basic]).filter(|_| is_first)?;
        self.hidden = true;
        Some(basic)
    }
}

/// Whether a refusal may mean that user or password are wrong, and not that a token is required.
pub fn refuses_password(response: &Response) -> bool {
    let offered = challenge::parse(&response.header_lines("www-authenticate"));
    response.status.as_u16() == 401
        && (first_bearer(&offered).is_none() || offered.contains(&Challenge::Basic))
}

pub fn first_bearer(challenges: &[Challenge]) -> Option<Bearer> {
    challenges.iter().find_map(|challenge| match challenge {
        Challenge::Bearer(bearer) => Some(bearer.clone()),
        Challenge::Basic => None,
    })
}
