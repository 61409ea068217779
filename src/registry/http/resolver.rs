//! Resolves host names, with a cache of one minute.
//!
//! ureq calls its resolver for every request, even on a kept connection. This resolver looks up each
//! host once: other threads wait for the same lookup, which runs on a thread of its own so that it can
//! time out. A host that moves is found at its new address after a minute, or as soon as a connection to
//! the old address fails.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::Url;

use crate::registry::address;
use crate::registry::exchange::Clock;
use crate::registry::failure::LookupFailed;
use crate::registry::quirks;
use crate::sync::Flight;

/// How long addresses are cached.
const LIFE: Duration = Duration::from_secs(60);

/// A host named by a server resolves to this machine.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{}", address::REFUSED_ADDRESS)]
pub struct OwnAddress;

thread_local! {
    /// The host of this thread's request that must not resolve to this machine, and the URL that named
    /// it.
    static STRANGER: RefCell<Option<(String, Url)>> = const { RefCell::new(None) };
}

/// While it lives, this thread does not connect to this machine for a host named by another server,
/// whatever the host resolves to. A private host may name other private hosts.
pub struct StrangerGuard(());

impl StrangerGuard {
    /// For this host, as written in the URL.
    pub fn new(host: &str, named_by: &Url) -> Self {
        STRANGER.set(Some((host.to_owned(), named_by.clone())));
        Self(())
    }
}

impl Drop for StrangerGuard {
    fn drop(&mut self) {
        STRANGER.set(None);
    }
}

type Addresses = Arc<[SocketAddr]>;

/// Looks up `host:port` within a timeout.
type Lookup = dyn Fn(String, Duration) -> Result<Addresses, LookupFailed> + Send + Sync;

/// Addresses, and the time of their lookup.
type CachedLookup = Flight<(Instant, Addresses)>;

#[derive(Clone)]
pub struct CachingResolver {
    hosts: Arc<Mutex<HashMap<String, Arc<CachedLookup>>>>,
    /// The only host to look up: a proxy, which resolves all others itself.
    only: Option<String>,
    clock: Arc<dyn Clock>,
    lookup: Arc<Lookup>,
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
            Err(_) => self
                .addresses(host, port, *timeout.after)
                .map_err(|error| ureq::Error::Other(Box::new(error)))?,
        };
        let leads_here = addresses.iter().any(|found| address::is_own_ip(found.ip()));
        if leads_here && self.is_named_from_outside(host, *timeout.after) {
            return Err(ureq::Error::Other(Box::new(OwnAddress)));
        }
        let mut found = self.empty();
        // ureq keeps at most 16 addresses.
        for address in addresses.iter().take(16) {
            found.push(*address);
        }
        Ok(found)
    }
}

impl CachingResolver {
    /// A resolver that uses the system's.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, Arc::new(system_lookup))
    }

    fn with(clock: Arc<dyn Clock>, lookup: Arc<Lookup>) -> Self {
        Self {
            hosts: Arc::default(),
            only: None,
            clock,
            lookup,
        }
    }

    /// The same cache for a proxy's host only.
    pub fn only_for(&self, proxy: &Url) -> Self {
        Self {
            only: proxy.host_str().map(str::to_owned),
            ..self.clone()
        }
    }

    fn is_named_from_outside(&self, host: &str, timeout: Duration) -> bool {
        let named_by = STRANGER.with_borrow(|stranger| {
            let stranger = stranger.as_ref().filter(|(name, _)| name == host);
            stranger.map(|(_, named_by)| named_by.clone())
        });
        named_by.is_some_and(|named_by| !self.is_private(&named_by, timeout))
    }

    /// Whether a URL's host is on this machine or in a private network, as written or as resolved.
    fn is_private(&self, url: &Url, timeout: Duration) -> bool {
        if address::is_private(url) || address::ip(url).is_some() {
            return address::is_private(url);
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return false;
        };
        self.addresses(host, port, timeout)
            .is_ok_and(|found| found.iter().any(|found| address::is_private_ip(found.ip())))
    }

    pub fn forget(&self, url: &Url) {
        if let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) {
            self.kept(host, port).forget(|_| true);
        }
    }

    fn addresses(
        &self,
        host: &str,
        port: u16,
        timeout: Duration,
    ) -> Result<Addresses, LookupFailed> {
        let now = self.clock.now();
        let is_fresh = |(at, _): &(Instant, Addresses)| now.saturating_duration_since(*at) < LIFE;
        let ask = || (self.lookup)(format!("{host}:{port}"), timeout);
        self.kept(host, port)
            .get(is_fresh, || Ok((now, ask()?)))
            .map(|(_, addresses)| addresses)
    }

    fn kept(&self, host: &str, port: u16) -> Arc<CachedLookup> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts
            .entry(format!("{host}:{port}"))
            .or_insert_with(|| Arc::new(Flight::new()))
            .clone()
    }
}

