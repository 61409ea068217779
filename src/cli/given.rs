//! The flags of a command line with their unparsed values, for the checks of several values: conflicts
//! and repeated flags.

use std::ffi::OsStr;

use super::error::UsageError;
use super::flags::Flag;
use super::parse::boolean;
use crate::escape::escape;

/// In the order of first use.
#[derive(Default)]
pub struct GivenFlags(Vec<(&'static Flag, Vec<String>)>);

impl GivenFlags {
    pub fn add(&mut self, flag: &'static Flag, value: &OsStr) {
        let value = value.to_string_lossy().into_owned();
        match self.0.iter_mut().find(|(f, _)| f.name() == flag.name()) {
            Some((_, values)) => values.push(value),
            None => self.0.push((flag, vec![value])),
        }
    }

    /// The values of the flag; `name`: its main name.
    fn values(&self, name: &str) -> &[String] {
        self.0
            .iter()
            .find(|(flag, _)| flag.name() == name)
            .map_or(&[], |(_, values)| values)
    }

    pub fn has(&self, name: &str) -> bool {
        !self.values(name).is_empty()
    }

    /// # Errors
    /// [`UsageError::Conflict`].
    pub fn refuse_conflicts(&self) -> Result<(), UsageError> {
        for (flag, values) in &self.0 {
            // A switch that is off conflicts with nothing.
            let is_off = flag.is_switch()
                && values
                    .last()
                    .is_some_and(|value| boolean(value) == Some(false));
            for conflict in flag.conflicts {
                if !is_off && self.has(conflict.with) {
                    return Err(UsageError::Conflict(
                        conflict.with,
                        flag.name(),
                        conflict.why,
                    ));
                }
            }
        }
        Ok(())
    }

    /// One per repeated flag with different values of which only the last is used.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (flag, values) in &self.0 {
            let Some((last, earlier)) = values.split_last() else {
                continue;
            };
            let unused: Vec<String> = earlier
                .iter()
                .filter(|value| *value != last)
                .map(|value| format!("\"{}\"", escape(value)))
                .collect();
            if !flag.accumulates && !unused.is_empty() {
                warnings.push(format!(
                    "{} was given more than once: using the last value, \"{}\", and ignoring {}",
                    flag.name(),
                    escape(last),
                    unused.join(", ")
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands::default_command;
    use crate::cli::parse::{Parsed, parse};
    use std::ffi::OsString;

    fn parsed(args: &[&str]) -> Result<Parsed, UsageError> {
        parse(args.iter().map(OsString::from), default_command())
    }

    #[test]
    fn of_a_repeated_flag_the_last_value_counts_and_all_are_named() {
        for (args, warnings) in [
            (
                &["-j", "5", "--jobs=7"][..],
                &["-j was given more than once: using the last value, \"7\", and ignoring \"5\""][..],
            ),
            (
                &[
                    "-o", "a\x1b", "-debug", "-o", "b", "--output", "c", "-debug=0",
                ],
                &[
                    "-o was given more than once: using the last value, \"c\", and ignoring \"a\\u{1b}\", \"b\"",
                    "-debug was given more than once: using the last value, \"0\", and ignoring \"true\"",
                ],
            ),
            (&["-j", "5", "-j", "5", "-q", "-q"], &[]),
            (
                &["-a", "arm", "-a", "s390x", "--ca-file=x", "--ca-file=y"],
                &[],
            ),
        ] {
            assert_eq!(parsed(args).expect("flags").warnings, warnings, "{args:?}");
        }
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused_in_any_order() {
        let only_sources = "--record reads only the sources";
        for (flag, value, why) in [
            ("-a", "=arm", only_sources),
            ("--os", "=linux", only_sources),
            ("-d", "=x.io", only_sources),
            ("-default-project", "=x", only_sources),
            ("--allow-single", "", only_sources),
            ("--deep", "=full", only_sources),
            (
                "--recorded",
                "=x",
                "--record writes a recording, and --recorded reads one",
            ),
        ] {
            let other = format!("{flag}{value}");
            for args in [[&other, "--record=x"], ["--record=x", &other]] {
                let error = parsed(&args).expect_err("a mistake").to_string();
                assert_eq!(error, format!("--record cannot be used with {flag}: {why}"));
            }
        }
        let off = ["--record", "x", "--deep=false", "--allow-single=F"];
        assert!(parsed(&off).is_ok());
        assert!(parsed(&["--record", "x", "-s", "x.io", "--referrers"]).is_ok());
    }
}
