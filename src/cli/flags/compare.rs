//! Flags that decide what is compared: list, registries, platforms, and depth.

use std::path::PathBuf;

use super::airgap::READS_SOURCES_ONLY;
use super::{Flag, FlagValue, Group, PLAIN};
use crate::list::{Override, Shard, names as list_names};
use crate::task::Depth;
use crate::verdict::Class;

#[derive(Debug, Default)]
pub struct CompareFlags {
    /// `-` is standard input. Empty: lines are read from standard input one by one.
    pub files: Vec<PathBuf>,
    pub source: Option<Override>,
    pub destination: Option<Override>,
    pub architectures: Vec<String>,
    /// Empty: all.
    pub systems: Vec<String>,
    pub default_project: String,
    pub allow_single: bool,
    pub require_arch: bool,
    pub accept: Vec<Class>,
    pub allow_empty: bool,
    pub deep: Option<Depth>,
    pub referrers: bool,
    pub shard: Option<Shard>,
}

pub const GROUP: Group = Group {
    title: "What to compare",
    flags: &[
        Flag {
            names: &["-f", "--file"],
            takes: FlagValue::Path("string", |flags, path| flags.compare.files.push(path)),
            help: "image list file; '-' reads standard input as a file; may be repeated; without it, lines are read from standard input one by one",
            is_original: true,
            accumulates: true,
            ..PLAIN
        },
        Flag {
            names: &["-s", "--source"],
            takes: FlagValue::Text("string", |flags, text| {
                flags.compare.source = Some(registry(text)?);
                Ok(())
            }),
            help: "override the source registry; default: $SOURCE_REGISTRY, else the registries of the list",
            is_original: true,
            ..PLAIN
        },
        Flag {
            names: &["-d", "--destination"],
            takes: FlagValue::Text("string", |flags, text| {
                flags.compare.destination = Some(registry(text)?);
                Ok(())
            }),
            help: "override the destination registry; default: $DEST_REGISTRY, else the registries of the list",
            is_original: true,
            conflicts: &[READS_SOURCES_ONLY],
            ..PLAIN
        },
        Flag {
            names: &["-a", "--arch"],
            takes: FlagValue::Text("string", |flags, text| {
                flags.compare.architectures.extend(names(text)?);
                Ok(())
            }),
            help: "architecture list of images, separate with ','",
            default: "amd64,arm64",
            is_original: true,
            accumulates: true,
            conflicts: &[READS_SOURCES_ONLY],
        },
        Flag {
            names: &["-default-project"],
            takes: FlagValue::Text("string", |flags, text| {
                if !list_names::is_project(text) {
                    return Err(PROJECT.into());
                }
                flags.compare.default_project = text.to_owned();
                Ok(())
            }),
            help: "project for destinations without one",
            default: "library",
            conflicts: &[READS_SOURCES_ONLY],
            ..PLAIN
        },
        Flag {
            names: &["--os"],
            takes: FlagValue::Text("string", |flags, text| {
                flags.compare.systems.extend(names(text)?);
                Ok(())
            }),
            help: "operating systems to validate, separated by commas; default: all",
            accumulates: true,
            conflicts: &[READS_SOURCES_ONLY],
            ..PLAIN
        },
        Flag {
            names: &["--allow-single"],
            takes: FlagValue::Switch(|flags, on| flags.compare.allow_single = on),
            help: "accept a destination that is a single image instead of a manifest list ('skopeo copy' without --all makes these)",
            conflicts: &[READS_SOURCES_ONLY],
            ..PLAIN
        },
        Flag {
            names: &["--require-arch"],
            takes: FlagValue::Switch(|flags, on| flags.compare.require_arch = on),
            help: "fail an image whose source lacks an architecture of -a",
            conflicts: &[READS_SOURCES_ONLY],
            ..PLAIN
        },
        Flag {
            names: &["--accept"],
            takes: FlagValue::Text("CLASSES", |flags, text| {
                for class in classes(text)? {
                    if !flags.compare.accept.contains(&class) {
                        flags.compare.accept.push(class);
                    }
                }
                Ok(())
            }),
            help: "accept these classes of differences, separated by commas: re-serialised, converted, re-compressed",
            accumulates: true,
            conflicts: &[READS_SOURCES_ONLY],
            ..PLAIN
        },
        Flag {
            names: &["--deep"],
            takes: FlagValue::Grade(&["full"], |flags, word| {
                flags.compare.deep = match word {
                    "full" => Some(Depth::Full),
                    "true" => Some(Depth::Blobs),
                    _ => None,
                };
            }),
            help: "also check that the blobs (configs, layers) exist at the destination with the right size; '--deep=full' downloads them and verifies their digests",
            conflicts: &[READS_SOURCES_ONLY],
            ..PLAIN
        },
        Flag {
            names: &["--referrers"],
            takes: FlagValue::Switch(|flags, on| flags.compare.referrers = on),
            help: "also require the source's signatures, SBOMs and attestations at the destination",
            ..PLAIN
        },
        Flag {
            names: &["--allow-empty"],
            takes: FlagValue::Switch(|flags, on| flags.compare.allow_empty = on),
            help: "accept an image list without images",
            ..PLAIN
        },
        Flag {
            names: &["--shard"],
            takes: FlagValue::Text("I/N", |flags, text| {
                let shard = text.parse();
                flags.compare.shard =
                    Some(shard.map_err(|()| "I/N with I from 0 to N-1, for example 0/4")?);
                Ok(())
            }),
            help: "validate only part I of N of the list, with I from 0 to N-1, to split it between several hosts",
            ..PLAIN
        },
    ],
};