/// Looks up a name on a thread of its own: the system call cannot be interrupted.
fn system_lookup(name: String, timeout: Duration) -> Result<Addresses, LookupFailed> {
    let (sender, receiver) = bounded(1);
    let lookup = move || {
        // After the timeout nothing receives the result.
        let _ = sender.send(name.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    };
    std::thread::Builder::new()
        .name("lookup".to_owned())
        .spawn(lookup)
        .map_err(|error| failed(&error))?;
    match receiver.recv_timeout(timeout) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses.into()),
        Ok(Ok(_)) => Err(LookupFailed {
            text: "no address found".to_owned(),
            is_temporary: false,
        }),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(LookupFailed {
            text: "the DNS lookup timed out".to_owned(),
            is_temporary: true,
        }),
    }
}

fn failed(error: &io::Error) -> LookupFailed {
    let text = error.to_string();
    let (is_temporary, text) = quirks::lookup_failure(&text);
    LookupFailed {
        text: text.to_owned(),
        is_temporary,
    }
}

impl fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachingResolver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::scripted::FakeClock;

    /// A host that has another address at every lookup: the first is 10.0.0.1.
    fn moving(clock: &Arc<FakeClock>) -> CachingResolver {
        let count = Mutex::new(0);
        let lookup = move |_, _| {
            let mut count = count.lock().expect("a count");
            *count += 1;
            Ok(Arc::from([SocketAddr::from(([10, 0, 0, *count], 443))]))
        };
        CachingResolver::with(clock.clone(), Arc::new(lookup))
    }

    fn last_byte(resolver: &CachingResolver) -> u8 {
        let addresses = resolver.addresses("reg.io", 443, LIFE).expect("addresses");
        match addresses[0].ip() {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(_) => 0,
        }
    }

    #[test]
    fn addresses_are_kept_for_a_minute() {
        let clock = Arc::new(FakeClock::default());
        let resolver = moving(&clock);
        assert_eq!(last_byte(&resolver), 1);
        clock.advance(Duration::from_secs(59));
        assert_eq!(last_byte(&resolver), 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(last_byte(&resolver), 2);
    }

    /// `inside.io` is this machine, `corp.io` is in a private network, others are public.
    fn fixed() -> CachingResolver {
        let lookup = |name: String, _| {
            let ip = match name.split(':').next() {
                Some("inside.io") => [127, 0, 0, 1],
                Some("corp.io") => [10, 0, 0, 1],
                _ => [8, 8, 8, 8],
            };
            Ok(Arc::from([SocketAddr::from((ip, 443))]))
        };
        CachingResolver::with(Arc::new(FakeClock::default()), Arc::new(lookup))
    }

    #[test]
    fn a_host_named_by_a_server_never_resolves_to_this_machine() {
        let resolver = fixed();
        let resolve = |uri: &str| {
            let timeout = NextTimeout {
                after: ureq::unversioned::transport::time::Duration::from_secs(5),
                reason: ureq::Timeout::Global,
                ..NextTimeout::default()
            };
            let config = Config::builder().build();
            resolver.resolve(&uri.parse().expect("a URI"), &config, timeout)
        };
        assert!(resolve("https://inside.io/").is_ok());
        let outside = Url::parse("https://reg.io/").expect("a URL");
        let guard = StrangerGuard::new("inside.io", &outside);
        let error = resolve("https://inside.io/").expect_err("refused");
        assert!(matches!(error, ureq::Error::Other(other) if other.is::<OwnAddress>()));
        assert!(
            resolve("https://127.0.0.1/").is_ok(),
            "a proxy of this machine"
        );
        drop(guard);
        assert!(resolve("https://inside.io/").is_ok());
        let guard = StrangerGuard::new("[::ffff:127.0.0.1]", &outside);
        assert!(resolve("https://[::ffff:127.0.0.1]/").is_err());
        drop(guard);
        let inside = Url::parse("https://corp.io/").expect("a URL");
        let _guard = StrangerGuard::new("inside.io", &inside);
        assert!(resolve("https://inside.io/").is_ok());
    }

    #[test]
    fn a_private_host_is_recognized_by_its_address() {
        let resolver = fixed();
        for (url, expected) in [
            ("https://inside.io/", true),
            ("https://corp.io/", true),
            ("https://10.1.1.1/", true),
            ("https://localhost/", true),
            ("https://reg.io/", false),
            ("https://8.8.4.4/", false),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(resolver.is_private(&url, LIFE), expected, "{url}");
        }
    }

    #[test]
    fn forgotten_addresses_are_looked_up_again() {
        let resolver = moving(&Arc::default());
        assert_eq!(last_byte(&resolver), 1);
        resolver.forget(&Url::parse("https://reg.io/v2/").expect("a URL"));
        assert_eq!(last_byte(&resolver), 2);
    }
}
