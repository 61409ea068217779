//! Sends requests, with retries and redirects.
//!
//! [`classify`] decides what follows an attempt; [`brake`] holds what all threads know of a host.
//! Retries of a request have growing pauses. A host that is down holds back all its requests, up to the
//! patience, and then fails them at once.

mod attempts;
mod brake;
mod classify;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Method;
use url::Url;

use super::address;
use super::answer::describe;
use super::error::{Diagnostic, Error};
use super::exchange::{BodyMode, Clock, Exchange, Request, Response};
use super::failure::Failure;
use super::insecure::InsecureHosts;
use super::redaction::SentLogins;
use super::redirect::{RedirectChain, authority, other_server};
use crate::log::{Log, Wait};
use crate::sync::Flight;
use attempts::{Attempts, pause_after};
pub use brake::Gate;
use brake::{Admission, Brake, Trial};
use classify::{Retry, classify};

/// The pause after a connection broke. Such accidents have retries of their own, as many as all
/// other errors together: a network that drops one connection in six loses no request by that.
const BROKEN_PAUSE: Duration = Duration::from_millis(100);

/// After this many consecutive attempts without a response, by any threads, check whether the host is
/// down.
const ENOUGH_FAILURES: u32 = 5;

/// The maximum number of stale connections per request; beyond it they count as broken.
const MOST_STALE: u32 = 64;

/// The maximum size in bytes of the response to a check.
const CHECK_LIMIT: u64 = 64 * 1024;

pub struct Retrier {
    exchange: Box<dyn Exchange>,
    clock: Arc<dyn Clock>,
    hosts: Mutex<HashMap<String, Arc<HostState>>>,
    settings: RetrySettings,
    logins: SentLogins,
}

#[derive(Clone, Debug)]
pub struct RetrySettings {
    pub retries: u32,
    /// How long requests wait for a host that is down, in total per host.
    pub patience: Duration,
    /// The longest time of a request without progress.
    pub timeout: Duration,
    pub insecure: Arc<InsecureHosts>,
}

/// The shared state of a host and port: a registry, a token server or a store.
#[derive(Debug)]
struct HostState {
    brake: Brake,
    /// The time and the result of the last check.
    check: Flight<(Instant, bool)>,
    /// Whether the warning about credentials in clear text was logged.
    in_clear_text: AtomicBool,
}

impl Retrier {
    pub fn new(
        exchange: Box<dyn Exchange>,
        clock: Arc<dyn Clock>,
        settings: RetrySettings,
    ) -> Self {
        Self {
            exchange,
            clock,
            hosts: Mutex::default(),
            settings,
            logins: SentLogins::default(),
        }
    }

    pub fn insecure(&self) -> &InsecureHosts {
        &self.settings.insecure
    }

    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub fn shutdown(&self) {
        self.exchange.shutdown();
    }

    /// Sends a request with retries, and follows redirects. `host`: the registry as the user names it,
    /// for messages.
    ///
    /// # Errors
    /// [`Error`] if there is no final response. A refusal is a response.
    pub fn send(&self, host: &str, request: Request, log: &Log) -> Result<Response, Error> {
        self.send_up_to(self.settings.retries, host, request, log)
    }

    /// As [`Retrier::send`], with at most this many retries, not counting pauses that the server
    /// requests.
    ///
    /// # Errors
    /// As [`Retrier::send`].
    pub fn send_up_to(
        &self,
        retries: u32,
        host: &str,
        request: Request,
        log: &Log,
    ) -> Result<Response, Error> {
        let mut chain = RedirectChain::new(&request.url);
        let mut request = request;
        loop {
            self.warn_of_clear_text(&request, log);
            let exchange = || self.exchange.send(&request, log);
            let response = self.repeat_up_to(retries, host, &request, log, exchange)?;
            match chain.next(host, &request, &response, self.insecure())? {
                Some(next) => request = next,
                None => return Ok(response),
            }
        }
    }

    /// Sends a request with retries; a redirect is returned as the response.
    ///
    /// # Errors
    /// As [`Retrier::send`].
    pub fn send_to_one(&self, host: &str, request: &Request, log: &Log) -> Result<Response, Error> {
        self.warn_of_clear_text(request, log);
        self.repeat(host, request, log, || self.exchange.send(request, log))
    }

    /// Warns once per host that receives a password or token in clear text.
    fn warn_of_clear_text(&self, request: &Request, log: &Log) {
        let is_secret = request.authorization.is_some() || request.form.is_some();
        if !is_secret || request.url.scheme() != "http" || address::is_loopback(&request.url) {
            return;
        }
        if !self
            .host(&request.url)
            .in_clear_text
            .swap(true, Ordering::Relaxed)
        {
            log.warn(format!(
                "{}: credentials are sent unencrypted over plain HTTP",
                authority(&request.url)
            ));
        }
    }

