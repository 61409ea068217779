//! A ureq agent per combination of TLS settings and proxy.
//!
//! Hosts with certificates of their own never share connections with others, and an unverified
//! connection never serves a request that requires verification.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::config::{Config, ConfigBuilder};
use ureq::typestate::AgentScope;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, SocksConnector, TcpConnector,
};
use ureq::{Agent, Proxy};
use url::Url;

use super::deadline::DeadlineConnector;
use super::forward::ForwardConnector;
use super::resolver::{CachingResolver, StrangerGuard};
use super::tls::TlsConnector;
use crate::registry::exchange::Clock;
use crate::registry::failure::Failure;
use crate::registry::insecure::InsecureHosts;
use crate::registry::proxy::Proxies;
use crate::registry::tls::{CertsD, HostCertificates, Trust, TrustError};

/// The connect timeout.
const CONNECT: Duration = Duration::from_secs(10);

/// The minimum throughput of blobs in bytes per second.
const SLOWEST: u64 = 8 * 1024;

/// The timeout of a blob of unknown size, in multiples of `--timeout`: an hour by default.
const UNKNOWN_SIZE_TIMEOUTS: u32 = 120;

/// Hosts with equal keys share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AgentKey {
    certificates: Option<PathBuf>,
    proxy: Option<Url>,
    is_secure: bool,
    is_verified: bool,
}

/// Creates agents on demand, and caches them.
pub struct Agents {
    trust: Trust,
    insecure: Arc<InsecureHosts>,
    certs_d: CertsD,
    proxies: Proxies,
    jobs: usize,
    timeout: Duration,
    resolver: CachingResolver,
    cache: Mutex<AgentCache>,
}

#[derive(Default)]
struct AgentCache {
    by_key: HashMap<AgentKey, Agent>,
    /// By scheme, host and port, and whether certificates are verified, to save file system accesses.
    by_origin: HashMap<(String, bool), Agent>,
    is_shut_down: bool,
}

