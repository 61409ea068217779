//! One registry, as the user names it: how it is reached, and how requests to it are authorized.
//!
//! It is probed once a run (`GET /v2/`): for the scheme, and for the authentication that it wants,
//! because some registries say so only there.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::http::Method;
use url::{Host as UrlHost, Url};

use super::challenge::{self, Bearer, Challenge};
use super::credentials::Credential;
use super::error::{Error, Trouble, describe};
use super::failure::Failure;
use super::flight::Flight;
use super::http::{Request, Response};
use super::secret::Secret;
use super::token::{Tokens, Wanted, basic};
use super::wire::Wire;
use crate::reference::DOCKER_HUB;
use crate::report::Logger;

/// The host that serves Docker Hub's images.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// The most bytes of an answer to the probe.
const PROBE_LIMIT: u64 = 64 * 1024;

/// The most rounds of authorization for one request.
const ROUNDS: u32 = 2;

/// How a registry is reached.
#[derive(Clone, Debug)]
struct Reach {
    /// Its URL, `https://host:port/`.
    base: Url,
    /// What it asks for on the probe.
    challenges: Vec<Challenge>,
}

/// A registry.
pub struct Host {
    name: String,
    credential: Option<Credential>,
    reach: Flight<Result<Arc<Reach>, Error>>,
    /// What it asked for on a request, where the probe was open.
    learned: Mutex<Vec<Challenge>>,
    tokens: Tokens,
}

/// Something asked of a registry.
pub struct Query<'a> {
    /// GET or HEAD.
    pub method: &'a Method,
    /// The repository by the registry's path, for the scope of a token.
    pub repository: &'a str,
    /// What is asked for, below `/v2/`.
    pub path: &'a str,
    /// Accepted media types, most wanted first.
    pub accept: &'static [&'static str],
    /// The most bytes of a successful body that are read.
    pub limit: u64,
}

/// What a request was authorized with.
#[derive(Clone)]
enum Shown {
    Nothing,
    Basic,
    Token(Bearer, Secret),
}

impl Host {
    /// A registry by its name in references, `docker.io` or `host:port`.
    pub fn new(name: &str, credential: Option<Credential>) -> Self {
        Self {
            name: name.to_owned(),
            credential,
            reach: Flight::new(),
            learned: Mutex::default(),
            tokens: Tokens::default(),
        }
    }

    /// Asks for something in a repository, with whatever authorization it takes.
    ///
    /// # Errors
    /// [`Error`] where there is no answer; a refusal (401, 403) is an answer.
    pub fn ask(&self, wire: &Wire, query: &Query<'_>, log: &Logger) -> Result<Response, Error> {
        let reach = self.reach(wire, log)?;
        let scope = format!("repository:{}:pull", query.repository);
        let url = self.url(&reach, query.path)?;
        let mut request = Request::new(query.method.clone(), url, query.accept, query.limit);
        let mut shown = self.authorize(wire, &reach, &scope, &self.offered(&reach), log)?;
        let mut round = 1;
        loop {
            request.authorization = match &shown {
                Shown::Nothing => None,
                Shown::Basic => self.credential.as_ref().map(basic),
                Shown::Token(_, header) => Some(header.clone()),
            };
            let response = wire.send(&self.name, request.clone(), log)?;
            if round >= ROUNDS
                || !self.wants_other(&response, &shown)
                || response.url.origin() != reach.base.origin()
            {
                return Ok(response);
            }
            round += 1;
            let offered = challenge::parse(&response.header_lines("www-authenticate"));
            match self.answer(wire, &reach, &scope, &shown, &offered, log)? {
                Some(other) => shown = other,
                None => return Ok(response),
            }
        }
    }

    /// Whether a refusal may be overcome with another authorization.
    fn wants_other(&self, response: &Response, shown: &Shown) -> bool {
        let expired = || {
            let words = super::error::words(response).to_ascii_lowercase();
            words.contains("token") && (words.contains("expired") || words.contains("invalid"))
        };
        match response.status.as_u16() {
            401 => true,
            // ECR says so of an expired password, ECR Public of an expired token.
            400 | 403 => !matches!(shown, Shown::Nothing) && expired(),
            _ => false,
        }
    }

