//! Selects the proxy of a request, from the usual environment variables.
//!
//! As in Go's `net/http`: `HTTPS_PROXY` for https, `HTTP_PROXY` for http, `NO_PROXY` with subdomains,
//! ports and CIDR, each also in lower case. Requests to this machine never use a proxy.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// The proxy settings of the environment.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    https: Option<String>,
    http: Option<String>,
    exempt: Vec<NoProxyRule>,
}

/// An element of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NoProxyRule {
    Everything,
    Network(IpNet),
    Address(IpAddr, Option<u16>),
    /// A domain; `subdomains_only`: written with a leading dot.
    Domain {
        name: String,
        port: Option<u16>,
        subdomains_only: bool,
    },
}

impl Proxies {
    pub fn new(environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let set = |name: &str| {
                environment(name)
                    .map(|text| text.trim().to_owned())
                    .filter(|text| !text.is_empty())
            };
            set(name).or_else(|| set(&name.to_ascii_lowercase()))
        };
        Self {
            https: either("HTTPS_PROXY"),
            http: either("HTTP_PROXY"),
            exempt: either("NO_PROXY")
                .map(|text| text.split(',').filter_map(exempt).collect())
                .unwrap_or_default(),
        }
    }

    /// The proxy for a URL; `None`: connect directly.
    ///
    /// # Errors
    /// The message for an invalid value.
    pub fn find(&self, url: &Url) -> Result<Option<Url>, String> {
        let (variable, value) = match url.scheme() {
            "https" => ("HTTPS_PROXY", &self.https),
            _ => ("HTTP_PROXY", &self.http),
        };
        let Some(value) = value else { return Ok(None) };
        if self.is_exempt(url) {
            return Ok(None);
        }
        let text = if value.contains("://") {
            value.clone()
        } else {
            format!("http://{value}")
        };
        // The value may contain a password: it is never printed.
        match Url::parse(&text) {
            Ok(proxy)
                if matches!(
                    proxy.scheme(),
                    "http" | "https" | "socks4" | "socks4a" | "socks5"
                ) && proxy.host().is_some() =>
            {
                Ok(Some(proxy))
            }
            _ => Err(format!(
                "the value of ${variable} is not a proxy URL (expected http://HOST:PORT)"
            )),
        }
    }

    fn is_exempt(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        let (name, ip) = match url.host() {
            Some(Host::Domain(name)) => (name.to_ascii_lowercase(), None),
            Some(Host::Ipv4(ip)) => (String::new(), Some(IpAddr::V4(ip))),
            Some(Host::Ipv6(ip)) => (String::new(), Some(IpAddr::V6(ip))),
            None => return true,
        };
        if name == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
            return true;
        }
        let has_port = |wanted: &Option<u16>| wanted.is_none() || *wanted == port;
        self.exempt.iter().any(|exempt| match exempt {
            NoProxyRule::Everything => true,
            NoProxyRule::Network(network) => ip.is_some_and(|ip| network.contains(&ip)),
            NoProxyRule::Address(address, wanted) => ip == Some(*address) && has_port(wanted),
            NoProxyRule::Domain {
                name: domain,
                port: wanted,
                subdomains_only,
            } => {
                let is_sub = name
                    .strip_suffix(domain.as_str())
                    .is_some_and(|rest| rest.ends_with('.'));
                (is_sub || (!subdomains_only && name == *domain)) && has_port(wanted)
            }
        })
    }
}

fn exempt(text: &str) -> Option<NoProxyRule> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return None;
    }
    if text == "*" {
        return Some(NoProxyRule::Everything);
    }
    if let Ok(network) = text.parse() {
        return Some(NoProxyRule::Network(network));
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(NoProxyRule::Address(address, None));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name.to_owned(), Some(port.parse().ok()?)),
        None => (text, None),
    };
    if let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(NoProxyRule::Address(address, port));
    }
    let name = name.strip_prefix('*').unwrap_or(&name);
    let bare = name.trim_start_matches('.');
    (!bare.is_empty()).then(|| NoProxyRule::Domain {
        name: bare.to_owned(),
        port,
        subdomains_only: name.starts_with('.'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxied(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let environment = |name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        };
        let url = Url::parse(url).expect("a URL");
        Proxies::new(&environment)
            .find(&url)
            .expect("a proxy")
            .map(|proxy| proxy.to_string())
    }

    #[test]
    fn each_scheme_has_its_own_proxy() {
        let both = [("HTTPS_PROXY", "http://s:1"), ("http_proxy", "p:2")];
        assert_eq!(
            proxied(&both, "https://reg.io/").as_deref(),
            Some("http://s:1/")
        );
        assert_eq!(
            proxied(&both, "http://reg.io/").as_deref(),
            Some("http://p:2/")
        );
        assert_eq!(proxied(&[("HTTP_PROXY", "p:2")], "https://reg.io/"), None);
        assert_eq!(
            proxied(
                &[("HTTPS_PROXY", "p:2"), ("https_proxy", "q:2")],
                "https://reg.io/"
            )
            .as_deref(),
            Some("http://p:2/")
        );
        assert_eq!(proxied(&[("ALL_PROXY", "p:2")], "https://reg.io/"), None);
    }

    #[test]
    fn no_proxy_is_parsed_as_in_go() {
        for (exempt, url, direct) in [
            ("reg.io", "https://reg.io/", true),
            ("reg.io", "https://sub.reg.io/", true),
            ("reg.io", "https://xreg.io/", false),
            (".reg.io", "https://reg.io/", false),
            (".reg.io", "https://sub.reg.io/", true),
            ("*.reg.io", "https://sub.reg.io/", true),
            ("a.io, REG.io ,b.io", "https://reg.io/", true),
            ("reg.io:5000", "https://reg.io:5000/", true),
            ("reg.io:5000", "https://reg.io/", false),
            ("reg.io:443", "https://reg.io/", true),
            ("10.0.0.0/8", "https://10.1.2.3:5000/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("10.1.2.3", "https://10.1.2.3:5000/", true),
            ("10.1.2.3:80", "https://10.1.2.3/", false),
            ("2001:db8::/32", "https://[2001:db8::1]/", true),
            ("[2001:db8::1]:5000", "https://[2001:db8::1]:5000/", true),
            ("*", "https://reg.io/", true),
            ("", "https://localhost:5000/", true),
            ("", "https://127.9.9.9/", true),
            ("", "https://[::1]/", true),
        ] {
            let found = proxied(&[("HTTPS_PROXY", "p:1"), ("NO_PROXY", exempt)], url);
            assert_eq!(found.is_none(), direct, "{exempt} {url}");
        }
    }

    #[test]
    fn an_invalid_proxy_is_an_error_without_its_value() {
        let environment =
            |name: &str| (name == "HTTPS_PROXY").then(|| "ftp://user:hunter2@x".to_owned());
        let error = Proxies::new(&environment)
            .find(&Url::parse("https://reg.io/").expect("a URL"))
            .expect_err("no proxy");
        assert!(error.contains("$HTTPS_PROXY") && !error.contains("hunter2"));
    }
}
