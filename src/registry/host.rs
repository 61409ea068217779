//! One registry, as the user names it: its endpoint, and the rounds of authorization that a query
//! takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use url::Url;

use super::answer::Answer;
use super::authorization::{AuthContext, Authorization, Tried, refuses_password};
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

/// How long an image keeps its thread while another one probes its registry.
const PROBE_HOLD: Duration = Duration::from_millis(500);

/// The endpoint of a registry, or why it has none, and when that was found out.
type Probed = (Instant, Result<Arc<Endpoint>, Error>);

/// A registry.
pub struct Host {
    name: String,
    side: Side,
    credentials: Arc<Credentials>,
    probed: Flight<Probed>,
    is_used: AtomicBool,
    /// The authentication that it wanted on a query, where the probe was open.
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

    /// Sends a query, with the authorization that the registry wants.
    ///
    /// # Errors
    /// [`Error`] where there is no answer; a refusal (401, 403) is one.
    pub fn ask(
        &self,
        retrier: &Retrier,
        query: &Query<'_>,
        next: (Side, &Upcoming),
        log: &Log,
    ) -> Result<Answer, Error> {
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
        // The path is made of checked names only; joining it cannot leave the host.
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
        let mut tried = Tried::default();
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
                // It hides what is private instead of asking for a password.
                self.learn(vec![Challenge::Basic]);
            }
            let now = retrier.clock().now();
            self.pull_limit.learn(query, &response, credential, now);
            return Ok(Answer {
                from_registry,
                logged_out: !offered.is_empty() && matches!(authorization, Authorization::None),
                hint: self.hint(&response, query.repository, credential, now),
                response,
                doubt: endpoint.doubt.clone(),
            });
        }
    }

    /// Sends again a request to which a redirect led and which this host refused, with its own
    /// authorization. Nothing of the first host's is used or kept.
    ///
    /// # Errors
    /// As [`Host::ask`].
    pub fn ask_after_redirect(
        &self,
        retrier: &Retrier,
        query: &Query<'_>,
        refused: &Response,
        log: &Log,
    ) -> Result<Answer, Error> {
        let mut base = refused.url.clone();
        base.set_path("/");
        base.set_query(None);
        let repository = Repository {
            registry: self.name.clone(),
            path: query.repository.path.clone(),
        };
        let credential = self.credential(&repository, retrier, log)?;
        let credential = credential.as_deref();
        // Only this host knows the repository's name here: its challenge has it.
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
        Ok(Answer {
            from_registry: true,
            logged_out: false,
            hint: self.hint(&response, &repository, credential, now),
            response,
            doubt: None,
        })
    }

    /// Sends a request; one with a password only if that was not refused before. `is_open`: the base URL
    /// answers without a login, so it says nothing of one.
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

    /// What the user can do where there are no credentials.
    fn without_credentials(&self, context: &AuthContext<'_>) -> String {
        let now = context.retrier.clock().now();
        login::hint(&self.name, None, || {
            self.credentials.explain_absence(context.repository, now)
        })
    }

    /// What the user can do about a refusal; empty where the response is none.
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

    /// How the registry is reached, by a probe where that is not known.
    ///
    /// # Errors
    /// [`Error`] where nothing there can be spoken to.
    pub fn endpoint(&self, retrier: &Retrier, log: &Log) -> Result<Arc<Endpoint>, Error> {
        let now = retrier.clock().now();
        let keep = |(at, result): &Probed| {
            result
                .as_ref()
                .is_ok_and(|endpoint| endpoint.doubt.is_none())
                || now.saturating_duration_since(*at) < NEGATIVE_MEMORY
        };
        // What is final (a certificate, a wrong name) is kept for a while, so that a list does not
        // find it out for every line.
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

    /// Whether this is the first time that this is asked.
    pub fn is_first_use(&self) -> bool {
        !self.is_used.swap(true, Ordering::Relaxed)
    }

    /// Whether the registry takes requests now, as far as is known.
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
