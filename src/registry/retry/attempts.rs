//! Counts the attempts of one request, and builds its error.

use crate::registry::error::{Diagnostic, Error};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::time::Duration;

/// The first pause before a retry; it doubles with every retry.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause without a Retry-After.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The attempts of one request.
#[derive(Default)]
pub struct Attempts {
    pub sent: u32,
    pub retries: u32,
    pub broken: u32,
    pub slow: u32,
    /// Reused connections that the server had closed.
    pub stale: u32,
    /// The result of the last attempt.
    pub last: Option<Diagnostic>,
}

impl Attempts {
    /// Resets the number of retries.
    pub fn renew(&mut self) {
        self.retries = 0;
        self.broken = 0;
        self.slow = 0;
    }

    /// The error of a request without retries left.
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

    /// The error for a host that is down after the patience is used up.
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

/// The pause after this many retries: exponential, with jitter between half of it and all of it.
pub fn pause_after(retries: u32) -> Duration {
    let full = FIRST_PAUSE
        .saturating_mul(1 << retries.min(10))
        .min(LONGEST_PAUSE);
    let mut random = [0_u8; 1];
    // Without randomness all threads retry at the same time, which is inefficient but correct.
    let _ = SystemRandom::new().fill(&mut random);
    full / 2 + full.mul_f64(f64::from(random[0]) / 512.0)
}