    pub fn gate(&self, url: &Url) -> Gate {
        let state = self.host(url);
        state.brake.gate(self.clock.now(), self.settings.patience)
    }

    /// Sends a request once, ignoring the brake.
    ///
    /// # Errors
    /// [`Failure`] if there is no complete response.
    pub fn send_once(&self, request: &Request, log: &Log) -> Result<Response, Failure> {
        self.exchange.send(request, log)
    }

    /// Repeats an exchange until its result is final.
    ///
    /// # Errors
    /// As [`Retrier::send`].
    pub fn repeat(
        &self,
        host: &str,
        request: &Request,
        log: &Log,
        exchange: impl FnMut() -> Result<Response, Failure>,
    ) -> Result<Response, Error> {
        self.repeat_up_to(self.settings.retries, host, request, log, exchange)
    }

    fn repeat_up_to(
        &self,
        most_retries: u32,
        host: &str,
        request: &Request,
        log: &Log,
        mut exchange: impl FnMut() -> Result<Response, Failure>,
    ) -> Result<Response, Error> {
        let line = &request.line();
        let other = other_server(host, &request.url);
        let state = &self.host(&request.url);
        self.logins.remember(request);
        let mut attempts = Attempts::default();
        // Ends when the request succeeds; the first attempt does not count as waiting.
        let mut _wait: Option<Wait> = None;
        loop {
            let trial = match self.admit(state, &request.url, attempts.sent, log)? {
                Ok(trial) => trial,
                Err(cause) => return Err(attempts.refused(host, line, &cause)),
            };
            let begun = self.clock.now();
            let mut result = exchange();
            if let Ok(response) = &mut result
                && !response.status.is_success()
            {
                response.secrets = self.logins.with(request);
            }
            attempts.sent += 1;
            let retry = classify(&result);
            let was_trial = trial.is_some();
            if let Some(trial) = trial {
                end_trial(trial, retry.is_answer(), self.clock.now());
            }
            let cause = match result {
                Ok(response) if retry == Retry::Done => {
                    state.brake.answered(self.clock.now(), request, &response);
                    return Ok(response);
                }
                Err(failure) if retry == Retry::Never => {
                    return Err(failure.into_error(host, line, other.as_deref()));
                }
                Ok(response) => describe(&response),
                Err(failure) => failure.text_of(other.as_deref()),
            };
            if self.clock.is_interrupted() {
                return Err(Error::Interrupted);
            }
            let diagnostic = Diagnostic::new(host, line, cause.clone());
            let diagnostic = match retry {
                Retry::Slow => diagnostic.hint("if the registry is slow, increase --timeout"),
                _ => diagnostic,
            };
            attempts.last = Some(diagnostic.clone());
            let requested = retry.pause();
            let most = match retry {
                Retry::Pause(_) => self.settings.retries,
                _ => most_retries,
            };
            if let Some(requested) = requested {
                let pause = requested.max(pause_after(attempts.retries));
                state.brake.pause(self.clock.now(), pause);
            }
            let pause = match retry {
                Retry::StaleConnection if attempts.stale < MOST_STALE => {
                    attempts.stale += 1;
                    attempts.sent -= 1;
                    continue;
                }
                Retry::StaleConnection | Retry::BrokenConnection
                    if attempts.broken < self.settings.retries =>
                {
                    attempts.broken += 1;
                    BROKEN_PAUSE
                }
                _ if attempts.retries < most && (retry != Retry::Slow || attempts.slow == 0) => {
                    attempts.slow += u32::from(retry == Retry::Slow);
                    attempts.retries += 1;
                    pause_after(attempts.retries - 1)
                }
                _ => {
                    if self.is_down(state, request, retry, begun, &cause, log)
                        && state.brake.has_answered()
                    {
                        // The host is down, not this request: send it again when the host is back.
                        attempts.renew();
                        continue;
                    }
                    return Err(attempts.given_up(diagnostic));
                }
            };
            // For a closed host, or one that requested a pause, the brake decides how long to wait.
            let is_closed = was_trial
                || !matches!(retry, Retry::Pause(_))
                    && state.brake.failed() >= Self::enough_failures(state, retry)
                    && self.is_down(state, request, retry, begun, &cause, log);
            log.debug(|| {
                format!(
                    "{line}: attempt {} failed: {cause}; retry {} of {}",
                    attempts.sent, attempts.retries, most
                )
            });
            if pause > BROKEN_PAUSE || is_closed {
                _wait = Some(log.wait(&authority(&request.url), attempts.sent + 1));
            }
            if !is_closed && requested.is_none() && self.clock.sleep(pause) {
                return Err(Error::Interrupted);
            }
        }
    }

