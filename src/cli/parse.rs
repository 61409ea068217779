//! Parses the arguments after a command into [`Flags`] with the setters of the command's flags.
//!
//! Go's `flag` package accepts one or two dashes before any name and has no bundles; lexopt reads one
//! dash as a bundle of letters. So every argument that is a flag of the command is first rewritten to
//! lexopt's long form.

use std::ffi::{OsStr, OsString};

use lexopt::Arg;

use super::commands::{Command, Flags};
use super::error::UsageError;
use super::flags::{self, Flag, FlagValue, Group};
use super::given::GivenFlags;
use super::help::HelpPage;

/// Parsed arguments of a command.
#[derive(Debug)]
pub struct Parsed {
    pub flags: Flags,
    /// Arguments that are neither flags nor their values; empty if the command takes none.
    pub arguments: Vec<OsString>,
    /// From [`GivenFlags::warnings`].
    pub warnings: Vec<String>,
}

/// Parses the arguments after a command.
///
/// # Errors
/// [`UsageError`] names the argument and the expected form.
pub fn parse(
    args: impl Iterator<Item = OsString>,
    command: &Command,
) -> Result<Parsed, UsageError> {
    let mut parser = lexopt::Parser::from_args(rewrite(args, command.groups)?);
    let mut flags = Flags::default();
    let mut arguments = Vec::new();
    let mut given = GivenFlags::default();
    let mut before: Option<&Flag> = None;
    while let Some(arg) = parser
        .next()
        .map_err(|error| UsageError::Lexopt(error.to_string()))?
    {
        let flag = match arg {
            Arg::Long(name) => flags::find(command.groups, name)
                .ok_or_else(|| unknown(command.groups, "--", name))?,
            Arg::Short(letter) => return Err(unknown(command.groups, "-", &letter.to_string())),
            Arg::Value(word) => {
                match before.filter(|flag| flag.is_switch()) {
                    _ if command.takes_arguments() => arguments.push(word),
                    switch => return Err(unexpected(&word, switch, command)),
                }
                continue;
            }
        };
        before = Some(flag);
        let value = if flag.is_switch() {
            parser.optional_value().unwrap_or_else(|| "true".into())
        } else {
            parser
                .value()
                .map_err(|_| UsageError::NoValue(flag.name()))?
        };
        set(flag, &mut flags, &value)?;
        given.add(flag, &value);
        if flags.help != HelpPage::Nothing || flags.version {
            // As in Go's `flag` package: the rest of the line is not checked.
            break;
        }
    }
    if flags.help == HelpPage::Nothing && !flags.version {
        given.refuse_conflicts()?;
    }
    for flag in flags::all(command.groups) {
        if !flag.default.is_empty() && !given.has(flag.name()) {
            set(flag, &mut flags, flag.default.as_ref())?;
        }
    }
    Ok(Parsed {
        flags,
        arguments,
        warnings: given.warnings(),
    })
}

/// Calls the setter of a flag.
///
/// # Errors
/// [`UsageError`] where the value is invalid.
pub fn set(flag: &Flag, flags: &mut Flags, value: &OsStr) -> Result<(), UsageError> {
    if value.is_empty() {
        return Err(UsageError::Empty(flag.name()));
    }
    let invalid = |wanted: String| UsageError::Value {
        what: flag.name().to_owned(),
        value: value.to_string_lossy().into_owned(),
        wanted,
    };
    if let FlagValue::Path(_, set) = flag.takes {
        set(flags, value.into());
        return Ok(());
    }
    if let FlagValue::SuffixedPath(_, set) = flag.takes {
        return set(flags, value.into()).map_err(|wanted| invalid(wanted.into_owned()));
    }
    let text = value
        .to_str()
        .ok_or_else(|| invalid("UTF-8 text".to_owned()))?;
    match flag.takes {
        FlagValue::Path(..) | FlagValue::SuffixedPath(..) => {}
        FlagValue::Text(_, set) => {
            set(flags, text).map_err(|wanted| invalid(wanted.into_owned()))?;
        }
        FlagValue::Choice(words, set) if words.contains(&text) => set(flags, text),
        FlagValue::Choice(words, _) => {
            let near = flags::nearest(text, words.iter().copied());
            let near = near.map(|near| format!("; did you mean \"{near}\"?"));
            return Err(invalid(words.join(", ") + &near.unwrap_or_default()));
        }
        FlagValue::Switch(set) => {
            set(
                flags,
                boolean(text).ok_or_else(|| invalid("true or false".to_owned()))?,
            );
        }
        FlagValue::Grade(words, set) => match boolean(text) {
            Some(on) => set(flags, if on { "true" } else { "false" }),
            None if words.contains(&text) => set(flags, text),
            None => return Err(invalid([words, &["true or false"]].concat().join(", "))),
        },
    }
    Ok(())
}

