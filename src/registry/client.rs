//! What is asked of a registry, and what its answers mean.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::http::Method;
use url::Url;

use super::Side;
use super::agents::Agents;
use super::credentials::Credentials;
use super::error::{Error, Trouble, describe, words};
use super::host::{Answer, Host, Query};
use super::http::{Response, Want, without_secrets};
use super::proxy::Proxies;
use super::tls::{CertsD, Trust, TrustError};
use super::transport::Transport;
use super::wire::Wire;
use crate::log::Log;
use crate::manifest::{self, ACCEPT, Blob, Digest, MAX_BYTES, Manifest, MediaType, Platform};
use crate::reference::{Reference, Repository};
use crate::sync::Interrupt;

/// What a client has to know.
#[derive(Debug)]
pub struct Settings {
    /// Whether certificates are verified.
    pub tls_verify: bool,
    /// Trusted besides the system's CAs.
    pub ca_files: Vec<PathBuf>,
    /// For one request without progress.
    pub timeout: Duration,
    /// How often a request is repeated.
    pub retries: u32,
    /// Number of threads that ask.
    pub jobs: usize,
    /// Who asks.
    pub credentials: Credentials,
    /// Certificates for single registries.
    pub certs_d: CertsD,
    /// Through whom.
    pub proxies: Proxies,
}

/// A registry, and the side for which it has credentials of its own, if one has.
type HostKey = (String, Option<Side>);

/// Reads registries; shared by all threads.
pub struct Client {
    wire: Wire,
    credentials: Arc<Credentials>,
    hosts: Mutex<HashMap<HostKey, Arc<Host>>>,
}

impl Client {
    /// A client that has asked nobody yet.
    ///
    /// # Errors
    /// [`TrustError`] where the configured certificates cannot be used.
    pub fn new(settings: Settings, interrupt: Arc<Interrupt>) -> Result<Self, TrustError> {
        let trust = Trust::load(settings.tls_verify, &settings.ca_files)?;
        let agents = Agents::new(
            trust,
            settings.certs_d,
            settings.proxies,
            settings.jobs,
            settings.timeout,
        );
        let transport = Transport::new(agents, interrupt.clone());
        let wire = Wire::new(transport, settings.retries, !settings.tls_verify, interrupt);
        Ok(Self {
            wire,
            credentials: Arc::new(settings.credentials),
            hosts: Mutex::default(),
        })
    }

    /// Reads a manifest. One asked for by digest is what the digest says.
    ///
    /// # Errors
    /// [`Error::Missing`] only where the registry says that it does not have it.
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

    /// Reads the manifest of this digest, and its blobs: its config first. An index has none.
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
        let blobs = manifest::blobs(&bytes).map_err(|error| {
            let question = Question::manifest(Method::GET, repository, &reference);
            Error::Invalid(question.trouble(error.to_string()))
        })?;
        Ok((manifest, blobs))
    }

    /// Reads the manifest of this digest, with its bytes as they were received.
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

    /// Reads a manifest, with its bytes as they were received.
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
        // A damaged answer may be an accident on the way (a cut that HTTP does not show).
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
        let question = Question::manifest(Method::GET, repository, reference);
        let response = self.ask(side, &question, log)?;
        let invalid = |answer: String| Error::Invalid(question.trouble(answer));
        if response.is_html() {
            return Err(invalid("an HTML page instead of a manifest".to_owned())
                .with_remedy("is this a registry? A proxy or a login page may be in between"));
        }
        let manifest =
            manifest::parse(&response.body).map_err(|error| invalid(error.to_string()))?;
        match reference {
            Reference::Digest(asked)
                if *asked != manifest.digest && !asked.matches(&response.body) =>
            {
                return Err(invalid(format!(
                    "the answer is another manifest, of digest {}",
                    manifest.digest
                )));
            }
            Reference::Digest(asked) => {
                let digest = asked.clone();
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
                "{}: the registry names digest {claimed} for a manifest whose digest is {}",
                reference.of(repository),
                manifest.digest
            ));
        }
        let named = response
            .header("content-type")
            .and_then(|text| MediaType::from_header(&text));
        if let Some(named) = named.filter(|named| !named.is_same_kind(manifest.media_type)) {
            log.warn(format!(
                "{}: the registry calls it {}, and its body says {}",
                reference.of(repository),
                named.as_str(),
                manifest.media_type.as_str()
            ));
        }
        Ok((manifest, response.body))
    }

    /// The digest that the registry names for a manifest on HEAD (`Docker-Content-Digest`), if it
    /// names one. A claim: nothing of it is verified.
    ///
    /// # Errors
    /// As [`Client::manifest`]. An answer to HEAD has no body: what is wrong is found out by GET.
    pub fn head(
        &self,
        side: Side,
        repository: &Repository,
        reference: &Reference,
        log: &Log,
    ) -> Result<Option<Digest>, Error> {
        let question = Question::manifest(Method::HEAD, repository, reference);
        let response = self.ask(side, &question, log)?;
        Ok(response
            .header("docker-content-digest")
            .and_then(|text| text.parse().ok()))
    }

    /// Whether a manifest is there. HEAD is believed when it names the digest that was asked for;
    /// everything else is found out by GET, also the reason of a refusal.
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
        let question = Question::blob(Method::GET, repository, digest, Want::Body(MAX_BYTES));
        let response = self.ask(side, &question, log)?;
        if !digest.matches(&response.body) {
            return Err(Error::Invalid(
                question.trouble("the answer is another blob, of another digest"),
            ));
        }
        manifest::config_platform(&response.body)
            .map_err(|error| Error::Invalid(question.trouble(error.to_string())))
    }

    /// Ends all requests.
    pub fn shutdown(&self) {
        self.wire.shutdown();
    }

    /// Sends a question; an answer is one with status 200, or 206 for a part.
    pub(super) fn ask(
        &self,
        side: Side,
        question: &Question<'_>,
        log: &Log,
    ) -> Result<Response, Error> {
        judge(question, self.send(side, question, log)?)
    }

    /// Sends a question; every status is an answer.
    pub(super) fn send(
        &self,
        side: Side,
        question: &Question<'_>,
        log: &Log,
    ) -> Result<Answer, Error> {
        let query = Query {
            method: &question.method,
            repository: question.repository,
            path: &question.path,
            accept: question.accept,
            want: question.want,
        };
        let mut answer = self
            .host(side, &question.repository.registry)
            .ask(&self.wire, &query, log)?;
        if !answer.is_registry_s
            && answer.response.status.as_u16() == 401
            && let Some(name) = authority(&answer.response.url)
        {
            let other = self.host(side, &name);
            answer = other.ask_after_redirect(&self.wire, &query, &answer.response, log)?;
        }
        Ok(answer)
    }

    fn host(&self, side: Side, registry: &str) -> Arc<Host> {
        let own = self.credentials.are_of_side(side, registry).then_some(side);
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Host::new(registry, side, self.credentials.clone()));
        hosts
            .entry((registry.to_owned(), own))
            .or_insert_with(make)
            .clone()
    }
}

