//! Selects the platforms to validate.

use std::collections::BTreeSet;

use super::{Platform, PlatformPattern};

/// The architectures of Go (GOARCH) and of images.
pub const KNOWN_ARCHITECTURES: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
    "ppc64le", "riscv64", "s390x", "sparc64", "unknown", "wasm",
];

/// The operating systems of Go (GOOS) and of images.
pub const KNOWN_SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "unknown",
    "wasip1",
    "windows",
];

/// The platforms to validate: `-a` and `--os`. A name selects all its spellings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    architectures: Vec<String>,
    systems: Option<Vec<String>>,
    /// If there are any, only they count.
    patterns: Vec<PlatformPattern>,
}

impl Filter {
    /// The platforms of a line: a set, so that filters with the same platforms are equal.
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

    pub fn patterns(&self) -> &[PlatformPattern] {
        &self.patterns
    }

    /// From the names that the user gave; `None`: all systems.
    pub fn new(architectures: &[String], systems: Option<&[String]>) -> Self {
        let all = |names: &[String], go_name: fn(&str) -> String| {
            names.iter().map(|name| go_name(name)).collect()
        };
        Self {
            architectures: all(architectures, go_architecture),
            systems: systems.map(|names| all(names, go_system)),
            patterns: Vec::new(),
        }
    }

    /// The architectures, by their Go names.
    pub fn architectures(&self) -> &[String] {
        &self.architectures
    }

    /// The operating systems, by their Go names; `None`: all.
    pub fn systems(&self) -> Option<&[String]> {
        self.systems.as_deref()
    }

    /// The selected architectures that are missing from these platforms, by their Go names.
    pub fn absent(&self, found: &PlatformNames) -> Vec<String> {
        absent(&self.architectures, &found.architectures, go_architecture)
    }

    /// The selected operating systems that are missing from these platforms, by their Go names.
    pub fn absent_systems(&self, found: &PlatformNames) -> Vec<String> {
        let wanted = self.systems.as_deref().unwrap_or_default();
        absent(wanted, &found.systems, go_system)
    }

    /// Whether a platform is selected, or might be once its absent fields are known. What has no
    /// platform is always selected.
    pub fn selects(&self, platform: &Platform) -> bool {
        if !self.patterns.is_empty() {
            let mut patterns = self.patterns.iter();
            return patterns.any(|pattern| pattern.matches(platform));
        }
        (platform.architecture.is_empty() || self.has_architecture(platform))
            && (platform.os.is_empty() || self.has_system(platform))
    }

    fn has_architecture(&self, platform: &Platform) -> bool {
        self.architectures
            .contains(&go_architecture(&platform.architecture))
    }

    fn has_system(&self, platform: &Platform) -> bool {
        let systems = self.systems.as_ref();
        systems.is_none_or(|systems| systems.contains(&go_system(&platform.os)))
    }
}

/// The architectures and operating systems of some images, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformNames {
    pub architectures: BTreeSet<String>,
    pub systems: BTreeSet<String>,
}

impl PlatformNames {
    pub fn add(&mut self, platform: &Platform) {
        for (names, name) in [
            (&mut self.architectures, &platform.architecture),
            (&mut self.systems, &platform.os),
        ] {
            if !name.is_empty() && !names.contains(name) {
                names.insert(name.clone());
            }
        }
    }

    pub fn extend(&mut self, other: Self) {
        self.architectures.extend(other.architectures);
        self.systems.extend(other.systems);
    }
}

fn absent(wanted: &[String], found: &BTreeSet<String>, go_name: fn(&str) -> String) -> Vec<String> {
    let found: Vec<String> = found.iter().map(|name| go_name(name)).collect();
    let wanted = wanted.iter().filter(|name| !found.contains(name));
    wanted.cloned().collect()
}

/// Go's name of an architecture in any spelling.
pub(super) fn go_architecture(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "i386" => "386".to_owned(),
        "x86_64" | "x86-64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        "armhf" | "armel" => "arm".to_owned(),
        _ => name,
    }
}

/// Go's name of an operating system in any spelling.
pub(super) fn go_system(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "macos" => "darwin".to_owned(),
        _ => name,
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

#[cfg(test)]
mod tests {
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
    fn the_filter_takes_every_spelling() {
        let filter = Filter::new(&["x86_64".into(), "arm64".into()], None);
        assert!(filter.selects(&platform("amd64", "")));
        assert!(filter.selects(&platform("aarch64", "v8")));
        assert!(!filter.selects(&platform("s390x", "")));
        assert!(filter.selects(&Platform::default()));
        for (name, spellings) in [
            ("amd64", &["AMD64", "x86_64", "X86-64"][..]),
            ("386", &["i386"]),
            ("arm", &["armhf", "armel", "ARM"]),
        ] {
            for spelling in spellings {
                for (wanted, there) in [(name, *spelling), (*spelling, name)] {
                    let filter = Filter::new(&[wanted.into()], None);
                    assert!(filter.selects(&platform(there, "v6")), "{wanted} {there}");
                }
            }
        }
        let darwin = Filter::new(&["arm64".into()], Some(&["macOS".into()]));
        assert!(darwin.selects(&Platform {
            os: "Darwin".into(),
            ..platform("arm64", "")
        }));
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

    #[test]
    fn an_absent_field_may_be_selected() {
        let filter = Filter::new(&["amd64".into()], Some(&["linux".into()]));
        let of = |architecture: &str, os: &str| Platform {
            architecture: architecture.into(),
            os: os.into(),
            ..Platform::default()
        };
        for (architecture, os, may) in [
            ("", "", true),
            ("", "linux", true),
            ("amd64", "", true),
            ("", "windows", false),
            ("arm64", "", false),
            ("amd64", "linux", true),
        ] {
            assert_eq!(filter.selects(&of(architecture, os)), may);
        }
    }
}
