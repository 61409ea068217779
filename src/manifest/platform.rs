//! The platform of an image.
//!
//! Fields: OCI image-spec, image-index.md, "platform". Values are kept as written. Variants are compared
//! as containerd's `platforms` package normalizes them: the same image is `arm64` with variant `v8` in
//! one tool's index and without variant in another's. Another spelling of an architecture or system
//! (`x86_64`) is a difference, because podman and skopeo do not find it.
//! an architecture or a system (`x86_64`) is a difference, because podman and skopeo do not find it.

use serde::{Deserialize, Serialize};

use super::ManifestError;
use super::strict::Field;

/// The maximum length of a field in bytes.
pub const MAX_FIELD: usize = 255;

/// The maximum number of `os.features`.
const MAX_FEATURES: usize = 100;

/// The fields of a platform in descriptors and configs.
pub const FIELDS: [&str; 5] = ["architecture", "os", "variant", "os.version", "os.features"];

/// A platform; absent fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Platform {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os: String,
    /// Variant of the architecture, `v7`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Version of the operating system (Windows images), `10.0.17763.1234`.
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Required features of the operating system (`win32k`), as written.
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
}

impl Platform {
    /// Reads the `platform` of a descriptor; `None` if absent.
    ///
    /// # Errors
    /// [`ManifestError::Damaged`] if a field has a wrong type or is too long.
    pub(super) fn read(field: &Field<'_, '_>) -> Result<Option<Self>, ManifestError> {
        field
            .object(FIELDS)?
            .map(|fields| Self::of(&fields))
            .transpose()
    }

    /// Reads [`FIELDS`].
    ///
    /// # Errors
    /// As [`Platform::read`].
    pub(super) fn of(fields: &[Field<'_, '_>; 5]) -> Result<Self, ManifestError> {
        let [architecture, os, variant, os_version, features] = fields;
        let mut os_features = Vec::new();
        features.each(|feature| {
            if !feature.is_present() {
                return Err(feature.missing());
            }
            if os_features.len() == MAX_FEATURES {
                let what = format_args!("has more than {MAX_FEATURES} entries");
                return Err(features.at().damaged(what));
            }
            os_features.push(feature.text_within(MAX_FIELD)?);
            Ok(())
        })?;
        Ok(Self {
            architecture: architecture.text_within(MAX_FIELD)?,
            os: os.text_within(MAX_FIELD)?,
            variant: variant.text_within(MAX_FIELD)?,
            os_version: os_version.text_within(MAX_FIELD)?,
            os_features,
        })
    }

    /// Whether architecture and operating system are known.
    pub fn is_complete(&self) -> bool {
        !self.architecture.is_empty() && !self.os.is_empty()
    }

    /// Whether any field is known; artifacts have no platform.
    pub fn is_known(&self) -> bool {
        !self.architecture.is_empty() || !self.os.is_empty()
    }

    /// Fills absent fields from the image's config.
    #[must_use]
    pub fn completed_by(&self, config: &Self) -> Self {
        let text = |own: &String, other: &String| if own.is_empty() { other } else { own }.clone();
        Self {
            architecture: text(&self.architecture, &config.architecture),
            os: text(&self.os, &config.os),
            variant: text(&self.variant, &config.variant),
            os_version: text(&self.os_version, &config.os_version),
            os_features: if self.os_features.is_empty() {
                &config.os_features
            } else {
                &self.os_features
            }
            .clone(),
        }
    }

    /// Whether this is the platform of attestations, unknown/unknown.
    pub fn is_unknown(&self) -> bool {
        self.architecture == "unknown" && self.os == "unknown"
    }

    /// The form in which platforms are compared. Variants follow `normalizeArch` in containerd's
    /// `platforms/database.go`.
    pub fn normalized(&self) -> Normalized {
        let architecture = self.architecture.to_ascii_lowercase();
        let variant = self.variant.to_ascii_lowercase();
        let variant = match (architecture.as_str(), variant.as_str()) {
            ("i386", _)
            | ("x86_64" | "x86-64" | "amd64", "v1")
            | ("aarch64" | "arm64", "8" | "v8" | "v8.0") => "",
            ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => "v9",
            ("armhf", _) | ("arm", "" | "7") => "v7",
            ("armel", _) | ("arm", "6") => "v6",
            ("arm", "5") => "v5",
            ("arm", "8") => "v8",
            (_, variant) => variant,
        };
        let mut os_features = self.os_features.clone();
        os_features.sort_unstable();
        os_features.dedup();
        Normalized {
            architecture: self.architecture.clone(),
            os: self.os.clone(),
            variant: variant.to_owned(),
            os_version: self.os_version.clone(),
            os_features,
        }
    }
}

impl std::fmt::Display for Platform {
    /// `os/architecture[/variant][:os.version][+feature…]`; absent parts are `?`.
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
        for feature in &self.os_features {
            write!(f, "+{feature}")?;
        }
        Ok(())
    }
}

