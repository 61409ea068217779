//! The names of a list and the references that they become, with `-s`, `-d` and `-default-project`.

use std::str::FromStr;

use crate::reference::{DOCKER_HUB, NameError, Repository, check_path, check_registry};

/// What `-s` and `-d` put in place of a registry: a host and, optionally, a path in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Host, with its port where one was given.
    pub registry: String,
    prefix: String,
}

impl Override {
    /// The path in front of every name; empty where there is none.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for Override {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Some(end) = text.find("://") {
            return Err(NameError::Scheme(text[..end + 3].to_owned()));
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let (registry, prefix) = text.split_once('/').unwrap_or((text, ""));
        check_registry(registry)?;
        if !prefix.is_empty() {
            check_path(prefix)?;
        }
        Ok(Self {
            registry: canonical(registry),
            prefix: prefix.to_owned(),
        })
    }
}

/// Resolves the source name of a line.
///
/// # Errors
/// [`NameError`] where the name does not follow the grammar.
pub fn source(name: &str, replaced: Option<&Override>) -> Result<Repository, NameError> {
    resolve(name, replaced, None)
}

/// Resolves the destination name of a line; one without a project gets the default one.
///
/// # Errors
/// [`NameError`] where the name does not follow the grammar.
pub fn destination(
    name: &str,
    replaced: Option<&Override>,
    default_project: &str,
) -> Result<Repository, NameError> {
    resolve(name, replaced, Some(default_project))
}

/// Whether this is a well formed project, as `-default-project` wants it.
pub fn is_project(text: &str) -> bool {
    text.is_empty() || check_path(text).is_ok()
}

fn resolve(
    name: &str,
    replaced: Option<&Override>,
    default_project: Option<&str>,
) -> Result<Repository, NameError> {
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if name.len() == 64 && name.bytes().all(hex) {
        return Err(NameError::Identifier);
    }
    let (written, rest) = match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest),
        _ => (None, name),
    };
    if let Some(registry) = written {
        check_registry(registry)?;
    }
    let registry = match (replaced, written) {
        (Some(replaced), _) => replaced.registry.clone(),
        (None, Some(written)) => canonical(written),
        (None, None) => DOCKER_HUB.to_owned(),
    };
    let mut path = match replaced {
        Some(Override { prefix, .. }) if !prefix.is_empty() => format!("{prefix}/{rest}"),
        _ => rest.to_owned(),
    };
    if let Some(project) = default_project
        && !project.is_empty()
        && !path.contains('/')
    {
        path = format!("{project}/{path}");
    }
    check_path(&path)?;
    Ok(Repository { registry, path })
}

/// Whether the first element of a name is a registry, as the original decides it.
fn is_registry(element: &str) -> bool {
    element == "localhost" || element.contains(['.', ':'])
}

/// Docker Hub has a second name.
fn canonical(registry: &str) -> String {
    match registry {
        "index.docker.io" => DOCKER_HUB.to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(result: Result<Repository, NameError>) -> String {
        result.map_or_else(
            |error| format!("{error:?}"),
            |repository| repository.to_string(),
        )
    }

    #[test]
    fn a_source_is_left_as_written() {
        for (name, expected) in [
            ("hello-world", "docker.io/hello-world"),
            ("rancher/rancher", "docker.io/rancher/rancher"),
            ("docker.io/library/nginx", "docker.io/library/nginx"),
            ("index.docker.io/nginx", "docker.io/nginx"),
            ("quay.io/a/b/c/d", "quay.io/a/b/c/d"),
            ("localhost/x", "localhost/x"),
            ("localhost:5000/x", "localhost:5000/x"),
            ("[::1]:5000/x/y", "[::1]:5000/x/y"),
            ("my.image", "docker.io/my.image"),
            ("a__b/c---d/e.f", "docker.io/a__b/c---d/e.f"),
        ] {
            assert_eq!(text(source(name, None)), expected);
        }
    }

    #[test]
    fn an_override_replaces_or_is_put_in_front() {
        let cache: Override = "reg.io:5000/cache".parse().expect("an override");
        assert_eq!(
            text(source("docker.io/library/x", Some(&cache))),
            "reg.io:5000/cache/library/x"
        );
        assert_eq!(text(source("x", Some(&cache))), "reg.io:5000/cache/x");
        let plain: Override = "myregistry/".parse().expect("an override");
        assert_eq!(text(source("quay.io/a/b", Some(&plain))), "myregistry/a/b");
    }

    #[test]
    fn a_destination_without_project_gets_the_default_one() {
        let registry: Override = "private.registry.io".parse().expect("an override");
        assert_eq!(
            text(destination("hello-world", Some(&registry), "library")),
            "private.registry.io/library/hello-world"
        );
        assert_eq!(text(destination("reg.io/x", None, "team")), "reg.io/team/x");
        assert_eq!(
            text(destination("reg.io/a/b/c/d", None, "team")),
            "reg.io/a/b/c/d"
        );
        assert_eq!(text(destination("reg.io/x", None, "")), "reg.io/x");
    }

    #[test]
    fn what_could_break_a_url_is_refused() {
        for name in [
            "",
            "/",
            "a//b",
            "reg.io/",
            "a/../b",
            "UPPER/x",
            "a/B",
            "a b",
            "a:1",
            "a@sha256:x",
            "reg.io:99999/x",
            "reg.io:0/x",
            "reg.io:/x",
            "foo_bar.com/x",
            "-a.io/x",
            "[fe80::1%25eth0]/x",
            "[::1/x",
            "a/b?c",
            "a/b#c",
            "a/%2e%2e/b",
            "名/x",
            "_a",
            "a_",
            "a___b",
        ] {
            assert!(source(name, None).is_err(), "{name}");
        }
        assert_eq!(source(&"a".repeat(64), None), Err(NameError::Identifier));
        assert!(source(&format!("x/{}", "b".repeat(254)), None).is_err());
    }

    #[test]
    fn overrides_are_checked() {
        for bad in [
            "",
            "/",
            "https://reg.io",
            "reg.io/UPPER",
            "reg.io:x",
            "reg io",
        ] {
            assert!(bad.parse::<Override>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_safe_in_a_url(name in "\\PC{0,40}|[a-zA-Z0-9._/:@%?#\\[\\]-]{0,40}") {
            if let Ok(repository) = source(&name, None) {
                let safe = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
                prop_assert!(repository.path.bytes().all(safe));
                prop_assert!(!repository.path.split('/').any(|part| part.is_empty() || part.starts_with('.')));
                prop_assert!(repository.registry.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b)));
            }
        }

    }
}
