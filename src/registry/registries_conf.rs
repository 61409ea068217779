//! What podman, skopeo and docker are told about registries on this host: `registries.conf` with
//! its drop-ins, and docker's `daemon.json`.
//!
//! Taken from them: which hosts are insecure, and which helpers know passwords. Not taken: mirrors
//! and other locations, because a mirror would be compared with itself; a warning says so where an
//! image of the list has one. Specification: containers-registries.conf(5),
//! containers-registries.conf.d(5), and dockerd(8), `insecure-registries`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml_span::Value;

use super::home::home;
use super::insecure::HostPattern;
use crate::escape::escape;
use crate::reference::Repository;

/// The variable that names the main file.
const VARIABLE: &str = "CONTAINERS_REGISTRIES_CONF";

/// The helper in `credential-helpers` that stands for the credential files.
pub const FILES_HELPER: &str = "containers-auth.json";

/// The settings of this host.
#[derive(Debug, Default)]
pub struct RegistriesConf {
    /// Hosts that are insecure.
    pub insecure: Vec<HostPattern>,
    /// Helpers that are asked for credentials, in this order; empty: only the files are read.
    pub helpers: Vec<String>,
    /// Entries that are not followed.
    remarks: Vec<(String, String)>,
    /// What could not be read or is not honoured, in words.
    pub warnings: Vec<String>,
}

/// The file of the variable cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the file {0} of ${VARIABLE}: {1}; correct it, or unset the variable")]
pub struct RegistriesConfError(String, String);

/// One `[[registry]]`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    has_mirrors: bool,
}

/// What a file says.
#[derive(Debug, Default)]
struct File {
    entries: Vec<Entry>,
    helpers: Option<Vec<String>>,
}

