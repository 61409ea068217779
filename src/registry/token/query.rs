//! What a token is needed for, and by whom.

use url::Url;

use crate::registry::challenge::Bearer;
use crate::registry::credentials::{Credential, Identity};
use crate::registry::login::Logins;

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub realm: String,
    pub service: String,
    pub scopes: Vec<String>,
    pub identity: Option<Identity>,
}

/// A token that is needed, and who needs it.
pub struct TokenQuery<'a> {
    /// The registry as the user knows it.
    pub host: &'a str,
    /// URL of the registry, which a relative realm is relative to.
    pub base: &'a Url,
    /// Where to ask.
    pub bearer: &'a Bearer,
    /// The scope that this program needs, first of all.
    pub scope: &'a str,
    /// Who asks; nobody: an anonymous token.
    pub credential: Option<&'a Credential>,
    /// What hosts have said of credentials.
    pub logins: &'a Logins,
    /// The next lines' repositories, which the same token may serve; `None`: it is for this scope alone.
    pub next: Option<&'a dyn NextScopes>,
}

/// The scopes of the next lines of the list.
pub trait NextScopes {
    /// Begins: the next line's is the first again, and that of this query is none of them.
    fn restart(&self);

    /// The next one with the same credentials.
    fn next(&self) -> Option<String>;
}

impl TokenQuery<'_> {
    pub fn key(&self) -> Key {
        self.key_of(self.scope)
    }

    /// The key of another scope, with the same credentials.
    pub fn key_of(&self, scope: &str) -> Key {
        let mut scopes = vec![scope.to_owned()];
        // Some registries look at the first scope only, so our own stands first.
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

    /// Whether the same token serves another query.
    pub fn is_same(&self, other: &TokenQuery<'_>) -> bool {
        self.key() == other.key()
    }
}

/// Whether a scope of a challenge says no more than ours.
fn is_covered(scope: &str, own: &str) -> bool {
    scope == own
        || own.strip_suffix(":pull").is_some_and(|name| {
            scope
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(':'))
        })
}
