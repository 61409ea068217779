//! Which user and password, or token, go to which registry.
//!
//! Looked for in the environment, then in the files that podman, skopeo and docker write, in
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
use absence::{Looked, explain};
use file::AuthFile;
use source::{Source, places};

/// What proves to a registry who is asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// The user's name; may be empty where there is a token.
    pub user: String,
    /// The password, or an access token in its place.
    pub password: Option<Secret>,
    /// An identity (refresh) token, to be exchanged at the token server.
    pub identity_token: Option<Secret>,
    /// A token for the registry itself, used as it is.
    pub registry_token: Option<Secret>,
    /// Where it was found, for messages.
    pub origin: String,
}

/// Whose a credential is. Another password of the same user is another identity: what was refused to
/// the old one is not held against the new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    origin: String,
    user: String,
    secrets: [Option<Secret>; 3],
}

impl Credential {
    /// User and password, where there are both.
    pub fn basic(&self) -> Option<(&str, &Secret)> {
        let password = self.password.as_ref()?;
        (!self.user.is_empty() && !password.expose().is_empty()).then_some((&self.user, password))
    }

    /// Whose it is, to remember what was answered to it.
    pub fn identity(&self) -> Identity {
        let secrets = [&self.password, &self.identity_token, &self.registry_token];
        Identity {
            origin: self.origin.clone(),
            user: self.user.clone(),
            secrets: secrets.map(Clone::clone),
        }
    }

    /// Whether it is a token for the registry itself.
    pub fn is_token(&self) -> bool {
        self.registry_token.is_some()
    }

    /// Whether nothing can be proved with it.
    fn is_empty(&self) -> bool {
        self.basic().is_none() && self.identity_token.is_none() && self.registry_token.is_none()
    }
}

/// Why credentials cannot be read, in words for the user; says nothing of their content.
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

/// What a helper said of a registry, and when.
type HelperFlight = Arc<Flight<(Instant, HelperResult)>>;

#[derive(Clone, Debug)]
enum HelperResult {
    Known(Arc<Credential>),
    Unknown,
    /// It does not work.
    Broken,
}

/// The file that names a helper, the helper, and the registry.
type HelperKey = (String, String, String);

type Found = Result<Option<Arc<Credential>>, CredentialError>;

/// User and password of one side, from the environment.
#[derive(Debug)]
struct OfSide {
    side: Side,
    registry: String,
    credential: Arc<Credential>,
}

/// Where credentials are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The credential files.
    Files,
    /// A helper of registries.conf.
    Helper(String),
}

/// All places in which credentials are looked for.
#[derive(Debug, Default)]
pub struct Credentials {
    of_sides: Vec<OfSide>,
    sources: Vec<Source>,
    /// What is asked after the environment, in this order.
    order: Vec<Place>,
    helpers: Mutex<HashMap<HelperKey, HelperFlight>>,
    patience: Duration,
    /// By registry, in words: a variable that is set without the other one of its pair.
    incomplete: Vec<(String, String)>,
    /// Registries and origins of which the log has told.
    told: Mutex<HashSet<(String, String)>>,
}

impl Credentials {
    /// From this environment. `registries`: what each side was given with `-s`, `-d` or in the
    /// environment; its user and password are for that registry, or for Docker Hub where none was
    /// given, as in the original. `helpers`: of registries.conf. `patience`: the most time for one helper.
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
            Some(OfSide {
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
        let sources = places(environment).into_iter().map(Source::new);
        Self {
            incomplete: registries.iter().filter_map(incomplete).collect(),
            told: Mutex::default(),
            of_sides: registries.into_iter().filter_map(of_side).collect(),
            sources: sources.collect(),
            order: order(helpers),
            helpers: Mutex::default(),
            patience,
        }
    }

    /// Whether a side has credentials of its own for this registry.
    pub fn are_of_side(&self, side: Side, registry: &str) -> bool {
        self.of_sides
            .iter()
            .any(|own| own.side == side && own.registry == registry)
    }

    /// Checks what the user named: a file that is named and cannot be read is a mistake.
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

    /// What is wrong with the environment, in words.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.incomplete.iter().map(|(_, text)| text.as_str())
    }

    /// Why there is no credential for a repository, in words.
    pub fn explain_absence(&self, repository: &Repository, now: Instant) -> String {
        let mut looked = Vec::new();
        for place in &self.order {
            match place {
                Place::Files => looked.extend(self.sources.iter().map(|source| {
                    let file = source.read(now, |_| {}).ok().flatten();
                    Looked {
                        place: source.name(),
                        has_sections: file.as_ref().is_some_and(|file| file.has_sections()),
                        helper: file.as_ref().and_then(|file| file.helper(repository)),
                        keys: file.map(|file| file.names()),
                    }
                })),
                Place::Helper(helper) => looked.push(Looked {
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
            &looked,
            incomplete.map(|(_, text)| text.clone()),
        )
    }

    /// The credential for a repository, as [`Credentials::look_up`]; its origin is logged once for
    /// each registry.
    ///
    /// # Errors
    /// As [`Credentials::look_up`].
    pub fn find(&self, side: Side, repository: &Repository, now: Instant, log: &Log) -> Found {
        let found = self.look_up(side, repository, now, log)?;
        if log.wants_debug() {
            let registry = &repository.registry;
            let origin = found.as_ref().map_or("", |credential| &credential.origin);
            let key = (registry.clone(), origin.to_owned());
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = told.insert(key);
            drop(told);
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

    /// The credential for a repository: the first that is found. Files that have changed since they
    /// were read, by `docker login` in another window, are read again.
    ///
    /// # Errors
    /// [`CredentialError`] where a file that has to be asked, or its entry for this registry,
    /// cannot be read. Entries for other registries do no harm.
    fn look_up(&self, side: Side, repository: &Repository, now: Instant, log: &Log) -> Found {
        if let Some(own) = self
            .of_sides
            .iter()
            .find(|own| own.side == side && own.registry == repository.registry)
        {
            return Ok(Some(own.credential.clone()));
        }
        for place in &self.order {
            let found = match place {
                Place::Files => self.look_up_in_files(repository, now, log)?,
                Place::Helper(helper) => {
                    self.ask_helper(helper, "registries.conf", &repository.registry, now, log)
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn look_up_in_files(&self, repository: &Repository, now: Instant, log: &Log) -> Found {
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
                    self.ask_helper(&helper, &file.name, &repository.registry, now, log)
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

    /// Runs a helper once for each registry. One that does not work is warned of, and not run again
    /// until its file changes: what is public can be read without it.
    fn ask_helper(
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

/// Without helpers the files are read; with helpers only if they are among them.
fn order(helpers: &[String]) -> Vec<Place> {
    if helpers.is_empty() {
        return vec![Place::Files];
    }
    helpers
        .iter()
        .map(|helper| match helper.as_str() {
            FILES_HELPER => Place::Files,
            helper => Place::Helper(helper.to_owned()),
        })
        .collect()
}

/// The beginning of a side's variables.
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
    fn the_environment_s_are_for_their_side_s_registry() {
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
