//! The probe of a registry, `GET /v2/`, once a run: for the scheme, and for the authentication that
//! it wants, because some registries say so only there.
//!
//! Specification: OCI distribution-spec, "Determining Support".

use std::net::IpAddr;

use ureq::http::Method;
use url::{Host, Url};

use super::challenge::{self, Challenge};
use super::error::{Error, Trouble, describe};
use super::failure::Failure;
use super::http::{Request, Response, Want};
use super::redirect::Hops;
use super::wire::Wire;
use crate::log::Log;
use crate::reference::DOCKER_HUB;

/// The host that serves Docker Hub's images.
pub const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// The most bytes of an answer to the probe.
const LIMIT: u64 = 64 * 1024;

/// How a registry is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Its URL, `https://host:port/`.
    pub base: Url,
    /// What it asks for on the probe.
    pub challenges: Vec<Challenge>,
}

/// Finds out how a registry is reached. HTTPS first; plain HTTP only where that is allowed.
///
/// # Errors
/// [`Error`] where there is no registry, or none that can be spoken to.
pub fn probe(name: &str, wire: &Wire, log: &Log) -> Result<Reach, Error> {
    let host = if name == DOCKER_HUB {
        DOCKER_HUB_API
    } else {
        name
    };
    let url = |scheme: &str| {
        Url::parse(&format!("{scheme}://{host}/")).map_err(|_| {
            Error::Invalid(Trouble::new(
                name,
                "GET /v2/",
                "the registry's name does not make a URL",
            ))
        })
    };
    let (secure, plain) = (url("https")?, url("http")?);
    let may_be_plain = wire.is_insecure() || is_loopback(&plain);
    let mut base = secure.clone();
    let mut response = wire.patiently(name, &request(&secure), log, || {
        base = secure.clone();
        match wire.try_once(&request(&secure), log) {
            Err(failure) if may_be_plain && allows_plain(&failure, wire.is_insecure()) => {
                // If plain HTTP fails as well, HTTPS is what the user has to hear about.
                let Ok(response) = wire.try_once(&request(&plain), log) else {
                    return Err(failure);
                };
                if is_tls_port(&response) {
                    return Err(failure);
                }
                base = plain.clone();
                Ok(response)
            }
            other => other,
        }
    })?;
    let mut hops = Hops::new(&response.url);
    let mut asked = request(&base);
    while let Some(next) = hops.next(name, &asked, &response, wire.is_insecure())? {
        response = wire.send_to_one(name, &next, log)?;
        asked = next;
    }
    let trouble = || Trouble::new(name, "GET /v2/", describe(&response));
    match response.status.as_u16() {
        200 | 401 => {
            // Another host may not say where this one's credentials go.
            let is_own = response.url.origin() == base.origin();
            let challenges = if is_own {
                host_wide(&response)
            } else {
                Vec::new()
            };
            Ok(Reach { base, challenges })
        }
        403 => Err(Error::Denied(trouble().remedy(
            "the registry, or a firewall before it, refuses this host",
        ))),
        _ => Err(Error::Invalid(
            trouble().remedy("this is not a registry; check its name and port"),
        )),
    }
}

/// The challenges of an answer as they hold for all repositories: registries name any repository
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

fn request(base: &Url) -> Request {
    let mut url = base.clone();
    url.set_path("/v2/");
    Request::new(Method::GET, url, &[], Want::Body(LIMIT))
}

/// A TLS port's answer to plain HTTP.
fn is_tls_port(response: &Response) -> bool {
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
        Failure::Lookup(_) | Failure::TooLarge(_) | Failure::Setup(_) | Failure::Interrupted => {
            false
        }
    }
}

/// Hosts whose traffic does not leave this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}
