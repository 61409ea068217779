//! A credential file: `auths`, `credHelpers` and `credsStore`.
//!
//! People and several tools edit these files, so the parser is tolerant: it ignores the letter case of
//! fields, accepts keys with scheme and path, and skips broken entries of other registries. Formats:
//! docker's `config.json`, containers-auth.json(5).

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::{Credential, CredentialError};
use crate::reference::{DOCKER_HUB, Repository};
use crate::registry::secret::Secret;

/// Padding is optional.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file that has been read.
pub struct AuthFile {
    /// Its name, for messages.
    pub name: String,
    auths: Map<String, Value>,
    helpers: Map<String, Value>,
    store: Option<String>,
    has_sections: bool,
}

impl AuthFile {
    /// Reads a file; `None` if it does not exist. `is_old`: the whole file is the `auths` object
    /// (`.dockercfg`).
    pub fn read(path: &Path, is_old: bool) -> Result<Option<Self>, CredentialError> {
        let name = crate::escape::escape(&path.display().to_string()).into_owned();
        match fs::read(path) {
            Ok(bytes) => Self::parse(&name, &bytes, is_old).map(Some),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(CredentialError::new(format!(
                "cannot read the credential file {name}: {error}"
            ))),
        }
    }

    /// Parses the content of a file; an empty file has no entries.
    pub fn parse(name: &str, bytes: &[u8], is_old: bool) -> Result<Self, CredentialError> {
        let malformed = |what: &str| {
            CredentialError::new(format!("cannot read the credential file {name}: {what}"))
        };
        let value = if bytes.trim_ascii().is_empty() {
            Value::Object(Map::new())
        } else {
            // Only the position: the parser's message could quote a secret.
            serde_json::from_slice(bytes).map_err(|error| {
                malformed(&format!(
                    "not valid JSON (line {}, column {})",
                    error.line(),
                    error.column()
                ))
            })?
        };
        let Value::Object(object) = value else {
            return Err(malformed("not a JSON object"));
        };
        let section = |key: &str| match field(&object, key) {
            Some(Value::Object(section)) => section.clone(),
            _ => Map::new(),
        };
        let store = field(&object, "credsStore")
            .and_then(Value::as_str)
            .filter(|store| !store.is_empty());
        let sections = ["auths", "credHelpers", "credsStore"];
        Ok(Self {
            has_sections: is_old || sections.iter().any(|key| field(&object, key).is_some()),
            name: name.to_owned(),
            helpers: section("credHelpers"),
            store: store.map(str::to_owned),
            auths: if is_old { object } else { section("auths") },
        })
    }

    /// Whether it has a section for credentials. The old format always has.
    pub fn has_sections(&self) -> bool {
        self.has_sections
    }

    /// The registries and namespaces with an entry.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .auths
            .keys()
            .chain(self.helpers.keys())
            // The part before an @ may be a password.
            .map(|key| normalized(key.rsplit('@').next().unwrap_or_default()))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The helper for a repository: the one of the longest matching path, else `credsStore`.
    pub fn helper(&self, repository: &Repository) -> Option<String> {
        let of_scope = |scope: String| {
            keys(&self.helpers, &scope)
                .into_iter()
                .find_map(|key| self.helpers.get(key)?.as_str())
                .filter(|helper| !helper.is_empty())
        };
        scopes(repository)
            .find_map(of_scope)
            .map(str::to_owned)
            .or_else(|| self.store.clone())
    }

    /// The credential of the longest matching path.
    ///
    /// # Errors
    /// [`CredentialError`] if that entry is invalid.
    pub fn find(&self, repository: &Repository) -> Result<Option<Credential>, CredentialError> {
        for scope in scopes(repository) {
            for key in keys(&self.auths, &scope) {
                if let Some(credential) = self.entry(key)? {
                    return Ok(Some(credential));
                }
            }
        }
        Ok(None)
    }

    /// Parses an entry. An empty one (left behind by a credential store) is `None`.
    fn entry(&self, key: &str) -> Result<Option<Credential>, CredentialError> {
        let broken = |what: &str| {
            let key = crate::escape::escape(key);
            CredentialError::new(format!(
                "cannot read the entry {key:?} of the credential file {}: {what}",
                self.name
            ))
        };
        let Some(Value::Object(entry)) = self.auths.get(key) else {
            return Ok(None);
        };
        let text = |name: &str| {
            field(entry, name)
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let (user, password) = match text("auth") {
            Some(auth) => {
                let decoded = BASE64
                    .decode(auth)
                    .map_err(|_| broken("\"auth\" is not valid base64"))?;
                let decoded =
                    String::from_utf8(decoded).map_err(|_| broken("\"auth\" is not UTF-8 text"))?;
                let (user, password) = decoded
                    .split_once(':')
                    .ok_or_else(|| broken("\"auth\" does not contain USER:PASSWORD"))?;
                (
                    Some(user.to_owned()),
                    Some(password.trim_end_matches('\0').to_owned()),
                )
            }
            None => (text("username"), text("password")),
        };
        let control = |text: &Option<String>| {
            text.as_ref()
                .is_some_and(|text| text.bytes().any(|b| b.is_ascii_control()))
        };
        if control(&user) || control(&password) {
            return Err(broken(
                "the user name or the password contains control characters",
            ));
        }
        let credential = Credential {
            user: user.unwrap_or_default(),
            password: password.map(Secret::new),
            identity_token: text("identitytoken").map(Secret::new),
            registry_token: text("registrytoken").map(Secret::new),
            origin: self.name.clone(),
        };
        Ok((!credential.is_empty()).then_some(credential))
    }
}

impl std::fmt::Debug for AuthFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuthFile({})", self.name)
    }
}

/// A field by its name; any letter case if there is no exact match, as in Go.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let other = || {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    object.get(name).or_else(other)
}

/// The registry and path of a key: without scheme and `/v1/`, with Docker Hub's aliases resolved.
fn normalized(key: &str) -> String {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let name = match bare {
        // Only keys without a scheme can have a path.
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None => {
            let name = key.trim_end_matches('/');
            // `reg.io/v1/` is the registry; `reg.io/a/v1` is a namespace.
            name.strip_suffix("/v1")
                .or_else(|| name.strip_suffix("/v2"))
                .filter(|host| !host.contains('/'))
                .unwrap_or(name)
        }
    };
    let (host, path) = name
        .split_once('/')
        .map_or((name, None), |(host, path)| (host, Some(path)));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
    };
    path.map_or_else(|| host.to_owned(), |path| format!("{host}/{path}"))
}

/// The keys that match a repository: the repository itself, each parent path, the registry.
fn scopes(repository: &Repository) -> impl Iterator<Item = String> {
    let whole = format!("{}/{}", repository.registry, repository.registry_path());
    std::iter::successors(Some(whole), |scope| {
        scope.rfind('/').map(|end| scope[..end].to_owned())
    })
}

/// The keys that match a scope: the exact one first, the others sorted, for a stable choice.
fn keys<'a>(section: &'a Map<String, Value>, scope: &str) -> Vec<&'a String> {
    let mut keys: Vec<&String> = section
        .keys()
        .filter(|key| normalized(key) == scope)
        .collect();
    keys.sort_by_key(|key| (**key != scope, (*key).clone()));
    keys
}

#[cfg(test)]
mod tests;
