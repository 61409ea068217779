//! One registry: its endpoint, and the rounds of authorization of a query.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use url::Url;

use super::answer::FinalResponse;
use super::authorization::{AuthAttempts, AuthContext, Authorization, refuses_password};
use super::challenge::{self, Challenge};
use super::credentials::{Credential, Credentials};
use super::error::{Diagnostic, Error};
use super::exchange::{Request, Response};
use super::login::{self, Logins};
use super::probe::{self, Endpoint, probe};
use super::pull_limit::PullLimit;
use super::query::Query;
use super::quirks::DOCKER_HUB_API;
use super::redirect::{authority, is_confidential};
use super::retry::{Gate, Retrier};
use super::several::{Line, scope};
use super::token::Tokens;
use super::upcoming::Upcoming;
use super::{NEGATIVE_MEMORY, Side};
use crate::log::Log;
use crate::reference::{DOCKER_HUB, Repository};
use crate::sync::Flight;

mod rounds;

/// How long an image keeps its thread while another thread probes its registry.
const PROBE_HOLD: Duration = Duration::from_millis(500);

/// The result of a probe, and its time.
type ProbeResult = (Instant, Result<Arc<Endpoint>, Error>);

pub struct Host {
    name: String,
    side: Side,
    credentials: Arc<Credentials>,
    probed: Flight<ProbeResult>,
    is_used: AtomicBool,
    /// The challenge that the registry sent for a query although the probe needed no login.
    learned: Mutex<Vec<Challenge>>,
    tokens: Tokens,
    pull_limit: PullLimit,
    logins: Logins,
}

impl Host {
    /// A registry by its name in references, `docker.io` or `host:port`.
    pub fn new(name: &str, side: Side, credentials: Arc<Credentials>) -> Self {
        Self {
            name: name.to_owned(),
            side,
            credentials,
            probed: Flight::new(),
            is_used: AtomicBool::new(false),
            learned: Mutex::default(),
            tokens: Tokens::default(),
            pull_limit: PullLimit::default(),
            logins: Logins::default(),
        }
    }

    /// Sends a query with the authorization that the registry requires.
    ///
    /// # Errors
    /// [`Error`] if there is no response. A refusal (401, 403) is a response.
    pub fn send_query(
        &self,
        retrier: &Retrier,
        query: &Query<'_>,
        next: (Side, &Upcoming),
        log: &Log,
    ) -> Result<FinalResponse, Error> {
        let endpoint = self.endpoint(retrier, log)?;
        let credential = self.credential(query.repository, retrier, log)?;
        let credential = credential.as_deref();
        let now = retrier.clock().now();
        if let Some(diagnostic) = self.pull_limit.refuses(query, credential, now) {
            return Err(Error::Unreachable(diagnostic));
        }
        let scope = scope(query.repository);
        let find = |repository: &Repository| self.credential(repository, retrier, log);
        let line = Line::new(next, query.repository, credential, &find);
        let context = AuthContext {
            retrier,
            repository: query.repository,
            base: &endpoint.base,
            scope: &scope,
            credential,
            next: Some(&line),
            log,
        };
        // The path consists of validated names; joining it cannot change the host.
        let malformed = |_| {
            Error::Invalid(Diagnostic::new(
                &self.name,
                &query.path,
                "this is not a URL",
            ))
        };
        let url = endpoint
            .base
            .join(&format!("v2/{}", query.path))
            .map_err(malformed)?;
        let mut request = Request::new(query.method.clone(), url, query.accept, query.body);
        let offered = self.offered(&endpoint);
        let mut authorization = self.authorize(&context, &offered)?;
        let mut tried = AuthAttempts::default();
        loop {
            request.authorization = authorization.header();
            let is_open = endpoint.challenges.is_empty();
            let response = self.send(&context, query, &request, &authorization, is_open)?;
            let from_registry = response.url.origin() == endpoint.base.origin();
            if let Some(other) =
                self.judge_batch(&context, &offered, &mut tried, &authorization, &response)?
            {
                authorization = other;
                continue;
            }
            if from_registry {
                let other = match response.status.as_u16() {
                    404 if offered.is_empty() => tried.hidden(&authorization, credential),
                    _ => self.respond(&context, &mut tried, &authorization, &response)?,
                };
                if let Some(other) = other {
                    authorization = other;
                    continue;
                }
            }
            if tried.hidden && response.status.is_success() {
                // It hides private repositories instead of requesting a login.
                self.learn(vec![Challenge::Basic]);
            }
            let now = retrier.clock().now();
            self.pull_limit.learn(query, &response, credential, now);
            return Ok(FinalResponse {
                from_registry,
                logged_out: !offered.is_empty() && matches!(authorization, Authorization::None),
                hint: self.hint(&response, query.repository, credential, now),
                response,
                doubt: endpoint.doubt.clone(),
            });
        }
    }

