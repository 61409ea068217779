//! Requests that come back with an answer if there is one to be had: retries, with the shared
//! brake of each host, and redirects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ring::rand::{SecureRandom as _, SystemRandom};
use ureq::http::Method;
use url::Url;

use super::brake::{Brake, Go};
use super::error::{Error, Trouble, describe, words};
use super::failure::Failure;
use super::http::{Request, Response};
use super::probe::DOCKER_HUB_API;
use super::redirect;
use super::transport::Transport;
use crate::escape::escape;
use crate::log::Log;
use crate::sync::Interrupt;

/// The first pause before a retry; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The pause after a connection broke while others to the same host did not.
const ACCIDENT_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause that this program chooses.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// Sends requests as often as it takes.
pub struct Wire {
    transport: Transport,
    brakes: Mutex<HashMap<String, Arc<Brake>>>,
    retries: u32,
    interrupt: Arc<Interrupt>,
    /// Whether a redirect or a realm may leave HTTPS.
    insecure: bool,
}

impl Wire {
    /// Over this transport, repeating a request `retries` times.
    pub fn new(
        transport: Transport,
        retries: u32,
        insecure: bool,
        interrupt: Arc<Interrupt>,
    ) -> Self {
        Self {
            transport,
            brakes: Mutex::default(),
            retries,
            interrupt,
            insecure,
        }
    }

    /// Whether plain HTTP is allowed to every host.
    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// Ends all requests.
    pub fn shutdown(&self) {
        self.transport.shutdown();
    }

    /// Sends a request, repeats it while its failure may pass, and follows redirects.
    /// `host`: the registry as the user knows it, for messages.
    ///
    /// # Errors
    /// [`Error`] where there is no answer; every status that is final is an answer.
    pub fn send(&self, host: &str, request: Request, log: &Log) -> Result<Response, Error> {
        let mut hops = redirect::Hops::new(&request.url);
        let mut request = request;
        loop {
            let response = self.send_to_one(host, &request, log)?;
            match hops.next(host, &request, &response, self.insecure)? {
                Some(next) => request = next,
                None => return Ok(response),
            }
        }
    }

    /// Sends a request once, without retry or brake: to find out how a host can be spoken to.
    ///
    /// # Errors
    /// [`Failure`] where no complete answer came.
    pub fn try_once(&self, request: &Request, log: &Log) -> Result<Response, Failure> {
        self.transport.exchange(request, log)
    }

