//! How a request is authorized, and when another authorization is worth a try.

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

/// All that an authorization depends on.
#[derive(Clone, Copy)]
pub struct AuthContext<'a> {
    pub retrier: &'a Retrier,
    pub repository: &'a Repository,
    pub base: &'a Url,
    /// The scope of the query; empty where only the challenge knows it.
    pub scope: &'a str,
    pub credential: Option<&'a Credential>,
    /// The next lines' repositories; `None`: tokens are for this scope alone.
    pub next: Option<&'a dyn NextScopes>,
    pub log: &'a Log,
}

impl AuthContext<'_> {
    /// The same, with tokens for this scope alone.
    pub fn alone(&self) -> Self {
        Self {
            next: None,
            ..*self
        }
    }
}

/// How a request is authorized.
#[derive(Clone)]
pub enum Authorization {
    /// Not at all.
    None,
    /// By a header that does not depend on the scope: a password, or a token from the user.
    Header(Secret),
    /// By the token for this challenge.
    Token(Bearer, Grant),
}

impl Authorization {
    /// User and password, where both sides have them.
    pub fn basic(credential: Option<&Credential>, offered: &[Challenge]) -> Option<Self> {
        let (user, password) = credential?.basic()?;
        offered
            .contains(&Challenge::Basic)
            .then(|| Self::Header(basic(user, password)))
    }

    /// The value of the Authorization header.
    pub fn header(&self) -> Option<Secret> {
        match self {
            Self::None => None,
            Self::Header(header) => Some(header.clone()),
            Self::Token(_, grant) => Some(grant.header()),
        }
    }

    /// Whether a refusal may be overcome with another authorization.
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

/// What has been tried for one request; each kind is worth one further request.
#[derive(Default)]
pub struct Tried {
    /// A second token.
    pub token: bool,
    /// User and password.
    pub basic: bool,
    /// User and password where nothing was wanted and nothing was found.
    pub hidden: bool,
    /// The status with which a token for several repositories was refused.
    pub several: Option<StatusCode>,
}

impl Tried {
    /// The authorization after a 404 of a registry that wants none: some (Artifactory) hide what is
    /// private from those who are not logged in.
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

/// Whether a refusal may mean that user and password are wrong, and not that a token is wanted.
pub fn refuses_password(response: &Response) -> bool {
    let offered = challenge::parse(&response.header_lines("www-authenticate"));
    response.status.as_u16() == 401
        && (first_bearer(&offered).is_none() || offered.contains(&Challenge::Basic))
}

/// The first challenge for a token.
pub fn first_bearer(challenges: &[Challenge]) -> Option<Bearer> {
    challenges.iter().find_map(|challenge| match challenge {
        Challenge::Bearer(bearer) => Some(bearer.clone()),
        Challenge::Basic => None,
    })
}
