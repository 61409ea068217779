//! A credential file: `auths`, `credHelpers` and `credsStore`.
//!
//! People and several tools edit these files, so reading is tolerant: letter case of fields, keys
//! with scheme and path, entries that are broken for other registries. Format: docker's
//! `config.json`, containers-auth.json(5).

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

/// With or without the `=` at the end.
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
}

impl AuthFile {
    /// Reads a file; none where there is none. `is_old`: the whole file is what is `auths` in others.
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

    /// Reads the content of a file; an empty one has no entries.
    pub fn parse(name: &str, bytes: &[u8], is_old: bool) -> Result<Self, CredentialError> {
        let malformed = |what: &str| {
            CredentialError::new(format!("cannot read the credential file {name}: {what}"))
        };
        let value = if bytes.trim_ascii().is_empty() {
            Value::Object(Map::new())
        } else {
            // Only the place: the parser's own words could quote a secret.
            serde_json::from_slice(bytes).map_err(|error| {
                malformed(&format!(
                    "not JSON (line {}, column {})",
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
        Ok(Self {
            name: name.to_owned(),
            helpers: section("credHelpers"),
            store: store.map(str::to_owned),
            auths: if is_old { object } else { section("auths") },
        })
    }

    /// The helper that knows a registry.
    pub fn helper(&self, registry: &str) -> Option<String> {
        let own = self
            .helpers
            .iter()
            .find(|(key, _)| host_of(key) == registry);
        own.and_then(|(_, helper)| helper.as_str())
            .filter(|helper| !helper.is_empty())
            .map(str::to_owned)
            .or_else(|| self.store.clone())
    }

    /// The entry for a repository: of the longest path that has one.
    ///
    /// # Errors
    /// [`CredentialError`] where that entry cannot be read.
    pub fn find(&self, repository: &Repository) -> Result<Option<Credential>, CredentialError> {
        let path = repository.registry_path();
        let mut scope = format!("{}/{path}", repository.registry);
        loop {
            // An exact key before one that means the same; then by name, to be the same every time.
            let mut keys: Vec<&String> = self
                .auths
                .keys()
                .filter(|key| normalized(key) == scope)
                .collect();
            keys.sort_by_key(|key| (**key != scope, (*key).clone()));
            for key in keys {
                if let Some(credential) = self.entry(key)? {
                    return Ok(Some(credential));
                }
            }
            match scope.rfind('/') {
                Some(end) => scope.truncate(end),
                None => return Ok(None),
            }
        }
    }

    /// What an entry says; one that says nothing (left behind by a credential store) is none.
    fn entry(&self, key: &str) -> Result<Option<Credential>, CredentialError> {
        let broken = |what: &str| {
            let key = crate::escape::escape(key);
            CredentialError::new(format!(
                "the entry {key:?} of the credential file {}: {what}",
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
                    .map_err(|_| broken("\"auth\" is not base64"))?;
                let decoded =
                    String::from_utf8(decoded).map_err(|_| broken("\"auth\" is not text"))?;
                let (user, password) = decoded
                    .split_once(':')
                    .ok_or_else(|| broken("\"auth\" is not of the form user:password"))?;
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
            return Err(broken("control characters in user or password"));
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

/// A field by its name, in any letter case where the exact one is not there, as Go reads it.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let other = || {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    object.get(name).or_else(other)
}

/// The registry and path that a key means: without scheme, `/v1/`, and Docker Hub's other names.
fn normalized(key: &str) -> String {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let name = match bare {
        // Only keys without a scheme can name a path.
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None => {
            let name = key.trim_end_matches('/');
            name.strip_suffix("/v1")
                .or_else(|| name.strip_suffix("/v2"))
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

fn host_of(key: &str) -> String {
    normalized(key)
        .split('/')
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn user(file: &Value, registry: &str, path: &str) -> Option<String> {
        let file = AuthFile::parse("test", file.to_string().as_bytes(), false).expect("readable");
        let repository = Repository {
            registry: registry.to_owned(),
            path: path.to_owned(),
        };
        file.find(&repository)
            .expect("an entry")
            .map(|credential| credential.user)
    }

    fn auth(user: &str) -> Value {
        json!({"auth": BASE64.encode(format!("{user}:p:w"))})
    }

    #[test]
    fn the_longest_path_wins_and_ports_count() {
        let file = json!({"auths": {
            "reg.io": auth("host"), "reg.io/team": auth("team"), "reg.io/team/x": auth("repository"),
            "https://other.io/v2/": auth("url"), "reg.io:5000": auth("port"), "http://plain.io/v1/": auth("plain"),
        }});
        for (registry, path, expected) in [
            ("reg.io", "team/x", Some("repository")),
            ("reg.io", "team/y", Some("team")),
            ("reg.io", "teamwork/x", Some("host")),
            ("reg.io:5000", "team/x", Some("port")),
            ("reg.io:443", "x", None),
            ("other.io", "x", Some("url")),
            ("plain.io", "x", Some("plain")),
        ] {
            assert_eq!(
                user(&file, registry, path).as_deref(),
                expected,
                "{registry}/{path}"
            );
        }
    }

    #[test]
    fn docker_hub_has_many_names() {
        for key in [
            "docker.io",
            "index.docker.io",
            "registry-1.docker.io",
            "https://index.docker.io/v1/",
            "https://index.docker.io/v1",
            "index.docker.io/v1/",
        ] {
            assert_eq!(
                user(&json!({"auths": {key: auth("me")}}), "docker.io", "x").as_deref(),
                Some("me"),
                "{key}"
            );
        }
        let both = json!({"auths": {"https://index.docker.io/v1/": auth("old"), "docker.io": auth("exact")}});
        assert_eq!(user(&both, "docker.io", "x").as_deref(), Some("exact"));
    }

    #[test]
    fn entries_as_tools_leave_them() {
        let parse = |entry: Value| {
            let file = AuthFile::parse(
                "test",
                json!({"auths": {"reg.io": entry}}).to_string().as_bytes(),
                false,
            )
            .expect("readable");
            file.find(&Repository {
                registry: "reg.io".to_owned(),
                path: "x".to_owned(),
            })
        };
        assert_eq!(parse(json!({})), Ok(None));
        assert_eq!(parse(json!({"email": "x", "auth": ""})), Ok(None));
        let found = parse(json!({"auth": "dTpwOnc="}))
            .expect("readable")
            .expect("an entry");
        assert_eq!(
            found
                .basic()
                .map(|(user, password)| (user, password.expose())),
            Some(("u", "p:w"))
        );
        assert!(
            parse(json!({"auth": " dTpwOnc \n"}))
                .expect("readable")
                .is_some(),
            "without padding"
        );
        assert!(
            parse(json!({"Username": "u", "PASSWORD": "p"}))
                .expect("readable")
                .is_some()
        );
        // Azure: an empty password beside an identity token.
        let azure = json!({"auth": BASE64.encode("00000000-0000-0000-0000-000000000000:"), "identitytoken": "t"});
        let found = parse(azure).expect("readable").expect("an entry");
        assert!(found.basic().is_none() && found.identity_token.is_some());
        assert!(
            parse(json!({"auth": BASE64.encode("user:")}))
                .expect("readable")
                .is_none(),
            "nothing to show"
        );
        for broken in ["%%%", "bm9jb2xvbg==", "dTpwCg=="] {
            let error = parse(json!({"auth": broken}))
                .expect_err("broken")
                .to_string();
            assert!(
                error.contains("reg.io") && !error.contains(broken),
                "{error}"
            );
        }
    }

    #[test]
    fn a_broken_entry_for_another_registry_does_no_harm() {
        let file =
            json!({"auths": {"other.io": {"auth": "%%%"}, "third.io": 7, "reg.io": auth("me")}});
        assert_eq!(user(&file, "reg.io", "x").as_deref(), Some("me"));
        assert_eq!(
            user(&json!({"auths": null, "credHelpers": null}), "reg.io", "x"),
            None
        );
    }

    #[test]
    fn helpers_by_host_before_the_store() {
        let file = json!({"credHelpers": {"reg.io": "ecr-login", "https://index.docker.io/v1/": "hub"}, "credsStore": "desktop"});
        let file = AuthFile::parse("test", file.to_string().as_bytes(), false).expect("readable");
        assert_eq!(file.helper("reg.io").as_deref(), Some("ecr-login"));
        assert_eq!(file.helper("docker.io").as_deref(), Some("hub"));
        assert_eq!(file.helper("other.io").as_deref(), Some("desktop"));
    }

    #[test]
    fn what_is_no_file_is_named_without_its_content() {
        assert!(AuthFile::parse("f", b" \n", false).is_ok());
        for content in [
            &b"{\"auths\": {\"reg.io\": {\"auth\": hunter2}}}"[..],
            b"[]",
            b"hunter2",
        ] {
            let error = AuthFile::parse("/x/config.json", content, false)
                .expect_err("malformed")
                .to_string();
            assert!(
                error.contains("/x/config.json") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes in any::<Vec<u8>>(), key in "\\PC{0,20}", auth in "\\PC{0,20}") {
            let _ = AuthFile::parse("f", &bytes, true);
            let file = json!({"auths": {key.clone(): {"auth": auth}}, "credHelpers": {key: 1}});
            let file = AuthFile::parse("f", file.to_string().as_bytes(), false).expect("an object");
            let _ = file.find(&Repository { registry: "reg.io".to_owned(), path: "x/y".to_owned() });
            let _ = file.helper("reg.io");
        }
    }
}