    /// Retries without redirects.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub fn send_to_one(&self, host: &str, request: &Request, log: &Log) -> Result<Response, Error> {
        self.patiently(host, request, log, || self.transport.exchange(request, log))
    }

    /// Runs an exchange under the brake of the URL's host until it succeeds or is given up.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub fn patiently(
        &self,
        host: &str,
        request: &Request,
        log: &Log,
        mut exchange: impl FnMut() -> Result<Response, Failure>,
    ) -> Result<Response, Error> {
        let asked = &request.asked();
        let brake = self.brake(&request.url);
        let is_pull = request.method == Method::GET && !request.accept.is_empty();
        if is_pull && let Some(cause) = brake.pulls_refused() {
            return Err(pull_limit(host, asked, &cause));
        }
        let successes_before = brake.successes();
        let mut tries = 0;
        let mut stale = 0;
        let mut accidents = 0;
        let is_probe = request.url.path() == "/v2/";
        loop {
            let mut is_host_s = is_probe;
            self.wait_for_turn(&brake, host, asked)?;
            let successes_seen = brake.successes();
            let (trouble, pause) = match exchange() {
                Ok(response) if !is_passing(response.status.as_u16()) => {
                    brake.succeeded();
                    return Ok(response);
                }
                // Docker Hub counts pulls over hours: no patience helps. Its limit of requests passes.
                Ok(response)
                    if response.status.as_u16() == 429
                        && request.url.host_str() == Some(DOCKER_HUB_API)
                        && words(&response).contains("pull rate limit") =>
                {
                    brake.released();
                    let left = response
                        .header("ratelimit-remaining")
                        .map(|left| format!(", ratelimit-remaining: {left}"));
                    let cause = escape(&format!(
                        "{}{}",
                        describe(&response),
                        left.unwrap_or_default()
                    ))
                    .into_owned();
                    brake.refuse_pulls(&cause);
                    return Err(pull_limit(host, asked, &cause));
                }
                Ok(response) => {
                    let asked_pause = retry_after(&response);
                    let pause = if response.status.as_u16() == 429 || asked_pause.is_some() {
                        Some(asked_pause.unwrap_or_default().max(self.pause(tries)))
                    } else {
                        None
                    };
                    brake.failed(pause);
                    (Trouble::new(host, asked, describe(&response)), pause)
                }
                // The server closed a kept connection before it saw the request: no failure at all.
                Err(Failure::Lost { stale: true, .. }) if stale < 64 => {
                    stale += 1;
                    brake.released();
                    continue;
                }
                // The connection broke while others did not: an accident on the way, not the host.
                Err(Failure::Lost { .. })
                    if accidents < 2 * self.retries && brake.successes() > successes_seen =>
                {
                    accidents += 1;
                    brake.failed(None);
                    if self.interrupt.sleep(ACCIDENT_PAUSE) {
                        return Err(Error::Interrupted);
                    }
                    continue;
                }
                Err(failure) if failure.may_pass() => {
                    brake.failed(None);
                    is_host_s = is_host_s || failure.is_host_s();
                    (Trouble::new(host, asked, failure.text()), None)
                }
                Err(failure) => {
                    brake.released();
                    return Err(failure.into_error(host, asked));
                }
            };
            if self.interrupt.is_set() {
                return Err(Error::Interrupted);
            }
            if tries == self.retries {
                brake.gave_up(successes_before, is_host_s, &trouble.answer);
                let answer = match tries {
                    0 => trouble.answer,
                    _ => format!("{} (asked {} times)", trouble.answer, tries + 1),
                };
                return Err(Error::Unreachable(Trouble { answer, ..trouble }));
            }
            let pause = pause.unwrap_or_else(|| self.pause(tries));
            tries += 1;
            log.debug(|| {
                format!(
                    "{asked}: retry {tries} of {} in {} ms",
                    self.retries,
                    pause.as_millis()
                )
            });
            if self.interrupt.sleep(pause) {
                return Err(Error::Interrupted);
            }
        }
    }

    fn wait_for_turn(&self, brake: &Brake, host: &str, asked: &str) -> Result<(), Error> {
        loop {
            if self.interrupt.is_set() {
                return Err(Error::Interrupted);
            }
            match brake.ask() {
                Go::Now => return Ok(()),
                Go::Wait(time) => {
                    self.interrupt.sleep(time);
                }
                Go::GivenUp(cause) => {
                    let answer =
                        format!("not asked, because the registry has not answered before: {cause}");
                    return Err(Error::Unreachable(Trouble::new(host, asked, answer)));
                }
            }
        }
    }

    /// Exponential, with jitter: between half of it and all of it.
    fn pause(&self, tries: u32) -> Duration {
        let full = FIRST_PAUSE
            .saturating_mul(1 << tries.min(10))
            .min(LONGEST_PAUSE);
        let mut random = [0_u8; 1];
        // Without randomness all threads come back at once: unpleasant, not wrong.
        let _ = SystemRandom::new().fill(&mut random);
        full / 2 + full.mul_f64(f64::from(random[0]) / 512.0)
    }

    fn brake(&self, url: &Url) -> Arc<Brake> {
        let origin = url.origin().ascii_serialization();
        self.brakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(origin)
            .or_default()
            .clone()
    }
}

fn pull_limit(host: &str, asked: &str, cause: &str) -> Error {
    let remedy = format!(
        "the pull limit is used up: log in to {host}, or run again later with the failed list"
    );
    Error::Unreachable(Trouble::new(host, asked, cause).remedy(remedy))
}

/// Statuses that may pass by themselves.
fn is_passing(status: u16) -> bool {
    matches!(
        status,
        408 | 425 | 429 | 499 | 500 | 502 | 503 | 504 | 520..=524
    )
}

/// How long the server asks to wait, at most a minute. Both forms of RFC 9110, 10.2.3.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.header("retry-after")?;
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(&text).ok()?.to_utc() - Utc::now())
            .to_std()
            .ok()?,
    };
    Some(asked.min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let of = |text: &str| retry_after(&Response::for_test(429, &[("retry-after", text)], ""));
        assert_eq!(of("3"), Some(Duration::from_secs(3)));
        assert_eq!(of("86400"), Some(LONGEST_ASKED));
        assert_eq!(of("soon"), None);
        let soon = (Utc::now() + Duration::from_secs(20))
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string();
        assert!(
            of(&soon).is_some_and(
                |time| time > Duration::from_secs(15) && time <= Duration::from_secs(20)
            )
        );
        assert_eq!(
            of("Wed, 21 Oct 2015 07:28:00 GMT"),
            None,
            "the past is no pause"
        );
    }
}