impl RegistriesConf {
    /// Reads the files of this host.
    ///
    /// # Errors
    /// Where the file that the environment names cannot be used; others that cannot are warnings.
    pub fn load(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, RegistriesConfError> {
        let home = home(environment);
        let mut found = Self::default();
        let named = environment(VARIABLE).filter(|text| !text.is_empty());
        let users = home.as_ref().map(|home| home.join(".config/containers"));
        let (main, directories) = places(named.as_deref(), users);
        let mut merged = File::default();
        match read(&main) {
            Ok(file) => merged = file.unwrap_or_default(),
            Err(why) if named.is_some() => {
                return Err(RegistriesConfError(show(&main), why));
            }
            Err(why) => found.ignored(&main, &why),
        }
        if named.is_some() && !main.exists() {
            return Err(RegistriesConfError(
                show(&main),
                "there is no such file".to_owned(),
            ));
        }
        for path in directories.iter().flat_map(|directory| drop_ins(directory)) {
            match read(&path) {
                Ok(file) => merged.extend(file.unwrap_or_default()),
                Err(why) => found.ignored(&path, &why),
            }
        }
        found.take(merged);
        let docker = home.map(|home| home.join(".config/docker/daemon.json"));
        for path in [Some("/etc/docker/daemon.json".into()), docker]
            .into_iter()
            .flatten()
        {
            found.read_daemon(&path);
        }
        Ok(found)
    }

    /// What is not followed for a repository, in words.
    pub fn remark(&self, repository: &Repository) -> Option<&str> {
        let name = || format!("{}/{}", repository.registry, repository.path);
        let covering = |prefix: &str| match prefix.strip_prefix("*.") {
            Some(domain) => repository
                .registry
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.')),
            None => name()
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        };
        self.remarks
            .iter()
            .filter(|(prefix, _)| covering(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, text)| text.as_str())
    }

    fn ignored(&mut self, path: &Path, why: &str) {
        self.warnings
            .push(format!("{} is ignored: {why}", show(path)));
    }

    fn take(&mut self, file: File) {
        self.helpers = file.helpers.unwrap_or_default();
        for entry in file.entries {
            let prefix = escape(&entry.prefix).into_owned();
            if entry.insecure {
                match entry.location.parse() {
                    Ok(host) => self.insecure.push(host),
                    Err(_) => self.warnings.push(format!(
                        "registries.conf: insecure for {prefix} is not used, because only whole hosts can be insecure; give --insecure {}",
                        escape(entry.location.split('/').next().unwrap_or_default())
                    )),
                }
            }
            let what = if entry.blocked {
                "is blocked"
            } else if entry.has_mirrors {
                "has mirrors"
            } else if entry.location != entry.prefix && !entry.prefix.starts_with("*.") {
                "has another location"
            } else {
                continue;
            };
            let text = format!(
                "registries.conf: {prefix} {what}; this is not followed, and {prefix} itself is read"
            );
            self.remarks.push((entry.prefix, text));
        }
    }

    fn read_daemon(&mut self, path: &Path) {
        #[derive(Deserialize)]
        struct Daemon {
            #[serde(rename = "insecure-registries", default)]
            insecure: Vec<String>,
        }
        let bytes = match fs::read(path) {
            Ok(bytes) if bytes.trim_ascii().is_empty() => return,
            Ok(bytes) => bytes,
            Err(error) if is_absent(&error) => return,
            Err(error) => return self.ignored(path, &error.to_string()),
        };
        let daemon: Daemon = match serde_json::from_slice(&bytes) {
            Ok(daemon) => daemon,
            Err(error) => {
                let why = format!("not JSON as expected (line {})", error.line());
                return self.ignored(path, &why);
            }
        };
        for host in daemon.insecure {
            let bare = host
                .trim_start_matches("http://")
                .trim_start_matches("https://");
            match bare.parse() {
                Ok(host) => self.insecure.push(host),
                Err(_) => self.warnings.push(format!(
                    "{}: \"{}\" in insecure-registries is not a host",
                    show(path),
                    escape(&host)
                )),
            }
        }
    }
}

impl File {
    /// A later file replaces entries of the same prefix.
    fn extend(&mut self, later: Self) {
        for entry in later.entries {
            self.entries.retain(|known| known.prefix != entry.prefix);
            self.entries.push(entry);
        }
        self.helpers = later.helpers.or(self.helpers.take());
    }
}

/// The main file, and the directories of drop-ins, in the order in which they are read. `users`: the
/// user's directory.
fn places(named: Option<&str>, users: Option<PathBuf>) -> (PathBuf, Vec<PathBuf>) {
    let system = PathBuf::from("/etc/containers");
    let own = users.as_ref().map(|users| users.join("registries.conf"));
    let own_directory = users.map(|users| users.join("registries.conf.d"));
    let mut directories = Vec::new();
    let main = match (named, own) {
        (Some(named), _) => named.into(),
        // The user's own file replaces all of the system's.
        (None, Some(own)) if own.is_file() => {
            return (own, own_directory.into_iter().collect());
        }
        (None, _) => system.join("registries.conf"),
    };
    directories.push(system.join("registries.conf.d"));
    directories.extend(own_directory);
    (main, directories)
}

/// The drop-ins of a directory, in the order of their names.
fn drop_ins(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect();
    paths.sort();
    paths
}

/// Reads a file; `None`: there is none, or this user may not see it.
fn read(path: &Path) -> Result<Option<File>, String> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map(Some),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
    )
}

fn parse(text: &str) -> Result<File, String> {
    let document = toml_span::parse(text).map_err(|error| {
        let line = line_of(text, error.span.start);
        format!("line {line}: {}", escape(&error.kind.to_string()))
    })?;
    let string = |value: &Value<'_>, key: &str| {
        let pointer = format!("/{key}");
        value
            .pointer(&pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let flag = |value: &Value<'_>, key: &str| {
        value.pointer(&format!("/{key}")).and_then(Value::as_bool) == Some(true)
    };
    let strings = |pointer: &str| -> Option<Vec<String>> {
        let values = document.pointer(pointer)?.as_array()?;
        Some(
            values
                .iter()
                .filter_map(|value| Some(value.as_str()?.to_owned()))
                .collect(),
        )
    };
    let mut file = File {
        helpers: strings("/credential-helpers"),
        ..File::default()
    };
    let entries = document.pointer("/registry").and_then(Value::as_array);
    for value in entries.into_iter().flatten() {
        let location = string(value, "location");
        let Some(prefix) = string(value, "prefix").or_else(|| location.clone()) else {
            let line = line_of(text, value.span.start);
            return Err(format!(
                "line {line}: a [[registry]] has neither prefix nor location"
            ));
        };
        let mirrors = value.pointer("/mirror").and_then(Value::as_array);
        file.entries.push(Entry {
            location: location
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| prefix.clone()),
            insecure: flag(value, "insecure"),
            blocked: flag(value, "blocked"),
            has_mirrors: mirrors.is_some_and(|mirrors| !mirrors.is_empty()),
            prefix,
        });
    }
    // The first version of the format.
    for host in strings("/registries/insecure/registries").unwrap_or_default() {
        file.entries.push(Entry {
            prefix: host.clone(),
            location: host,
            insecure: true,
            ..Entry::default()
        });
    }
    Ok(file)
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

