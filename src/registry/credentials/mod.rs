//! Which user and password, or token, go to which registry.
//!
//! Looked for in the environment, then in the files that podman, skopeo and docker write, in
//! skopeo's order: containers-auth.json(5), and docker's `config.json`.

pub mod file;
mod helper;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::Side;
use super::secret::Secret;
use crate::log::Log;
use crate::reference::{DOCKER_HUB, Repository};
use crate::sync::Flight;
use file::AuthFile;

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

impl Credential {
    /// User and password, where there are both.
    pub fn basic(&self) -> Option<(&str, &Secret)> {
        let password = self.password.as_ref()?;
        (!self.user.is_empty() && !password.expose().is_empty()).then_some((&self.user, password))
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

/// What a helper said of a registry.
type HelperFlight = Arc<Flight<Option<Arc<Credential>>>>;

type Found = Result<Option<Arc<Credential>>, CredentialError>;

/// User and password of one side, from the environment.
#[derive(Debug)]
struct OfSide {
    side: Side,
    registry: String,
    credential: Arc<Credential>,
}

/// A file, read when it is first needed.
#[derive(Debug)]
struct Source {
    place: Place,
    read: OnceLock<Result<Option<AuthFile>, CredentialError>>,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    /// `~/.dockercfg`: the whole file is what is `auths` in others.
    OldFile(PathBuf),
    /// The content of `DOCKER_AUTH_CONFIG`.
    Variable(Secret),
}

/// All places in which credentials are looked for.
#[derive(Debug, Default)]
pub struct Credentials {
    of_sides: Vec<OfSide>,
    sources: Vec<Source>,
    /// By the helper's name and the registry.
    helpers: Mutex<HashMap<(String, String), HelperFlight>>,
    patience: Duration,
}

impl Credentials {
    /// From this environment. `registries`: what each side was given with `-s`, `-d` or in the
    /// environment; its user and password are for that registry, or for Docker Hub where none was
    /// given, as in the original. `patience`: the most time for one helper.
    pub fn new(
        environment: &dyn Fn(&str) -> Option<String>,
        registries: [(Side, Option<&str>); 2],
        patience: Duration,
    ) -> Self {
        let of_side = |(side, registry): (Side, Option<&str>)| {
            let prefix = match side {
                Side::Source => "SOURCE",
                Side::Destination => "DEST",
            };
            let variable = |name: &str| {
                environment(&format!("{prefix}_{name}")).filter(|text| !text.is_empty())
            };
            Some(OfSide {
                side,
                registry: registry.unwrap_or(DOCKER_HUB).to_owned(),
                credential: Arc::new(Credential {
                    user: variable("USERNAME")?,
                    password: Some(Secret::new(variable("PASSWORD")?)),
                    origin: format!("${prefix}_USERNAME and ${prefix}_PASSWORD"),
                    ..Credential::default()
                }),
            })
        };
        let sources = places(environment).into_iter().map(|place| Source {
            place,
            read: OnceLock::new(),
        });
        Self {
            of_sides: registries.into_iter().filter_map(of_side).collect(),
            sources: sources.collect(),
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

    /// The credential for a repository: the first that is found.
    ///
    /// # Errors
    /// [`CredentialError`] where a file that has to be asked, or its entry for this registry,
    /// cannot be read. Entries for other registries do no harm.
    pub fn find(&self, side: Side, repository: &Repository, log: &Log) -> Found {
        if let Some(own) = self
            .of_sides
            .iter()
            .find(|own| own.side == side && own.registry == repository.registry)
        {
            return Ok(Some(own.credential.clone()));
        }
        for source in &self.sources {
            let file = source
                .read
                .get_or_init(|| source.place.read())
                .as_ref()
                .map_err(Clone::clone)?;
            let Some(file) = file else { continue };
            if let Some(helper) = file.helper(&repository.registry)
                && let Some(credential) =
                    self.ask_helper(&helper, &file.name, &repository.registry, log)
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

    /// Runs a helper once for each registry. One that does not work is warned of: what is public
    /// can be read without it.
    fn ask_helper(
        &self,
        helper: &str,
        file: &str,
        registry: &str,
        log: &Log,
    ) -> Option<Arc<Credential>> {
        let key = (helper.to_owned(), registry.to_owned());
        let flight = {
            let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
            helpers
                .entry(key)
                .or_insert_with(|| Arc::new(Flight::new()))
                .clone()
        };
        let ask = || {
            let credential = helper::get(helper, registry, self.patience).unwrap_or_else(|error| {
                log.warn(format!("{registry}: the credential helper {helper:?} of {file} does not work: {error}; going on without it"));
                None
            });
            Ok::<_, std::convert::Infallible>(credential.map(Arc::new))
        };
        match flight.get(|_| true, ask) {
            Ok(credential) => credential,
        }
    }
}

/// The files in skopeo's order.
fn places(environment: &dyn Fn(&str) -> Option<String>) -> Vec<Place> {
    let set = |name: &str| environment(name).filter(|text| !text.is_empty());
    if let Some(path) = set("REGISTRY_AUTH_FILE") {
        return vec![Place::File(path.into())];
    }
    let home = set("HOME").map(PathBuf::from);
    let mut places = Vec::new();
    match set("XDG_RUNTIME_DIR") {
        Some(runtime) => places.push(Place::File(
            PathBuf::from(runtime).join("containers/auth.json"),
        )),
        None => {
            if let Some(user) = own_user_id() {
                places.push(Place::File(
                    format!("/run/containers/{user}/auth.json").into(),
                ));
            }
        }
    }
    let config = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(home.as_ref()?.join(".config")));
    places.extend(config.map(|config| Place::File(config.join("containers/auth.json"))));
    // docker asks the variable before its file.
    places.extend(set("DOCKER_AUTH_CONFIG").map(|text| Place::Variable(Secret::new(text))));
    let docker = set("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(home.as_ref()?.join(".docker")));
    places.extend(docker.map(|docker| Place::File(docker.join("config.json"))));
    places.extend(home.map(|home| Place::OldFile(home.join(".dockercfg"))));
    places
}

/// Who runs this process; `/proc/self` belongs to its user.
fn own_user_id() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self")
        .ok()
        .map(|metadata| metadata.uid())
}

impl Place {
    fn read(&self) -> Result<Option<AuthFile>, CredentialError> {
        match self {
            Self::File(path) => AuthFile::read(path, false),
            Self::OldFile(path) => AuthFile::read(path, true),
            Self::Variable(text) => {
                AuthFile::parse("$DOCKER_AUTH_CONFIG", text.expose().as_bytes(), false).map(Some)
            }
        }
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
        let credentials = Credentials::new(&environment, registries, Duration::from_secs(1));
        let log = Log::discard();
        let password = |side, registry| {
            let found = credentials
                .find(side, &repository(registry), &log)
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

    #[test]
    fn the_files_in_skopeo_s_order() {
        let paths = |variables: &[(&str, &str)]| -> Vec<String> {
            let environment = |name: &str| {
                variables
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, v)| (*v).to_owned())
            };
            let shown = |place: &Place| match place {
                Place::File(path) | Place::OldFile(path) => path.display().to_string(),
                Place::Variable(_) => "variable".to_owned(),
            };
            places(&environment).iter().map(shown).collect()
        };
        assert_eq!(
            paths(&[("REGISTRY_AUTH_FILE", "/x"), ("HOME", "/h")]),
            ["/x"]
        );
        assert_eq!(
            paths(&[
                ("XDG_RUNTIME_DIR", "/r"),
                ("HOME", "/h"),
                ("DOCKER_AUTH_CONFIG", "{}")
            ]),
            [
                "/r/containers/auth.json",
                "/h/.config/containers/auth.json",
                "variable",
                "/h/.docker/config.json",
                "/h/.dockercfg"
            ]
        );
        assert_eq!(
            paths(&[
                ("XDG_RUNTIME_DIR", "/r"),
                ("XDG_CONFIG_HOME", "/c"),
                ("DOCKER_CONFIG", "/d")
            ]),
            [
                "/r/containers/auth.json",
                "/c/containers/auth.json",
                "/d/config.json"
            ]
        );
    }
}