/// A boolean as Go's `strconv.ParseBool` spells it.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Rewrites `-name`, `--name`, `-name=value` and `--name=value` of known flags to lexopt's long form.
fn rewrite(
    mut args: impl Iterator<Item = OsString>,
    groups: &[Group],
) -> Result<Vec<OsString>, UsageError> {
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
        let flag = flags::find(groups, &name)
            .filter(|_| !name.starts_with('-'))
            .ok_or_else(|| unknown(groups, &"--"[..dashes], &name))?;
        let has_value = name_end < bytes.len();
        let mut long = OsString::from(if dashes == 1 { "-" } else { "" });
        long.push(&arg);
        out.push(long);
        if !flag.is_switch() && !has_value {
            // The value may look like a flag and is not rewritten.
            out.extend(args.next());
        }
    }
    out.extend(args);
    Ok(out)
}

fn unexpected(word: &OsStr, switch: Option<&Flag>, command: &Command) -> UsageError {
    let value = word.to_string_lossy().into_owned();
    match switch {
        Some(switch) => UsageError::Equals {
            value,
            flag: switch.name(),
        },
        None if flags::find(command.groups, "-f").is_some() => {
            UsageError::Argument(value, "use -f FILE for an image list")
        }
        None => UsageError::Argument(value, "use -h for the usage"),
    }
}

/// An unknown flag, as it was typed.
fn unknown(groups: &[Group], dashes: &str, name: &str) -> UsageError {
    let names = flags::all(groups).flat_map(|flag| flag.names.iter().copied());
    let near = flags::nearest(name, names)
        .map(ToOwned::to_owned)
        .or_else(|| glued(groups, name));
    UsageError::UnknownFlag(format!("{dashes}{name}"), near)
}

