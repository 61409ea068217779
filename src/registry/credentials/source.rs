//! Locations of credentials: files and a variable, in skopeo's order.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::CredentialError;
use super::file::AuthFile;
use crate::escape::escape;
use crate::registry::home::{home, user_id};
use crate::registry::secret::Secret;

/// The variable whose value is a credential file.
const VARIABLE: &str = "$DOCKER_AUTH_CONFIG";

/// The minimum interval between two checks of a file for changes.
const CHECK: Duration = Duration::from_secs(1);

/// A location with its cached content. Two threads may read it at the same time.
#[derive(Debug)]
pub struct CredentialSource {
    place: Location,
    kept: Mutex<Option<CachedFile>>,
}

#[derive(Debug)]
pub enum Location {
    File(PathBuf),
    /// `~/.dockercfg`: the whole file is the `auths` object.
    OldFile(PathBuf),
    /// The content of `DOCKER_AUTH_CONFIG`.
    Variable(Secret),
}

type Content = Result<Option<Arc<AuthFile>>, CredentialError>;

#[derive(Debug)]
struct CachedFile {
    checked: Instant,
    stamp: Option<FileStamp>,
    content: Content,
}

/// Detects changes of a file: device, inode, size, and modification time.
type FileStamp = (u64, u64, u64, i64, i64);

impl CredentialSource {
    pub fn new(place: Location) -> Self {
        Self {
            place,
            kept: Mutex::default(),
        }
    }

    /// The location, for messages.
    pub fn name(&self) -> String {
        match &self.place {
            Location::File(path) | Location::OldFile(path) => {
                escape(&path.display().to_string()).into_owned()
            }
            Location::Variable(_) => VARIABLE.to_owned(),
        }
    }

    /// The file; `None` if it does not exist. `changed` is called with its name if the content has
    /// changed.
    ///
    /// # Errors
    /// [`CredentialError`] if it cannot be read.
    pub fn read(&self, now: Instant, changed: impl Fn(&str)) -> Content {
        let known = {
            let mut kept = self.lock();
            match kept.as_mut() {
                Some(kept) if now.saturating_duration_since(kept.checked) < CHECK => {
                    return kept.content.clone();
                }
                Some(kept) => {
                    // Other threads use the cached content meanwhile.
                    kept.checked = now;
                    Some((kept.stamp, kept.content.clone()))
                }
                None => None,
            }
        };
        let stamp = self.place.stamp();
        if let Some((known, content)) = &known
            && *known == stamp
        {
            return content.clone();
        }
        let content = self.place.read().map(|file| file.map(Arc::new));
        if let (Some(_), Ok(Some(file))) = (&known, &content) {
            changed(&file.name);
        }
        *self.lock() = Some(CachedFile {
            checked: now,
            stamp,
            content: content.clone(),
        });
        content
    }

    fn lock(&self) -> MutexGuard<'_, Option<CachedFile>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files in skopeo's order.
pub fn places(environment: &dyn Fn(&str) -> Option<String>) -> Vec<Location> {
    let set = |name: &str| environment(name).filter(|text| !text.is_empty());
    if let Some(path) = set("REGISTRY_AUTH_FILE") {
        return vec![Location::File(path.into())];
    }
    let home = home(environment);
    let mut places = Vec::new();
    match set("XDG_RUNTIME_DIR") {
        Some(runtime) => places.push(Location::File(
            PathBuf::from(runtime).join("containers/auth.json"),
        )),
        None => {
            if let Some(user) = user_id() {
                places.push(Location::File(
                    format!("/run/containers/{user}/auth.json").into(),
                ));
            }
        }
    }
    let config = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(home.as_ref()?.join(".config")));
    places.extend(config.map(|config| Location::File(config.join("containers/auth.json"))));
    // docker prefers the variable to its file.
    places.extend(set("DOCKER_AUTH_CONFIG").map(|text| Location::Variable(Secret::new(text))));
    let docker = set("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(home.as_ref()?.join(".docker")));
    places.extend(docker.map(|docker| Location::File(docker.join("config.json"))));
    places.extend(home.map(|home| Location::OldFile(home.join(".dockercfg"))));
    places
}

impl Location {
    fn stamp(&self) -> Option<FileStamp> {
        let (Self::File(path) | Self::OldFile(path)) = self else {
            return None;
        };
        let found = fs::metadata(path).ok()?;
        Some((
            found.dev(),
            found.ino(),
            found.size(),
            found.ctime(),
            found.ctime_nsec(),
        ))
    }

    fn read(&self) -> Result<Option<AuthFile>, CredentialError> {
        match self {
            Self::File(path) => AuthFile::read(path, false),
            Self::OldFile(path) => AuthFile::read(path, true),
            Self::Variable(text) => {
                AuthFile::parse(VARIABLE, text.expose().as_bytes(), false).map(Some)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Repository;

    #[test]
    fn a_file_that_changes_is_read_again() {
        let directory = std::env::temp_dir().join(format!("auth-source-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("auth.json");
        let source = CredentialSource::new(Location::File(path.clone()));
        let repository = Repository {
            registry: "reg.io".to_owned(),
            path: "a".to_owned(),
        };
        let user = |now| {
            let file = source.read(now, |_| {}).expect("readable")?;
            Some(file.find(&repository).expect("an entry")?.user)
        };
        let write = |pair: &str| {
            let pair = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, pair);
            let text = format!(r#"{{"auths":{{"reg.io":{{"auth":"{pair}"}}}}}}"#);
            fs::write(&path, text).expect("written");
        };
        let now = Instant::now();
        assert_eq!(user(now), None);
        write("me:one");
        assert_eq!(user(now), None, "not looked at for a second");
        assert_eq!(user(now + CHECK).as_deref(), Some("me"));
        write("other:two");
        assert_eq!(user(now + CHECK * 2).as_deref(), Some("other"));
        fs::remove_dir_all(&directory).expect("removed");
        assert_eq!(user(now + CHECK * 3), None);
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
            let shown = |place: &Location| match place {
                Location::File(path) | Location::OldFile(path) => path.display().to_string(),
                Location::Variable(_) => "variable".to_owned(),
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
                ("DOCKER_CONFIG", "/d"),
                ("HOME", "/h")
            ]),
            [
                "/r/containers/auth.json",
                "/c/containers/auth.json",
                "/d/config.json",
                "/h/.dockercfg"
            ]
        );
    }
}
