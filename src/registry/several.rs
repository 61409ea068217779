//! Tokens for the repositories of several lines, on the side of the registry: which lines share a token,
//! and which responses suggest that such a token is the cause of a refusal.

use std::cell::Cell;
use std::sync::Arc;

use url::Url;

use super::Side;
use super::credentials::Credential;
use super::error::Error;
use super::exchange::Response;
use super::token::{Grant, NextScopes};
use super::upcoming::Upcoming;
use crate::reference::Repository;

/// Looks up the credential of a repository.
type CredentialLookup<'a> = dyn Fn(&Repository) -> Result<Option<Arc<Credential>>, Error> + 'a;

/// A line of the list and the lines after it.
pub struct Line<'a> {
    side: Side,
    upcoming: &'a Upcoming,
    own: &'a Repository,
    credential: Option<&'a Credential>,
    find: &'a CredentialLookup<'a>,
    start: Cell<usize>,
}

impl<'a> Line<'a> {
    /// The line of this repository on this side, with its credential.
    pub fn new(
        (side, upcoming): (Side, &'a Upcoming),
        own: &'a Repository,
        credential: Option<&'a Credential>,
        find: &'a CredentialLookup<'a>,
    ) -> Self {
        Self {
            side,
            upcoming,
            own,
            credential,
            find,
            start: Cell::new(0),
        }
    }
}

impl NextScopes for Line<'_> {
    fn restart(&self) {
        self.start.set(0);
        self.upcoming.remove(self.side, self.own);
    }

    fn next(&self) -> Option<String> {
        let own = self.credential.map(Credential::identity);
        // A repository that may need other credentials gets its own token.
        let wanted = |repository: &Repository| {
            (self.find)(repository)
                .is_ok_and(|found| found.map(|credential| credential.identity()) == own)
        };
        let mut start = self.start.get();
        let next = self
            .upcoming
            .next(self.side, &self.own.registry, &mut start, wanted);
        self.start.set(start);
        next.map(|repository| scope(&repository))
    }
}

/// The scope for pulling from a repository. Specification: distribution, docs/spec/auth/scope.md.
pub fn scope(repository: &Repository) -> String {
    format!("repository:{}:pull", repository.registry_path())
}

/// What a response proves about a token for several repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchOpinion {
    /// The token is valid for this repository.
    Accepted,
    /// The token may be the cause of the refusal.
    Doubtful,
    Nothing,
}

/// What a response proves about a token for several repositories. A server may have granted fewer scopes
/// than requested, or reject a long header (400, 413, 431). Some registries report repositories without
/// permission as missing, so a 404 counts only if the token names the repository.
pub fn opinion(response: &Response, grant: &Grant, base: &Url) -> BatchOpinion {
    match response.status.as_u16() {
        // Another host is involved only after a redirect of the registry.
        _ if response.url.origin() != base.origin() => BatchOpinion::Accepted,
        200..400 => BatchOpinion::Accepted,
        404 if grant.is_named => BatchOpinion::Accepted,
        429 => BatchOpinion::Nothing,
        400..500 => BatchOpinion::Doubtful,
        _ => BatchOpinion::Nothing,
    }
}