/// Suggests `-j 10` for `-j10`, which is not accepted because `-debug` is a flag, too.
fn glued(groups: &[Group], name: &str) -> Option<String> {
    let (letter, value) = name.split_at_checked(1)?;
    let flag = flags::find(groups, letter).filter(|flag| !flag.is_switch())?;
    // A number, a file or a registry; letters alone are more likely a mistyped name.
    let is_value = value.parse::<i64>().is_ok() || value.contains(['.', '/', ':', ',']);
    is_value.then(|| format!("{} {value}", flag.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::default_command;
    use proptest::prelude::*;

    fn parsed(args: &[&str]) -> Result<Parsed, UsageError> {
        parse(args.iter().map(OsString::from), default_command())
    }

    fn jobs(args: &[&str]) -> i64 {
        parsed(args).expect("flags").flags.patience.jobs
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
            assert_eq!(jobs(args), 5, "{args:?}");
        }
        assert_eq!(jobs(&["-j", "-5"]), -5);
        assert_eq!(jobs(&["-o", "-j", "-j", "5"]), 5);
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
            let debug = parsed(args).expect("flags").flags.output.debug;
            assert_eq!(debug, expected, "{args:?}");
        }
        assert!(parsed(&["-debug=maybe"]).is_err());
        assert!(matches!(
            parsed(&["-debug", "false"]),
            Err(UsageError::Equals { .. })
        ));
    }

    #[test]
    fn a_grade_is_a_switch_that_takes_words() {
        use crate::task::Depth::{Blobs, Full};
        for (args, expected) in [
            (&["--deep"][..], Some(Blobs)),
            (&["-deep=full"], Some(Full)),
            (&["--deep=full", "--deep=1"], Some(Blobs)),
            (&["--deep", "--deep=false"], None),
            (&[], None),
        ] {
            let deep = parsed(args).expect("flags").flags.compare.deep;
            assert_eq!(deep, expected, "{args:?}");
        }
    }

    #[test]
    fn help_is_printed_even_with_invalid_values() {
        for args in [
            &["--record=x", "-a=arm", "-h"][..],
            &["-h", "-j", "abc"],
            &["--help", "--record=x", "--recorded=x"],
        ] {
            assert_ne!(
                parsed(args).expect("flags").flags.help,
                HelpPage::Nothing,
                "{args:?}"
            );
        }
    }

    #[test]
    fn lists_add_up_and_replace_their_default() {
        let compare = |args| parsed(args).expect("flags").flags.compare;
        assert_eq!(compare(&[]).architectures, ["amd64", "arm64"]);
        assert_eq!(
            compare(&["-a", "arm,s390x", "--arch=riscv64"]).architectures,
            ["arm", "s390x", "riscv64"]
        );
        assert_eq!(
            compare(&["--os", "linux", "--os", "windows"]).systems,
            ["linux", "windows"]
        );
    }

    #[test]
    fn an_empty_value_is_refused_by_every_flag() {
        for flag in flags::all(default_command().groups) {
            for name in flag.names {
                let error = parsed(&[&format!("{name}=")]).expect_err("a mistake");
                assert!(matches!(error, UsageError::Empty(_)), "{name}: {error}");
            }
        }
        let error = parsed(&["-a", ""]).expect_err("a mistake").to_string();
        assert_eq!(
            error,
            "the value of -a is empty; give a value, or omit the flag"
        );
    }

    #[test]
    fn unknown_flags_are_reported_with_the_nearest_one() {
        for (args, message) in [
            (
                &["-debgu"][..],
                "unknown flag \"-debgu\"; did you mean \"-debug\"?",
            ),
            (
                &["--outptu", "x"],
                "unknown flag \"--outptu\"; did you mean \"--output\"?",
            ),
            (&["-j10"], "unknown flag \"-j10\"; did you mean \"-j 10\"?"),
            (
                &["-flist.txt"],
                "unknown flag \"-flist.txt\"; did you mean \"-f list.txt\"?",
            ),
            (
                &["-fj"],
                "unknown flag \"-fj\"; use -h for the list of flags",
            ),
            (
                &["-q10"],
                "unknown flag \"-q10\"; use -h for the list of flags",
            ),
            (
                &["-xyzzy"],
                "unknown flag \"-xyzzy\"; use -h for the list of flags",
            ),
            (
                &["---j"],
                "unknown flag \"---j\"; use -h for the list of flags",
            ),
            (&["-j"], "flag -j needs a value"),
            (
                &["list.txt"],
                "unexpected argument \"list.txt\"; use -f FILE for an image list",
            ),
            (
                &["--", "-j"],
                "unexpected argument \"-j\"; use -f FILE for an image list",
            ),
            (
                &["--color", "blue"],
                "invalid value \"blue\" for --color (expected auto, always, never)",
            ),
            (
                &["--deep", "full"],
                "unexpected argument \"full\"; write --deep=full to give --deep a value",
            ),
            (
                &["--deep=half"],
                "invalid value \"half\" for --deep (expected full, true or false)",
            ),
            (
                &["--timeout", "0s"],
                "invalid value \"0s\" for --timeout (expected a duration above 0 with its unit, for example 30s, 2m or 1m30s)",
            ),
            (
                &["--patience", "30"],
                "invalid value \"30\" for --patience (expected a duration with its unit, for example 0s, 30s or 2m)",
            ),
            (
                &["--retries", "-1"],
                "invalid value \"-1\" for --retries (expected a number, 0 or more)",
            ),
            (
                &["--shard", "4/4"],
                "invalid value \"4/4\" for --shard (expected I/N with I from 0 to N-1, for example 0/4)",
            ),
            (
                &["-default-project", "UPPER"],
                "invalid value \"UPPER\" for -default-project (expected lower-case letters, digits, and between them '.', '_', '-', '/')",
            ),
        ] {
            let error = parsed(args).expect_err("a mistake").to_string();
            assert_eq!(error, message, "{args:?}");
        }
    }

    proptest! {
        #[test]
        fn no_arguments_make_it_panic(
            args in prop::collection::vec("-{0,3}(f|j|a|debug|deep|x|record|tls-verify)?(=)?\\PC{0,4}", 0..5),
        ) {
            let args = args.iter().map(String::as_str).collect::<Vec<_>>();
            for command in crate::cli::commands::COMMANDS {
                let _ = parse(args.iter().map(OsString::from), command);
            }
        }
    }
}
