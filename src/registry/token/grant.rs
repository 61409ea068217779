//! A token as used for one repository.

use super::Token;
use crate::registry::secret::Secret;

/// A token, and how it was requested for this repository.
#[derive(Clone, Debug)]
pub struct Grant {
    pub token: Token,
    pub origin: Origin,
    /// Whether the token's claims name this repository.
    pub is_named: bool,
}

/// How a token was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// For this repository alone, or accepted by the registry for this repository.
    Alone,
    /// For several repositories, this one first.
    First,
    /// For several repositories, another one first.
    Next,
}

impl Grant {
    pub fn alone(token: Token) -> Self {
        Self {
            token,
            origin: Origin::Alone,
            is_named: false,
        }
    }

    /// Whether it was requested for several repositories, and may be invalid for this one.
    pub fn is_batched(&self) -> bool {
        self.origin != Origin::Alone
    }

    pub fn header(&self) -> Secret {
        self.token.header()
    }
}
