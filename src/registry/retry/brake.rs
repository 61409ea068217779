//! The brake of a host: the state that all threads share about a host that is down or requests a pause.
//!
//! A host is *closed* while it takes no connection, or while it fails at a request that succeeded
//! before. Only one trial at a time is sent to a closed host. Other requests wait as long as the
//! patience with the host lasts, and fail at once afterwards.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Method;

use crate::registry::exchange::{BodyMode, Request, Response};

/// The first pause before a trial; it doubles with every trial.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause before a trial.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How often a thread checks whether another thread's trial has ended.
const TRIAL_POLL: Duration = Duration::from_millis(100);

/// The patience with a host that has never responded: a wrong name is more likely than a restart.
const PATIENCE_WITH_STRANGERS: Duration = Duration::from_secs(10);

/// The age at which a newer successful request replaces the known good one.
const GOOD_AGE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Brake {
    state: Mutex<BrakeState>,
}

#[derive(Debug, Default)]
struct BrakeState {
    /// No requests before this time (Retry-After).
    not_before: Option<Instant>,
    /// Consecutive attempts without a response.
    failures: u32,
    /// Set while the host is down.
    closed: Option<Outage>,
    /// The total time of earlier outages.
    closed_before: Duration,
    /// The time of the last response.
    answered: Option<Instant>,
    /// A request that succeeded before.
    good: Option<KnownGood>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    /// No trial before this time.
    until: Instant,
    /// The pause after the next failed trial.
    pause: Duration,
    cause: String,
    trial_running: bool,
    /// The number of failed trials.
    trials: u32,
}

/// A request that succeeded before, sent to check whether the host responds at all.
#[derive(Clone, Debug)]
struct KnownGood {
    request: Request,
    at: Instant,
    /// It returned a success, not a refusal.
    is_success: bool,
}

/// The brake's decision about a request.
#[derive(Debug)]
pub enum Admission<'a> {
    Granted,
    /// Wait that long and try again.
    Wait(Duration),
    /// Send one trial to check whether the host is back.
    Trial(Trial<'a>),
    /// The host is down and the patience with it is used up; with the cause of the outage.
    Refused(String),
}

/// Whether a host takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Requests are sent, or fail at once if the patience is used up.
    Open,
    /// One trial request is sent.
    Trial,
    /// Requests wait.
    Closed,
}

/// The permission for a trial. If dropped without a success, also by a panic, the host stays closed
/// until the next trial.
#[derive(Debug)]
pub struct Trial<'a> {
    brake: &'a Brake,
    now: Instant,
    succeeded: bool,
}

impl Trial<'_> {
    /// The host responded.
    pub fn succeed(mut self, now: Instant) {
        self.now = now;
        self.succeeded = true;
    }

    /// The host did not respond.
    pub fn fail(mut self, now: Instant) {
        self.now = now;
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let mut state = self.brake.lock();
        if self.succeeded {
            state.open(self.now);
        } else if let Some(closed) = &mut state.closed {
            closed.trial_running = false;
            closed.trials = closed.trials.saturating_add(1);
            closed.pause = (closed.pause * 2).min(LONGEST_PAUSE);
            closed.until = self.now + closed.pause;
        }
    }
}

