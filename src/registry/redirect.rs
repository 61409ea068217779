//! Redirects.
//!
//! Registries redirect blobs, and some manifests, to other hosts. An Authorization header never crosses
//! an origin (scheme, host and port; OCI distribution-spec, "API"), plain HTTP never replaces HTTPS, and
//! no public host can redirect to this machine.

use ureq::http::header;
use url::Url;

use super::address::{self, REFUSED_ADDRESS};
use super::error::{Diagnostic, Error};
use super::exchange::{Request, Response};
use super::insecure::InsecureHosts;
use super::quirks::DOCKER_HUB_API;
use super::redaction::redact;
use crate::reference::DOCKER_HUB;

/// The maximum number of redirects per request.
const MOST: usize = 10;

#[derive(Debug)]
pub struct RedirectChain {
    visited: Vec<Url>,
}

impl RedirectChain {
    pub fn new(url: &Url) -> Self {
        Self {
            visited: vec![url.clone()],
        }
    }

    /// The next request; `None` if the response is not a redirect.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the redirect is refused.
    pub fn next(
        &mut self,
        host: &str,
        request: &Request,
        response: &Response,
        insecure: &InsecureHosts,
    ) -> Result<Option<Request>, Error> {
        if !matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let refuse = |why: String| {
            let why = redact(&why, &response.secrets);
            Error::Invalid(Diagnostic::new(
                host,
                &request.line(),
                format!("{}: {why}", response.status_text()),
            ))
        };
        let location = response
            .headers
            .get(header::LOCATION)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .ok_or_else(|| refuse("the response has no Location header".to_owned()))?;
        let next = request
            .url
            .join(&location)
            .map_err(|_| refuse("the Location header is not a valid URL".to_owned()))?;
        check(&request.url, &next, insecure)
            .map_err(|why| refuse(format!("redirect to {}: {why}", without_secrets(&next))))?;
        if self.visited.len() > MOST {
            return Err(refuse(format!("more than {MOST} redirects")));
        }
        if self.visited.contains(&next) {
            return Err(refuse(format!(
                "redirect loop at {}",
                without_secrets(&next)
            )));
        }
        self.visited.push(next.clone());
        let mut following = request.clone();
        if next.origin() != request.url.origin() {
            if request.form.is_some() {
                return Err(refuse(
                    "refusing to send credentials to another host".to_owned(),
                ));
            }
            following.authorization = None;
        }
        following.named_by = Some(request.url.clone());
        following.url = next;
        Ok(Some(following))
    }
}

/// The URL without secrets, for logs and messages: a query may be a signature, and a user name may have
/// a password.
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

/// Host and port of a URL as in registry names, without the scheme's default port.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The server of a URL as the user would name it, if it is not this registry.
pub fn other_server(host: &str, url: &Url) -> Option<String> {
    let api = if host == DOCKER_HUB {
        DOCKER_HUB_API
    } else {
        host
    };
    // URLs omit the default port of either scheme.
    let own = Url::parse(&format!("{}://{api}/", url.scheme())).ok()?;
    (authority(&own) != authority(url)).then(|| authority(url))
}

/// Checks whether a request may go to a URL that a server named.
///
/// # Errors
/// The reason for refusing it.
pub fn check(from: &Url, to: &Url, insecure: &InsecureHosts) -> Result<(), &'static str> {
    if !matches!(to.scheme(), "http" | "https") || to.host().is_none() {
        return Err("only http and https URLs are supported");
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err("refusing a URL with credentials");
    }
    if !is_confidential(to, insecure) && !insecure.covers_named(to, from) {
        return Err(match from.scheme() {
            "https" => "refusing to downgrade from HTTPS to HTTP",
            _ => "refusing plain HTTP to another machine",
        });
    }
    if from.host() != to.host() && address::is_own(to) && !address::is_private(from) {
        return Err(REFUSED_ADDRESS);
    }
    Ok(())
}

/// Whether a request to a URL cannot be read in transit, or the user has allowed that.
pub fn is_confidential(url: &Url, insecure: &InsecureHosts) -> bool {
    url.scheme() == "https" || address::is_loopback(url) || insecure.covers(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::exchange::BodyMode;
    use crate::registry::secret::Secret;
    use ureq::http::Method;

    #[test]
    fn errors_distinguish_a_registry_from_its_token_server() {
        for (host, url, expected) in [
            ("reg.io", "https://reg.io/v2/", None),
            ("reg.io:443", "https://reg.io/v2/", None),
            ("reg.io:80", "http://reg.io/v2/", None),
            ("Reg.io:5000", "https://reg.io:5000/v2/", None),
            ("[::1]:5000", "https://[::1]:5000/v2/", None),
            ("docker.io", "https://registry-1.docker.io/v2/", None),
            (
                "docker.io",
                "https://auth.docker.io/token",
                Some("auth.docker.io"),
            ),
            ("reg.io", "https://reg.io:8443/token", Some("reg.io:8443")),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(
                other_server(host, &url).as_deref(),
                expected,
                "{host} {url}"
            );
        }
    }

    fn follow(from: &str, location: &str) -> Result<Option<Request>, Error> {
        let url = Url::parse(from).expect("a URL");
        let mut request = Request::new(Method::GET, url.clone(), &[], BodyMode::FirstByte);
        request.authorization = Some(Secret::new("Bearer x"));
        RedirectChain::new(&url).next(
            "reg",
            &request,
            &Response::for_test(307, &[("location", location)], ""),
            &InsecureHosts::default(),
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
    fn unsafe_redirects_are_refused() {
        for (from, location) in [
            ("https://reg.io/v2/x", "http://reg.io/v2/x"),
            ("http://127.0.0.1:5000/v2/x", "http://store.io/x"),
            ("http://localhost:5000/v2/x", "http://10.0.0.1/x"),
            ("https://reg.io/v2/x", "https://[::ffff:0.0.0.0]/x"),
            ("https://reg.io/v2/x", "https://[::ffff:127.0.0.1]/x"),
            ("https://reg.io/v2/x", "https://[fd00:ec2::254]/latest"),
            ("https://reg.io/v2/x", "https://100.100.100.200/latest"),
            ("https://reg.io/v2/x", "https://2130706433/x"),
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
        assert!(follow("http://127.0.0.1:5000/v2/x", "https://store.io/y").is_ok());
    }
}
