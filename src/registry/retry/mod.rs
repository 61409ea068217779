//! Sends requests, with retries and redirects.
//!
//! What follows from one attempt is decided in [`classify`]; what all threads know of a host is its
//! [`brake`]. A request is retried for itself, with growing pauses. A host that is down holds all its
//! requests back, up to a patience, and then fails them at once.

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

/// So many attempts without an answer, one after the other, by any threads, are a reason to ask
/// whether the host is down.
const ENOUGH_FAILURES: u32 = 5;

/// The most kept connections that a request finds closed; beyond it they count as broken.
const MOST_STALE: u32 = 64;

/// The most bytes of the response to a request that only finds out whether a host answers.
const CHECK_LIMIT: u64 = 64 * 1024;

/// Sends requests, with retries and redirects; shared by all threads.
pub struct Retrier {
    exchange: Box<dyn Exchange>,
    clock: Arc<dyn Clock>,
    hosts: Mutex<HashMap<String, Arc<HostState>>>,
    settings: RetrySettings,
    logins: SentLogins,
}

/// How patient a [`Retrier`] is.
#[derive(Clone, Debug)]
pub struct RetrySettings {
    /// The most retries of one request.
    pub retries: u32,
    /// How long requests wait for a host that is down, in total for each host.
    pub patience: Duration,
    /// The longest time of one request without progress.
    pub timeout: Duration,
    /// Hosts to which plain HTTP is allowed.
    pub insecure: Arc<InsecureHosts>,
}

/// What all threads know of one host and port, be it a registry, a token server or a store.
#[derive(Debug)]
struct HostState {
    brake: Brake,
    /// When it was last asked whether it is down, and whether it answered.
    check: Flight<(Instant, bool)>,
    /// Whether it was warned that credentials are sent in clear text.
    in_clear_text: AtomicBool,
}

impl Retrier {
    /// Over this exchange.
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

    /// Hosts to which plain HTTP is allowed.
    pub fn insecure(&self) -> &InsecureHosts {
        &self.settings.insecure
    }

    /// The longest time of one request without progress.
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// The clock of all deadlines.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Ends all requests.
    pub fn shutdown(&self) {
        self.exchange.shutdown();
    }

    /// Sends a request, with retries, and follows redirects. `host`: the registry as the user names
    /// it, for messages.
    ///
    /// # Errors
    /// [`Error`] where there is no final response; a refusal is one.
    pub fn send(&self, host: &str, request: Request, log: &Log) -> Result<Response, Error> {
        self.send_up_to(self.settings.retries, host, request, log)
    }

    /// As [`Retrier::send`], with at most so many retries, besides those that the server asks for.
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

    /// Sends a request with retries; a redirect is a final response.
    ///
    /// # Errors
    /// As [`Retrier::send`].
    pub fn send_to_one(&self, host: &str, request: &Request, log: &Log) -> Result<Response, Error> {
        self.warn_of_clear_text(request, log);
        self.repeat(host, request, log, || self.exchange.send(request, log))
    }

    /// Warns once for each host that gets a password or token in clear text.
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

    /// Whether a host takes requests now, as far as is known; nothing is sent for that.
    pub fn gate(&self, url: &Url) -> Gate {
        let state = self.host(url);
        state.brake.gate(self.clock.now(), self.settings.patience)
    }

    /// Sends a request once, whatever is known of its host.
    ///
    /// # Errors
    /// [`Failure`] where no complete response came.
    pub fn send_once(&self, request: &Request, log: &Log) -> Result<Response, Failure> {
        self.exchange.send(request, log)
    }

    /// Repeats an exchange of this request until it has a final result.
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
        // Until the request is through; the first attempt is no waiting.
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
            let asked = retry.pause();
            let most = match retry {
                Retry::Pause(_) => self.settings.retries,
                _ => most_retries,
            };
            if let Some(asked) = asked {
                let pause = asked.max(pause_after(attempts.retries));
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
                        // It is not this request that fails: it is sent again when the host is back.
                        attempts.renew();
                        continue;
                    }
                    return Err(attempts.given_up(diagnostic));
                }
            };
            // Of a closed host, and of one that asked for a pause, the brake knows the time to wait.
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
            if !is_closed && asked.is_none() && self.clock.sleep(pause) {
                return Err(Error::Interrupted);
            }
        }
    }

    /// A host that takes no connection and has never answered is down at once: there is nothing that
    /// could be this request's alone.
    fn enough_failures(state: &HostState, retry: Retry) -> u32 {
        match retry {
            Retry::NoConnection if !state.brake.has_answered() => 1,
            _ => ENOUGH_FAILURES,
        }
    }

    /// Waits until a request that was sent so often may be sent again. The inner error: it may not,
    /// for this cause.
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
                    // Only what the patience bounds: a pause that the host asks for counts as a retry.
                    if state.brake.is_closed() && log.put_aside(wait) {
                        return Err(Error::Interrupted);
                    }
                    _wait = wait();
                    self.clock.sleep(time);
                }
                Admission::Trial(trial) => match state.brake.known_good() {
                    Some(good) => {
                        let answers = self.answers(state, &good, log);
                        end_trial(trial, answers, self.clock.now());
                    }
                    // A host that has never answered: the request itself is the trial.
                    None => return Ok(Ok(Some(trial))),
                },
            }
        }
    }

    /// Whether a host is down, now that a request to it has had no answer; then it is closed.
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
            // Somebody else has had an answer meanwhile.
            _ if state.brake.has_answered_after(begun) => false,
            Retry::Pause(_) => false,
            Retry::NoConnection => true,
            // It may be this request only: ask for something that the host has answered before.
            _ => {
                let is_recent = |(at, _): &(Instant, bool)| *at >= begun;
                let check = || {
                    let now = self.clock.now();
                    Ok::<_, std::convert::Infallible>((now, self.check(state, request, log)))
                };
                match state.check.get(is_recent, check) {
                    Ok((_, answers)) => !answers,
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

    /// Whether a host answers something else than this request.
    fn check(&self, state: &HostState, request: &Request, log: &Log) -> bool {
        let other = |known: &Request| known.url != request.url;
        if let Some(good) = state.brake.known_good().filter(other) {
            return self.answers(state, &good, log);
        }
        let mut url = request.url.clone();
        url.set_path("/v2/");
        url.set_query(None);
        let base = Request::new(Method::GET, url, &[], BodyMode::Keep(CHECK_LIMIT));
        other(&base) && self.answers(state, &base, log)
    }

    /// Whether a host has an answer to this request.
    fn answers(&self, state: &HostState, request: &Request, log: &Log) -> bool {
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

fn end_trial(trial: Trial<'_>, answers: bool, now: Instant) {
    if answers {
        trial.succeed(now);
    } else {
        trial.fail(now);
    }
}

#[cfg(test)]
mod tests;
