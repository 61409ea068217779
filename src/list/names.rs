//! Resolves the names of a list to repositories, with `-s`, `-d` and `-default-project`.

use std::fmt;
use std::str::FromStr;

use crate::reference::{DOCKER_HUB, NameError, Repository, check_path, check_registry};

/// The value of `-s` or `-d`: a registry, optionally with a path prefix or a path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Host, with its port if one was given.
    pub registry: String,
    path: Path,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Path {
    /// A prefix; may be empty.
    Prefix(String),
    /// A validated template with `{registry}`, `{path}` and `{name}`.
    Template(String),
}

const PLACEHOLDERS: [&str; 3] = ["{registry}", "{path}", "{name}"];

impl Override {
    /// Whether it has no path.
    pub fn is_host(&self) -> bool {
        matches!(&self.path, Path::Prefix(prefix) if prefix.is_empty())
    }

    /// The path prefix; empty if there is none, or a template.
    pub fn prefix(&self) -> &str {
        match &self.path {
            Path::Prefix(prefix) => prefix,
            Path::Template(_) => "",
        }
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Path::Prefix(path) | Path::Template(path)) = &self.path;
        f.write_str(&self.registry)?;
        if path.is_empty() {
            Ok(())
        } else {
            write!(f, "/{path}")
        }
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
        let (registry, path) = text.split_once('/').unwrap_or((text, ""));
        check_registry(registry)?;
        let path = if path.contains(['{', '}']) {
            check_template(path)?;
            Path::Template(path.to_owned())
        } else {
            if !path.is_empty() {
                check_path(path)?;
            }
            Path::Prefix(path.to_owned())
        };
        Ok(Self {
            registry: canonical(registry),
            path,
        })
    }
}

/// Validates a template as far as possible without a name.
fn check_template(template: &str) -> Result<(), NameError> {
    let mut rest = template;
    while let Some(start) = rest.find(['{', '}']) {
        let end = rest[start..]
            .find('}')
            .map_or(rest.len(), |end| start + end + 1);
        if !PLACEHOLDERS.contains(&&rest[start..end]) {
            return Err(NameError::Placeholder(rest[start..end].to_owned()));
        }
        rest = &rest[end..];
    }
    if !template.contains("{path}") && !template.contains("{name}") {
        return Err(NameError::Template(template.to_owned()));
    }
    check_path(&fill(template, "r.io", "p/n"))
}

fn fill(template: &str, registry: &str, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    // Neither a registry nor a validated path contains braces.
    template
        .replace("{registry}", registry)
        .replace("{path}", path)
        .replace("{name}", name)
}

/// Resolves the source name of a line.
///
/// # Errors
/// [`NameError`] if the name is invalid.
pub fn source(name: &str, replaced: Option<&Override>) -> Result<Repository, NameError> {
    let name = Name::split(name)?;
    name.resolve(&name.path, replaced)
}

/// Resolves the destination name of a line; a name without a project gets the default one.
///
/// # Errors
/// [`NameError`] if the name is invalid.
pub fn destination(
    name: &str,
    replaced: Option<&Override>,
    default_project: &str,
) -> Result<Repository, NameError> {
    let name = Name::split(name)?;
    let has_prefix = replaced.is_some_and(
        |replaced| matches!(&replaced.path, Path::Prefix(prefix) if !prefix.is_empty()),
    );
    if default_project.is_empty() || has_prefix || name.path.contains('/') {
        name.resolve(&name.path, replaced)
    } else {
        name.resolve(&format!("{default_project}/{}", name.path), replaced)
    }
}

/// Resolves a name that is the same on both sides. Docker Hub's official images are `library/NAME` on
/// both.
///
/// # Errors
/// [`NameError`] if the name is invalid.
pub fn both(
    name: &str,
    replaced_source: Option<&Override>,
    replaced_destination: Option<&Override>,
) -> Result<(Repository, Repository), NameError> {
    let name = Name::split(name)?;
    let mut source = name.resolve(&name.path, replaced_source)?;
    source.path = source.registry_path();
    let path = if source.registry == DOCKER_HUB && !name.path.contains('/') {
        format!("library/{}", name.path)
    } else {
        name.path.clone()
    };
    let destination = name.resolve(&path, replaced_destination)?;
    Ok((source, destination))
}

/// Validates a name.
///
/// # Errors
/// [`NameError`] if the name is invalid.
pub fn check(name: &str) -> Result<(), NameError> {
    source(name, None).map(|_| ())
}

/// Whether this is a valid project for `-default-project`.
pub fn is_project(text: &str) -> bool {
    text.is_empty() || check_path(text).is_ok()
}

/// A name as written, in two parts.
struct Name {
    /// The registry; Docker Hub if none is written.
    registry: String,
    path: String,
}

impl Name {
    fn split(name: &str) -> Result<Self, NameError> {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if name.len() == 64 && name.bytes().all(hex) {
            return Err(NameError::Identifier);
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => {
                check_registry(first)?;
                (canonical(first), rest)
            }
            _ => (DOCKER_HUB.to_owned(), name),
        };
        Ok(Self {
            registry,
            path: path.to_owned(),
        })
    }

