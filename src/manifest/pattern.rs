//! Platform patterns in image lists: `arm64`, `linux/arm64`, `linux/arm/v7`.

use std::fmt;
use std::str::FromStr;

use super::filter::{go_architecture, go_system};
use super::platform::Platform;

/// Go's architectures (`go tool dist list`), and other spellings that [`Platform`] knows.
const ARCHITECTURES: [&str; 25] = [
    "386", "aarch64", "amd64", "arm", "arm64", "armel", "armhf", "i386", "loong64", "mips",
    "mips64", "mips64le", "mipsle", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x",
    "sparc", "sparc64", "wasm", "x86-64", "x86_64",
];

/// Go's operating systems, and other spellings that [`Platform`] knows.
const SYSTEMS: [&str; 20] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "macos",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasi",
    "wasip1",
    "windows",
    "zos",
];

/// A normalized platform pattern; absent fields match everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlatformPattern {
    os: Option<String>,
    /// The architecture, by its Go name.
    pub architecture: String,
    variant: Option<String>,
}

impl PlatformPattern {
    /// Whether a platform matches, or might once its absent fields are known.
    pub fn matches(&self, platform: &Platform) -> bool {
        let architecture = go_architecture(&platform.architecture);
        let os = go_system(&platform.os);
        let variant = platform.normalized().variant;
        let is_own =
            |own: &Option<String>, other: &str| own.as_deref().is_none_or(|own| own == other);
        (architecture.is_empty()
            || self.architecture == architecture && is_own(&self.variant, &variant))
            && (os.is_empty() || is_own(&self.os, &os))
    }
}

/// The text is not a platform pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform")]
pub struct PatternError(String);

impl FromStr for PlatformPattern {
    type Err = PatternError;

    /// `arch`, `os/arch`, `arch/variant` or `os/arch/variant`.
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let lower = text.to_ascii_lowercase();
        let is_system = |part: &str| SYSTEMS.contains(&part);
        let (os, architecture, variant) = match lower.split('/').collect::<Vec<_>>()[..] {
            [architecture] => ("", architecture, ""),
            [os, architecture] if is_system(os) => (os, architecture, ""),
            [architecture, variant] if !variant.is_empty() => ("", architecture, variant),
            [os, architecture, variant] if is_system(os) && !variant.is_empty() => {
                (os, architecture, variant)
            }
            _ => return Err(PatternError(text.to_owned())),
        };
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'.';
        if !ARCHITECTURES.contains(&architecture) || !variant.bytes().all(is_word) {
            return Err(PatternError(text.to_owned()));
        }
        let normalized = Platform {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            variant: variant.to_owned(),
            ..Platform::default()
        }
        .normalized();
        // These names contain an architecture and its variant.
        let names_variant = !variant.is_empty() || matches!(architecture, "armhf" | "armel");
        // A default variant counts only for architectures that have others.
        let architecture = go_architecture(architecture);
        let has_variants = matches!(architecture.as_str(), "amd64" | "arm64");
        let variant = Some(normalized.variant)
            .filter(|variant| names_variant && (has_variants || !variant.is_empty()));
        Ok(Self {
            os: Some(go_system(os)).filter(|os| !os.is_empty()),
            architecture,
            variant,
        })
    }
}

impl fmt::Display for PlatformPattern {
    /// The notation that [`FromStr`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(os) = &self.os {
            write!(f, "{os}/")?;
        }
        f.write_str(&self.architecture)?;
        match self.variant.as_deref() {
            None => Ok(()),
            Some("") if self.architecture == "arm64" => f.write_str("/v8"),
            Some("") => f.write_str("/v1"),
            Some(variant) => write!(f, "/{variant}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, os: &str, architecture: &str, variant: &str) -> bool {
        let platform = Platform {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            variant: variant.to_owned(),
            ..Platform::default()
        };
        let pattern: PlatformPattern = pattern.parse().expect("a pattern");
        pattern.matches(&platform)
    }

    #[test]
    fn omitted_parts_of_a_pattern_match_everything() {
        assert!(matches("arm64", "linux", "arm64", "v8"));
        assert!(matches("aarch64", "windows", "arm64", ""));
        assert!(matches("linux/arm", "linux", "arm", "v6"));
        assert!(!matches("linux/arm", "windows", "arm", "v7"));
        assert!(!matches("arm64", "linux", "amd64", ""));
    }

    #[test]
    fn a_variant_is_compared_normalised() {
        assert!(matches("linux/arm64/v8", "linux", "arm64", ""));
        assert!(!matches("linux/arm64/v8", "linux", "arm64", "v9"));
        assert!(matches("arm/v7", "linux", "arm", ""));
        assert!(!matches("arm/v7", "linux", "arm", "v6"));
        assert!(matches("armhf", "linux", "arm", "7"));
        assert!(!matches("amd64/v1", "linux", "amd64", "v3"));
    }

    #[test]
    fn invalid_platforms_are_refused() {
        for text in [
            "",
            "/",
            "amd",
            "linux",
            "linux/",
            "/amd64",
            "amd64/",
            "linux/amd64/v1/x",
            "beos/arm",
            "linux/arm/v 7",
            "d",
            "linux/linux",
        ] {
            assert!(text.parse::<PlatformPattern>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_that_is_written_reads_back(text in "((linux|windows|macos)/)?(amd64|x86_64|arm64|aarch64|arm|armhf|armel|386|s390x)(/(v[0-9]|8|v8\\.0))?") {
            let pattern: PlatformPattern = text.parse().expect("a pattern");
            prop_assert_eq!(pattern.to_string().parse::<PlatformPattern>(), Ok(pattern));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = text.parse::<PlatformPattern>();
        }
    }
}
