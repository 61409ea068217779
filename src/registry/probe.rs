//! The probe of a registry, `GET /v2/`: for the scheme, and for the authentication that it wants,
//! because some registries say so only there.
//!
//! It is a hint. Front ends that route by path have no `/v2/` (ollama.com), load balancers answer for
//! themselves while they start: whether this is a registry is decided by its manifests.
//!
//! Specification: OCI distribution-spec, "Determining Support".

use std::time::Duration;

use ureq::http::Method;
use url::Url;

use super::address;
use super::answer::describe;
use super::challenge::{self, Challenge};
use super::error::{Diagnostic, Error};
use super::exchange::{BodyMode, Request, Response};
use super::failure::Failure;
use super::quirks::{self, DOCKER_HUB_API};
use super::redirect::RedirectChain;
use super::retry::Retrier;
use crate::log::Log;
use crate::reference::DOCKER_HUB;

/// The most bytes of the response to the probe.
const LIMIT: u64 = 64 * 1024;

/// The longest time for an answer over plain HTTP, before HTTPS is tried.
const TIME: Duration = Duration::from_secs(10);

/// How a registry is reached.
#[derive(Debug)]
pub struct Endpoint {
    /// Its URL, `https://host:port/`.
    pub base: Url,
    /// The authentication that it wants on the probe.
    pub challenges: Vec<Challenge>,
    /// What speaks against its being a registry; none if nothing does.
    pub doubt: Option<Diagnostic>,
}

/// Finds out how a registry is reached. HTTPS first; plain HTTP only where that is allowed. A port of
/// this machine is asked over plain HTTP first: many servers without TLS (gunicorn, workerd) wait for
/// the end of the line that a TLS hello seems to be, and every TLS server ends at once what is no
/// hello. Whatever is no plain answer of a registry leads to HTTPS; the probe has no credentials.
///
/// # Errors
/// [`Error`] where nothing there can be spoken to.
pub fn probe(name: &str, retrier: &Retrier, log: &Log) -> Result<Endpoint, Error> {
    let host = if name == DOCKER_HUB {
        DOCKER_HUB_API
    } else {
        name
    };
    let url = |scheme: &str| {
        Url::parse(&format!("{scheme}://{host}/")).map_err(|_| {
            Error::Invalid(Diagnostic::new(
                name,
                "GET /v2/",
                "the registry name is not a valid host name",
            ))
        })
    };
    let (secure, plain) = (url("https")?, url("http")?);
    let insecure = retrier.insecure().covers(&plain) || retrier.insecure().covers(&secure);
    let may_be_plain = insecure || address::is_loopback(&plain);
    let mut base = secure.clone();
    let first = retrier.repeat(name, &request(&secure), log, || {
        let mut early = None;
        let mut is_mute = false;
        if is_plain_likely(&plain) {
            let probe = Request {
                time: Some(retrier.timeout().min(TIME)),
                ..request(&plain)
            };
            match retrier.send_once(&probe, log) {
                Ok(response) if !wants_tls(&response) => {
                    base = plain.clone();
                    return Ok(response);
                }
                Err(
                    failure
                    @ (Failure::Refused(_) | Failure::ConnectTimeout | Failure::Interrupted),
                ) => return Err(failure),
                // HTTPS, then; this is the answer only if that fails too.
                Err(Failure::Timeout(_)) => is_mute = true,
                other => early = other.ok(),
            }
        }
        base = secure.clone();
        match retrier.send_once(&request(&secure), log) {
            // It has answered nothing at all.
            Err(failure @ (Failure::ConnectTimeout | Failure::Timeout(_))) if is_mute => {
                Err(failure)
            }
            Err(failure) if may_be_plain && allows_plain(&failure, insecure) => {
                let second = match early {
                    Some(response) => Ok(response),
                    None => retrier.send_once(&request(&plain), log),
                };
                match second {
                    Ok(response) if !quirks::is_tls_port(&response) => {
                        base = plain.clone();
                        Ok(response)
                    }
                    // Without TLS at all, plain HTTP is what the user has to hear about.
                    Err(second) if matches!(failure, Failure::NotTls) => Err(second),
                    _ => Err(failure),
                }
            }
            other => other,
        }
    })?;
    let doubtful = |base: Url, doubt: Diagnostic| Endpoint {
        base,
        challenges: Vec::new(),
        doubt: Some(doubt),
    };
    let response = match follow(name, request(&base), first, retrier, log) {
        Ok(response) => response,
        // It redirects to where this program does not go: a login page, perhaps.
        Err(Error::Invalid(diagnostic)) => return Ok(doubtful(base, diagnostic)),
        Err(error) => return Err(error),
    };
    let diagnostic = || Diagnostic::new(name, "GET /v2/", describe(&response));
    match response.status.as_u16() {
        200 | 401 if !response.is_html() => {
            // Another host may not say where this one's credentials go.
            let is_own = response.url.origin() == base.origin();
            let challenges = if is_own {
                host_wide(&response)
            } else {
                Vec::new()
            };
            Ok(Endpoint {
                base,
                challenges,
                doubt: None,
            })
        }
        403 => Ok(doubtful(
            base,
            diagnostic()
                .hint("the registry, or a firewall in front of it, denies access to this machine"),
        )),
        _ => Ok(doubtful(
            base,
            diagnostic()
                .hint("the host does not respond like a registry; check the host name and port"),
        )),
    }
}

