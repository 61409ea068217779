//! The client: reads manifests, configs, blobs and referrers.

mod settings;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ureq::http::Method;

use super::Side;
use super::answer::FinalResponse;
use super::credentials::Credentials;
use super::error::Error;
use super::exchange::{BodyMode, Clock, Exchange, Response};
use super::host::Host;
use super::query::Query;
use super::redirect::authority;
use super::registries_conf::RegistriesConf;
use super::retry::{Gate, Retrier, RetrySettings};
use super::upcoming::Upcoming;
use crate::log::Log;
use crate::manifest::{self, Blob, Digest, MAX_BYTES, Manifest, MediaType, Platform};
use crate::reference::{Reference, Repository};

pub use settings::Settings;

/// Documents above this many bytes are parsed one at a time, to bound the memory of all threads
/// together.
const LARGE: usize = 256 * 1024;

/// A registry, and the side if that side has credentials of its own.
type HostKey = (String, Option<Side>);

/// Reads registries. Shared by all threads.
pub struct Client {
    pub(super) retrier: Retrier,
    /// The retrier of destinations, if it differs.
    of_destinations: Option<Retrier>,
    credentials: Arc<Credentials>,
    hosts: Mutex<HashMap<HostKey, Arc<Host>>>,
    upcoming: Upcoming,
    conf: RegistriesConf,
    /// Warnings about ignored settings that have been logged.
    remarked: Mutex<HashSet<String>>,
    /// Held while parsing a large document.
    parsing: Mutex<()>,
}

impl Client {
    pub(super) fn over(
        exchange: Box<dyn Exchange>,
        clock: Arc<dyn Clock>,
        retry: RetrySettings,
        credentials: Credentials,
    ) -> Self {
        Self {
            retrier: Retrier::new(exchange, clock, retry),
            of_destinations: None,
            credentials: Arc::new(credentials),
            hosts: Mutex::default(),
            upcoming: Upcoming::default(),
            conf: RegistriesConf::default(),
            remarked: Mutex::default(),
            parsing: Mutex::default(),
        }
    }

    /// Announces the repository of a later line.
    pub fn announce(&self, side: Side, repository: &Repository) {
        self.upcoming.add(side, repository);
    }

    /// Reads a manifest. One requested by digest is verified against the digest.
    ///
    /// # Errors
    /// [`Error::Missing`] only if the registry reports that the manifest does not exist.
    pub fn manifest(
        &self,
        side: Side,
        repository: &Repository,
        reference: &Reference,
        log: &Log,
    ) -> Result<Manifest, Error> {
        self.manifest_and_bytes(side, repository, reference, log)
            .map(|(manifest, _)| manifest)
    }

