//! What was typed: flags and their values, nothing opened or checked yet.
//!
//! Go's `flag` package takes one dash or two before any name and never bundles; lexopt takes one
//! dash for bundles of letters. So every argument that is a flag of the table is first rewritten
//! to lexopt's long form.

use std::ffi::{OsStr, OsString};

use lexopt::Arg;

use super::UsageError;
use super::flags::{self, Flag, Id, Takes};

/// The values that were typed, in the table's types; the last of several counts.
#[derive(Debug, Default)]
pub struct Typed {
    values: Vec<(Id, OsString)>,
}

impl Typed {
    /// The value of a flag as text; an empty one counts as absent, as in the original.
    pub fn text(&self, id: Id) -> Result<Option<String>, UsageError> {
        match self.raw(id).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(UsageError::Value {
                    flag: flag(id).shown(),
                    value: value.to_string_lossy().into_owned(),
                    wanted: "UTF-8 text".to_owned(),
                }),
            },
        }
    }

    /// The value of a flag that names a file.
    pub fn path(&self, id: Id) -> Option<&OsStr> {
        self.raw(id).filter(|value| !value.is_empty())
    }

    /// The word of a switch that is set, `true` where it has none; none where it is not set.
    pub fn grade(&self, id: Id) -> Option<&str> {
        self.raw(id)?.to_str().filter(|word| *word != "false")
    }

    /// The value of a switch.
    pub fn switch(&self, id: Id, default: bool) -> bool {
        self.raw(id).map_or(default, |value| value == "true")
    }

    fn raw(&self, id: Id) -> Option<&OsStr> {
        self.values
            .iter()
            .rev()
            .find(|(known, _)| *known == id)
            .map(|(_, value)| value.as_os_str())
    }
}

/// The row of the table.
pub fn flag(id: Id) -> &'static Flag {
    flags::FLAGS
        .iter()
        .find(|flag| flag.id == id)
        .unwrap_or(&flags::FLAGS[0])
}

/// Parses the arguments behind the command.
///
/// # Errors
/// [`UsageError`] names the argument and what is wanted.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Typed, UsageError> {
    let mut parser = lexopt::Parser::from_args(rewrite(args)?);
    let mut typed = Typed::default();
    let mut before: Option<&Flag> = None;
    while let Some(arg) = parser
        .next()
        .map_err(|error| UsageError::Lexopt(error.to_string()))?
    {
        let flag = match arg {
            Arg::Long(name) => flags::find(name).ok_or_else(|| unknown(name))?,
            Arg::Short(letter) => return Err(unknown(&letter.to_string())),
            Arg::Value(value) => {
                let value = value.to_string_lossy().into_owned();
                return Err(match before.filter(|flag| is_switch(flag)) {
                    Some(flag) => UsageError::Equals {
                        value,
                        flag: flag.shown(),
                    },
                    None => UsageError::Argument(value),
                });
            }
        };
        before = Some(flag);
        let value = match flag.takes {
            Takes::Switch => switch(flag, parser.optional_value(), &[])?,
            Takes::Grade(words) => switch(flag, parser.optional_value(), words)?,
            Takes::Value(_) | Takes::Path(_) | Takes::Choice(_) => parser
                .value()
                .map_err(|_| UsageError::NoValue(flag.shown()))?,
        };
        if let Takes::Choice(words) = flag.takes
            && !words.iter().any(|word| value == *word)
        {
            return Err(UsageError::Value {
                flag: flag.shown(),
                value: value.to_string_lossy().into_owned(),
                wanted: words.join(", "),
            });
        }
        typed.values.push((flag.id, value));
    }
    Ok(typed)
}

