//! Reads the registry settings of podman, skopeo and docker on this host: `registries.conf` with its
//! drop-ins, and docker's `daemon.json`.
//!
//! Used are insecure hosts and credential helpers. Mirrors and other locations are ignored, because a
//! mirror would be compared with itself; a warning is logged if an image of the list has one.
//! Specification: containers-registries.conf(5), containers-registries.conf.d(5), and dockerd(8),
//! `insecure-registries`.

mod toml;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::home::home;
use super::insecure::HostPattern;
use crate::escape::escape;
use crate::reference::Repository;
use toml::parse;

/// The variables that name the main file; the first one that is set counts.
const VARIABLES: [&str; 2] = ["CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH"];

/// The variable that names a file read after all others.
const LAST_VARIABLE: &str = "CONTAINERS_REGISTRIES_CONF_OVERRIDE";

/// The entry of `credential-helpers` that stands for the credential files.
pub const FILES_HELPER: &str = "containers-auth.json";

#[derive(Debug, Default)]
pub struct RegistriesConf {
    /// Hosts of registries.conf, and whether they are insecure.
    pub hosts: Vec<(HostPattern, bool)>,
    /// Docker's insecure registries.
    pub of_docker: Vec<HostPattern>,
    /// Credential helpers in order; empty: only the files are read.
    pub helpers: Vec<String>,
    /// Warnings about ignored entries.
    remarks: Vec<(String, String)>,
    /// Warnings about unreadable files and ignored settings.
    pub warnings: Vec<String>,
}

/// The file of a variable cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the file {path} of ${variable}: {why}; correct it, or unset the variable")]
pub struct RegistriesConfError {
    path: String,
    variable: &'static str,
    why: String,
}

/// A `[[registry]]` table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    has_mirrors: bool,
}

/// The content of a file.
#[derive(Debug, Default)]
struct File {
    entries: Vec<Entry>,
    helpers: Option<Vec<String>>,
}

