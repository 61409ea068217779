//! What one request has cost so far, and the error when that was in vain.

use crate::registry::error::{Diagnostic, Error};

/// What one request has cost so far.
#[derive(Default)]
pub struct Attempts {
    /// Requests that were sent.
    pub sent: u32,
    /// Retries after temporary errors.
    pub retries: u32,
    /// Retries after a connection broke.
    pub broken: u32,
    /// Kept connections that were found closed.
    pub stale: u32,
    /// What the last attempt came to.
    pub last: Option<Diagnostic>,
}

impl Attempts {
    /// All retries are there again.
    pub fn renew(&mut self) {
        self.retries = 0;
        self.broken = 0;
    }

    /// The error of a request that has no retries left.
    pub fn given_up(&self, diagnostic: Diagnostic) -> Error {
        let cause = match self.sent {
            0 | 1 => diagnostic.cause,
            sent => format!("{} ({sent} attempts)", diagnostic.cause),
        };
        Error::Unreachable(Diagnostic {
            cause,
            ..diagnostic
        })
    }

    /// The host is down, and nobody waits for it any longer.
    pub fn refused(&self, host: &str, line: &str, cause: &str) -> Error {
        if let Some(last) = &self.last {
            return self.given_up(last.clone());
        }
        Error::Unreachable(Diagnostic::new(
            host,
            line,
            format!("skipped: the registry is not responding ({cause})"),
        ))
    }
}