    /// A host that takes no connection and has never responded is down at once: the failure cannot be
    /// specific to this request.
    fn enough_failures(state: &HostState, retry: Retry) -> u32 {
        match retry {
            Retry::NoConnection if !state.brake.has_answered() => 1,
            _ => ENOUGH_FAILURES,
        }
    }

    /// Waits until another attempt is allowed. The inner error: it is refused, with the cause.
    fn admit<'a>(
        &self,
        state: &'a HostState,
        url: &Url,
        sent: u32,
        log: &Log,
    ) -> Result<Result<Option<Trial<'a>>, String>, Error> {
        let mut _wait: Option<Wait> = None;
        loop {
            if self.clock.is_interrupted() {
                return Err(Error::Interrupted);
            }
            match state.brake.admit(self.clock.now(), self.settings.patience) {
                Admission::Granted => return Ok(Ok(None)),
                Admission::Refused(cause) => return Ok(Err(cause)),
                Admission::Wait(time) => {
                    let failed = state.brake.failed_attempts().max(sent);
                    let wait = || Some(log.wait(&authority(url), failed.saturating_add(1)));
                    // Only within the patience: a pause that the host requests counts as a retry.
                    if state.brake.is_closed() && log.put_aside(wait) {
                        return Err(Error::Interrupted);
                    }
                    _wait = wait();
                    self.clock.sleep(time);
                }
                Admission::Trial(trial) => match state.brake.known_good() {
                    Some(good) => {
                        let responds = self.responds(state, &good, log);
                        end_trial(trial, responds, self.clock.now());
                    }
                    // The host has never responded: the request itself is the trial.
                    None => return Ok(Ok(Some(trial))),
                },
            }
        }
    }

    /// Whether a host is down after a request without a response; if so, closes it.
    fn is_down(
        &self,
        state: &HostState,
        request: &Request,
        retry: Retry,
        begun: Instant,
        cause: &str,
        log: &Log,
    ) -> bool {
        let is_down = match retry {
            // Another thread got a response meanwhile.
            _ if state.brake.has_answered_after(begun) => false,
            Retry::Pause(_) => false,
            Retry::NoConnection => true,
            // This request may be the cause: repeat one that succeeded before.
            _ => {
                let is_recent = |(at, _): &(Instant, bool)| *at >= begun;
                let check = || {
                    let now = self.clock.now();
                    Ok::<_, std::convert::Infallible>((now, self.check(state, request, log)))
                };
                match state.check.get(is_recent, check) {
                    Ok((_, responds)) => !responds,
                }
            }
        };
        if is_down {
            let (now, patience) = (self.clock.now(), self.settings.patience);
            if let Some(left) = state.brake.close(now, cause, patience) {
                let host = authority(&request.url);
                log.warn(format!(
                    "{host}: not responding ({cause}); its images wait up to {} s",
                    left.as_secs()
                ));
            }
        }
        is_down
    }

    /// Whether a host responds to a request other than this one.
    fn check(&self, state: &HostState, request: &Request, log: &Log) -> bool {
        let other = |known: &Request| known.url != request.url;
        if let Some(good) = state.brake.known_good().filter(other) {
            return self.responds(state, &good, log);
        }
        let mut url = request.url.clone();
        url.set_path("/v2/");
        url.set_query(None);
        let base = Request::new(Method::GET, url, &[], BodyMode::Keep(CHECK_LIMIT));
        other(&base) && self.responds(state, &base, log)
    }

    fn responds(&self, state: &HostState, request: &Request, log: &Log) -> bool {
        for _ in 0..MOST_STALE {
            let result = self.exchange.send(request, log);
            match (classify(&result), result) {
                (Retry::StaleConnection, _) => {}
                (Retry::Done, Ok(response)) => {
                    state.brake.answered(self.clock.now(), request, &response);
                    return true;
                }
                (retry, _) => return retry.is_answer(),
            }
        }
        false
    }

    fn host(&self, url: &Url) -> Arc<HostState> {
        self.hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(authority(url))
            .or_insert_with(|| {
                Arc::new(HostState {
                    brake: Brake::default(),
                    check: Flight::new(),
                    in_clear_text: AtomicBool::new(false),
                })
            })
            .clone()
    }
}

fn end_trial(trial: Trial<'_>, responds: bool, now: Instant) {
    if responds {
        trial.succeed(now);
    } else {
        trial.fail(now);
    }
}

#[cfg(test)]
mod tests;
