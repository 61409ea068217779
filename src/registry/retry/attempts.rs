//! What one request has cost so far, and the error when that was in vain.

use crate::registry::error::{Diagnostic, Error};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::time::Duration;

/// The first pause before a retry; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause before a retry that the server does not ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What one request has cost so far.
#[derive(Default)]
pub struct Attempts {
    /// Requests that were sent.
    pub sent: u32,
    /// Retries after temporary errors.
    pub retries: u32,
    /// Retries after a connection broke.
    pub broken: u32,
    /// Retries after a time-out.
    pub slow: u32,
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
        self.slow = 0;
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

/// The pause after so many retries: exponential, with jitter between half of it and all of it.
pub fn pause_after(retries: u32) -> Duration {
    let full = FIRST_PAUSE
        .saturating_mul(1 << retries.min(10))
        .min(LONGEST_PAUSE);
    let mut random = [0_u8; 1];
    // Without randomness all threads come back at once: unpleasant, not wrong.
    let _ = SystemRandom::new().fill(&mut random);
    full / 2 + full.mul_f64(f64::from(random[0]) / 512.0)
}
