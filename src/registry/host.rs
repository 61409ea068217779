//! One registry, as the user names it: requests to it, with whatever authorization they take.

use std::sync::{Arc, Mutex, PoisonError};

use ureq::http::Method;
use url::Url;

use super::Side;
use super::challenge::{self, Bearer, Challenge};
use super::credentials::{Credential, Credentials};
use super::error::{Error, Trouble, words};
use super::http::{Request, Response, Want};
use super::probe::{Reach, host_wide, probe};
use super::secret::Secret;
use super::token::{Tokens, Wanted, basic};
use super::wire::Wire;
use crate::log::Log;
use crate::reference::Repository;
use crate::sync::Flight;

/// The most rounds of authorization for one request.
const ROUNDS: u32 = 2;

/// A registry.
pub struct Host {
    name: String,
    side: Side,
    credentials: Arc<Credentials>,
    reach: Flight<Result<Arc<Reach>, Error>>,
    /// What it asked for on a request, where the probe was open.
    learned: Mutex<Vec<Challenge>>,
    tokens: Tokens,
}

/// Something asked of a repository.
pub struct Query<'a> {
    /// GET or HEAD.
    pub method: &'a Method,
    /// The repository.
    pub repository: &'a Repository,
    /// What is asked for, below `/v2/`.
    pub path: &'a str,
    /// Accepted media types, most wanted first.
    pub accept: &'static [&'static str],
    /// What is wanted of a successful body.
    pub want: Want,
}

/// An answer, and who was said to ask.
pub struct Answer {
    /// The answer; also a refusal.
    pub response: Response,
    /// Whether it came from the registry itself, not from a store that it redirects to.
    pub is_registry_s: bool,
    /// What the user can do about a refusal.
    pub remedy: String,
}

/// What a request was authorized with.
#[derive(Clone)]
enum Shown {
    Nothing,
    Header(Secret),
    Token(Bearer, Secret),
}

impl Shown {
    fn header(&self) -> Option<Secret> {
        match self {
            Self::Nothing => None,
            Self::Header(header) | Self::Token(_, header) => Some(header.clone()),
        }
    }
}

/// Who asks whom for what: all that an authorization depends on.
struct Asker<'a> {
    wire: &'a Wire,
    base: &'a Url,
    scope: &'a str,
    credential: Option<&'a Credential>,
    log: &'a Log,
}

impl Host {
    /// A registry by its name in references, `docker.io` or `host:port`.
    pub fn new(name: &str, side: Side, credentials: Arc<Credentials>) -> Self {
        Self {
            name: name.to_owned(),
            side,
            credentials,
            reach: Flight::new(),
            learned: Mutex::default(),
            tokens: Tokens::default(),
        }
    }

    /// Asks for something in a repository.
    ///
    /// # Errors
    /// [`Error`] where there is no answer; a refusal (401, 403) is an answer.
    pub fn ask(&self, wire: &Wire, query: &Query<'_>, log: &Log) -> Result<Answer, Error> {
        let reach = self.reach(wire, log)?;
        let credential = self.credential(query.repository, log)?;
        let credential = credential.as_deref();
        let scope = format!("repository:{}:pull", query.repository.registry_path());
        let asker = Asker {
            wire,
            base: &reach.base,
            scope: &scope,
            credential,
            log,
        };
        // The path is made of checked names only; joining it cannot leave the host.
        let malformed =
            |_| Error::Invalid(Trouble::new(&self.name, query.path, "this is not a URL"));
        let url = reach
            .base
            .join(&format!("v2/{}", query.path))
            .map_err(malformed)?;
        let mut request = Request::new(query.method.clone(), url, query.accept, query.want);
        let mut shown = self.authorize(&asker, &self.offered(&reach))?;
        let mut round = 1;
        loop {
            request.authorization = shown.header();
            let response = wire.send(&self.name, request.clone(), log)?;
            let is_registry_s = response.url.origin() == reach.base.origin();
            if is_registry_s && round < ROUNDS && wants_other(&response, &shown) {
                round += 1;
                if let Some(other) = self.answer(&asker, &shown, &response)? {
                    shown = other;
                    continue;
                }
            }
            return Ok(Answer {
                response,
                is_registry_s,
                remedy: self.remedy(credential),
            });
        }
    }

    /// Asks again what a redirect led to and this host refused, with its own authorization.
    /// Nothing of the first host's is used or kept.
    ///
    /// # Errors
    /// As [`Host::ask`].
    pub fn ask_after_redirect(
        &self,
        wire: &Wire,
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
        let credential = self.credential(&repository, log)?;
        let credential = credential.as_deref();
        // Only this host knows what the repository is called here: its challenge says so.
        let asker = Asker {
            wire,
            base: &base,
            scope: "",
            credential,
            log,
        };
        let offered = challenge::parse(&refused.header_lines("www-authenticate"));
        let mut request = Request::new(
            query.method.clone(),
            refused.url.clone(),
            query.accept,
            query.want,
        );
        request.authorization = self.authorize(&asker, &offered)?.header();
        let response = wire.send(&self.name, request, log)?;
        Ok(Answer {
            response,
            is_registry_s: true,
            remedy: self.remedy(credential),
        })
    }