impl RegistriesConf {
    /// # Errors
    /// The file named by a variable cannot be used; other files lead to warnings.
    pub fn load(environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, RegistriesConfError> {
        let home = home(environment);
        let mut found = Self::default();
        let set = |variable: &'static str| {
            let path = environment(variable).filter(|text| !text.is_empty())?;
            Some((variable, PathBuf::from(path)))
        };
        let named = VARIABLES.into_iter().find_map(set);
        let users = home.as_ref().map(|home| home.join(".config/containers"));
        let (main, directories) = places(named.as_ref().map(|(_, path)| path.clone()), users);
        let mut merged = match &named {
            Some((variable, _)) => read_named(variable, &main)?,
            None => found.read(&main),
        };
        for path in directories.iter().flat_map(|directory| drop_ins(directory)) {
            merged.extend(found.read(&path));
        }
        if let Some((variable, path)) = set(LAST_VARIABLE) {
            merged.extend(read_named(variable, &path)?);
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

    /// The warning about a setting that is ignored for this repository.
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

    /// The content of a file; nothing, with a warning, if it is invalid.
    fn read(&mut self, path: &Path) -> File {
        read(path)
            .unwrap_or_else(|why| {
                self.ignored(path, &why);
                None
            })
            .unwrap_or_default()
    }

    fn ignored(&mut self, path: &Path, why: &str) {
        self.warnings
            .push(format!("{} is ignored: {why}", show(path)));
    }

    fn take(&mut self, file: File) {
        self.helpers = file.helpers.unwrap_or_default();
        self.remarks = file.entries.iter().filter_map(remark).collect();
        for entry in &file.entries {
            // A setting of a namespace does not apply to its host.
            if let Ok(host) = entry.location.parse() {
                self.hosts.push((host, entry.insecure));
            } else if entry.insecure && !entry.location.contains('/') {
                self.warnings.push(format!(
                    "registries.conf: insecure = true of {} is ignored, because it is not a host",
                    escape(&entry.location)
                ));
            }
        }
    }

    fn read_daemon(&mut self, path: &Path) {
        #[derive(Deserialize)]
        struct Daemon {
            #[serde(rename = "insecure-registries")]
            insecure: Option<Vec<String>>,
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
                let why = format!(
                    "not valid JSON, or not in the expected format (line {})",
                    error.line()
                );
                return self.ignored(path, &why);
            }
        };
        for host in daemon.insecure.unwrap_or_default() {
            let bare = host
                .trim_start_matches("http://")
                .trim_start_matches("https://")
                .trim_end_matches('/');
            match bare.parse() {
                Ok(host) => self.of_docker.push(host),
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
    /// The entry of a host or namespace, created if absent.
    fn entry(&mut self, prefix: String) -> &mut Entry {
        let known = self.entries.iter().position(|entry| entry.prefix == prefix);
        let at = known.unwrap_or_else(|| {
            self.entries.push(Entry {
                location: prefix.clone(),
                prefix,
                ..Entry::default()
            });
            self.entries.len() - 1
        });
        &mut self.entries[at]
    }

    /// A later file replaces entries of the same prefix.
    fn extend(&mut self, later: Self) {
        for entry in later.entries {
            self.entries.retain(|known| known.prefix != entry.prefix);
            self.entries.push(entry);
        }
        self.helpers = later.helpers.or(self.helpers.take());
    }
}

/// The warning about an entry, with its prefix.
fn remark(entry: &Entry) -> Option<(String, String)> {
    let prefix = escape(&entry.prefix);
    let mut parts = Vec::new();
    let what = if entry.blocked {
        Some("is blocked")
    } else if entry.has_mirrors {
        Some("has mirrors")
    } else if entry.location != entry.prefix && !entry.prefix.starts_with("*.") {
        Some("has another location")
    } else {
        None
    };
    parts.extend(what.map(|what| {
        format!("{prefix} {what}; image-tools ignores this and reads {prefix} itself")
    }));
    if entry.insecure && entry.location.contains('/') {
        let host = escape(entry.location.split('/').next().unwrap_or_default());
        parts.push(format!(
            "insecure = true of {prefix} is ignored, because it must be set for a whole host; use --insecure {host}"
        ));
    }
    (!parts.is_empty()).then(|| {
        let text = format!("registries.conf: {}", parts.join("; "));
        (entry.prefix.clone(), text)
    })
}

/// The main file, and the directories of drop-ins in reading order. `users`: the user's directory.
fn places(named: Option<PathBuf>, users: Option<PathBuf>) -> (PathBuf, Vec<PathBuf>) {
    let system = PathBuf::from("/etc/containers");
    let own = users.as_ref().map(|users| users.join("registries.conf"));
    let own_directory = users.map(|users| users.join("registries.conf.d"));
    let mut directories = Vec::new();
    let main = match (named, own) {
        (Some(named), _) => named,
        // The user's main file replaces the system's.
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

/// Reads the file of a variable.
fn read_named(variable: &'static str, path: &Path) -> Result<File, RegistriesConfError> {
    let refuse = |why: String| RegistriesConfError {
        path: show(path),
        variable,
        why,
    };
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map_err(refuse),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(refuse("there is no such file".to_owned()))
        }
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// Reads a file; `None` if it does not exist or this user must not see it.
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
        let insecure = found.hosts.iter().filter(|(_, is_insecure)| *is_insecure);
        insecure.map(|(host, _)| host.to_string()).collect()
    }

    #[test]
    fn insecure_hosts_are_read_from_both_versions() {
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
        assert!(found.warnings.is_empty());
        let odd = "[[registry]]\nlocation = 'https://reg.io'\ninsecure = true\n[[registry]]\nlocation = 'a b'\ninsecure = true\n";
        let odd = taken(&[odd]);
        assert!(hosts(&odd).is_empty());
        assert_eq!(
            odd.warnings,
            ["registries.conf: insecure = true of a b is ignored, because it is not a host"]
        );
        let old = "[registries.search]\nregistries = [\"a\"]\n[registries.insecure]\nregistries = ['old.io:5000', 'x.io']\n[registries.block]\nregistries = ['bad.io', 'x.io']\n";
        let old = taken(&[old]);
        assert_eq!(hosts(&old), ["old.io:5000", "x.io"]);
        assert_eq!(old.remarks.len(), 2);
    }

    #[test]
    fn a_later_file_replaces_entries_of_the_same_prefix() {
        let first = "[[registry]]\nlocation = 'a.io'\ninsecure = true\n[[registry]]\nlocation = 'b.io'\ninsecure = true\n";
        let later = "[[registry]]\nlocation = 'a.io'\ninsecure = false\n";
        assert_eq!(hosts(&taken(&[first, later])), ["b.io"]);
    }

    #[test]
    fn unsupported_registries_conf_entries_are_reported_for_their_repositories() {
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
            [[registry]]
            location = "ns.io/team"
            insecure = true
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
                "registries.conf: docker.io has another location; image-tools ignores this and reads docker.io itself"
            )
        );
        let said = remark("quay.io", "a/b").expect("a remark");
        assert!(said.contains("quay.io has mirrors"), "{said}");
        assert!(remark("bad.io", "team/x").is_some());
        assert_eq!(
            remark("ns.io", "team/x").as_deref(),
            Some(
                "registries.conf: insecure = true of ns.io/team is ignored, because it must be set for a whole host; use --insecure ns.io"
            )
        );
        assert_eq!(remark("ns.io", "x"), None);
        assert_eq!(remark("bad.io", "teams/x"), None);
        assert_eq!(remark("reg.io", "x"), None);
    }

    #[test]
    fn the_error_of_a_damaged_file_has_its_line() {
        for (text, line) in [
            ("a = 1\nb = [\n", "line "),
            (
                "[[registry]]\ninsecure = true\n",
                "line 1: a [[registry]] has neither",
            ),
            ("x = \"\n", "line 1: "),
            ("\nx = tru\n", "line 2: invalid TOML value"),
            (
                "\n[[registry]]\nlocation = 'a.io'\ninsecure = 'true'\n",
                "line 4: insecure must be true or false",
            ),
            (
                "[[registry]]\nlocation = 7\n",
                "line 2: location must be a string",
            ),
            (
                "[registry]\nlocation = 'a'\n",
                "line 1: registry must be a list",
            ),
            (
                "credential-helpers = 'x'\n",
                "line 1: credential-helpers must be a list",
            ),
            ("credential-helpers = [1]\n", "line 1: expected a string"),
            (
                "[registries.insecure]\nregistries = 'x'\n",
                "line 2: registries.insecure.registries must be a list",
            ),
        ] {
            let why = parse(text).expect_err(text);
            assert!(why.starts_with(line), "{why}");
        }
    }
}