/// A platform in its normalized form, for comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Normalized {
    pub architecture: String,
    pub os: String,
    /// The variant; empty for the architecture's default.
    pub variant: String,
    pub os_version: String,
    /// The features, sorted, without duplicates.
    pub os_features: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::super::strict::JsonPath;
    use super::*;

    fn platform(architecture: &str, variant: &str) -> Platform {
        Platform {
            architecture: architecture.into(),
            variant: variant.into(),
            os: "linux".into(),
            ..Platform::default()
        }
    }

    #[test]
    fn variants_are_equal_as_containerd_normalises_them() {
        // Each line: variants of one architecture that are one, and are none of another line.
        let table: [(&str, &[&str]); 16] = [
            ("amd64", &["", "v1", "V1"]),
            ("amd64", &["v2", "V2"]),
            ("amd64", &["1"]),
            ("x86_64", &["", "v1"]),
            ("arm64", &["", "8", "v8", "V8", "v8.0"]),
            ("arm64", &["8.0"]),
            ("arm64", &["9", "9.0", "v9", "v9.0"]),
            ("aarch64", &["", "v8"]),
            ("arm", &["", "7", "v7"]),
            ("arm", &["6", "v6"]),
            ("arm", &["5", "v5"]),
            ("arm", &["8", "v8"]),
            ("armhf", &["", "v6", "v7"]),
            ("armel", &["", "v6", "v7"]),
            ("i386", &["", "v1"]),
            ("386", &[""]),
        ];
        let spelled = |(line, (architecture, variants)): (usize, &(&str, &[&str]))| {
            let of = |variant: &&str| (line, platform(architecture, variant).normalized());
            variants.iter().map(of).collect::<Vec<_>>()
        };
        let all: Vec<_> = table.iter().enumerate().flat_map(spelled).collect();
        for (line, one) in &all {
            for (other_line, other) in &all {
                assert_eq!(one == other, line == other_line, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn another_spelling_of_architecture_or_system_is_a_difference() {
        for (one, other) in [
            ("amd64", "AMD64"),
            ("amd64", "x86_64"),
            ("arm64", "aarch64"),
            ("386", "i386"),
            ("arm", "armhf"),
        ] {
            assert_ne!(
                platform(one, "").normalized(),
                platform(other, "").normalized()
            );
        }
        let with_os = |os: &str| Platform {
            os: os.into(),
            ..platform("amd64", "")
        };
        for (one, other) in [("linux", "LINUX"), ("darwin", "macos")] {
            assert_ne!(with_os(one).normalized(), with_os(other).normalized());
        }
    }

    #[test]
    fn features_are_a_set() {
        let with = |features: &[&str]| Platform {
            os_features: features.iter().map(|&feature| feature.into()).collect(),
            ..platform("amd64", "")
        };
        assert_eq!(
            with(&["b", "a", "b"]).normalized(),
            with(&["a", "b"]).normalized()
        );
        assert_ne!(with(&["a"]).normalized(), with(&[]).normalized());
        assert_eq!(with(&["a", "b"]).to_string(), "linux/amd64+a+b");
        assert_eq!(
            serde_json::to_string(&with(&["win32k"])).expect("JSON"),
            r#"{"architecture":"amd64","os":"linux","os.features":["win32k"]}"#
        );
    }

    fn read(json: &str) -> Result<Platform, ManifestError> {
        Platform::of(&JsonPath::Root("platform").document(json, FIELDS)?)
    }

    #[test]
    fn fields_are_read_and_null_is_absent() {
        let json = r#"{"architecture": "amd64", "os": "windows", "variant": null,
            "os.version": "10.0.1", "os.features": ["win32k"], "features": 5}"#;
        let platform = read(json).expect("a platform");
        assert_eq!(platform.to_string(), "windows/amd64:10.0.1+win32k");
    }

    #[test]
    fn a_field_of_a_wrong_type_or_length_is_damage() {
        let long = "x".repeat(256);
        let features = "\"a\",".repeat(101);
        let features = features.trim_end_matches(',');
        for (json, why) in [
            (
                r#"{"architecture": 5}"#.to_owned(),
                "architecture is not a string",
            ),
            (
                r#"{"variant": ["v7"]}"#.to_owned(),
                "variant is not a string",
            ),
            (r#"{"os": "\ud800"}"#.to_owned(), "not valid Unicode"),
            (format!(r#"{{"os.version": "{long}"}}"#), "longer than 255"),
            (
                r#"{"os.features": "win32k"}"#.to_owned(),
                "os.features is not a list",
            ),
            (
                r#"{"os.features": [null]}"#.to_owned(),
                "os.features[0] is missing",
            ),
            (
                r#"{"os.features": ["a", {}]}"#.to_owned(),
                "os.features[1] is not a string",
            ),
            (
                format!(r#"{{"os.features": [{features}]}}"#),
                "more than 100",
            ),
        ] {
            let error = read(&json).expect_err(&json);
            assert!(matches!(error, ManifestError::Damaged(_)), "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn only_what_is_absent_comes_from_the_config() {
        let config = Platform {
            os_version: "10".into(),
            os_features: vec!["a".into()],
            ..platform("arm", "v6")
        };
        let windows = Platform {
            os: "windows".into(),
            ..Platform::default()
        };
        assert!(!windows.is_complete());
        let completed = windows.completed_by(&config);
        assert_eq!(completed.to_string(), "windows/arm/v6:10+a");
        assert!(completed.is_complete());
        let whole = platform("arm", "v7").completed_by(&config);
        assert_eq!(whole.to_string(), "linux/arm/v7:10+a");
        assert_eq!(Platform::default().completed_by(&config), config);
    }
}