impl Brake {
    /// Whether a request may be sent. `patience`: how long the host may be closed, in total.
    pub fn admit(&self, now: Instant, patience: Duration) -> Admission<'_> {
        let mut state = self.lock();
        let patience = state.patience(patience);
        let (closed_before, not_before) = (state.closed_before, state.not_before);
        if let Some(closed) = &mut state.closed {
            let until = not_before.map_or(closed.until, |time| time.max(closed.until));
            if now >= until && !closed.trial_running {
                closed.trial_running = true;
                return Admission::Trial(Trial {
                    brake: self,
                    now,
                    succeeded: false,
                });
            }
            let passed = closed_before + now.saturating_duration_since(closed.since);
            let left = patience.saturating_sub(passed);
            if left.is_zero() {
                return Admission::Refused(closed.cause.clone());
            }
            let pause = match closed.trial_running {
                true => TRIAL_POLL,
                false => until.saturating_duration_since(now),
            };
            return Admission::Wait(pause.min(left));
        }
        match state.not_before {
            Some(time) if time > now => Admission::Wait(time - now),
            _ => Admission::Granted,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    /// The decision of [`Brake::admit`], without starting a trial.
    pub fn gate(&self, now: Instant, patience: Duration) -> Gate {
        let state = self.lock();
        let patience = state.patience(patience);
        match &state.closed {
            Some(closed) => {
                let until = state
                    .not_before
                    .map_or(closed.until, |time| time.max(closed.until));
                let passed = state.closed_before + now.saturating_duration_since(closed.since);
                match (passed >= patience, now >= until && !closed.trial_running) {
                    (true, _) => Gate::Open,
                    (false, true) => Gate::Trial,
                    (false, false) => Gate::Closed,
                }
            }
            None if state.not_before.is_some_and(|time| time > now) => Gate::Closed,
            None => Gate::Open,
        }
    }

    /// Records a response.
    pub fn answered(&self, now: Instant, request: &Request, response: &Response) {
        let mut state = self.lock();
        state.failures = 0;
        state.answered = Some(now);
        state.open(now);
        state.remember(now, request, response);
    }

    /// Records a pause that the host requested.
    pub fn pause(&self, now: Instant, pause: Duration) {
        let mut state = self.lock();
        let until = now + pause;
        state.not_before = Some(state.not_before.map_or(until, |time| time.max(until)));
    }

    /// Records an attempt without a response; returns the number of consecutive ones.
    pub fn failed(&self) -> u32 {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        state.failures
    }

    /// Closes the host, unless it is closed. Returns how long its requests will wait, or `None` if that
    /// is not worth a message: the host has never responded, or was closed already.
    pub fn close(&self, now: Instant, cause: &str, patience: Duration) -> Option<Duration> {
        let mut state = self.lock();
        state.failures = 0;
        let is_news = state.closed.is_none() && state.answered.is_some();
        if state.closed.is_none() {
            state.closed = Some(Outage {
                since: now,
                until: now + FIRST_PAUSE,
                pause: FIRST_PAUSE,
                cause: cause.to_owned(),
                trial_running: false,
                trials: 0,
            });
        }
        let left = patience.saturating_sub(state.closed_before);
        (is_news && !left.is_zero()).then_some(left)
    }

    /// The number of failed attempts since the host was closed.
    pub fn failed_attempts(&self) -> u32 {
        let state = self.lock();
        let closed = state.closed.as_ref();
        closed.map_or(0, |closed| closed.trials.saturating_add(1))
    }

    pub fn has_answered(&self) -> bool {
        self.lock().answered.is_some()
    }

    pub fn has_answered_after(&self, time: Instant) -> bool {
        self.lock().answered.is_some_and(|answered| answered > time)
    }

    pub fn known_good(&self) -> Option<Request> {
        self.lock().good.as_ref().map(|good| good.request.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BrakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BrakeState {
    /// How long the host may be closed, in total.
    fn patience(&self, patience: Duration) -> Duration {
        match self.answered {
            Some(_) => patience,
            None => patience.min(PATIENCE_WITH_STRANGERS),
        }
    }

    fn open(&mut self, now: Instant) {
        if let Some(closed) = self.closed.take() {
            self.closed_before += now.saturating_duration_since(closed.since);
        }
    }

    fn remember(&mut self, now: Instant, request: &Request, response: &Response) {
        let is_success = response.status.is_success();
        let is_better = self.good.as_ref().is_none_or(|good| {
            is_success && (!good.is_success || now.saturating_duration_since(good.at) > GOOD_AGE)
        });
        let is_small = matches!(request.body, BodyMode::Keep(_));
        if !is_better || !is_small || request.method == Method::POST {
            return;
        }
        let mut request = Request {
            url: response.url.clone(),
            ..request.clone()
        };
        if !is_success {
            // Do not repeat credentials that were refused.
            request.authorization = None;
        }
        self.good = Some(KnownGood {
            request,
            at: now,
            is_success,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    const PATIENCE: Duration = Duration::from_secs(120);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn respond(brake: &Brake, now: Instant) {
        let url = Url::parse("https://reg.io/v2/x").expect("a URL");
        let request = Request::new(Method::GET, url, &[], BodyMode::Keep(1));
        brake.answered(now, &request, &Response::for_test(200, &[], ""));
    }

    #[track_caller]
    fn wait(brake: &Brake, now: Instant) -> Duration {
        match brake.admit(now, PATIENCE) {
            Admission::Wait(time) => time,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pause_holds_back_all_threads() {
        let (brake, now) = (Brake::default(), Instant::now());
        brake.pause(now, seconds(60));
        brake.pause(now, seconds(1));
        assert_eq!(wait(&brake, now), seconds(60));
        let later = now + seconds(60);
        assert!(matches!(brake.admit(later, PATIENCE), Admission::Granted));
    }

    #[test]
    fn a_closed_host_is_tried_by_one_thread_at_a_time() {
        let (brake, now) = (Brake::default(), Instant::now());
        respond(&brake, now);
        brake.close(now, "down", PATIENCE);
        assert_eq!(wait(&brake, now), FIRST_PAUSE);
        let now = now + FIRST_PAUSE;
        let Admission::Trial(trial) = brake.admit(now, PATIENCE) else {
            panic!("no trial");
        };
        assert_eq!(wait(&brake, now), TRIAL_POLL);
        trial.fail(now);
        assert_eq!(wait(&brake, now), FIRST_PAUSE * 2);
        let now = now + FIRST_PAUSE * 2;
        let Admission::Trial(trial) = brake.admit(now, PATIENCE) else {
            panic!("no trial");
        };
        trial.succeed(now);
        assert!(matches!(brake.admit(now, PATIENCE), Admission::Granted));
    }

    #[test]
    fn patience_is_counted_over_all_closures() {
        let (brake, mut now) = (Brake::default(), Instant::now());
        respond(&brake, now);
        for _ in 0..2 {
            brake.close(now, "down", PATIENCE);
            now += seconds(59);
            respond(&brake, now);
        }
        brake.close(now, "down again", PATIENCE);
        assert_eq!(wait(&brake, now), FIRST_PAUSE);
        let Admission::Trial(trial) = brake.admit(now + FIRST_PAUSE, PATIENCE) else {
            panic!("no trial");
        };
        trial.fail(now + FIRST_PAUSE);
        assert!(matches!(
            brake.admit(now + seconds(2), PATIENCE),
            Admission::Refused(cause) if cause == "down again"
        ));
    }

    #[test]
    fn a_host_that_has_never_responded_gets_less_patience() {
        let (brake, now) = (Brake::default(), Instant::now());
        brake.close(now, "down", PATIENCE);
        let Admission::Trial(trial) = brake.admit(now + seconds(9), PATIENCE) else {
            panic!("no trial");
        };
        trial.fail(now + seconds(9));
        assert!(matches!(
            brake.admit(now + seconds(10), PATIENCE),
            Admission::Refused(_)
        ));
    }

    #[test]
    fn a_panic_in_a_trial_leaves_the_host_to_the_next_trial() {
        let (brake, now) = (Brake::default(), Instant::now());
        brake.close(now, "down", PATIENCE);
        let now = now + FIRST_PAUSE;
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _trial = brake.admit(now, PATIENCE);
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(wait(&brake, now), FIRST_PAUSE * 2);
        let now = now + FIRST_PAUSE * 2;
        assert!(matches!(brake.admit(now, PATIENCE), Admission::Trial(_)));
    }

    #[test]
    fn the_known_good_request_is_a_success_without_refused_credentials() {
        let (brake, now) = (Brake::default(), Instant::now());
        let request = |path: &str| {
            let url = Url::parse(&format!("https://reg.io{path}")).expect("a URL");
            let mut request = Request::new(Method::GET, url, &[], BodyMode::Keep(1));
            request.authorization = Some(crate::registry::secret::Secret::new("Basic x"));
            request
        };
        let tell = |path: &str, status: u16, now| {
            let mut response = Response::for_test(status, &[], "");
            response.url = request(path).url;
            brake.answered(now, &request(path), &response);
            brake.known_good().expect("a request")
        };
        let good = tell("/v2/", 401, now);
        assert!(good.authorization.is_none());
        assert_eq!(tell("/v2/a", 404, now).url.path(), "/v2/");
        let good = tell("/v2/b", 200, now);
        assert_eq!(
            (good.url.path(), good.authorization.is_some()),
            ("/v2/b", true)
        );
        assert_eq!(tell("/v2/c", 200, now).url.path(), "/v2/b");
        let later = now + GOOD_AGE * 2;
        assert_eq!(tell("/v2/d", 200, later).url.path(), "/v2/d");
    }
}