    /// What to show after a refusal; none: there is nothing else to show.
    fn answer(
        &self,
        wire: &Wire,
        reach: &Reach,
        scope: &str,
        shown: &Shown,
        offered: &[Challenge],
        log: &Logger,
    ) -> Result<Option<Shown>, Error> {
        if let Shown::Token(bearer, header) = shown {
            self.tokens
                .forget(&self.wanted(reach, bearer, scope), header);
            // Harbor answers a request that had a token with a Basic challenge: what counts is
            // what it asked for before.
            let bearer = first_bearer(offered).unwrap_or_else(|| bearer.clone());
            return self.token(wire, reach, &bearer, scope, log).map(Some);
        }
        if !offered.is_empty() {
            *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = offered.to_vec();
        }
        if let Some(bearer) = first_bearer(offered) {
            return self.token(wire, reach, &bearer, scope, log).map(Some);
        }
        let basic = offered.contains(&Challenge::Basic) && self.credential.is_some();
        Ok((basic && matches!(shown, Shown::Nothing)).then_some(Shown::Basic))
    }

    /// What to show at first.
    fn authorize(
        &self,
        wire: &Wire,
        reach: &Reach,
        scope: &str,
        offered: &[Challenge],
        log: &Logger,
    ) -> Result<Shown, Error> {
        match first_bearer(offered) {
            Some(bearer) => match self.token(wire, reach, &bearer, scope, log) {
                // Some registries advertise a token server that does not work beside Basic.
                Err(Error::Denied(_) | Error::Invalid(_))
                    if self.credential.is_some() && offered.contains(&Challenge::Basic) =>
                {
                    Ok(Shown::Basic)
                }
                other => other,
            },
            None if offered.contains(&Challenge::Basic) && self.credential.is_some() => {
                Ok(Shown::Basic)
            }
            None => Ok(Shown::Nothing),
        }
    }

    fn token(
        &self,
        wire: &Wire,
        reach: &Reach,
        bearer: &Bearer,
        scope: &str,
        log: &Logger,
    ) -> Result<Shown, Error> {
        let token = self
            .tokens
            .get(wire, &self.wanted(reach, bearer, scope), log)?;
        Ok(Shown::Token(bearer.clone(), token.header()))
    }

    fn wanted<'a>(&'a self, reach: &'a Reach, bearer: &'a Bearer, scope: &'a str) -> Wanted<'a> {
        Wanted {
            host: &self.name,
            base: &reach.base,
            bearer,
            scope,
            credential: self.credential.as_ref(),
        }
    }