/// What an answer means: one with status 200, or 206 for a part, or why there is none.
pub(super) fn judge(question: &Question<'_>, answer: Answer) -> Result<Response, Error> {
    let Answer {
        response,
        is_registry_s,
        remedy,
    } = answer;
    let trouble = || question.trouble(describe(&response));
    match response.status.as_u16() {
        200 if question.method == Method::GET && is_encoded(&response) => {
            let encoding = response.header("content-encoding").unwrap_or_default();
            Err(Error::Invalid(question.trouble(format!(
                "the answer has the encoding {encoding}, which was not asked for"
            ))))
        }
        200 => Ok(response),
        206 if question.want == Want::FirstByte => Ok(response),
        // The store to which the registry redirects says that it does not have the object.
        404 if !is_registry_s && names_missing_object(&response) => Err(Error::Missing(trouble())),
        // A store to which the registry redirects may be missing as a whole.
        404 if is_of_registry(&response) && (is_registry_s || has_errors(&response)) => {
            Err(Error::Missing(trouble()))
        }
        404 if is_registry_s => Err(Error::Invalid(
            trouble().remedy("this is not a registry's answer; check the registry's name and path"),
        )),
        401 | 403 if is_registry_s => Err(Error::Denied(trouble().remedy(remedy))),
        _ if !is_registry_s => {
            let from = without_secrets(&response.url);
            Err(Error::Invalid(question.trouble(format!(
                "redirected to {from}, which answers {}",
                describe(&response)
            ))))
        }
        _ => Err(Error::Invalid(trouble())),
    }
}

/// Whether a store says that it does not have one object (Amazon S3's and Azure's words), not that it
/// is missing as a whole.
fn names_missing_object(response: &Response) -> bool {
    let words = words(response);
    ["NoSuchKey", "BlobNotFound"]
        .iter()
        .any(|code| words.starts_with(code))
}

/// Whether a body is still compressed; gzip has been taken off already.
fn is_encoded(response: &Response) -> bool {
    response
        .header("content-encoding")
        .is_some_and(|encoding| !matches!(encoding.as_str(), "" | "identity"))
}

/// The host of a URL as a registry's name.
fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

/// Whether a 404 says that something is not there, and not that this is no registry or that it
/// cannot answer in a type that was asked for.
fn is_of_registry(response: &Response) -> bool {
    !response.is_html() && !words(response).contains("accept header does not support")
}

/// Whether a body is an error as registries write it, not as a store does.
fn has_errors(response: &Response) -> bool {
    serde_json::from_slice::<serde_json::Value>(&response.body)
        .is_ok_and(|body| body.get("errors").is_some())
}

/// Something asked of a repository.
pub(super) struct Question<'a> {
    /// GET or HEAD.
    pub method: Method,
    /// The repository.
    pub repository: &'a Repository,
    /// What is asked for, below `/v2/`; a query may be part of it.
    pub path: String,
    /// Accepted media types, most wanted first.
    pub accept: &'static [&'static str],
    /// What is wanted of the answer's body.
    pub want: Want,
}

impl<'a> Question<'a> {
    /// For a manifest.
    pub fn manifest(method: Method, repository: &'a Repository, reference: &Reference) -> Self {
        let path = format!("{}/manifests/{reference}", repository.registry_path());
        Self {
            method,
            repository,
            path,
            accept: &ACCEPT,
            want: Want::Body(MAX_BYTES),
        }
    }

    /// For a blob.
    pub fn blob(method: Method, repository: &'a Repository, digest: &Digest, want: Want) -> Self {
        let path = format!("{}/blobs/{digest}", repository.registry_path());
        Self {
            method,
            repository,
            path,
            accept: &[],
            want,
        }
    }

    /// What went wrong with it.
    pub fn trouble(&self, answer: impl Into<String>) -> Trouble {
        Trouble::new(
            &self.repository.registry,
            &format!("{} /v2/{}", self.method, self.path),
            answer,
        )
    }
}
