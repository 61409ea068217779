//! Credentials: the user and password, or token, for each registry.
//!
//! Sources: the environment, then the files of podman, skopeo and docker in
//! skopeo's order: containers-auth.json(5), and docker's `config.json`.

mod absence;
pub mod file;
mod helper;
mod source;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::registries_conf::FILES_HELPER;
use super::secret::Secret;
use super::{NEGATIVE_MEMORY, Side};
use crate::log::Log;
use crate::reference::{DOCKER_HUB, Repository};
use crate::sync::Flight;
use absence::{CredentialLocation, explain};
use file::AuthFile;
use source::{CredentialSource, places};

/// A credential for a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// The user name; may be empty if there is a token.
    pub user: String,
    /// The password, or an access token used as password.
    pub password: Option<Secret>,
    /// An identity (refresh) token, exchanged at the token server.
    pub identity_token: Option<Secret>,
    /// A token for the registry itself, sent unchanged.
    pub registry_token: Option<Secret>,
    /// Where it was found, for messages.
    pub origin: String,
}

/// Identifies a credential in caches. It includes the secrets: a refusal of an old password must not
/// affect a new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    origin: String,
    user: String,
    secrets: [Option<Secret>; 3],
}

impl Credential {
    pub fn basic(&self) -> Option<(&str, &Secret)> {
        let password = self.password.as_ref()?;
        (!self.user.is_empty() && !password.expose().is_empty()).then_some((&self.user, password))
    }

    pub fn identity(&self) -> Identity {
        let secrets = [&self.password, &self.identity_token, &self.registry_token];
        Identity {
            origin: self.origin.clone(),
            user: self.user.clone(),
            secrets: secrets.map(Clone::clone),
        }
    }

    pub fn is_token(&self) -> bool {
        self.registry_token.is_some()
    }

    fn is_empty(&self) -> bool {
        self.basic().is_none() && self.identity_token.is_none() && self.registry_token.is_none()
    }
}

/// Why credentials cannot be read. The text never contains secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct CredentialError {
    text: String,
}

impl CredentialError {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

/// The result of a helper for a registry, and when it was run.
type HelperFlight = Arc<Flight<(Instant, HelperResult)>>;

#[derive(Clone, Debug)]
enum HelperResult {
    Known(Arc<Credential>),
    Unknown,
    /// The helper failed.
    Broken,
}

/// The file that names a helper, the helper, and the registry.
type HelperKey = (String, String, String);

type CredentialResult = Result<Option<Arc<Credential>>, CredentialError>;

#[derive(Debug)]
struct SideCredential {
    side: Side,
    registry: String,
    credential: Arc<Credential>,
}

/// A provider of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Provider {
    /// The credential files.
    Files,
    /// A helper of registries.conf.
    Helper(String),
}

/// All providers of credentials.
#[derive(Debug, Default)]
pub struct Credentials {
    of_sides: Vec<SideCredential>,
    sources: Vec<CredentialSource>,
    /// The providers after the environment, in order.
    order: Vec<Provider>,
    helpers: Mutex<HashMap<HelperKey, HelperFlight>>,
    patience: Duration,
    /// Per registry: a message about a variable that is set without its counterpart.
    incomplete: Vec<(String, String)>,
    /// Registries and origins that have been logged.
    logged: Mutex<HashSet<(String, String)>>,
}

impl Credentials {
    /// Reads the environment. `registries`: the registry of each side, from `-s`, `-d` or the
    /// environment; its user and password are for that registry, or for Docker Hub if there is none, as
    /// in the original. `helpers`: from registries.conf. `patience`: the timeout of a helper.
    pub fn new(
        environment: &dyn Fn(&str) -> Option<String>,
        registries: [(Side, Option<&str>); 2],
        helpers: &[String],
        patience: Duration,
    ) -> Self {
        let variable = |prefix: &str, name: &str| {
            environment(&format!("{prefix}_{name}")).filter(|text| !text.is_empty())
        };
        let of_side = |(side, registry): (Side, Option<&str>)| {
            let prefix = prefix(side);
            Some(SideCredential {
                side,
                registry: registry.unwrap_or(DOCKER_HUB).to_owned(),
                credential: Arc::new(Credential {
                    user: variable(prefix, "USERNAME")?,
                    password: Some(Secret::new(variable(prefix, "PASSWORD")?)),
                    origin: format!("${prefix}_USERNAME and ${prefix}_PASSWORD"),
                    ..Credential::default()
                }),
            })
        };
        let incomplete = |(side, registry): &(Side, Option<&str>)| {
            let prefix = prefix(*side);
            let (set, unset) = match ["USERNAME", "PASSWORD"].map(|name| variable(prefix, name)) {
                [Some(_), None] => ("USERNAME", "PASSWORD"),
                [None, Some(_)] => ("PASSWORD", "USERNAME"),
                _ => return None,
            };
            let text = format!("${prefix}_{set} is ignored, because ${prefix}_{unset} is not set");
            Some((registry.unwrap_or(DOCKER_HUB).to_owned(), text))
        };
        let sources = places(environment).into_iter().map(CredentialSource::new);
        Self {
            incomplete: registries.iter().filter_map(incomplete).collect(),
            logged: Mutex::default(),
            of_sides: registries.into_iter().filter_map(of_side).collect(),
            sources: sources.collect(),
            order: order(helpers),
            helpers: Mutex::default(),
            patience,
        }
    }

