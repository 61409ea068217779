//! A platform: what an image of an index runs on.
//!
//! Fields: OCI image-spec, image-index.md, "platform". Values are kept as they were written and
//! compared normalised, as containerd's `platforms` package does: the same image is `arm64` with
//! variant `v8` in one tool's index and without in another's, and means the same.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pattern::PlatformPattern;

/// Architecture, operating system, variant and OS version; an absent field is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Platform {
    /// Go's name of the architecture, `amd64`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// Go's name of the operating system, `linux`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os: String,
    /// Variant of the architecture, `v7`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Version of the operating system (Windows images), `10.0.17763.1234`.
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
}

impl Platform {
    /// Reads the fields from a descriptor's `platform`, an image's config or a schema 1 manifest.
    pub fn from_json(value: &Value) -> Self {
        let field = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            architecture: field("architecture"),
            os: field("os"),
            variant: field("variant"),
            os_version: field("os.version"),
        }
    }

    /// Whether builders mark with this platform what is not an image (attestations).
    pub fn is_unknown(&self) -> bool {
        self.architecture == "unknown" || self.os == "unknown"
    }

    /// The architecture and variant as everybody compares them.
    pub fn normalized(&self) -> Normalized {
        let architecture = self.architecture.to_ascii_lowercase();
        let variant = self.variant.to_ascii_lowercase();
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("i386", _) => ("386", ""),
            ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64", ""),
            ("x86_64" | "x86-64", other) => ("amd64", other),
            ("aarch64" | "arm64", "" | "8" | "v8" | "v8.0") => ("arm64", ""),
            ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
            ("aarch64", other) => ("arm64", other),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            (architecture, variant) => (architecture, variant),
        };
        let os = match self.os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            os => os.to_owned(),
        };
        Normalized {
            architecture: architecture.to_owned(),
            os,
            variant: variant.to_owned(),
            os_version: self.os_version.clone(),
        }
    }
}

impl std::fmt::Display for Platform {
    /// `os/architecture[/variant][:os.version]`; unknown parts are `?`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |text: &str| {
            if text.is_empty() {
                "?".to_owned()
            } else {
                text.to_owned()
            }
        };
        write!(f, "{}/{}", shown(&self.os), shown(&self.architecture))?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        if !self.os_version.is_empty() {
            write!(f, ":{}", self.os_version)?;
        }
        Ok(())
    }
}

/// A platform in the one spelling in which two can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Normalized {
    /// Architecture, lower case, Go's name.
    pub architecture: String,
    /// Operating system, lower case, Go's name.
    pub os: String,
    /// Variant; empty for the architecture's usual one.
    pub variant: String,
    /// Version of the operating system, as written.
    pub os_version: String,
}

/// Which platforms are validated: `-a` and `--os`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    architectures: Vec<String>,
    systems: Option<Vec<String>>,
    /// Where there are any, they are all that counts.
    patterns: Vec<PlatformPattern>,
}

impl Filter {
    /// From the names that the user gave; no systems means all.
    pub fn new(architectures: &[String], systems: Option<&[String]>) -> Self {
        let architecture = |name: &String| {
            Platform {
                architecture: name.clone(),
                ..Platform::default()
            }
            .normalized()
            .architecture
        };
        let system = |name: &String| {
            Platform {
                os: name.clone(),
                ..Platform::default()
            }
            .normalized()
            .os
        };
        Self {
            architectures: architectures.iter().map(architecture).collect(),
            systems: systems.map(|names| names.iter().map(system).collect()),
            patterns: Vec::new(),
        }
    }

    /// The architectures, in Go's names.
    pub fn architectures(&self) -> &[String] {
        &self.architectures
    }

    /// The operating systems, in Go's names; none: all.
    pub fn systems(&self) -> Option<&[String]> {
        self.systems.as_deref()
    }

    /// Whether images of this platform are validated.
    pub fn selects(&self, platform: &Platform) -> bool {
        let platform = platform.normalized();
        if !self.patterns.is_empty() {
            return self
                .patterns
                .iter()
                .any(|pattern| pattern.matches(&platform));
        }
        self.architectures.contains(&platform.architecture)
            && self
                .systems
                .as_ref()
                .is_none_or(|systems| systems.contains(&platform.os))
    }
}

impl std::fmt::Display for Filter {
    /// `amd64, arm64` or `amd64 on linux`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.patterns.is_empty() {
            let patterns: Vec<String> = self.patterns.iter().map(ToString::to_string).collect();
            return f.write_str(&patterns.join(", "));
        }
        f.write_str(&self.architectures.join(", "))?;
        match &self.systems {
            Some(systems) => write!(f, " on {}", systems.join(", ")),
            None => Ok(()),
        }
    }
}

impl Filter {
    /// Platforms of a line of the list: a set, so that two filters with the same platforms are equal.
    pub fn of_patterns(mut patterns: Vec<PlatformPattern>) -> Self {
        patterns.sort();
        patterns.dedup();
        let mut architectures: Vec<String> = patterns
            .iter()
            .map(|pattern| pattern.architecture.clone())
            .collect();
        architectures.sort();
        architectures.dedup();
        Self {
            architectures,
            systems: None,
            patterns,
        }
    }

    /// The platforms of [`Filter::of_patterns`].
    pub fn patterns(&self) -> &[PlatformPattern] {
        &self.patterns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn platform(architecture: &str, variant: &str) -> Platform {
        Platform {
            architecture: architecture.into(),
            variant: variant.into(),
            os: "linux".into(),
            ..Platform::default()
        }
    }

    #[test]
    fn the_same_machine_has_several_names() {
        for (a, b) in [
            (("arm64", "v8"), ("arm64", "")),
            (("aarch64", ""), ("arm64", "8")),
            (("x86_64", ""), ("amd64", "v1")),
            (("arm", ""), ("arm", "v7")),
            (("armhf", ""), ("arm", "7")),
            (("AMD64", ""), ("amd64", "")),
        ] {
            assert_eq!(
                platform(a.0, a.1).normalized(),
                platform(b.0, b.1).normalized()
            );
        }
        assert_ne!(
            platform("arm", "v6").normalized(),
            platform("arm", "v7").normalized()
        );
        assert_ne!(
            platform("amd64", "v2").normalized(),
            platform("amd64", "").normalized()
        );
    }

    #[test]
    fn fields_are_read_and_null_is_absent() {
        let value = json!({"architecture": "amd64", "os": "windows", "variant": null, "os.version": "10.0.1"});
        let platform = Platform::from_json(&value);
        assert_eq!(platform.os_version, "10.0.1");
        assert_eq!(platform.variant, "");
        assert_eq!(platform.to_string(), "windows/amd64:10.0.1");
    }

    #[test]
    fn the_filter_takes_every_spelling() {
        let filter = Filter::new(&["x86_64".into(), "arm64".into()], None);
        assert!(filter.selects(&platform("amd64", "")));
        assert!(filter.selects(&platform("aarch64", "v8")));
        assert!(!filter.selects(&platform("s390x", "")));
        assert!(!filter.selects(&Platform::default()));
        let linux = Filter::new(&["amd64".into()], Some(&["linux".into()]));
        assert_eq!(
            (filter.to_string(), linux.to_string()),
            ("amd64, arm64".into(), "amd64 on linux".into())
        );
        assert!(linux.selects(&platform("amd64", "")));
        assert!(!linux.selects(&Platform {
            os: "windows".into(),
            ..platform("amd64", "")
        }));
    }
}
