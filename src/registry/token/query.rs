//! A query for a token: its scope, and its credentials.

use url::Url;

use crate::registry::challenge::Bearer;
use crate::registry::credentials::{Credential, Identity};
use crate::registry::login::Logins;

/// The cache key of a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub realm: String,
    pub service: String,
    pub scopes: Vec<String>,
    pub identity: Option<Identity>,
}

/// A query for a token.
pub struct TokenQuery<'a> {
    /// The registry as the user names it.
    pub host: &'a str,
    /// URL of the registry, the base of a relative realm.
    pub base: &'a Url,
    /// The challenge.
    pub bearer: &'a Bearer,
    /// The scope that this program needs; sent first.
    pub scope: &'a str,
    /// The credential; `None`: an anonymous token.
    pub credential: Option<&'a Credential>,
    pub logins: &'a Logins,
    /// The repositories of the next lines, which the token may cover too; `None`: only this scope.
    pub next: Option<&'a dyn NextScopes>,
}

pub trait NextScopes {
    /// Restarts at the next line, skipping the scope of this query.
    fn restart(&self);

    /// The next scope with the same credentials.
    fn next(&self) -> Option<String>;
}

impl TokenQuery<'_> {
    pub fn key(&self) -> Key {
        self.key_of(self.scope)
    }

    /// The key for another scope with the same credentials.
    pub fn key_of(&self, scope: &str) -> Key {
        let mut scopes = vec![scope.to_owned()];
        // Some registries read the first scope only, so the scope of this query is first.
        let further = self
            .bearer
            .scopes
            .iter()
            .filter(|further| !is_covered(further, scope));
        scopes.extend(further.cloned());
        scopes.retain(|scope| !scope.is_empty());
        Key {
            realm: self.bearer.realm.clone(),
            service: self.bearer.service.clone(),
            scopes,
            identity: self.credential.map(Credential::identity),
        }
    }

    /// Whether the same token serves both queries.
    pub fn is_same(&self, other: &TokenQuery<'_>) -> bool {
        self.key() == other.key()
    }
}

/// Whether the scope of a challenge is covered by the scope of this query.
fn is_covered(scope: &str, own: &str) -> bool {
    scope == own
        || own.strip_suffix(":pull").is_some_and(|name| {
            scope
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(':'))
        })
}
