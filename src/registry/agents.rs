//! One ureq agent for each way to connect: TLS settings and proxy.
//!
//! A host with certificates of its own never shares connections with others, and no connection
//! that was not verified serves a request that wants verification.

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

use super::failure::Failure;
use super::proxy::{ForwardConnector, Proxies};
use super::resolver::CachingResolver;
use super::tls::{CertsD, HostCertificates, TlsConnector, Trust};

/// The longest time for connecting.
const CONNECT: Duration = Duration::from_secs(10);

/// Blobs that come slower do not come, in bytes a second.
const SLOWEST: u64 = 8 * 1024;

/// What makes two connections different in kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    certificates: Option<PathBuf>,
    proxy: Option<Url>,
    is_secure: bool,
}

/// Makes agents when they are needed, and keeps them.
pub struct Agents {
    trust: Trust,
    certs_d: CertsD,
    proxies: Proxies,
    jobs: usize,
    timeout: Duration,
    resolver: CachingResolver,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    by_kind: HashMap<Kind, Result<Agent, Failure>>,
    /// By scheme, host and port, so that the file system is asked once.
    by_origin: HashMap<String, Arc<Result<Agent, Failure>>>,
    is_shut_down: bool,
}

impl Agents {
    /// With connections kept for `jobs` threads, and at most `timeout` without progress.
    pub fn new(
        trust: Trust,
        certs_d: CertsD,
        proxies: Proxies,
        jobs: usize,
        timeout: Duration,
    ) -> Self {
        Self {
            trust,
            certs_d,
            proxies,
            jobs,
            timeout,
            resolver: CachingResolver::default(),
            made: Mutex::default(),
        }
    }

    /// The agent for a URL.
    ///
    /// # Errors
    /// [`Failure::Setup`] where the host's certificates or the proxy cannot be used.
    pub fn find(&self, url: &Url) -> Result<Agent, Failure> {
        let origin = url.origin().ascii_serialization();
        let known = {
            let made = self.lock();
            if made.is_shut_down {
                return Err(Failure::Interrupted);
            }
            made.by_origin.get(&origin).cloned()
        };
        let found = match known {
            Some(found) => found,
            None => {
                let agent = self.make(url);
                // Another thread may have been quicker: its agent is the one with connections.
                self.lock()
                    .by_origin
                    .entry(origin)
                    .or_insert_with(|| Arc::new(agent))
                    .clone()
            }
        };
        Result::clone(&found)
    }

    /// How long a body of so many bytes may take; none: as long as it comes at all.
    pub fn time_for(&self, bytes: u64) -> Option<Duration> {
        let slowest = Duration::from_secs(bytes / SLOWEST);
        (bytes < u64::MAX).then(|| slowest + 4 * self.timeout)
    }

    /// Ends all connections, and refuses new ones.
    pub fn shutdown(&self) {
        let mut made = self.lock();
        made.is_shut_down = true;
        made.by_origin.clear();
        for (_, agent) in made.by_kind.drain() {
            if let Ok(agent) = agent {
                agent.shutdown();
            }
        }
    }

    fn make(&self, url: &Url) -> Result<Agent, Failure> {
        let is_secure = url.scheme() == "https";
        let kind = Kind {
            certificates: if is_secure {
                self.certs_d.find(url)
            } else {
                None
            },
            proxy: self.proxies.find(url).map_err(Failure::Setup)?,
            is_secure,
        };
        let known = self.lock().by_kind.get(&kind).cloned();
        known.unwrap_or_else(|| {
            let agent = self.build(&kind);
            self.lock().by_kind.entry(kind).or_insert(agent).clone()
        })
    }

    fn build(&self, kind: &Kind) -> Result<Agent, Failure> {
        let setup = |error: super::tls::TrustError| Failure::Setup(error.to_string());
        let own = match &kind.certificates {
            Some(directory) => CertsD::read(directory).map_err(setup)?,
            None => HostCertificates::default(),
        };
        let tls = TlsConnector::new(self.trust.config(own).map_err(setup)?);
        // A plain request names its whole URL to an HTTP proxy; everything else is tunnelled.
        let is_forwarded =
            |proxy: &&Url| !kind.is_secure && matches!(proxy.scheme(), "http" | "https");
        let forward = kind.proxy.as_ref().filter(is_forwarded);
        let tunnel = match &kind.proxy {
            Some(proxy) if forward.is_none() => Some(
                Proxy::new(proxy.as_str())
                    .map_err(|_| Failure::Setup("the proxy's URL cannot be used".to_owned()))?,
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
                .chain(tls);
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
            // A token of 16 KiB has to fit into one of the lines that are sent.
            .input_buffer_size(64 * 1024)
            .output_buffer_size(64 * 1024)
            .timeout_resolve(Some(self.timeout))
            .timeout_connect(Some(self.timeout.min(CONNECT)))
            .timeout_send_request(Some(self.timeout))
            .timeout_send_body(Some(self.timeout))
            .timeout_recv_response(Some(self.timeout))
            .timeout_per_read(Some(self.timeout))
            // A server that sends a byte now and then makes progress, but not for ever.
            .timeout_recv_body(Some(4 * self.timeout))
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