/// `-name`, `--name`, `-name=value` and `--name=value` of known flags to lexopt's long form.
fn rewrite(mut args: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, UsageError> {
    let mut out = Vec::new();
    while let Some(arg) = args.next() {
        let bytes = arg.as_encoded_bytes();
        if bytes == b"--" {
            out.push(arg);
            break;
        }
        if bytes.len() < 2 || bytes[0] != b'-' {
            out.push(arg);
            continue;
        }
        let dashes = if bytes[1] == b'-' { 2 } else { 1 };
        let name_end = bytes.iter().position(|b| *b == b'=').unwrap_or(bytes.len());
        let name = String::from_utf8_lossy(&bytes[dashes..name_end]).into_owned();
        let flag = flags::find(&name).ok_or_else(|| unknown(&name))?;
        let has_value = name_end < bytes.len();
        let mut long = OsString::from(if dashes == 1 { "-" } else { "" });
        long.push(&arg);
        out.push(long);
        if !is_switch(flag) && !has_value {
            // The value may look like a flag: it is not for the next round.
            out.extend(args.next());
        }
    }
    out.extend(args);
    Ok(out)
}

/// Whether a value has to stand behind `=`.
fn is_switch(flag: &Flag) -> bool {
    matches!(flag.takes, Takes::Switch | Takes::Grade(_))
}

/// Go's spellings of a boolean, or one of these words.
fn switch(flag: &Flag, value: Option<OsString>, words: &[&str]) -> Result<OsString, UsageError> {
    let Some(value) = value else {
        return Ok("true".into());
    };
    match value.to_str() {
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok("true".into()),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok("false".into()),
        Some(word) if words.contains(&word) => Ok(value),
        _ => Err(UsageError::Value {
            flag: flag.shown(),
            value: value.to_string_lossy().into_owned(),
            wanted: [words, &["true or false"]].concat().join(", "),
        }),
    }
}

fn unknown(name: &str) -> UsageError {
    let names = flags::FLAGS
        .iter()
        .flat_map(|flag| flag.names.iter().copied());
    let hint = flags::nearest(name, names)
        .and_then(flags::find)
        .map(|flag| {
            // The name that was meant, not the flag's first one.
            let near = flags::nearest(name, flag.names.iter().copied()).unwrap_or(flag.names[0]);
            if near == flag.names[0] {
                flag.shown()
            } else {
                format!("--{near}")
            }
        });
    UsageError::UnknownFlag(dashed(name), hint)
}

fn dashed(name: &str) -> String {
    format!("-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(args: &[&str]) -> Result<Typed, UsageError> {
        parse(args.iter().map(OsString::from))
    }

    fn jobs(args: &[&str]) -> Option<String> {
        typed(args).expect("flags").text(Id::Jobs).expect("text")
    }

    #[test]
    fn go_s_forms_are_all_taken() {
        for args in [
            &["-j", "5"][..],
            &["-j=5"],
            &["--j", "5"],
            &["--j=5"],
            &["-jobs", "5"],
            &["--jobs=5"],
            &["-j", "1", "-j", "5"],
        ] {
            assert_eq!(jobs(args).as_deref(), Some("5"), "{args:?}");
        }
        assert_eq!(jobs(&["-j", "-5"]).as_deref(), Some("-5"));
        assert_eq!(jobs(&["-o", "-j", "-j", "5"]).as_deref(), Some("5"));
    }

    #[test]
    fn switches_take_a_value_only_after_the_equals_sign() {
        for (args, expected) in [
            (&["-debug"][..], true),
            (&["--debug"], true),
            (&["-debug=false"], false),
            (&["--debug=F"], false),
            (&["-debug=1"], true),
            (&["-debug", "-debug=0"], false),
        ] {
            assert_eq!(
                typed(args).expect("flags").switch(Id::Debug, false),
                expected,
                "{args:?}"
            );
        }
        assert!(typed(&["-debug=maybe"]).is_err());
        assert!(matches!(
            typed(&["-debug", "false"]),
            Err(UsageError::Equals { .. })
        ));
    }

    #[test]
    fn a_grade_is_a_switch_that_takes_words() {
        for (args, expected) in [
            (&["--deep"][..], Some("true")),
            (&["-deep=full"], Some("full")),
            (&["--deep", "--deep=false"], None),
            (&[], None),
        ] {
            let typed = typed(args).expect("flags");
            assert_eq!(typed.grade(Id::Deep), expected, "{args:?}");
        }
    }

    #[test]
    fn what_is_unknown_is_named_with_its_neighbour() {
        for (args, message) in [
            (
                &["-debgu"][..],
                "unknown flag \"-debgu\"; did you mean \"-debug\"?",
            ),
            (
                &["--outptu", "x"],
                "unknown flag \"-outptu\"; did you mean \"--output\"?",
            ),
            (&["-j5"], "unknown flag \"-j5\"; -h lists the flags"),
            (&["-xyzzy"], "unknown flag \"-xyzzy\"; -h lists the flags"),
            (&["-j"], "flag needs a value: -j"),
            (
                &["list.txt"],
                "unexpected argument \"list.txt\"; an image list is given with -f",
            ),
            (
                &["--", "-j"],
                "unexpected argument \"-j\"; an image list is given with -f",
            ),
            (
                &["--color", "blue"],
                "invalid value \"blue\" for --color (wanted: auto, always, never)",
            ),
            (
                &["--deep", "full"],
                "unexpected argument \"full\"; a value of --deep is written --deep=full",
            ),
            (
                &["--deep=half"],
                "invalid value \"half\" for --deep (wanted: full, true or false)",
            ),
        ] {
            assert_eq!(
                typed(args).expect_err("a mistake").to_string(),
                message,
                "{args:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_arguments_make_it_panic(args in prop::collection::vec("-{0,3}(f|j|debug|x|tls-verify)?(=)?\\PC{0,4}", 0..5)) {
            let _ = typed(&args.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
