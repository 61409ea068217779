//! A digest: algorithm and hash of a content.
//!
//! Grammar and algorithms: OCI image-spec, descriptor.md, "Digests". Accepted are the two registered
//! algorithms that registries use, in lower-case hexadecimal, as in `go-digest`.

use std::fmt;
use std::str::FromStr;

use ring::digest::{self, SHA256, SHA512};

use super::ManifestError;
use super::strict::Field;

/// `sha256:…` or `sha512:…`; validated, and safe as a part of a URL.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Box<str>);

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `algorithm:` prefix.
    #[error("not a digest (expected sha256: and 64 hexadecimal digits)")]
    Form,
    /// The algorithm is not supported.
    #[error("the digest algorithm is not supported (supported: sha256, sha512)")]
    Algorithm,
    /// The hash has a wrong length, or characters other than `0-9a-f`.
    #[error("the hash must be {0} lower-case hexadecimal digits")]
    Hash(usize),
}

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn ring(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha512 => &SHA512,
        }
    }
}

/// Computes a digest incrementally.
pub struct Hasher {
    algorithm: Algorithm,
    context: digest::Context,
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            context: digest::Context::new(algorithm.ring()),
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    pub fn finish(self) -> Digest {
        Digest::format(self.algorithm, self.context.finish().as_ref())
    }
}

impl Digest {
    /// The sha256 digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::computed(Algorithm::Sha256, bytes)
    }

    /// Whether the digest of these bytes, by its own algorithm, is this one.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        *self == Self::computed(self.algorithm(), bytes)
    }

    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512:") {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        }
    }

    fn computed(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn format(algorithm: Algorithm, hash: &[u8]) -> Self {
        use std::fmt::Write as _;
        let name = algorithm.as_str();
        let mut text = String::with_capacity(name.len() + 1 + 2 * hash.len());
        text.push_str(name);
        text.push(':');
        for byte in hash {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text.into_boxed_str())
    }
}

/// A digest in a document, validated before it is used in a request (CVE-2024-3727).
///
/// # Errors
/// [`ManifestError::Damaged`] if it is absent or invalid.
pub(super) fn field(field: &Field<'_, '_>) -> Result<Digest, ManifestError> {
    let text = field.text()?.ok_or_else(|| field.missing())?;
    text.parse()
        .map_err(|error| ManifestError::Damaged(format!("{}: {error}", field.at())))
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hash) = text.split_once(':').ok_or(DigestError::Form)?;
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            "" => return Err(DigestError::Form),
            _ => return Err(DigestError::Algorithm),
        };
        let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if hash.len() != length || !hash.bytes().all(lower_hex) {
            return Err(DigestError::Hash(length));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn computes_and_checks() {
        assert_eq!(Digest::of(b"").as_str(), EMPTY);
        let sha512: Digest = format!("sha512:{}", "0".repeat(128))
            .parse()
            .expect("well formed");
        assert!(!sha512.matches(b""));
        assert!(EMPTY.parse::<Digest>().expect("well formed").matches(b""));
    }

    #[test]
    fn refuses_invalid_digests() {
        assert_eq!("latest".parse::<Digest>(), Err(DigestError::Form));
        assert_eq!("md5:00".parse::<Digest>(), Err(DigestError::Algorithm));
        assert_eq!(
            EMPTY.to_uppercase().parse::<Digest>(),
            Err(DigestError::Algorithm)
        );
        assert_eq!(
            "sha256:../../etc".parse::<Digest>(),
            Err(DigestError::Hash(64))
        );
        let upper = EMPTY.replace('e', "E");
        assert!(upper.parse::<Digest>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_safe_in_a_url(text in "\\PC{0,80}|sha256:[0-9a-f]{62,66}") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert!(digest.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b':'));
            }
        }
    }
}
