//! How a request is authorized, and when another authorization is worth a try.

use super::answer::words;
use super::challenge::{Bearer, Challenge};
use super::credentials::Credential;
use super::exchange::Response;
use super::quirks;
use super::secret::Secret;
use super::token::basic;

/// How a request is authorized.
#[derive(Clone)]
pub enum Authorization {
    /// Not at all.
    None,
    /// By a header that does not depend on the scope: a password, or a token from the user.
    Header(Secret),
    /// By the token for this challenge.
    Token(Bearer, Secret),
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
            Self::Header(header) | Self::Token(_, header) => Some(header.clone()),
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

/// The first challenge for a token.
pub fn first_bearer(challenges: &[Challenge]) -> Option<Bearer> {
    challenges.iter().find_map(|challenge| match challenge {
        Challenge::Bearer(bearer) => Some(bearer.clone()),
        Challenge::Basic => None,
    })
}
