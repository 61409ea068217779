//! A flag is one row of a table, with its setter. Parser, help, man page, completions and the check for
//! conflicts use the rows.
//!
//! Each group of rows has its own module, with the struct that its setters write to. [`Flags`] has one
//! field per struct, and a command names its groups. Setters check single values. Defaults from the
//! environment, and checks of several values against each other, are in
//! [`Options`](super::options::Options).

pub mod airgap;
pub mod compare;
pub mod list;
pub mod merge;
pub mod output;
pub mod patience;
pub mod registries;
pub mod remedy;

use std::borrow::Cow;
use std::path::PathBuf;

use super::commands::Flags;
use super::help::HelpPage;

pub use output::DisplayMode;

/// Expected form of an invalid value.
pub type ExpectedValue = Cow<'static, str>;

/// The kind of value of a flag, and the setter that checks and stores it.
/// A setter returns the expected form of an invalid value. It never gets an empty value.
#[derive(Clone, Copy)]
pub enum FlagValue {
    /// No value, or `=true` and `=false`.
    Switch(fn(&mut Flags, bool)),
    /// As a switch, or `=` and one of the words. The setter gets `true`, `false` or the word.
    Grade(&'static [&'static str], fn(&mut Flags, &str)),
    /// Text; the first string is its placeholder in the help.
    Text(
        &'static str,
        fn(&mut Flags, &str) -> Result<(), ExpectedValue>,
    ),
    /// A path; the string is its placeholder in the help.
    Path(&'static str, fn(&mut Flags, PathBuf)),
    /// A path whose suffix is checked; the string is its placeholder in the help.
    SuffixedPath(
        &'static str,
        fn(&mut Flags, PathBuf) -> Result<(), ExpectedValue>,
    ),
    /// One of the words.
    Choice(&'static [&'static str], fn(&mut Flags, &str)),
}

/// A row of the table. Rows are written as `Flag { …, ..PLAIN }`.
#[derive(Clone, Copy)]
pub struct Flag {
    /// With their dashes as the help shows them, the main name first. Each is accepted with one dash and
    /// with two.
    pub names: &'static [&'static str],
    pub takes: FlagValue,
    pub help: &'static str,
    /// Passed to the setter when the flag is absent. Empty: none.
    pub default: &'static str,
    /// Whether the flag is in the usage of image-tools 1.3.0. The help lists these first.
    pub is_original: bool,
    /// Whether the values of a repeated flag accumulate. Otherwise the last one is used.
    pub accumulates: bool,
    pub conflicts: &'static [Conflict],
}

/// Another flag that cannot be used together with this one.
#[derive(Clone, Copy)]
pub struct Conflict {
    /// Main name of the other flag.
    pub with: &'static str,
    pub why: &'static str,
}

/// Defaults of a row.
pub const PLAIN: Flag = Flag {
    names: &[],
    takes: FlagValue::Switch(|_, _| ()),
    help: "",
    default: "",
    is_original: false,
    accumulates: false,
    conflicts: &[],
};

/// Flags under one title in the help.
#[derive(Clone, Copy)]
pub struct Group {
    pub title: &'static str,
    pub flags: &'static [Flag],
}

/// Flags of every command.
pub const HELP: Group = Group {
    title: "Help",
    flags: &[
        Flag {
            names: &["-h"],
            takes: FlagValue::Switch(|flags, on| flags.help = page(on, HelpPage::Short)),
            help: "print a short help with the most common flags",
            ..PLAIN
        },
        Flag {
            names: &["--help"],
            takes: FlagValue::Switch(|flags, on| flags.help = page(on, HelpPage::Full)),
            help: "print the full help with all flags",
            ..PLAIN
        },
        Flag {
            names: &["-v", "--version"],
            takes: FlagValue::Switch(|flags, on| flags.version = on),
            help: "print the version",
            ..PLAIN
        },
    ],
};

fn page(on: bool, page: HelpPage) -> HelpPage {
    if on { page } else { HelpPage::Nothing }
}

