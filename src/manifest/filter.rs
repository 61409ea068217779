//! Which platforms are validated.

use std::collections::BTreeSet;

use super::{Platform, PlatformPattern};

/// The architectures of Go's compilers (GOARCH), and of images.
pub const KNOWN_ARCHITECTURES: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
    "ppc64le", "riscv64", "s390x", "sparc64", "unknown", "wasm",
];

/// The operating systems of Go's compilers (GOOS), and of images.
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

/// Which platforms are validated: `-a` and `--os`. A name selects every spelling of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    architectures: Vec<String>,
    systems: Option<Vec<String>>,
    /// Where there are any, they are all that counts.
    patterns: Vec<PlatformPattern>,
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

    /// From the names that the user gave; no systems means all.
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

    /// The architectures, in Go's names.
    pub fn architectures(&self) -> &[String] {
        &self.architectures
    }

    /// The operating systems, in Go's names; none: all.
    pub fn systems(&self) -> Option<&[String]> {
        self.systems.as_deref()
    }

    /// The wanted architectures that are not among these platforms, in Go's names.
    pub fn absent(&self, found: &PlatformNames) -> Vec<String> {
        absent(&self.architectures, &found.architectures, go_architecture)
    }

    /// The wanted operating systems that are not among these platforms, in Go's names.
    pub fn absent_systems(&self, found: &PlatformNames) -> Vec<String> {
        let wanted = self.systems.as_deref().unwrap_or_default();
        absent(wanted, &found.systems, go_system)
    }

    /// Whether images of this platform are validated, or may be when its absent fields are known: what
    /// has no platform cannot be filtered by it.
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

/// The names of architectures and operating systems that some images have, as written.
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

/// Go's name of an architecture, from any spelling.
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

/// Go's name of an operating system, from any spelling.
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
