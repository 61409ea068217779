//! A question to a registry: something in a repository.

use ureq::http::Method;

use super::error::Diagnostic;
use super::exchange::BodyMode;
use crate::manifest::{ACCEPT, Digest, MAX_BYTES};
use crate::reference::{Reference, Repository};

/// A request for something in a repository.
pub struct Query<'a> {
    /// GET or HEAD.
    pub method: Method,
    /// The repository.
    pub repository: &'a Repository,
    /// Path below `/v2/`; a query may be part of it.
    pub path: String,
    /// Accepted media types, most wanted first.
    pub accept: &'static [&'static str],
    /// How a successful body is read.
    pub body: BodyMode,
}

impl<'a> Query<'a> {
    /// For a manifest.
    pub fn manifest(method: Method, repository: &'a Repository, reference: &Reference) -> Self {
        let path = format!("{}/manifests/{reference}", repository.registry_path());
        Self {
            method,
            repository,
            path,
            accept: &ACCEPT,
            body: BodyMode::Keep(MAX_BYTES),
        }
    }

    /// For a blob.
    pub fn blob(
        method: Method,
        repository: &'a Repository,
        digest: &Digest,
        body: BodyMode,
    ) -> Self {
        let path = format!("{}/blobs/{digest}", repository.registry_path());
        Self {
            method,
            repository,
            path,
            accept: &[],
            body,
        }
    }

    /// Whether registries count it as a pull: GET of a manifest.
    pub fn is_pull(&self) -> bool {
        self.method == Method::GET && !self.accept.is_empty()
    }

    /// A diagnostic about it.
    pub fn diagnostic(&self, cause: impl Into<String>) -> Diagnostic {
        let request = format!("{} /v2/{}", self.method, self.path);
        Diagnostic::new(&self.repository.registry, &request, cause)
    }
}
