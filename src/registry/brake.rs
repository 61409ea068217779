//! The brake of a host: what all threads know of a host that asks for patience or is down.
//!
//! `Retry-After` holds all threads back, not one. When a host has answered nothing but trouble for
//! long enough, the circuit opens: requests fail at once, with the same cause, instead of each
//! image waiting through all its retries. After a while one request is let through to look.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an open circuit stays open before one request looks.
const OPEN: Duration = Duration::from_secs(30);

/// How long a pull limit is believed before one is tried again: it is counted over hours.
const PULL_LIMIT: Duration = Duration::from_secs(300);

/// So many failures in a row, at least, open the circuit.
const ENOUGH: u32 = 5;

/// So many requests given up in a row open it where single ones may be to blame: a server that
/// fails for one image may well have the others.
const GIVEN_UP: u32 = 3;

/// The state of one host, shared by all threads.
#[derive(Debug, Default)]
pub struct Brake {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Nobody sends before.
    not_before: Option<Instant>,
    /// Failures since the last success.
    failures: u32,
    /// Requests given up since the last success.
    given_up: u32,
    /// Successes of the run.
    successes: u64,
    /// Requests under way.
    in_flight: u32,
    /// Until when the circuit is open, and why.
    open: Option<(Instant, String)>,
    /// One request is looking whether the host is back.
    looking: bool,
    /// Until when pulls (GET of manifests) are refused, and why.
    pulls_refused: Option<(Instant, String)>,
}

/// What the brake says to a thread that wants to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Go {
    /// Send.
    Now,
    /// Wait that long and ask again.
    Wait(Duration),
    /// The host is given up for now, for this cause.
    GivenUp(String),
}

impl Brake {
    /// May a request be sent?
    pub fn ask(&self) -> Go {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some((until, cause)) = &state.open {
            if now < *until || state.looking {
                return Go::GivenUp(cause.clone());
            }
            state.looking = true;
        }
        match state.not_before {
            Some(time) if time > now => {
                // A wait is no look: somebody else may look meanwhile.
                state.looking = false;
                return Go::Wait(time - now);
            }
            _ => {}
        }
        state.in_flight += 1;
        Go::Now
    }

    /// Why pulls are refused, if they are.
    pub fn pulls_refused(&self) -> Option<String> {
        let state = self.lock();
        let (until, cause) = state.pulls_refused.as_ref()?;
        (Instant::now() < *until).then(|| cause.clone())
    }

    /// The host's pull limit is used up.
    pub fn refuse_pulls(&self, cause: &str) {
        self.lock().pulls_refused = Some((Instant::now() + PULL_LIMIT, cause.to_owned()));
    }

    /// How many requests have succeeded so far.
    pub fn successes(&self) -> u64 {
        self.lock().successes
    }

    /// A request had an answer.
    pub fn succeeded(&self) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.failures = 0;
        state.given_up = 0;
        state.successes += 1;
        state.open = None;
        state.looking = false;
    }

    /// A request has come to nothing that says anything about the host.
    pub fn released(&self) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.looking = false;
    }

    /// A request had none, or one that says to come back later; `pause`: the host asked all to wait.
    pub fn failed(&self, pause: Option<Duration>) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.failures = state.failures.saturating_add(1);
        if let Some(pause) = pause {
            let until = Instant::now() + pause;
            state.not_before = Some(state.not_before.map_or(until, |time| time.max(until)));
        }
        if state.looking {
            state.looking = false;
            if let Some((until, _)) = &mut state.open {
                *until = Instant::now() + OPEN;
            }
        }
    }

    /// A request is given up after its retries; `successes_before`: [`Brake::successes`] when it
    /// began; `is_host_s`: the failure is the host's, whatever was asked (nobody listens).
    pub fn gave_up(&self, successes_before: u64, is_host_s: bool, cause: &str) {
        let mut state = self.lock();
        state.given_up = state.given_up.saturating_add(1);
        let is_enough = is_host_s || state.given_up >= GIVEN_UP;
        let dead = is_enough
            && state.failures >= ENOUGH.max(state.in_flight)
            && state.successes == successes_before;
        if dead && state.open.is_none() {
            state.open = Some((Instant::now() + OPEN, cause.to_owned()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(brake: &Brake) {
        assert_eq!(brake.ask(), Go::Now);
        brake.failed(None);
    }

    #[test]
    fn a_pause_holds_everybody_back() {
        let brake = Brake::default();
        assert_eq!(brake.ask(), Go::Now);
        brake.failed(Some(Duration::from_secs(60)));
        assert!(matches!(brake.ask(), Go::Wait(time) if time > Duration::from_secs(50)));
    }

    #[test]
    fn the_circuit_opens_for_a_dead_host_only() {
        let brake = Brake::default();
        for _ in 0..4 {
            fail(&brake);
            brake.gave_up(0, true, "down");
        }
        assert_eq!(brake.ask(), Go::Now, "four failures may be an accident");
        brake.failed(None);
        brake.gave_up(0, true, "down");
        assert_eq!(brake.ask(), Go::GivenUp("down".to_owned()));
    }

    #[test]
    fn one_image_that_always_fails_is_not_the_host() {
        let brake = Brake::default();
        for round in 1..=3 {
            assert_eq!(brake.ask(), Go::Now, "round {round}");
            brake.failed(None);
            for _ in 0..4 {
                fail(&brake);
            }
            brake.gave_up(0, false, "500");
        }
        assert_eq!(
            brake.ask(),
            Go::GivenUp("500".to_owned()),
            "three in a row are the host"
        );
    }

    #[test]
    fn a_success_in_between_keeps_it_closed() {
        let brake = Brake::default();
        let before = brake.successes();
        for _ in 0..9 {
            fail(&brake);
        }
        assert_eq!(brake.ask(), Go::Now);
        brake.succeeded();
        brake.gave_up(before, true, "down");
        assert_eq!(brake.ask(), Go::Now);
    }
}