    /// Reads the manifest of this digest and its blobs, config first. An index has none.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub fn manifest_with_blobs(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        log: &Log,
    ) -> Result<(Manifest, Option<Vec<Blob>>), Error> {
        let reference = Reference::Digest(digest.clone());
        let (manifest, bytes) = self.manifest_and_bytes(side, repository, &reference, log)?;
        let blobs = self.parse(&bytes, manifest::blobs).map_err(|error| {
            let query = Query::manifest(Method::GET, repository, &reference);
            Error::Invalid(query.diagnostic(error.to_string()))
        })?;
        Ok((manifest, blobs))
    }

    /// Reads the manifest of this digest, with the bytes as received.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub fn manifest_bytes(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        log: &Log,
    ) -> Result<(Manifest, Vec<u8>), Error> {
        let reference = Reference::Digest(digest.clone());
        self.manifest_and_bytes(side, repository, &reference, log)
    }

    /// Reads a manifest, with the bytes as received.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub(super) fn manifest_and_bytes(
        &self,
        side: Side,
        repository: &Repository,
        reference: &Reference,
        log: &Log,
    ) -> Result<(Manifest, Vec<u8>), Error> {
        // A damaged response may be an accident in transit (truncation that HTTP does not detect).
        match self.read_manifest(side, repository, reference, log) {
            Err(Error::Invalid(_)) => self.read_manifest(side, repository, reference, log),
            other => other,
        }
    }

    fn read_manifest(
        &self,
        side: Side,
        repository: &Repository,
        reference: &Reference,
        log: &Log,
    ) -> Result<(Manifest, Vec<u8>), Error> {
        let query = Query::manifest(Method::GET, repository, reference);
        let response = self.fetch(side, &query, log)?;
        let invalid = |cause: String| Error::Invalid(query.diagnostic(cause));
        if response.is_html() {
            return Err(Error::Invalid(
                query
                    .diagnostic("the response is an HTML page instead of a manifest")
                    .hint("check the host name; a proxy or a login page may be intercepting the connection"),
            ));
        }
        let manifest = self
            .parse(&response.body, manifest::parse)
            .map_err(|error| invalid(error.to_string()))?;
        match reference {
            Reference::Digest(requested)
                if *requested != manifest.digest && !requested.matches(&response.body) =>
            {
                return Err(invalid(format!(
                    "the registry returned a different manifest (digest {})",
                    manifest.digest
                )));
            }
            Reference::Digest(requested) => {
                let digest = requested.clone();
                return Ok((Manifest { digest, ..manifest }, response.body));
            }
            Reference::Tag(_) => {}
        }
        let claimed = response
            .header("docker-content-digest")
            .and_then(|text| text.parse::<Digest>().ok());
        if let Some(claimed) = claimed
            && claimed != manifest.digest
            && !claimed.matches(&response.body)
        {
            log.warn(format!(
                "{}: Docker-Content-Digest is {claimed}, but the digest of the manifest is {}",
                reference.of(repository),
                manifest.digest
            ));
        }
        let named = response
            .header("content-type")
            .and_then(|text| MediaType::from_header(&text));
        if let Some(named) = named.filter(|named| !named.is_same_kind(manifest.media_type)) {
            log.warn(format!(
                "{}: Content-Type is {}, but the body is {}",
                reference.of(repository),
                named.as_str(),
                manifest.media_type.as_str()
            ));
        }
        Ok((manifest, response.body))
    }

    /// The value of `Docker-Content-Digest` in the response to HEAD. It is not verified.
    ///
    /// # Errors
    /// As [`Client::manifest`]. A response to HEAD has no error body: only GET tells the cause.
    pub fn head(
        &self,
        side: Side,
        repository: &Repository,
        reference: &Reference,
        log: &Log,
    ) -> Result<Option<Digest>, Error> {
        let query = Query::manifest(Method::HEAD, repository, reference);
        let response = self.fetch(side, &query, log)?;
        Ok(response
            .header("docker-content-digest")
            .and_then(|text| text.parse().ok()))
    }

    /// Whether a manifest exists. HEAD counts if it returns the requested digest; everything else,
    /// including the reason of a refusal, is checked with GET.
    ///
    /// # Errors
    /// [`Error`], but never [`Error::Missing`].
    pub fn has_manifest(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        log: &Log,
    ) -> Result<bool, Error> {
        let reference = Reference::Digest(digest.clone());
        match self.head(side, repository, &reference, log) {
            Ok(named) if named.as_ref() == Some(digest) => return Ok(true),
            Ok(_) | Err(Error::Missing(_) | Error::Denied(_) | Error::Invalid(_)) => {}
            Err(error) => return Err(error),
        }
        match self.manifest(side, repository, &reference, log) {
            Ok(_) => Ok(true),
            Err(Error::Missing(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the platform of an image from its config blob.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub fn config(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        log: &Log,
    ) -> Result<Platform, Error> {
        let bytes = self.config_bytes(side, repository, digest, log)?;
        self.parse(&bytes, manifest::config_platform)
            .map_err(|error| {
                let query = Query::blob(Method::GET, repository, digest, BodyMode::Keep(MAX_BYTES));
                Error::Invalid(query.diagnostic(error.to_string()))
            })
    }

    /// Reads a config blob of at most [`MAX_BYTES`], and verifies its digest.
    ///
    /// # Errors
    /// As [`Client::manifest`].
    pub fn config_bytes(
        &self,
        side: Side,
        repository: &Repository,
        digest: &Digest,
        log: &Log,
    ) -> Result<Vec<u8>, Error> {
        let query = Query::blob(Method::GET, repository, digest, BodyMode::Keep(MAX_BYTES));
        let response = self.fetch(side, &query, log)?;
        if !digest.matches(&response.body) {
            return Err(Error::Invalid(query.diagnostic(
                "the registry returned a different blob (wrong digest)",
            )));
        }
        Ok(response.body)
    }

    /// Probes a registry on a separate thread, once per run, so that the first request finds its
    /// endpoint.
    pub fn warm_up(self: &Arc<Self>, side: Side, repository: &Repository, log: &Log) {
        let host = self.host(side, &repository.registry);
        if !host.is_first_use() {
            return;
        }
        let (client, log) = (self.clone(), log.in_background());
        // If no thread can be started, the first request probes.
        let _ = thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || {
                // The first request to the registry reports the error.
                let _ = host.endpoint(client.retrier_of(side), &log);
            });
    }

    pub fn gate(&self, side: Side, repository: &Repository) -> Gate {
        self.host(side, &repository.registry)
            .gate(self.retrier_of(side))
    }

    /// Ends all requests.
    pub fn shutdown(&self) {
        self.retrier.shutdown();
        if let Some(retrier) = &self.of_destinations {
            retrier.shutdown();
        }
    }

    /// Sends a query. A result has status 200, or 206 for a range.
    pub(super) fn fetch(
        &self,
        side: Side,
        query: &Query<'_>,
        log: &Log,
    ) -> Result<Response, Error> {
        self.send_confirmed(side, query, log)?.judge(query)
    }

    /// Sends a query. A 404 that a front end may have sent counts only if it comes twice.
    pub(super) fn send_confirmed(
        &self,
        side: Side,
        query: &Query<'_>,
        log: &Log,
    ) -> Result<FinalResponse, Error> {
        let answer = self.send(side, query, log)?;
        if query.method == Method::GET && answer.is_bare_404() {
            return self.send(side, query, log);
        }
        Ok(answer)
    }

    /// Sends a query and returns the final response, whatever its status.
    pub(super) fn send(
        &self,
        side: Side,
        query: &Query<'_>,
        log: &Log,
    ) -> Result<FinalResponse, Error> {
        self.remark(query.repository, log);
        let host = self.host(side, &query.repository.registry);
        let retrier = self.retrier_of(side);
        let answer = host.send_query(retrier, query, (side, &self.upcoming), log)?;
        if answer.from_registry || answer.response.status.as_u16() != 401 {
            return Ok(answer);
        }
        self.host(side, &authority(&answer.response.url))
            .send_after_redirect(retrier, query, &answer.response, log)
    }

    /// Parses a document; large ones one at a time.
    pub(super) fn parse<T>(&self, bytes: &[u8], parse: impl FnOnce(&[u8]) -> T) -> T {
        let turn = || self.parsing.lock().unwrap_or_else(PoisonError::into_inner);
        let _turn = (bytes.len() > LARGE).then(turn);
        parse(bytes)
    }

    /// Logs once per setting that this program ignores it.
    fn remark(&self, repository: &Repository, log: &Log) {
        let Some(text) = self.conf.remark(repository) else {
            return;
        };
        let mut remarked = self.remarked.lock().unwrap_or_else(PoisonError::into_inner);
        if remarked.insert(text.to_owned()) {
            drop(remarked);
            log.warn(text);
        }
    }

    fn retrier_of(&self, side: Side) -> &Retrier {
        match (&self.of_destinations, side) {
            (Some(retrier), Side::Destination) => retrier,
            _ => &self.retrier,
        }
    }

    fn host(&self, side: Side, registry: &str) -> Arc<Host> {
        let is_own = self.of_destinations.is_some() || self.credentials.are_of_side(side, registry);
        let own = is_own.then_some(side);
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Host::new(registry, side, self.credentials.clone()));
        hosts
            .entry((registry.to_owned(), own))
            .or_insert_with(make)
            .clone()
    }
}

#[cfg(test)]
mod tests;