impl Flag {
    /// The main name with its dashes.
    pub fn name(&self) -> &'static str {
        self.names[0]
    }

    /// Whether the value is optional; it is then given after `=`.
    pub fn is_switch(&self) -> bool {
        matches!(self.takes, FlagValue::Switch(_) | FlagValue::Grade(..))
    }

    /// The default as Go's `flag` package prints it, with strings in quotes.
    pub fn shown_default(&self) -> String {
        match (self.default, self.takes) {
            ("", _) => String::new(),
            (default, FlagValue::Text("string", _) | FlagValue::Path("string", _)) => {
                format!(" (default \"{default}\")")
            }
            (default, _) => format!(" (default {default})"),
        }
    }
}

pub fn all(groups: &[Group]) -> impl Iterator<Item = &'static Flag> {
    groups.iter().flat_map(|group| group.flags)
}

/// Finds a flag by any of its names; leading dashes are ignored.
pub fn find(groups: &[Group], name: &str) -> Option<&'static Flag> {
    let name = bare(name);
    all(groups).find(|flag| flag.names.iter().any(|known| bare(known) == name))
}

/// A name without its leading dashes.
pub fn bare(name: &str) -> &str {
    name.trim_start_matches('-')
}

/// The word nearest to a mistyped one, if one is near enough; leading dashes are ignored.
pub fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(bare(typed), bare(word));
    words
        .filter(|word| bare(word).len() > 1)
        .filter(|word| distance(word) <= (bare(word).len() / 3).clamp(1, 3))
        // Of equal distances, swapped letters are the likelier mistake.
        .min_by(|one, other| {
            let likeness = |word: &str| strsim::jaro(bare(typed), bare(word));
            let nearer = distance(one).cmp(&distance(other));
            nearer.then(likeness(other).total_cmp(&likeness(one)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::COMMANDS;
    use crate::cli::parse::parse;
    use std::ffi::OsString;

    #[test]
    fn names_are_unique_within_a_command() {
        for command in COMMANDS {
            let mut names: Vec<_> = all(command.groups)
                .flat_map(|flag| flag.names)
                .map(|name| bare(name))
                .collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", command.name);
        }
    }

    #[test]
    fn every_flag_has_a_long_name_and_a_help_text() {
        for flag in COMMANDS.iter().flat_map(|command| all(command.groups)) {
            let long = flag.names.iter().any(|name| bare(name).len() > 1);
            let long = long || flag.name() == "-h";
            assert!(long && !flag.help.is_empty(), "{:?}", flag.names);
        }
    }

    #[test]
    fn every_setter_writes_its_value() {
        let samples = [
            "always",
            "false",
            "true",
            "full",
            "7",
            "7s",
            "1/7",
            "plan9",
            "x.io",
            "converted",
            "json",
            "x.json",
            "crane",
        ];
        for command in COMMANDS {
            let parsed = |args: &[OsString]| {
                parse(args.iter().cloned(), command).map(|parsed| format!("{:?}", parsed.flags))
            };
            let untouched = parsed(&[]).expect("no flags");
            for flag in all(command.groups) {
                let changes = samples.iter().any(|sample| {
                    parsed(&[format!("{}={sample}", flag.name()).into()])
                        .is_ok_and(|flags| flags != untouched)
                });
                assert!(changes, "{} writes nothing", flag.name());
            }
        }
    }

    #[test]
    fn conflicts_are_with_flags_of_the_same_command() {
        for command in COMMANDS {
            for flag in all(command.groups) {
                for conflict in flag.conflicts {
                    let other = find(command.groups, conflict.with).map(Flag::name);
                    assert_eq!(other, Some(conflict.with), "{}", flag.name());
                }
            }
        }
    }

    #[test]
    fn a_typo_finds_its_neighbour() {
        let names = ["-debug", "-o", "--output", "--tls-verify"];
        for (typed, expected) in [
            ("-debgu", Some("-debug")),
            ("--outptu", Some("--output")),
            ("tls-verfy", Some("--tls-verify")),
            ("-xyzzy", None),
        ] {
            assert_eq!(nearest(typed, names.into_iter()), expected, "{typed}");
        }
    }
}