    /// What to show at first.
    fn authorize(&self, asker: &Asker<'_>, offered: &[Challenge]) -> Result<Shown, Error> {
        if let Some(token) = asker
            .credential
            .and_then(|credential| credential.registry_token.as_ref())
        {
            return Ok(Shown::Header(Secret::new(format!(
                "Bearer {}",
                token.expose()
            ))));
        }
        let basic = basic_offered(asker, offered);
        match (first_bearer(offered), basic) {
            (Some(bearer), basic) => match (self.token(asker, &bearer), basic) {
                // Some registries advertise a token server that does not work beside Basic.
                (Err(Error::Denied(_) | Error::Invalid(_)), Some(basic)) => Ok(basic),
                (other, _) => other,
            },
            (None, Some(basic)) => Ok(basic),
            (None, None) => Ok(Shown::Nothing),
        }
    }

    /// What to show after a refusal; none: there is nothing else to show.
    fn answer(
        &self,
        asker: &Asker<'_>,
        shown: &Shown,
        refused: &Response,
    ) -> Result<Option<Shown>, Error> {
        let offered = challenge::parse(&refused.header_lines("www-authenticate"));
        if let Shown::Token(bearer, header) = shown {
            // Harbor answers a request that had a token with a Basic challenge: what counts is
            // what it asked for before.
            let other = first_bearer(&offered).unwrap_or_else(|| bearer.clone());
            let is_same = self
                .wanted(asker, &other)
                .is_same(&self.wanted(asker, bearer));
            if other.error == "insufficient_scope" && is_same {
                return Ok(None);
            }
            if other.realm != bearer.realm || other.service != bearer.service {
                self.learn(refused);
            } else {
                self.tokens.forget(&self.wanted(asker, bearer), header);
            }
            return self.token(asker, &other).map(Some);
        }
        if !matches!(shown, Shown::Nothing) {
            return Ok(None);
        }
        self.learn(refused);
        match self.authorize(asker, &offered)? {
            Shown::Nothing => Ok(None),
            other => Ok(Some(other)),
        }
    }

    /// Remembers what the registry asks for, for all repositories.
    fn learn(&self, refused: &Response) {
        let offered = host_wide(refused);
        if !offered.is_empty() {
            *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = offered;
        }
    }

    fn token(&self, asker: &Asker<'_>, bearer: &Bearer) -> Result<Shown, Error> {
        let token = self
            .tokens
            .get(asker.wire, &self.wanted(asker, bearer), asker.log)?;
        Ok(Shown::Token(bearer.clone(), token.header()))
    }

    fn wanted<'a>(&'a self, asker: &'a Asker<'_>, bearer: &'a Bearer) -> Wanted<'a> {
        Wanted {
            host: &self.name,
            base: asker.base,
            bearer,
            scope: asker.scope,
            credential: asker.credential,
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

    fn credential(
        &self,
        repository: &Repository,
        log: &Log,
    ) -> Result<Option<Arc<Credential>>, Error> {
        self.credentials
            .find(self.side, repository, log)
            .map_err(|error| {
                Error::Invalid(Trouble::new(
                    &self.name,
                    "looking for credentials",
                    error.to_string(),
                ))
            })
    }

    fn remedy(&self, credential: Option<&Credential>) -> String {
        match credential {
            Some(credential) => format!(
                "the credentials from {} were refused or may not read this repository: log in again, or remove them if the image is public",
                credential.origin
            ),
            None => format!(
                "the repository is private or does not exist, and there are no credentials for {0}: log in to {0}",
                self.name
            ),
        }
    }

    fn reach(&self, wire: &Wire, log: &Log) -> Result<Arc<Reach>, Error> {
        // What is final (a certificate, a wrong name) is kept, so that it is found out once.
        self.reach.get(
            |_| true,
            || match probe(&self.name, wire, log) {
                Ok(reach) => Ok(Ok(Arc::new(reach))),
                Err(error) if error.may_pass() => Err(error),
                Err(error) => Ok(Err(error)),
            },
        )?
    }
}

/// Whether a refusal may be overcome with another authorization.
fn wants_other(response: &Response, shown: &Shown) -> bool {
    let says_expired = || {
        let words = words(response).to_ascii_lowercase();
        words.contains("token") && (words.contains("expired") || words.contains("invalid"))
    };
    match response.status.as_u16() {
        401 => true,
        // ECR says so of an expired password, ECR Public of an expired token.
        400 | 403 => matches!(shown, Shown::Token(..)) && says_expired(),
        _ => false,
    }
}

fn first_bearer(challenges: &[Challenge]) -> Option<Bearer> {
    challenges.iter().find_map(|challenge| match challenge {
        Challenge::Bearer(bearer) => Some(bearer.clone()),
        Challenge::Basic => None,
    })
}

fn basic_offered(asker: &Asker<'_>, offered: &[Challenge]) -> Option<Shown> {
    let (user, password) = asker.credential?.basic()?;
    offered
        .contains(&Challenge::Basic)
        .then(|| Shown::Header(basic(user, password)))
}