    fn offered(&self, reach: &Reach) -> Vec<Challenge> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.is_empty() {
            reach.challenges.clone()
        } else {
            learned.clone()
        }
    }

    /// What the user can do about a refusal.
    pub fn login_remedy(&self) -> String {
        match &self.credential {
            Some(credential) => format!(
                "the credentials from {} were refused or lack the right to read this repository",
                credential.origin
            ),
            None => format!(
                "the repository is private or does not exist, and there are no credentials for {0}: log in to {0}",
                self.name
            ),
        }
    }

    fn url(&self, reach: &Reach, path: &str) -> Result<Url, Error> {
        // The path is made of checked names only; joining it cannot leave the host.
        let malformed = |_| Error::Invalid(Trouble::new(&self.name, path, "this is not a URL"));
        reach.base.join(&format!("v2/{path}")).map_err(malformed)
    }

    fn reach(&self, wire: &Wire, log: &Logger) -> Result<Arc<Reach>, Error> {
        // What is final (a certificate, a wrong name) is kept, so that it is found out once.
        self.reach.get(
            |_| true,
            || match self.probe(wire, log) {
                Ok(reach) => Ok(Ok(Arc::new(reach))),
                Err(error @ (Error::Interrupted | Error::Unreachable(_)))
                    if !self.is_final(&error) =>
                {
                    Err(error)
                }
                Err(error) => Ok(Err(error)),
            },
        )?
    }

    /// Whether asking again in this run is in vain although nothing was reached.
    fn is_final(&self, error: &Error) -> bool {
        matches!(error, Error::Unreachable(trouble) if trouble.remedy.is_some())
    }

    fn probe(&self, wire: &Wire, log: &Logger) -> Result<Reach, Error> {
        let host = if self.name == DOCKER_HUB {
            DOCKER_HUB_API
        } else {
            &self.name
        };
        let url = |scheme: &str| {
            Url::parse(&format!("{scheme}://{host}/")).map_err(|_| {
                Error::Invalid(Trouble::new(
                    &self.name,
                    "GET /v2/",
                    "the registry's name does not make a URL",
                ))
            })
        };
        let (secure, plain) = (url("https")?, url("http")?);
        let may_be_plain = wire.is_insecure() || is_loopback(&plain);
        let mut used = secure.clone();
        let response = wire.patiently(&self.name, &secure, "GET /v2/", log, || {
            used = secure.clone();
            match wire.try_once(&probe_request(&secure), log) {
                Err(failure) if may_be_plain && allows_plain(&failure, wire.is_insecure()) => {
                    // If plain HTTP fails as well, HTTPS is what the user has to hear about.
                    let Ok(response) = wire.try_once(&probe_request(&plain), log) else {
                        return Err(failure);
                    };
                    if !is_answer(&response) && is_https_port(&response) {
                        return Err(failure);
                    }
                    used = plain.clone();
                    Ok(response)
                }
                other => other,
            }
        })?;
        let mut hops = super::redirect::Hops::new(&response.url);
        let mut response = response;
        let mut request = probe_request(&used);
        while let Some(next) = hops.next(&self.name, &request, &response, wire.is_insecure())? {
            response = wire.send_to_one(&self.name, &next, log)?;
            request = next;
        }
        let trouble = || Trouble::new(&self.name, "GET /v2/", describe(&response));
        match response.status.as_u16() {
            200 | 401 => Ok(Reach {
                base: used,
                challenges: challenge::parse(&response.header_lines("www-authenticate")),
            }),
            403 => Err(Error::Denied(trouble().remedy(self.login_remedy()))),
            _ => Err(Error::Invalid(
                trouble().remedy("this is not a registry; check its name and port"),
            )),
        }
    }
}

fn probe_request(base: &Url) -> Request {
    let mut url = base.clone();
    url.set_path("/v2/");
    Request::new(Method::GET, url, &[], PROBE_LIMIT)
}

fn is_answer(response: &Response) -> bool {
    matches!(response.status.as_u16(), 200 | 401)
}

/// A TLS port's answer to plain HTTP.
fn is_https_port(response: &Response) -> bool {
    response.status.as_u16() == 400 && String::from_utf8_lossy(&response.body).contains("HTTPS")
}

/// Whether plain HTTP may be tried after HTTPS failed in this way. A certificate that is not
/// accepted is no reason: then there is a TLS server, and it is not the right one.
fn allows_plain(failure: &Failure, insecure: bool) -> bool {
    match failure {
        Failure::Refused(_) | Failure::Lost { .. } | Failure::NotTls(_) | Failure::Garbage(_) => {
            true
        }
        // A server that waits for the end of a line that never comes.
        Failure::Timeout(_) => true,
        Failure::Tls(_) => insecure,
        Failure::Lookup(_) | Failure::TooLarge(_) | Failure::Interrupted => false,
    }
}

/// Hosts whose traffic does not leave this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(UrlHost::Domain(name)) => name == "localhost",
        Some(UrlHost::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(UrlHost::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

fn first_bearer(challenges: &[Challenge]) -> Option<Bearer> {
    challenges.iter().find_map(|challenge| match challenge {
        Challenge::Bearer(bearer) => Some(bearer.clone()),
        Challenge::Basic => None,
    })
}
