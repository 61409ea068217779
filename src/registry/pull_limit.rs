//! An exhausted pull limit. It is counted over hours, so retries do not help, and no further pulls are
//! sent for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::answer::{describe, words};
use super::credentials::{Credential, Identity};
use super::error::Diagnostic;
use super::exchange::Response;
use super::query::Query;
use super::{NEGATIVE_MEMORY, quirks};
use crate::escape::escape;

#[derive(Debug, Default)]
pub struct PullLimit {
    reached: Mutex<Option<ReachedLimit>>,
}

#[derive(Debug)]
struct ReachedLimit {
    at: Instant,
    /// The account with this limit; `None`: the address of this machine.
    identity: Option<Identity>,
    cause: String,
}

impl PullLimit {
    /// Why a query would be refused: the registry's last message, if it is recent.
    pub fn refuses(
        &self,
        query: &Query<'_>,
        credential: Option<&Credential>,
        now: Instant,
    ) -> Option<Diagnostic> {
        if !query.is_pull() {
            return None;
        }
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = reached.as_ref().filter(|reached| {
            now.saturating_duration_since(reached.at) < NEGATIVE_MEMORY
                && reached.identity == credential.map(Credential::identity)
        });
        reached.map(|reached| diagnostic(query, &reached.cause))
    }

    /// Remembers a response about the limit.
    pub fn learn(
        &self,
        query: &Query<'_>,
        response: &Response,
        credential: Option<&Credential>,
        now: Instant,
    ) {
        if query.is_pull() && quirks::is_pull_limit(response, &words(response)) {
            *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(ReachedLimit {
                at: now,
                identity: credential.map(Credential::identity),
                cause: cause(response),
            });
        }
    }
}

/// The registry's message about its pull limit.
pub fn cause(response: &Response) -> String {
    let left = response
        .header("ratelimit-remaining")
        .map(|left| format!(", ratelimit-remaining: {left}"))
        .unwrap_or_default();
    escape(&format!("{}{left}", describe(response))).into_owned()
}

pub fn diagnostic(query: &Query<'_>, cause: &str) -> Diagnostic {
    let host = &query.repository.registry;
    query.diagnostic(cause).hint(format!(
        "the pull limit is reached: log in to {host}, or run again later with the failed list"
    ))
}
