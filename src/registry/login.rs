//! Limits how often a wrong password is sent: servers lock accounts after some attempts.
//!
//! The first request with a credential goes alone. A refusal may concern one repository only, so it is
//! confirmed by a request that every valid login may send; if there is none, three refusals count.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::credentials::{Credential, Identity};
use super::error::Error;
use super::exchange::Response;
use crate::sync::Flight;

/// Number of refusals, before any success, that count as a rejection of the credential.
const MOST_REFUSALS: u32 = 3;

/// The maximum number of servers remembered per registry, against a malicious registry.
const MOST_KNOWN: usize = 1000;

/// The hint for a rejected credential.
pub const HINT: &str = "log in again, or remove the credentials if the image is public";

/// Which servers accept which credentials, for the whole run.
#[derive(Debug, Default)]
pub struct Logins {
    /// By server and credential. The server is a host or a realm: the token server may reject a
    /// credential that the host accepts.
    known: Mutex<HashMap<(String, Identity), Arc<Login>>>,
}

#[derive(Debug)]
struct Login {
    /// Whether the credential is accepted.
    is_accepted: Flight<bool>,
    refusals: AtomicU32,
}

/// Why it is unknown whether a credential is accepted.
enum Undecided {
    Failed(Error),
    /// The request was refused, perhaps for this repository only.
    Refused,
}

impl Logins {
    /// Sends a request with a credential to this server; returns `None` without sending it if the server
    /// has rejected the credential before. `is_refusal`: whether a response may mean that the credential
    /// is wrong. `confirm`: whether the server accepts a request that every valid login may send; `None`
    /// if there is no such request.
    ///
    /// # Errors
    /// Those of `send` and `confirm`.
    pub fn send(
        &self,
        server: &str,
        credential: &Credential,
        send: impl Fn() -> Result<Response, Error>,
        is_refusal: impl Fn(&Response) -> bool,
        confirm: impl FnOnce() -> Result<Option<bool>, Error>,
    ) -> Result<Option<Response>, Error> {
        let login = self.login(server, credential);
        let mut own = None;
        let decide = || {
            let response = send().map_err(Undecided::Failed)?;
            let is_refused = is_refusal(&response);
            own = Some(response);
            if !is_refused {
                return Ok(true);
            }
            match confirm() {
                Ok(Some(is_accepted)) => Ok(is_accepted),
                Ok(None) if login.refuse() => Ok(false),
                Ok(None) => Err(Undecided::Refused),
                Err(error) => Err(Undecided::Failed(error)),
            }
        };
        let decided = login.is_accepted.get(|_| true, decide);
        match (own, decided) {
            (Some(response), _) => Ok(Some(response)),
            (None, Ok(true)) => send().map(Some),
            (None, Ok(false)) => Ok(None),
            (None, Err(Undecided::Failed(error))) => Err(error),
            // Unreachable: a thread whose request was refused has a response.
            (None, Err(Undecided::Refused)) => Ok(None),
        }
    }

    pub fn have_accepted(&self, server: &str, credential: &Credential) -> bool {
        let login = self.login(server, credential);
        login.is_accepted.has(|is_accepted| *is_accepted)
    }

    fn login(&self, server: &str, credential: &Credential) -> Arc<Login> {
        let key = (server.to_owned(), credential.identity());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN && !known.contains_key(&key) {
            known.clear();
        }
        known
            .entry(key)
            .or_insert_with(|| {
                Arc::new(Login {
                    is_accepted: Flight::new(),
                    refusals: AtomicU32::new(0),
                })
            })
            .clone()
    }
}

impl Login {
    /// Counts a refusal; returns whether the limit is reached.
    fn refuse(&self) -> bool {
        self.refusals.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_REFUSALS
    }
}

/// The message for a request that was not sent.
pub fn skipped(host: &str, credential: &Credential) -> String {
    format!(
        "skipped: {host} has rejected the credentials from {}",
        credential.origin
    )
}

/// The hint for a refusal.
pub fn hint(host: &str, credential: Option<&Credential>, why_none: impl Fn() -> String) -> String {
    match credential {
        Some(credential) => format!(
            "the registry rejected the credentials from {}, or they do not allow reading this repository: {HINT}",
            credential.origin
        ),
        None => format!(
            "the repository is private or does not exist, and no credentials were found for {host} ({}): log in to {host} with docker login or skopeo login",
            why_none()
        ),
    }
}
