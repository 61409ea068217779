//! Probes a registry with `GET /v2/`: for its scheme, and for its challenges, which some registries send
//! only there.
//!
//! The result is a hint. Front ends that route by path have no `/v2/` (ollama.com), and load balancers
//! respond for themselves while a registry starts: its manifests decide whether a host is a registry.
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

/// The maximum size of the response in bytes.
const LIMIT: u64 = 64 * 1024;

/// The timeout over plain HTTP, before HTTPS is tried.
const TIME: Duration = Duration::from_secs(10);

/// How to reach a registry.
#[derive(Debug)]
pub struct Endpoint {
    /// Its URL, `https://host:port/`.
    pub base: Url,
    /// The challenges in the response to the probe.
    pub challenges: Vec<Challenge>,
    /// The evidence that the host is not a registry.
    pub doubt: Option<Diagnostic>,
}

/// Probes a registry: HTTPS first, plain HTTP only where allowed. A port of this machine is probed over
/// plain HTTP first: many servers without TLS (gunicorn, workerd) take a TLS hello for the start of a
/// line and wait for its end, while every TLS server rejects plain HTTP at once. Any other response
/// leads to HTTPS. The probe sends no credentials.
///
/// # Errors
/// [`Error`] if the host does not respond.
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
                // Try HTTPS; this response counts only if HTTPS fails, too.
                Err(Failure::Timeout(_)) => is_mute = true,
                other => early = other.ok(),
            }
        }
        base = secure.clone();
        match retrier.send_once(&request(&secure), log) {
            // The server did not respond at all.
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
                    // Without TLS, the failure over plain HTTP is the one to report.
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
        // The host redirects to a refused URL: a login page, perhaps.
        Err(Error::Invalid(diagnostic)) => return Ok(doubtful(base, diagnostic)),
        Err(error) => return Err(error),
    };
    let diagnostic = || Diagnostic::new(name, "GET /v2/", describe(&response));
    match response.status.as_u16() {
        200 | 401 if !response.is_html() => {
            // Another host must not decide where the credentials for this one go.
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

/// The challenges of a response without the scopes of single repositories: registries may name any
/// repository there, and its token may be refused.
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

/// The probe request for this base URL.
pub fn request(base: &Url) -> Request {
    let mut url = base.clone();
    url.set_path("/v2/");
    Request::new(Method::GET, url, &[], BodyMode::Keep(LIMIT))
}

/// Whether this is a port of this machine other than that of HTTPS, which usually speaks plain HTTP.
fn is_plain_likely(plain: &Url) -> bool {
    // URLs do not contain port 80; without a port, HTTPS uses another one.
    address::is_loopback(plain) && plain.port().is_some_and(|port| port != 443)
}

/// Whether a response over plain HTTP indicates a TLS port: nginx and Go respond with 400, others
/// redirect to HTTPS or respond with 403 or 426.
fn wants_tls(response: &Response) -> bool {
    match response.status.as_u16() {
        301 | 302 | 303 | 307 | 308 => response
            .header("location")
            .is_some_and(|location| location.to_ascii_lowercase().starts_with("https:")),
        400 | 403 | 426 => true,
        _ => false,
    }
}

/// Whether plain HTTP may be tried after this failure of HTTPS. After a rejected certificate it may not:
/// there is a TLS server, and it is the wrong one.
fn allows_plain(failure: &Failure, insecure: bool) -> bool {
    match failure {
        // A server may wait for the end of the line.
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