impl Agents {
    /// Keeps connections for `jobs` threads. `timeout`: the longest time without progress.
    pub fn new(
        trust: Trust,
        insecure: Arc<InsecureHosts>,
        certs_d: CertsD,
        proxies: Proxies,
        jobs: usize,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            trust,
            insecure,
            certs_d,
            proxies,
            jobs,
            timeout,
            resolver: CachingResolver::new(clock),
            cache: Mutex::default(),
        }
    }

    /// The agent for a URL. `named_by`: the URL whose server directed the client there.
    ///
    /// # Errors
    /// [`Failure::Setup`] if the host's certificates or the proxy cannot be used.
    pub fn find(&self, url: &Url, named_by: Option<&Url>) -> Result<Agent, Failure> {
        let is_verified = match named_by {
            Some(named_by) => !self.insecure.covers_named(url, named_by),
            None => !self.insecure.covers(url),
        };
        let origin = (url.origin().ascii_serialization(), is_verified);
        let known = {
            let cache = self.lock();
            if cache.is_shut_down {
                return Err(Failure::Interrupted);
            }
            cache.by_origin.get(&origin).cloned()
        };
        if let Some(agent) = known {
            return Ok(agent);
        }
        // Errors are not cached: an operator may fix them while the program runs.
        let agent = self.make(url, is_verified)?;
        // If another thread was faster, its agent counts: it has the connections.
        Ok(self.lock().by_origin.entry(origin).or_insert(agent).clone())
    }

    /// Until dropped, keeps a host that another server named from resolving to this machine. Behind a
    /// proxy, the proxy decides.
    pub fn guard(&self, url: &Url, named_by: &Url) -> Option<StrangerGuard> {
        let host = url.host_str()?;
        let is_proxied = self.proxies.find(url).is_ok_and(|proxy| proxy.is_some());
        (named_by.host() != url.host() && !is_proxied).then(|| StrangerGuard::new(host, named_by))
    }

    pub fn proxy(&self, url: &Url) -> Option<Url> {
        self.proxies.find(url).ok().flatten()
    }

    /// Forgets the addresses of the URL's host and of its proxy after a failed connection.
    pub fn forget_addresses(&self, url: &Url) {
        self.resolver.forget(url);
        if let Some(proxy) = self.proxy(url) {
            self.resolver.forget(&proxy);
        }
    }

    /// The timeout of a blob of this many bytes; for an unknown size [`UNKNOWN_SIZE_TIMEOUTS`].
    pub fn time_for(&self, bytes: Option<u64>) -> Duration {
        match bytes {
            Some(bytes) => Duration::from_secs(bytes / SLOWEST) + 4 * self.timeout,
            None => UNKNOWN_SIZE_TIMEOUTS * self.timeout,
        }
    }

    /// Closes all connections, and refuses new ones.
    pub fn shutdown(&self) {
        let mut cache = self.lock();
        cache.is_shut_down = true;
        cache.by_origin.clear();
        for (_, agent) in cache.by_key.drain() {
            agent.shutdown();
        }
    }

    fn make(&self, url: &Url, is_verified: bool) -> Result<Agent, Failure> {
        let is_secure = url.scheme() == "https";
        let key = AgentKey {
            certificates: if is_secure {
                self.certs_d.find(url)
            } else {
                None
            },
            proxy: self.proxies.find(url).map_err(Failure::Setup)?,
            is_secure,
            is_verified,
        };
        let known = self.lock().by_key.get(&key).cloned();
        if let Some(agent) = known {
            return Ok(agent);
        }
        let agent = self.build(&key)?;
        Ok(self.lock().by_key.entry(key).or_insert(agent).clone())
    }

    fn build(&self, key: &AgentKey) -> Result<Agent, Failure> {
        let setup = |error: TrustError| Failure::Setup(error.to_string());
        let own = match &key.certificates {
            Some(directory) => CertsD::read(directory).map_err(setup)?,
            None => HostCertificates::default(),
        };
        let tls = TlsConnector::new(self.trust.config(own, key.is_verified).map_err(setup)?);
        // An HTTP proxy gets the whole URL of a plain request; everything else is tunnelled.
        let is_forwarded =
            |proxy: &&Url| !key.is_secure && matches!(proxy.scheme(), "http" | "https");
        let forward = key.proxy.as_ref().filter(is_forwarded);
        let tunnel = match &key.proxy {
            Some(proxy) if forward.is_none() => Some(
                Proxy::new(proxy.as_str())
                    .map_err(|_| Failure::Setup("the proxy URL is not supported".to_owned()))?,
            ),
            _ => None,
        };
        let resolver = match forward {
            Some(proxy) => self.resolver.only_for(proxy),
            None => self.resolver.clone(),
        };
        let connector =
            ().chain(ForwardConnector::new(forward))
                .chain(ConnectProxyConnector::default())
                .chain(SocksConnector::default())
                .chain(TcpConnector::default())
                .chain(tls)
                .chain(DeadlineConnector::new(key.proxy.as_ref()));
        Ok(Agent::with_parts(
            self.config().proxy(tunnel).build(),
            connector,
            resolver,
        ))
    }

    fn config(&self) -> ConfigBuilder<AgentScope> {
        Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("image-tools/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(8 * self.jobs)
            .max_idle_connections_per_host(self.jobs)
            // A token of 16 KiB must fit into one request header.
            .input_buffer_size(64 * 1024)
            .output_buffer_size(64 * 1024)
            .timeout_resolve(Some(self.timeout))
            .timeout_connect(Some(self.timeout.min(CONNECT)))
            .timeout_send_request(Some(self.timeout))
            .timeout_send_body(Some(self.timeout))
            .timeout_recv_response(Some(self.timeout))
            .timeout_per_read(Some(self.timeout))
            // A server that sends a byte now and then makes progress, but must not do so forever.
            .timeout_recv_body(Some(self.timeout))
    }

    fn lock(&self) -> MutexGuard<'_, AgentCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