    /// The repository with another path, at the overriding registry if there is one.
    fn resolve(&self, path: &str, replaced: Option<&Override>) -> Result<Repository, NameError> {
        let (registry, path) = match replaced {
            None => (&self.registry, path.to_owned()),
            Some(Override {
                registry,
                path: Path::Prefix(prefix),
            }) if prefix.is_empty() => (registry, path.to_owned()),
            Some(Override {
                registry,
                path: Path::Prefix(prefix),
            }) => (registry, format!("{prefix}/{path}")),
            Some(Override {
                registry,
                path: Path::Template(template),
            }) => {
                // Validated before it is used: the result may be valid by chance.
                check_path(path)?;
                if template.contains("{registry}") && self.registry.contains(':') {
                    return Err(NameError::PortInPath(self.registry.clone()));
                }
                let own = Repository {
                    registry: self.registry.clone(),
                    path: path.to_owned(),
                };
                (
                    registry,
                    fill(template, &own.registry, &own.registry_path()),
                )
            }
        };
        check_path(&path)?;
        Ok(Repository {
            registry: registry.clone(),
            path,
        })
    }
}

/// Whether the first element of a name is a registry, as in the original.
fn is_registry(element: &str) -> bool {
    element == "localhost" || element.contains(['.', ':'])
}

/// Resolves the alias of Docker Hub.
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
    fn an_override_replaces_the_registry_and_may_add_a_path() {
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
    fn invalid_names_are_refused() {
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
            "reg.io/{path",
            "reg.io/path}",
            "reg.io/{}",
            "reg.io/{tag}/{path}",
            "reg.io/{PATH}",
            "reg.io/x{path}/Y",
            "reg.io/{path}//",
            "reg.io/{path}//x",
            "{registry}/{path}",
        ] {
            assert!(bad.parse::<Override>().is_err(), "{bad}");
        }
        let error = "reg.io/{registry}"
            .parse::<Override>()
            .expect_err("no name");
        assert_eq!(
            error.to_string(),
            "the template \"{registry}\" gives every image of a registry the same name; add {path} or {name}"
        );
        let error = "reg.io/{tag}/{path}"
            .parse::<Override>()
            .expect_err("an unknown placeholder");
        assert_eq!(
            error.to_string(),
            "\"{tag}\" is not a placeholder (expected {registry}, {path} or {name})"
        );
    }

    #[test]
    fn a_template_has_placeholders_for_the_parts_of_a_name() {
        for (template, name, expected) in [
            (
                "reg.io/{registry}/{path}",
                "quay.io/a/b",
                "reg.io/quay.io/a/b",
            ),
            (
                "reg.io/{registry}/{path}",
                "x",
                "reg.io/docker.io/library/x",
            ),
            (
                "reg.io/{registry}/{path}",
                "index.docker.io/a/x",
                "reg.io/docker.io/a/x",
            ),
            ("reg.io/ns/{name}", "quay.io/a/b", "reg.io/ns/b"),
            ("reg.io/{name}", "quay.io/a/b", "reg.io/b"),
            ("reg.io:5000/m-{name}", "quay.io/a/b", "reg.io:5000/m-b"),
        ] {
            let template: Override = template.parse().expect("an override");
            assert_eq!(text(source(name, Some(&template))), expected);
            let (_, found) = both(name, None, Some(&template)).expect("a name");
            assert_eq!(found.to_string(), expected);
        }
        let template: Override = "reg.io/{registry}/{path}".parse().expect("an override");
        assert_eq!(
            text(destination("quay.io/x", Some(&template), "team")),
            "reg.io/quay.io/team/x"
        );
        // A port cannot be part of a path.
        assert_eq!(
            source("localhost:5000/a/b", Some(&template)),
            Err(NameError::PortInPath("localhost:5000".to_owned()))
        );
        assert!(source("quay.io/a/../b", Some(&template)).is_err());
        assert!(source("{name}/{name}", Some(&template)).is_err());
    }

    #[test]
    fn one_name_is_the_same_on_both_sides() {
        let registry: Override = "reg.io".parse().expect("an override");
        let cache: Override = "cache.io/hub".parse().expect("an override");
        for (name, replaced, expected) in [
            (
                "nginx",
                None,
                "docker.io/library/nginx reg.io/library/nginx",
            ),
            (
                "docker.io/nginx",
                None,
                "docker.io/library/nginx reg.io/library/nginx",
            ),
            ("a/nginx", None, "docker.io/a/nginx reg.io/a/nginx"),
            ("quay.io/nginx", None, "quay.io/nginx reg.io/nginx"),
            ("nginx", Some(&registry), "reg.io/nginx reg.io/nginx"),
            ("nginx", Some(&cache), "cache.io/hub/nginx reg.io/nginx"),
        ] {
            let (from, to) = both(name, replaced, Some(&registry)).expect("a name");
            assert_eq!(format!("{from} {to}"), expected);
        }
    }

    proptest! {
        #[test]
        fn accepted_names_are_safe_in_a_url(name in "\\PC{0,40}|[a-zA-Z0-9._/:@%?#\\[\\]-]{0,40}") {
            if let Ok(repository) = source(&name, None) {
                let safe = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
                prop_assert!(repository.path.bytes().all(safe));
                prop_assert!(!repository.path.split('/').any(|part| part.is_empty() || part.starts_with('.')));
                prop_assert!(repository.registry.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b)));
            }
        }

    }
}
