//! Hosts whose certificates are not verified and for which plain HTTP is allowed: `--tls-verify=false`
//! (all), `--insecure`, registries.conf, docker's `daemon.json`.
//!
//! The settings add up: a host is insecure if any of them says so.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::{Host, Url};

use super::quirks::DOCKER_HUB_API;
use super::redirect::authority;
use crate::escape::escape;
use crate::reference::{DOCKER_HUB, check_registry};

/// The insecure hosts of a run, or of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InsecureHosts {
    pub all: bool,
    pub hosts: Vec<HostPattern>,
    /// From registries.conf, where the closest match decides.
    pub conf: Vec<(HostPattern, bool)>,
}

/// A host pattern, as a user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `HOST` or `HOST:PORT`, as in references; without a port, the default port.
    Exact(String),
    /// `*.example.com`: its subdomains, at any depth and any port (containers-registries.conf(5)).
    Subdomains(String),
    /// The addresses of a network; host names are not resolved.
    Network(IpNet),
}

/// The text is not a host pattern.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidHost;

impl InsecureHosts {
    pub fn covers(&self, url: &Url) -> bool {
        self.all
            || self.hosts.iter().any(|host| host.covers(url))
            || self.conf_covers(|host| host.covers(url))
    }

    /// Whether a URL is insecure to which a server directed the client, by a redirect or as its token
    /// server: an insecure registry's machine is insecure on every port.
    pub fn covers_named(&self, url: &Url, named_by: &Url) -> bool {
        self.covers(url) || url.host() == named_by.host() && self.covers(named_by)
    }

    fn conf_covers(&self, covers: impl Fn(&HostPattern) -> bool) -> bool {
        self.conf
            .iter()
            .filter(|(host, _)| covers(host))
            .max_by_key(|(host, is_insecure)| (host.closeness(), !is_insecure))
            .is_some_and(|(_, is_insecure)| *is_insecure)
    }
}

impl HostPattern {
    /// Of several matching patterns, the greatest is the closest.
    fn closeness(&self) -> (bool, usize) {
        match self {
            Self::Exact(_) => (true, 0),
            Self::Subdomains(domain) => (false, domain.len()),
            Self::Network(_) => (false, 0),
        }
    }

    fn covers(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        match self {
            Self::Exact(name) if name == DOCKER_HUB => host == DOCKER_HUB_API,
            Self::Exact(name) => *name == authority(url),
            Self::Subdomains(domain) => {
                matches!(url.host(), Some(Host::Domain(_)))
                    && host
                        .strip_suffix(domain)
                        .is_some_and(|rest| rest.ends_with('.'))
            }
            Self::Network(network) => host
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .is_ok_and(|address| network.contains(&address)),
        }
    }
}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        let name = text.to_ascii_lowercase();
        let (is_domain, name) = match name.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, name.as_str()),
        };
        let url = Url::parse(&format!("https://{name}/")).map_err(|_| InvalidHost)?;
        check_registry(name).map_err(|_| InvalidHost)?;
        Ok(match is_domain {
            true if name.contains(':') => return Err(InvalidHost),
            true => Self::Subdomains(name.to_owned()),
            // As in URLs: without the default port.
            false => Self::Exact(authority(&url)),
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(&escape(name)),
            Self::Subdomains(domain) => write!(f, "*.{}", escape(domain)),
            Self::Network(network) => network.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_its_hosts_and_no_others() {
        for (pattern, covered, others) in [
            (
                "reg.io",
                &["https://reg.io/", "http://reg.io/v2/"][..],
                &[
                    "https://reg.io:5000/",
                    "https://a.reg.io/",
                    "https://reg.io.evil/",
                ][..],
            ),
            (
                "Reg.io:5000",
                &["http://reg.io:5000/"],
                &["https://reg.io/"],
            ),
            (
                "reg.io:443",
                &["https://reg.io/"],
                &["https://reg.io:8443/"],
            ),
            (
                "*.example.com",
                &["https://a.example.com/", "https://b.a.example.com:5000/"],
                &["https://example.com/", "https://evilexample.com/"],
            ),
            (
                "10.0.0.0/8",
                &["http://10.1.2.3:5000/"],
                &["http://11.0.0.1/", "http://ten.io/"],
            ),
            (
                "fd00::/8",
                &["http://[fd00::1]:5000/"],
                &["http://[fe80::1]/"],
            ),
            (
                "docker.io",
                &["https://registry-1.docker.io/v2/"],
                &["https://docker.io/"],
            ),
        ] {
            let hosts = InsecureHosts {
                hosts: vec![pattern.parse().expect(pattern)],
                ..InsecureHosts::default()
            };
            let covers = |text: &&str| hosts.covers(&Url::parse(text).expect("a URL"));
            assert!(covered.iter().all(covers), "{pattern}");
            assert!(!others.iter().any(covers), "{pattern}");
        }
        let conf = [
            ("*.b.io", true),
            ("*.a.b.io", false),
            ("x.a.b.io", true),
            ("c.b.io", false),
        ];
        let conf = InsecureHosts {
            conf: conf
                .map(|(host, is_insecure)| (host.parse().expect(host), is_insecure))
                .to_vec(),
            ..InsecureHosts::default()
        };
        let url = |host: &str| Url::parse(&format!("https://{host}/")).expect("a URL");
        for (host, covered) in [
            ("d.b.io", true),
            ("c.b.io", false),
            ("c.b.io:5000", true),
            ("y.a.b.io", false),
            ("x.a.b.io", true),
            ("b.io", false),
        ] {
            assert_eq!(conf.covers(&url(host)), covered, "{host}");
        }
        assert!(conf.covers_named(&url("x.a.b.io:5001"), &url("x.a.b.io")));
        assert!(!conf.covers_named(&url("y.a.b.io"), &url("x.a.b.io")));
        for text in [
            "",
            "a/b",
            "me@reg.io",
            "https://reg.io",
            "*",
            "*.a:5000",
            "a b",
            "other=reg.io",
            "reg.io:99999",
        ] {
            assert_eq!(text.parse::<HostPattern>(), Err(InvalidHost), "{text}");
        }
    }
}
