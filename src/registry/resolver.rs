//! Names to addresses, looked up once a run.
//!
//! ureq asks its resolver for every request, also on a kept connection. This one asks the system
//! once for each host: many threads wait for one lookup, on a thread that can be given up.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::bounded;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::Url;

use crate::sync::Flight;

/// A name that has no address, or none now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct LookupFailed {
    /// What the system says.
    pub text: String,
    /// Whether the name server could not be asked, as opposed to: knows no such name.
    pub may_pass: bool,
}

type Addresses = Arc<[SocketAddr]>;

/// The resolver of all agents.
#[derive(Clone, Default)]
pub struct CachingResolver {
    hosts: Arc<Mutex<HashMap<String, Arc<Flight<Addresses>>>>>,
    /// The only host that is looked up: a proxy, which looks up all others itself.
    only: Option<String>,
}

impl Resolver for CachingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let default_port = if uri.scheme_str() == Some("http") {
            80
        } else {
            443
        };
        let port = uri.port_u16().unwrap_or(default_port);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if self.only.as_ref().is_some_and(|only| only != host) {
            let mut nowhere = self.empty();
            nowhere.push(SocketAddr::from(([0, 0, 0, 0], port)));
            return Ok(nowhere);
        }
        let addresses = match bare.parse::<IpAddr>() {
            Ok(address) => Arc::from([SocketAddr::new(address, port)]),
            Err(_) => self.lookup(host, port, *timeout.after)?,
        };
        let mut found = self.empty();
        // ureq keeps sixteen.
        for address in addresses.iter().take(16) {
            found.push(*address);
        }
        Ok(found)
    }
}

impl CachingResolver {
    /// The same, but for a proxy's host only.
    pub fn only_for(&self, proxy: &Url) -> Self {
        Self {
            hosts: self.hosts.clone(),
            only: proxy.host_str().map(str::to_owned),
        }
    }

    fn lookup(&self, host: &str, port: u16, timeout: Duration) -> Result<Addresses, ureq::Error> {
        let name = format!("{host}:{port}");
        let flight = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            hosts
                .entry(name.clone())
                .or_insert_with(|| Arc::new(Flight::new()))
                .clone()
        };
        flight
            .get(|_| true, || ask_system(name, timeout))
            .map_err(|error| ureq::Error::Other(Box::new(error)))
    }
}

/// One lookup, on a thread of its own: the system's call cannot be interrupted.
fn ask_system(name: String, timeout: Duration) -> Result<Addresses, LookupFailed> {
    let (sender, receiver) = bounded(1);
    let lookup = move || {
        // Nobody listens any more after the time-out.
        let _ = sender.send(name.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    };
    std::thread::Builder::new()
        .name("lookup".to_owned())
        .spawn(lookup)
        .map_err(|error| failed(&error))?;
    match receiver.recv_timeout(timeout) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses.into()),
        Ok(Ok(_)) => Err(LookupFailed {
            text: "the name has no address".to_owned(),
            may_pass: false,
        }),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(LookupFailed {
            text: "the name server did not answer in time".to_owned(),
            may_pass: true,
        }),
    }
}

/// The system's resolver only says in words whether the failure may pass (glibc's and musl's).
fn failed(error: &io::Error) -> LookupFailed {
    let text = error.to_string();
    let may_pass = ["Temporary failure", "Try again"]
        .iter()
        .any(|words| text.contains(words));
    let text = text
        .trim_start_matches("failed to lookup address information: ")
        .to_owned();
    LookupFailed { text, may_pass }
}

impl fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachingResolver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_by_its_words() {
        let cases = [
            (
                "failed to lookup address information: Name or service not known",
                false,
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                true,
            ),
            ("failed to lookup address information: Try again", true),
            (
                "failed to lookup address information: Name does not resolve",
                false,
            ),
        ];
        for (text, may_pass) in cases {
            let failed = failed(&io::Error::other(text));
            assert_eq!(failed.may_pass, may_pass, "{text}");
            assert!(!failed.text.contains("lookup"), "{}", failed.text);
        }
    }
}
