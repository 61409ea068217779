//! Names of images: registry, repository, and tag or digest; and how `-s` and `-d` change them.
//!
//! Grammar: `distribution/reference` and OCI distribution-spec, "Pulling manifests". What passes
//! here is safe as a part of a URL: nothing else in this program checks a name again.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::manifest::{Digest, DigestError};

/// The registry that a name without one belongs to.
pub const DOCKER_HUB: &str = "docker.io";

/// The longest path of a repository, in characters.
const MAX_PATH: usize = 255;

/// A registry and a repository in it, as the user knows them (`docker.io/hello-world`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// Host, with its port where one was given.
    pub registry: String,
    /// Path, as written.
    pub path: String,
}

impl Repository {
    /// The path by which the registry knows it: Docker Hub's official images are in `library`.
    pub fn registry_path(&self) -> String {
        if self.registry == DOCKER_HUB && !self.path.contains('/') {
            format!("library/{}", self.path)
        } else {
            self.path.clone()
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// Which manifest of a repository is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// By its tag.
    Tag(String),
    /// By its digest.
    Digest(Digest),
}

impl Reference {
    /// The tag or digest, as it stands in a URL.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag,
            Self::Digest(digest) => digest.as_str(),
        }
    }

    /// The reference behind a name: `name:tag` or `name@digest`.
    pub fn of(&self, name: &impl fmt::Display) -> String {
        match self {
            Self::Tag(tag) => format!("{name}:{tag}"),
            Self::Digest(digest) => format!("{name}@{digest}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains(':') {
            return Ok(Self::Digest(text.parse()?));
        }
        let first = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let rest = |b: u8| first(b) || b == b'.' || b == b'-';
        let well_formed = text.bytes().next().is_some_and(first) && text.bytes().all(rest);
        if !well_formed || text.len() > 128 {
            return Err(NameError::Tag);
        }
        Ok(Self::Tag(text.to_owned()))
    }
}

/// Why a name, a tag or an override cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Host or port of the registry.
    #[error("the registry {0:?} is not a host name with an optional port")]
    Registry(String),
    /// The port is not between 1 and 65535.
    #[error("the port {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// The repository's path.
    #[error(
        "the repository {0:?} is not a name (wanted: lower-case letters, digits, and between them \
         one '.', one or two '_', any number of '-'; parts separated by '/'; tag or digest in the third field)"
    )]
    Path(String),
    /// The path is too long.
    #[error("the repository has {0} characters, more than {MAX_PATH}")]
    Long(usize),
    /// A name that could be taken for an image ID.
    #[error("a name of 64 hexadecimal digits cannot be told from an image ID")]
    Identifier,
    /// The tag.
    #[error(
        "the tag is not valid (wanted: letters, digits, '_', '.', '-', at most 128 and not '.' or '-' first)"
    )]
    Tag,
    /// The digest in place of a tag.
    #[error("{0}")]
    Digest(#[from] DigestError),
    /// An override that is an URL.
    #[error("write the registry without {0:?}")]
    Scheme(String),
    /// An override that is empty.
    #[error("the registry is empty")]
    Empty,
}

/// What `-s` and `-d` put in place of a registry: a host and, optionally, a path in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Host, with its port where one was given.
    pub registry: String,
    prefix: String,
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

fn check_registry(registry: &str) -> Result<(), NameError> {
    let malformed = || NameError::Registry(registry.to_owned());
    let (host, port) = match registry.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or_else(malformed)?;
            address.parse::<Ipv6Addr>().map_err(|_| malformed())?;
            match after.strip_prefix(':') {
                None if after.is_empty() => (None, None),
                Some(port) => (None, Some(port)),
                None => return Err(malformed()),
            }
        }
        None => match registry.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(registry), None),
        },
    };
    if let Some(host) = host
        && !(host.len() <= 253 && host.split('.').all(is_host_component))
    {
        return Err(malformed());
    }
    match port {
        Some(port) => {
            let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
            match port.parse::<u16>() {
                Ok(1..) if digits => Ok(()),
                _ => Err(NameError::Port(port.to_owned())),
            }
        }
        None => Ok(()),
    }
}

fn is_host_component(component: &str) -> bool {
    let alphanumeric = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    alphanumeric(component.bytes().next())
        && alphanumeric(component.bytes().last())
        && component
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn check_path(path: &str) -> Result<(), NameError> {
    if !path.split('/').all(is_path_component) {
        return Err(NameError::Path(path.to_owned()));
    }
    if path.len() > MAX_PATH {
        return Err(NameError::Long(path.len()));
    }
    Ok(())
}

/// `alphanumeric (separator alphanumeric)*`, separators being `.`, `_`, `__` and runs of `-`.
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let mut rest = component.as_bytes();
    loop {
        let word = rest.iter().take_while(|b| alphanumeric(**b)).count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        let separator = match rest {
            [] => return true,
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            [b'-', ..] => rest.iter().take_while(|b| **b == b'-').count(),
            _ => return false,
        };
        rest = &rest[separator..];
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
    fn docker_hub_knows_official_images_by_library() {
        assert_eq!(
            source("hello-world", None).expect("a name").registry_path(),
            "library/hello-world"
        );
        assert_eq!(
            source("quay.io/x", None).expect("a name").registry_path(),
            "x"
        );
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

    #[test]
    fn tags_and_digests() {
        assert!("v1.2_3-x".parse::<Reference>().is_ok());
        for bad in ["", ".a", "-a", "a/b", "a b", "é", &"a".repeat(129)] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
        let digest = format!("sha256:{}", "a".repeat(64));
        let reference: Reference = digest.parse().expect("a digest");
        assert_eq!(reference.of(&"x"), format!("x@{digest}"));
        assert!("sha256:short".parse::<Reference>().is_err());
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

        #[test]
        fn an_accepted_tag_is_safe_in_a_url(tag in "\\PC{0,40}|[\\w.:-]{0,140}") {
            if let Ok(reference) = tag.parse::<Reference>() {
                prop_assert!(reference.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b)));
            }
        }
    }
}
