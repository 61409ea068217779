//! A token as it is used for one repository.

use super::Token;
use crate::registry::secret::Secret;

/// A token, and how it came to be for this repository.
#[derive(Clone, Debug)]
pub struct Grant {
    pub token: Token,
    pub origin: Origin,
    /// The token itself says that it is for this repository.
    pub is_named: bool,
}

/// How a token was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// For this repository alone, or the registry has accepted it for this repository.
    Alone,
    /// For several, this one first.
    First,
    /// For several, another one first.
    Next,
}

impl Grant {
    /// A token that was requested for one repository.
    pub fn alone(token: Token) -> Self {
        Self {
            token,
            origin: Origin::Alone,
            is_named: false,
        }
    }

    /// Whether it was requested for several repositories, and need not be good for this one.
    pub fn is_batched(&self) -> bool {
        self.origin != Origin::Alone
    }

    /// The value of the Authorization header.
    pub fn header(&self) -> Secret {
        self.token.header()
    }
}