    pub fn are_of_side(&self, side: Side, registry: &str) -> bool {
        self.of_sides
            .iter()
            .any(|own| own.side == side && own.registry == registry)
    }

    /// Checks the file named by `$REGISTRY_AUTH_FILE`: it must be readable.
    ///
    /// # Errors
    /// [`CredentialError`] names variable and file.
    pub fn check_named(
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), CredentialError> {
        const NAME: &str = "REGISTRY_AUTH_FILE";
        let Some(path) = environment(NAME).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        let refuse = |why: String| {
            CredentialError::new(format!("{why}; fix the file or ${NAME}, or unset ${NAME}"))
        };
        match AuthFile::read(Path::new(&path), false) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(refuse(format!(
                "cannot read the credential file {} of ${NAME}: no such file",
                crate::escape::escape(&path)
            ))),
            Err(error) => Err(refuse(error.text)),
        }
    }

    /// Warnings about incomplete pairs of variables.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.incomplete.iter().map(|(_, text)| text.as_str())
    }

    pub fn explain_absence(&self, repository: &Repository, now: Instant) -> String {
        let mut searched = Vec::new();
        for place in &self.order {
            match place {
                Provider::Files => searched.extend(self.sources.iter().map(|source| {
                    let file = source.read(now, |_| {}).ok().flatten();
                    CredentialLocation {
                        place: source.name(),
                        has_sections: file.as_ref().is_some_and(|file| file.has_sections()),
                        helper: file.as_ref().and_then(|file| file.helper(repository)),
                        keys: file.map(|file| file.names()),
                    }
                })),
                Provider::Helper(helper) => searched.push(CredentialLocation {
                    place: "registries.conf".to_owned(),
                    has_sections: true,
                    helper: Some(helper.clone()),
                    keys: Some(Vec::new()),
                }),
            }
        }
        let registry = &repository.registry;
        let incomplete = self.incomplete.iter().find(|(of, _)| of == registry);
        explain(
            repository,
            &searched,
            incomplete.map(|(_, text)| text.clone()),
        )
    }

    /// As [`Credentials::look_up`]; logs the origin once per registry.
    ///
    /// # Errors
    /// As [`Credentials::look_up`].
    pub fn find(
        &self,
        side: Side,
        repository: &Repository,
        now: Instant,
        log: &Log,
    ) -> CredentialResult {
        let found = self.look_up(side, repository, now, log)?;
        if log.wants_debug() {
            let registry = &repository.registry;
            let origin = found.as_ref().map_or("", |credential| &credential.origin);
            let key = (registry.clone(), origin.to_owned());
            let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = logged.insert(key);
            drop(logged);
            if is_new {
                log.debug(|| match &found {
                    Some(_) => format!("{registry}: credentials from {origin}"),
                    None => {
                        let why = self.explain_absence(repository, now);
                        format!("{registry}: no credentials ({why})")
                    }
                });
            }
        }
        Ok(found)
    }

    /// The credential for a repository: the first one found. Files that changed since they were read (by
    /// `docker login` in another terminal) are read again.
    ///
    /// # Errors
    /// [`CredentialError`] if a file, or its entry for this registry, cannot be read. Entries of other
    /// registries do not matter.
    fn look_up(
        &self,
        side: Side,
        repository: &Repository,
        now: Instant,
        log: &Log,
    ) -> CredentialResult {
        if let Some(own) = self
            .of_sides
            .iter()
            .find(|own| own.side == side && own.registry == repository.registry)
        {
            return Ok(Some(own.credential.clone()));
        }
        for place in &self.order {
            let found = match place {
                Provider::Files => self.look_up_in_files(repository, now, log)?,
                Provider::Helper(helper) => {
                    self.run_helper(helper, "registries.conf", &repository.registry, now, log)
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn look_up_in_files(
        &self,
        repository: &Repository,
        now: Instant,
        log: &Log,
    ) -> CredentialResult {
        for source in &self.sources {
            let forget = |file: &str| {
                let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
                helpers.retain(|(known, _, _), _| known != file);
            };
            let Some(file) = source.read(now, forget)? else {
                continue;
            };
            if let Some(helper) = file.helper(repository)
                && let Some(credential) =
                    self.run_helper(&helper, &file.name, &repository.registry, now, log)
            {
                return Ok(Some(credential));
            }
            if let Some(credential) = file
                .find(repository)?
                .filter(|credential| !credential.is_empty())
            {
                return Ok(Some(Arc::new(credential)));
            }
        }
        Ok(None)
    }

    /// Runs a helper once per registry. A helper that fails is logged and not run again until its file
    /// changes, because public images can be read without it.
    fn run_helper(
        &self,
        helper: &str,
        file: &str,
        registry: &str,
        now: Instant,
        log: &Log,
    ) -> Option<Arc<Credential>> {
        let key = (file.to_owned(), helper.to_owned(), registry.to_owned());
        let flight = {
            let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
            helpers
                .entry(key)
                .or_insert_with(|| Arc::new(Flight::new()))
                .clone()
        };
        let keep = |(at, result): &(Instant, HelperResult)| match result {
            HelperResult::Known(_) | HelperResult::Broken => true,
            HelperResult::Unknown => now.saturating_duration_since(*at) < NEGATIVE_MEMORY,
        };
        let ask = || {
            let result = match helper::get(helper, registry, self.patience) {
                Ok(Some(credential)) => HelperResult::Known(Arc::new(credential)),
                Ok(None) => HelperResult::Unknown,
                Err(error) => {
                    log.warn(format!("{registry}: the credential helper {helper:?} from {file} failed: {error}; continuing without it"));
                    HelperResult::Broken
                }
            };
            Ok::<_, std::convert::Infallible>((now, result))
        };
        match flight.get(keep, ask) {
            Ok((_, HelperResult::Known(credential))) => Some(credential),
            Ok(_) => None,
        }
    }
}

/// Without configured helpers only the files are read; with helpers the files are read only if listed.
fn order(helpers: &[String]) -> Vec<Provider> {
    if helpers.is_empty() {
        return vec![Provider::Files];
    }
    helpers
        .iter()
        .map(|helper| match helper.as_str() {
            FILES_HELPER => Provider::Files,
            helper => Provider::Helper(helper.to_owned()),
        })
        .collect()
}

fn prefix(side: Side) -> &'static str {
    match side {
        Side::Source => "SOURCE",
        Side::Destination => "DEST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(registry: &str) -> Repository {
        Repository {
            registry: registry.to_owned(),
            path: "a/b".to_owned(),
        }
    }

    #[test]
    fn environment_credentials_are_for_their_side_s_registry() {
        let environment = |name: &str| match name {
            "SOURCE_USERNAME" | "DEST_USERNAME" => Some("user".to_owned()),
            "SOURCE_PASSWORD" => Some("one".to_owned()),
            "DEST_PASSWORD" => Some("two".to_owned()),
            _ => None,
        };
        let registries = [(Side::Source, None), (Side::Destination, Some("reg.io"))];
        let credentials = Credentials::new(&environment, registries, &[], Duration::from_secs(1));
        let log = Log::discard();
        let password = |side, registry| {
            let found = credentials
                .find(side, &repository(registry), Instant::now(), &log)
                .expect("readable");
            found.and_then(|found| {
                found
                    .basic()
                    .map(|(_, password)| password.expose().to_owned())
            })
        };
        assert_eq!(password(Side::Source, "docker.io").as_deref(), Some("one"));
        assert_eq!(
            password(Side::Destination, "reg.io").as_deref(),
            Some("two")
        );
        assert_eq!(password(Side::Source, "reg.io"), None);
        assert_eq!(password(Side::Destination, "reg.io:5000"), None);
    }
}
