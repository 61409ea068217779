//! References: registry, repository, and tag or digest.
//!
//! Grammar: `distribution/reference` and OCI distribution-spec, "Pulling manifests". Validated names are
//! safe as a part of a URL; nothing else in this program checks a name again. [`crate::list`] turns the
//! names of a list into references.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::manifest::{Digest, DigestError};

/// The registry of names without one.
pub const DOCKER_HUB: &str = "docker.io";

/// The maximum length of a repository's path in characters.
const MAX_PATH: usize = 255;

/// A repository of a registry, as the user names it (`docker.io/hello-world`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// Host, with its port if one was given.
    pub registry: String,
    /// Path, as written.
    pub path: String,
}

impl Repository {
    /// The path in requests to the registry: Docker Hub's official images are in `library`.
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

/// Tag or digest of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    Tag(String),
    Digest(Digest),
}

impl Reference {
    /// The tag or digest as written in a URL.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag,
            Self::Digest(digest) => digest.as_str(),
        }
    }

    /// Appends the reference to a name: `name:tag` or `name@digest`.
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

/// Why a name, a tag or an override is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Host or port of the registry.
    #[error("the registry {0:?} is not a host name with an optional port")]
    Registry(String),
    /// A user or password in front of the registry.
    #[error(
        "a name must not contain a user name or password; use a credential file ('image-tools help credentials')"
    )]
    Credentials,
    /// The port is not between 1 and 65535.
    #[error("the port {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// The repository's path.
    #[error(
        "the repository {0:?} is not valid (expected lower-case letters and digits, separated by \
         one '.', one or two '_' or any number of '-', in parts separated by '/'; tag or digest in the third field)"
    )]
    Path(String),
    /// The path is too long.
    #[error("the repository has {0} characters; the maximum is {MAX_PATH}")]
    Long(usize),
    /// A name that looks like an image ID.
    #[error("a name of 64 hexadecimal digits looks like an image ID")]
    Identifier,
    /// The tag.
    #[error(
        "the tag is not valid (expected at most 128 letters, digits, '_', '.' and '-', not starting with '.' or '-')"
    )]
    Tag,
    /// The digest.
    #[error("{0}")]
    Digest(#[from] DigestError),
    /// An override that is a URL.
    #[error("write the registry without {0:?}")]
    Scheme(String),
    /// An override with an unknown placeholder.
    #[error("{0:?} is not a placeholder (expected {{registry}}, {{path}} or {{name}})")]
    Placeholder(String),
    /// A template without the name of the image.
    #[error(
        "the template {0:?} gives every image of a registry the same name; add {{path}} or {{name}}"
    )]
    Template(String),
    /// A registry with a port in a template's path.
    #[error("the registry {0:?} has a port, which cannot be part of a path")]
    PortInPath(String),
    /// An empty override.
    #[error("the registry is empty")]
    Empty,
}

/// Checks a registry: a host name or address with an optional port.
///
/// # Errors
/// [`NameError`] names the part that is wrong.
pub fn check_registry(registry: &str) -> Result<(), NameError> {
    if registry.contains('@') {
        return Err(NameError::Credentials);
    }
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

/// Checks the path of a repository.
///
/// # Errors
/// [`NameError`] names the path.
pub fn check_path(path: &str) -> Result<(), NameError> {
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

    #[test]
    fn docker_hub_knows_official_images_by_library() {
        let path = |registry: &str, path: &str| {
            let repository = Repository {
                registry: registry.to_owned(),
                path: path.to_owned(),
            };
            repository.registry_path()
        };
        assert_eq!(path(DOCKER_HUB, "hello-world"), "library/hello-world");
        assert_eq!(path("quay.io", "x"), "x");
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
        fn an_accepted_tag_is_safe_in_a_url(tag in "\\PC{0,40}|[\\w.:-]{0,140}") {
            if let Ok(reference) = tag.parse::<Reference>() {
                prop_assert!(reference.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b)));
            }
        }
    }
}
