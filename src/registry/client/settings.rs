//! Configuration of a client.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::registry::credentials::Credentials;
use crate::registry::exchange::{Clock, SystemClock};
use crate::registry::http::{Agents, HttpExchange};
use crate::registry::insecure::InsecureHosts;
use crate::registry::proxy::Proxies;
use crate::registry::registries_conf::RegistriesConf;
use crate::registry::retry::{Retrier, RetrySettings};
use crate::registry::tls::{CertsD, Trust, TrustError};
use crate::sync::Interrupt;

/// Configuration of a client.
#[derive(Debug)]
pub struct Settings {
    /// Hosts whose certificates are not verified, and to which plain HTTP is allowed.
    pub insecure: InsecureHosts,
    /// The same for destinations, if they differ.
    pub insecure_destinations: Option<InsecureHosts>,
    /// Further trusted CAs.
    pub ca_files: Vec<PathBuf>,
    /// The longest time of one request without progress.
    pub timeout: Duration,
    /// The maximum number of retries per request.
    pub retries: u32,
    /// How long images wait for a registry that is down, in total per host.
    pub patience: Duration,
    /// Number of threads that send requests.
    pub jobs: usize,
    /// Credentials.
    pub credentials: Credentials,
    /// Client certificates and CAs per registry.
    pub certs_d: CertsD,
    /// Proxies.
    pub proxies: Proxies,
    /// Settings of podman, skopeo and docker on this host.
    pub conf: RegistriesConf,
}

impl Client {
    /// # Errors
    /// [`TrustError`] if the configured certificates cannot be used.
    pub fn new(settings: Settings, interrupt: &Arc<Interrupt>) -> Result<Self, TrustError> {
        let trust = Trust::load(settings.insecure.all, &settings.ca_files)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(interrupt.clone()));
        let connect = |insecure: Arc<InsecureHosts>| {
            let agents = Agents::new(
                trust.clone(),
                insecure.clone(),
                settings.certs_d.clone(),
                settings.proxies.clone(),
                settings.jobs,
                settings.timeout,
                clock.clone(),
            );
            let retry = RetrySettings {
                retries: settings.retries,
                patience: settings.patience,
                timeout: settings.timeout,
                insecure,
            };
            (
                Box::new(HttpExchange::new(agents, interrupt.clone())),
                retry,
            )
        };
        let (exchange, retry) = connect(Arc::new(settings.insecure));
        let of_destinations = settings.insecure_destinations.map(|insecure| {
            let (exchange, retry) = connect(Arc::new(insecure));
            Retrier::new(exchange, clock.clone(), retry)
        });
        Ok(Self {
            conf: settings.conf,
            of_destinations,
            ..Self::over(exchange, clock.clone(), retry, settings.credentials)
        })
    }
}