/// Follows the redirects of a probe.
fn follow(
    name: &str,
    mut request: Request,
    mut response: Response,
    retrier: &Retrier,
    log: &Log,
) -> Result<Response, Error> {
    let mut chain = RedirectChain::new(&response.url);
    while let Some(next) = chain.next(name, &request, &response, retrier.insecure())? {
        response = retrier.send_to_one(name, &next, log)?;
        request = next;
    }
    Ok(response)
}

/// The challenges of a response as they hold for all repositories: registries name any repository
/// in them, and a token for a stranger's may be refused.
pub fn host_wide(response: &Response) -> Vec<Challenge> {
    let mut challenges = challenge::parse(&response.header_lines("www-authenticate"));
    for challenge in &mut challenges {
        if let Challenge::Bearer(bearer) = challenge {
            bearer
                .scopes
                .retain(|scope| !scope.starts_with("repository:"));
        }
    }
    challenges
}

/// The probe's request to this base URL.
pub fn request(base: &Url) -> Request {
    let mut url = base.clone();
    url.set_path("/v2/");
    Request::new(Method::GET, url, &[], BodyMode::Keep(LIMIT))
}

/// Whether a port is one of this machine, and not that of HTTPS, so that it mostly speaks plain HTTP.
fn is_plain_likely(plain: &Url) -> bool {
    // Port 80 is no part of the URL: without a port, HTTPS is on another one.
    address::is_loopback(plain) && plain.port().is_some_and(|port| port != 443)
}

/// Whether a response over plain HTTP says, or may say, that the server wants TLS: nginx and Go say so
/// with 400, others redirect to HTTPS, or answer 403 or 426.
fn wants_tls(response: &Response) -> bool {
    match response.status.as_u16() {
        301 | 302 | 303 | 307 | 308 => response
            .header("location")
            .is_some_and(|location| location.to_ascii_lowercase().starts_with("https:")),
        400 | 403 | 426 => true,
        _ => false,
    }
}

/// Whether plain HTTP may be tried after HTTPS failed in this way. A certificate that is not
/// accepted is no reason: then there is a TLS server, and it is not the right one.
fn allows_plain(failure: &Failure, insecure: bool) -> bool {
    match failure {
        // A server may wait for the end of a line that never comes.
        Failure::Refused(_)
        | Failure::ConnectTimeout
        | Failure::Timeout(_)
        | Failure::Lost { .. }
        | Failure::NotTls
        | Failure::NotHttp(_) => true,
        Failure::Tls(_) => insecure,
        Failure::Lookup(_)
        | Failure::TooLarge(_)
        | Failure::ProxyLogin { .. }
        | Failure::Setup(_)
        | Failure::OwnAddress
        | Failure::Interrupted => false,
    }
}