    /// Repeats a request that this host refused after a redirect, with credentials for this host.
    /// Nothing of the first host's authorization is used or kept.
    ///
    /// # Errors
    /// As [`Host::send_query`].
    pub fn send_after_redirect(
        &self,
        retrier: &Retrier,
        query: &Query<'_>,
        refused: &Response,
        log: &Log,
    ) -> Result<FinalResponse, Error> {
        let mut base = refused.url.clone();
        base.set_path("/");
        base.set_query(None);
        let repository = Repository {
            registry: self.name.clone(),
            path: query.repository.path.clone(),
        };
        let credential = self.credential(&repository, retrier, log)?;
        let credential = credential.as_deref();
        // Only this host knows its name of the repository: the challenge contains it.
        let context = AuthContext {
            retrier,
            repository: &repository,
            base: &base,
            scope: "",
            credential,
            next: None,
            log,
        };
        let offered = challenge::parse(&refused.header_lines("www-authenticate"));
        let mut request = Request::new(
            query.method.clone(),
            refused.url.clone(),
            query.accept,
            query.body,
        );
        let mut authorization = Authorization::None;
        if is_confidential(&request.url, retrier.insecure()) {
            authorization = self.authorize(&context, &offered)?;
        }
        request.authorization = authorization.header();
        let response = self.send(&context, query, &request, &authorization, true)?;
        let now = retrier.clock().now();
        Ok(FinalResponse {
            from_registry: true,
            logged_out: false,
            hint: self.hint(&response, &repository, credential, now),
            response,
            doubt: None,
        })
    }

    /// Sends a request; one with a password only if the server has not rejected that before. `is_open`:
    /// the base URL needs no login, so it cannot confirm one.
    fn send(
        &self,
        context: &AuthContext<'_>,
        query: &Query<'_>,
        request: &Request,
        authorization: &Authorization,
        is_open: bool,
    ) -> Result<Response, Error> {
        let (retrier, log) = (context.retrier, context.log);
        let send = || retrier.send(&self.name, request.clone(), log);
        let credential = match (authorization, context.credential) {
            (Authorization::Header(_), Some(credential)) if !credential.is_token() => credential,
            _ => return send(),
        };
        let is_refusal = |response: &Response| {
            response.url.origin() == context.base.origin() && refuses_password(response)
        };
        let confirm = || {
            if is_open {
                return Ok(None);
            }
            let mut base = probe::request(context.base);
            base.authorization = authorization.header();
            let response = retrier.send(&self.name, base, log)?;
            Ok(match response.status.as_u16() {
                200 => Some(true),
                _ if is_refusal(&response) => Some(false),
                _ => None,
            })
        };
        let host = authority(&request.url);
        let response = self
            .logins
            .send(&host, credential, send, is_refusal, confirm)?;
        response.ok_or_else(|| {
            let cause = login::skipped(&self.name, credential);
            Error::Denied(query.diagnostic(cause).hint(login::HINT))
        })
    }

    /// The hint for missing credentials.
    fn without_credentials(&self, context: &AuthContext<'_>) -> String {
        let now = context.retrier.clock().now();
        login::hint(&self.name, None, || {
            self.credentials.explain_absence(context.repository, now)
        })
    }

    /// The hint for a refusal; empty for other responses.
    fn hint(
        &self,
        response: &Response,
        repository: &Repository,
        credential: Option<&Credential>,
        now: Instant,
    ) -> String {
        if !matches!(response.status.as_u16(), 401 | 403 | 404) {
            return String::new();
        }
        login::hint(&self.name, credential, || {
            self.credentials.explain_absence(repository, now)
        })
    }

    fn credential(
        &self,
        repository: &Repository,
        retrier: &Retrier,
        log: &Log,
    ) -> Result<Option<Arc<Credential>>, Error> {
        self.credentials
            .find(self.side, repository, retrier.clock().now(), log)
            .map_err(|error| {
                Error::Invalid(Diagnostic::new(
                    &self.name,
                    "finding credentials",
                    error.to_string(),
                ))
            })
    }

    /// The endpoint of the registry; probes it if unknown.
    ///
    /// # Errors
    /// [`Error`] if the host does not respond.
    pub fn endpoint(&self, retrier: &Retrier, log: &Log) -> Result<Arc<Endpoint>, Error> {
        let now = retrier.clock().now();
        let keep = |(at, result): &ProbeResult| {
            result
                .as_ref()
                .is_ok_and(|endpoint| endpoint.doubt.is_none())
                || now.saturating_duration_since(*at) < NEGATIVE_MEMORY
        };
        // Permanent errors (a certificate, a wrong name) are cached for a while, so that a list does not
        // repeat them for every line.
        let make = || match probe(&self.name, retrier, log) {
            Ok(endpoint) => Ok((now, Ok(Arc::new(endpoint)))),
            Err(error) if error.is_temporary() => Err(error),
            Err(error) => Ok((now, Err(error))),
        };
        let probed = if log.can_put_aside() {
            match self.probed.get_within(PROBE_HOLD, keep, make) {
                Some(probed) => probed,
                None => {
                    log.put_aside(|| None);
                    return Err(Error::Interrupted);
                }
            }
        } else {
            self.probed.get(keep, make)
        };
        probed?.1
    }

    pub fn is_first_use(&self) -> bool {
        !self.is_used.swap(true, Ordering::Relaxed)
    }

    pub fn gate(&self, retrier: &Retrier) -> Gate {
        if self.probed.is_flying() {
            return Gate::Closed;
        }
        let host = match self.name.as_str() {
            DOCKER_HUB => DOCKER_HUB_API,
            name => name,
        };
        match Url::parse(&format!("https://{host}/")) {
            Ok(url) => retrier.gate(&url),
            Err(_) => Gate::Open,
        }
    }
}
