//! Tokens for the repositories of several lines, as a registry sees them: which lines they are for, and
//! which answers say that such a token may be at fault.

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

/// How the credential of a repository is found.
type Find<'a> = dyn Fn(&Repository) -> Result<Option<Arc<Credential>>, Error> + 'a;

/// A line of the list, with those after it.
pub struct Line<'a> {
    side: Side,
    upcoming: &'a Upcoming,
    own: &'a Repository,
    credential: Option<&'a Credential>,
    find: &'a Find<'a>,
    start: Cell<usize>,
}

impl<'a> Line<'a> {
    /// The line that names this repository on this side, and reads it with this credential.
    pub fn new(
        (side, upcoming): (Side, &'a Upcoming),
        own: &'a Repository,
        credential: Option<&'a Credential>,
        find: &'a Find<'a>,
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
        // A repository that may need other credentials has a token of its own.
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

/// The scope for reading a repository. Specification: distribution, docs/spec/auth/scope.md.
pub fn scope(repository: &Repository) -> String {
    format!("repository:{}:pull", repository.registry_path())
}

/// What an answer says of a token for several repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// It is good for this one.
    Accepted,
    /// The answer may be its fault.
    Doubtful,
    /// Nothing.
    Nothing,
}

/// What an answer says of a token for several repositories. A server may have granted fewer scopes than
/// it was asked for, or refuse a long header (400, 413, 431). Some registries say of what one may not
/// read that it does not exist, so a 404 counts only where the token names the repository.
pub fn opinion(response: &Response, grant: &Grant, base: &Url) -> Opinion {
    match response.status.as_u16() {
        // Another host answers only if the registry has led there.
        _ if response.url.origin() != base.origin() => Opinion::Accepted,
        200..400 => Opinion::Accepted,
        404 if grant.is_named => Opinion::Accepted,
        429 => Opinion::Nothing,
        400..500 => Opinion::Doubtful,
        _ => Opinion::Nothing,
    }
}