fn show(path: &Path) -> String {
    escape(&path.display().to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(texts: &[&str]) -> RegistriesConf {
        let mut merged = File::default();
        for text in texts {
            merged.extend(parse(text).expect(text));
        }
        let mut found = RegistriesConf::default();
        found.take(merged);
        found
    }

    fn hosts(found: &RegistriesConf) -> Vec<String> {
        found.insecure.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn insecure_hosts_of_both_versions() {
        let found = taken(&[r#"
            unqualified-search-registries = ["docker.io"]
            credential-helpers = ["containers-auth.json", "ecr-login"]
            [[registry]]
            location = "reg.io:5000"
            insecure = true
            [[registry]]
            prefix = "*.example.com"
            insecure = true
            [[registry]]
            location = "quiet.io"
            [[registry]]
            location = "ns.io/team"
            insecure = true
        "#]);
        assert_eq!(hosts(&found), ["reg.io:5000", "*.example.com"]);
        assert_eq!(found.helpers, [FILES_HELPER, "ecr-login"]);
        assert_eq!(
            found.warnings,
            [
                "registries.conf: insecure for ns.io/team is not used, because only whole hosts can be insecure; give --insecure ns.io"
            ]
        );
        let old = "[registries.search]\nregistries = [\"a\"]\n[registries.insecure]\nregistries = ['old.io:5000']\n";
        assert_eq!(hosts(&taken(&[old])), ["old.io:5000"]);
    }

    #[test]
    fn a_later_file_replaces_entries_of_the_same_prefix() {
        let first = "[[registry]]\nlocation = 'a.io'\ninsecure = true\n[[registry]]\nlocation = 'b.io'\ninsecure = true\n";
        let later = "[[registry]]\nlocation = 'a.io'\ninsecure = false\n";
        assert_eq!(hosts(&taken(&[first, later])), ["b.io"]);
    }

    #[test]
    fn what_is_not_followed_is_remarked_for_its_repositories() {
        let found = taken(&[r#"
            [[registry]]
            prefix = "docker.io"
            location = "cache.local/hub"
            [[registry]]
            location = "quay.io"
            [[registry.mirror]]
            location = "mirror.local/quay"
            [[registry]]
            location = "bad.io/team"
            blocked = true
        "#]);
        let remark = |registry: &str, path: &str| {
            let repository = Repository {
                registry: registry.to_owned(),
                path: path.to_owned(),
            };
            found.remark(&repository).map(str::to_owned)
        };
        assert_eq!(
            remark("docker.io", "library/nginx").as_deref(),
            Some(
                "registries.conf: docker.io has another location; this is not followed, and docker.io itself is read"
            )
        );
        let said = remark("quay.io", "a/b").expect("a remark");
        assert!(said.contains("quay.io has mirrors"), "{said}");
        assert!(remark("bad.io", "team/x").is_some());
        assert_eq!(remark("bad.io", "teams/x"), None);
        assert_eq!(remark("reg.io", "x"), None);
    }

    #[test]
    fn a_damaged_file_is_named_by_line() {
        for (text, line) in [
            ("a = 1\nb = [\n", "line "),
            (
                "[[registry]]\ninsecure = true\n",
                "line 1: a [[registry]] has neither",
            ),
            ("x = \"\n", "line 1: "),
        ] {
            let why = parse(text).expect_err(text);
            assert!(why.starts_with(line), "{why}");
        }
    }
}