/// Expected form of a project.
pub const PROJECT: &str = "lower-case letters, digits, and between them '.', '_', '-', '/'";

/// Parses a registry with an optional path.
/// The expected form.
pub fn registry(text: &str) -> Result<Override, String> {
    text.parse()
        .map_err(|error| format!("a registry, HOST[:PORT][/PATH]; {error}"))
}

/// Parses names of architectures or operating systems, separated by commas. Blanks around them are
/// Parses names of architectures or operating systems, separated by commas. Blanks around them are
/// ignored.
fn names(text: &str) -> Result<Vec<String>, &'static str> {
    let names: Vec<String> = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    let is_plain = |name: &String| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    if names.is_empty() || !names.iter().all(is_plain) {
        return Err(
            "names separated by commas, for example amd64,arm64; a variant is not part of the name",
        );
    }
    Ok(names)
}

/// Parses classes of differences, separated by commas.
fn classes(text: &str) -> Result<Vec<Class>, String> {
    let class = |name: &str| {
        let mut known = Class::ACCEPTABLE.into_iter();
        known.find(|class| class.as_str() == name)
    };
    let found: Option<Vec<Class>> = text.split(',').map(str::trim).map(class).collect();
    found.ok_or_else(|| {
        let known = Class::ACCEPTABLE.map(Class::as_str);
        format!("{}, separated by commas", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_classes_that_hide_no_content_can_be_accepted() {
        let expected = vec![Class::Converted, Class::ReCompressed];
        assert_eq!(classes("converted, re-compressed"), Ok(expected));
        for text in ["", "converted,", "older", "re-created", "Converted", "all"] {
            let wanted = classes(text).expect_err(text);
            assert_eq!(
                wanted,
                "re-serialised, converted, re-compressed, separated by commas"
            );
        }
    }

    #[test]
    fn names_are_separated_by_commas_and_blanks_do_not_matter() {
        assert_eq!(
            names(" amd64, x86_64 ,,"),
            Ok(vec!["amd64".to_owned(), "x86_64".to_owned()])
        );
        for text in [" , ", "linux/amd64", "a b", "ä"] {
            assert!(names(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_registry_that_is_none_is_explained() {
        let wanted = registry("http://reg.io").expect_err("a mistake");
        assert!(
            wanted.starts_with("a registry, HOST[:PORT][/PATH]; "),
            "{wanted}"
        );
    }
}
