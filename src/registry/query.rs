//! A query: a manifest, blob or list of referrers in a repository.

use ureq::http::Method;

use super::error::Diagnostic;
use super::exchange::BodyMode;
use crate::manifest::{ACCEPT, Digest, MAX_BYTES};
use crate::reference::{Reference, Repository};

pub struct Query<'a> {
    pub method: Method,
    pub repository: &'a Repository,
    /// The path below `/v2/`, possibly with a query string.
    pub path: String,
    /// Accepted media types in order of preference.
    pub accept: &'static [&'static str],
    /// How to read the body of a successful response.
    pub body: BodyMode,
}

impl<'a> Query<'a> {
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

    pub fn diagnostic(&self, cause: impl Into<String>) -> Diagnostic {
        let request = format!("{} /v2/{}", self.method, self.path);
        Diagnostic::new(&self.repository.registry, &request, cause)
    }
}
