//! Redirects, followed by hand.
//!
//! Registries redirect blobs, and some manifests, to other hosts. No Authorization header crosses
//! an origin (scheme, host and port; OCI distribution-spec, "API"), HTTPS is not left, and no
//! outside host can point this program at the machine that it runs on.

use std::net::IpAddr;

use ureq::http::header;
use url::{Host, Url};

use super::error::{Diagnostic, Error};
use super::exchange::{Request, Response};

/// The most redirects of one request.
const MOST: usize = 10;

/// The redirects of one request.
#[derive(Debug)]
pub struct RedirectChain {
    visited: Vec<Url>,
}

impl RedirectChain {
    /// A request to this URL.
    pub fn new(url: &Url) -> Self {
        Self {
            visited: vec![url.clone()],
        }
    }

    /// The request that follows from the answer; none where the answer is no redirect.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the redirect must not be followed.
    pub fn next(
        &mut self,
        host: &str,
        request: &Request,
        response: &Response,
        insecure: bool,
    ) -> Result<Option<Request>, Error> {
        if !matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let refuse = |why: String| {
            Error::Invalid(Diagnostic::new(
                host,
                &request.line(),
                format!("{} {why}", response.status_text()),
            ))
        };
        let location = response
            .headers
            .get(header::LOCATION)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .ok_or_else(|| refuse("without a Location".to_owned()))?;
        let next = request
            .url
            .join(&location)
            .map_err(|_| refuse("to a Location that is not a URL".to_owned()))?;
        check(&request.url, &next, insecure)
            .map_err(|why| refuse(format!("to {}: {why}", without_secrets(&next))))?;
        if self.visited.len() > MOST {
            return Err(refuse(format!("after {MOST} others")));
        }
        if self.visited.contains(&next) {
            return Err(refuse(format!(
                "in a circle, to {}",
                without_secrets(&next)
            )));
        }
        self.visited.push(next.clone());
        let mut following = request.clone();
        if next.origin() != request.url.origin() {
            if request.form.is_some() {
                return Err(refuse("of credentials to another host".to_owned()));
            }
            following.authorization = None;
        }
        following.url = next;
        Ok(Some(following))
    }
}

/// The URL without what may be a secret, for logs and messages: a query may be a signature, and a
/// user name may have a password.
pub fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    // Fails only for URLs that can have neither.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    let had_query = shown.query().is_some();
    shown.set_query(None);
    shown.set_fragment(None);
    format!("{shown}{}", if had_query { "?…" } else { "" })
}

/// Host and port of a URL, as registries are named; the port only if it is not the scheme's own.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether a URL that a server named may be asked.
///
/// # Errors
/// Why not, in words.
pub fn check(from: &Url, to: &Url, insecure: bool) -> Result<(), &'static str> {
    if !matches!(to.scheme(), "http" | "https") || to.host().is_none() {
        return Err("only http and https are followed");
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err("a user name in a URL is not followed");
    }
    if from.scheme() == "https" && to.scheme() == "http" && !insecure {
        return Err("HTTPS is not left for plain HTTP");
    }
    if from.host() != to.host() && is_own_machine(to) && !is_private(from) {
        return Err("an outside host may not point to this machine");
    }
    Ok(())
}

/// Whether a URL leads to this machine or its link (a cloud's metadata service).
fn is_own_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unicast_link_local()
                || ip
                    .to_ipv4_mapped()
                    .is_some_and(|ip| ip.is_loopback() || ip.is_link_local())
        }
        None => true,
    }
}

/// Whether a URL's host is written as an address of this machine or of a private network.
fn is_private(url: &Url) -> bool {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        _ => return is_own_machine(url),
    };
    is_own_machine(url)
        || match ip {
            IpAddr::V4(ip) => ip.is_private(),
            IpAddr::V6(ip) => ip.is_unique_local(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::exchange::BodyMode;
    use crate::registry::secret::Secret;
    use ureq::http::Method;

    fn follow(from: &str, location: &str) -> Result<Option<Request>, Error> {
        let url = Url::parse(from).expect("a URL");
        let mut request = Request::new(Method::GET, url.clone(), &[], BodyMode::FirstByte);
        request.authorization = Some(Secret::new("Bearer x"));
        RedirectChain::new(&url).next(
            "reg",
            &request,
            &Response::for_test(307, &[("location", location)], ""),
            false,
        )
    }

    #[test]
    fn authorization_stays_at_its_origin() {
        for (from, location, to, keeps) in [
            ("https://reg.io/v2/x", "/v2/y", "https://reg.io/v2/y", true),
            (
                "https://reg.io/v2/x",
                "https://reg.io:443/v2/y",
                "https://reg.io/v2/y",
                true,
            ),
            (
                "https://reg.io/v2/x",
                "https://reg.io:8443/v2/y",
                "https://reg.io:8443/v2/y",
                false,
            ),
            (
                "https://reg.io/v2/x",
                "//cdn.io/y?sig=1",
                "https://cdn.io/y?sig=1",
                false,
            ),
            (
                "https://reg.io/v2/x",
                "https://sub.reg.io/y",
                "https://sub.reg.io/y",
                false,
            ),
        ] {
            let next = follow(from, location)
                .expect("followed")
                .expect("a redirect");
            assert_eq!(
                (next.url.as_str(), next.authorization.is_some()),
                (to, keeps)
            );
        }
    }

    #[test]
    fn where_not_to_go() {
        for (from, location) in [
            ("https://reg.io/v2/x", "http://reg.io/v2/x"),
            ("https://reg.io/v2/x", "ftp://reg.io/x"),
            ("https://reg.io/v2/x", "file:///etc/passwd"),
            ("https://reg.io/v2/x", "https://169.254.169.254/latest"),
            ("https://reg.io/v2/x", "https://localhost/x"),
            ("https://reg.io/v2/x", "https://[::1]/x"),
            ("https://reg.io/v2/x", "https://user:pass@reg.io/x"),
            ("https://reg.io/v2/x", "https://reg.io/v2/x"),
            ("https://reg.io/v2/x", "https://reg.io:99999/"),
        ] {
            let error = follow(from, location).expect_err(location);
            assert!(matches!(error, Error::Invalid(_)));
            assert!(!error.to_string().contains("pass@"), "{error}");
        }
        assert!(follow("http://127.0.0.1:5000/v2/x", "http://127.0.0.1:6000/y").is_ok());
        assert!(follow("http://10.0.0.1/v2/x", "http://127.0.0.1:6000/y").is_ok());
    }
}
