//! Options of a run of `mirror-validate`: flags and environment, resolved and checked against each
//! other.

use std::path::PathBuf;

use super::commands::Flags;
use super::error::UsageError;
use super::flags::compare;
use super::parse::Parsed;
use crate::list::{NameRules, Override};
use crate::manifest::Filter;

/// As in image-tools 1.3.0.
const MAX_JOBS: usize = 20;

/// Source of the image lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Files that are read as one list; `-` is standard input.
    Files(Vec<PathBuf>),
    /// Standard input; each line is validated before the next is read.
    Typed,
}

/// Resolved flags and environment.
#[derive(Debug)]
pub struct Options {
    pub input: Input,
    pub rules: NameRules,
    pub filter: Filter,
    /// Threads, 1 to [`MAX_JOBS`].
    pub jobs: usize,
    /// Flags that need no resolution.
    pub flags: Flags,
    /// Logged before the first image.
    pub warnings: Vec<String>,
}

impl Options {
    /// `environment`: returns the value of a variable.
    ///
    /// # Errors
    /// [`UsageError`] names the variable, its value and the expected form.
    pub fn resolve(
        parsed: Parsed,
        environment: &dyn Fn(&str) -> Option<String>,
        stdin_is_terminal: bool,
    ) -> Result<Self, UsageError> {
        let mut flags = parsed.flags;
        let mut warnings = parsed.warnings;
        let compare = &mut flags.compare;
        let is_list = flags.patience.jobs > 1 && !stdin_is_terminal;
        let input = match std::mem::take(&mut compare.files) {
            // Lines from another program may be read ahead.
            files if files.is_empty() && is_list => Input::Files(vec![PathBuf::from("-")]),
            files if files.is_empty() => Input::Typed,
            files => Input::Files(files),
        };
        if input == Input::Typed && flags.patience.wait.is_some() {
            return Err(UsageError::NeedsList("--wait"));
        }
        let systems = Some(&compare.systems).filter(|systems| !systems.is_empty());
        Ok(Self {
            filter: Filter::new(&compare.architectures, systems.map(Vec::as_slice)),
            rules: NameRules {
                source: registry(compare.source.take(), "SOURCE_REGISTRY", environment)?,
                destination: registry(compare.destination.take(), "DEST_REGISTRY", environment)?,
                default_project: compare.default_project.clone(),
                sources_only: flags.airgap.records,
            },
            jobs: jobs(flags.patience.jobs, &input, &mut warnings),
            input,
            flags,
            warnings,
        })
    }
}

/// Clamps the value of `-j`.
fn jobs(typed: i64, input: &Input, warnings: &mut Vec<String>) -> usize {
    if *input == Input::Typed && typed != 1 {
        warnings.push(format!("-j {typed} needs an image list (-f); using 1 job"));
        return 1;
    }
    match typed {
        ..1 => warnings.push(format!("-j {typed} is below the minimum; using 1 job")),
        21.. => warnings.push(format!(
            "-j {typed} is above the maximum; using {MAX_JOBS} jobs"
        )),
        _ => {}
    }
    usize::try_from(typed.max(1))
        .unwrap_or(MAX_JOBS)
        .min(MAX_JOBS)
}

/// The registry of the flag, or of the variable. An empty variable counts as unset.
fn registry(
    from_flag: Option<Override>,
    variable: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Override>, UsageError> {
    if from_flag.is_some() {
        return Ok(from_flag);
    }
    let Some(text) = environment(variable).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match compare::registry(&text) {
        Ok(registry) => Ok(Some(registry)),
        Err(wanted) => Err(UsageError::Value {
            what: format!("${variable}"),
            value: text,
            wanted,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags::DisplayMode;
    use crate::cli::{commands, parse};
    use std::ffi::OsString;
    use std::path::Path;
    use std::time::Duration;

    fn options(args: &[&str], environment: &[(&str, &str)]) -> Result<Options, UsageError> {
        let parsed = parse::parse(args.iter().map(OsString::from), commands::default_command())?;
        let lookup = |name: &str| {
            environment
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        };
        Options::resolve(parsed, &lookup, true)
    }

    #[test]
    fn defaults_are_those_of_the_rows() {
        let options = options(&[], &[]).expect("options");
        assert_eq!(options.input, Input::Typed);
        assert_eq!(options.filter.architectures(), ["amd64", "arm64"]);
        assert_eq!(options.filter.systems(), None);
        assert_eq!(options.rules.default_project, "library");
        let flags = &options.flags;
        let failed = flags.output.requests();
        assert_eq!(failed[0].path, Path::new("mirror-validate-failed.txt"));
        assert_eq!((options.jobs, flags.patience.retries), (1, 4));
        assert_eq!(flags.patience.timeout, Duration::from_secs(30));
        assert_eq!(flags.patience.patience, Duration::from_secs(120));
        assert!(flags.registries.tls_verify && !flags.output.debug);
        assert!(flags.compare.deep.is_none());
        let shown = (flags.output.progress, flags.output.color);
        assert_eq!(shown, (DisplayMode::Auto, DisplayMode::Auto));
    }

    #[test]
    fn jobs_are_clamped_with_one_warning() {
        for (args, jobs, warnings) in [
            (&["-f", "x", "-j", "7"][..], 7, 0),
            (&["-f", "x", "-j", "0"], 1, 1),
            (&["-f", "x", "-j", "-3"], 1, 1),
            (&["-f", "x", "-j", "100"], 20, 1),
            (&["-f", "-", "-j", "20"], 20, 0),
            (&["-j", "10"], 1, 1),
            (&["-j", "1"], 1, 0),
            (&[], 1, 0),
        ] {
            let options = options(args, &[]).expect("options");
            assert_eq!(
                (options.jobs, options.warnings.len()),
                (jobs, warnings),
                "{args:?}"
            );
        }
    }

    #[test]
    fn the_flag_wins_over_the_environment() {
        let environment = [
            ("DEST_REGISTRY", "env.io"),
            ("SOURCE_REGISTRY", "src.io/path"),
        ];
        let destination = |args: &[&str], environment: &[(&str, &str)]| {
            let rules = options(args, environment).expect("options").rules;
            rules.destination.map(|registry| registry.registry)
        };
        assert_eq!(destination(&[], &environment).as_deref(), Some("env.io"));
        assert_eq!(
            destination(&["-d", "flag.io"], &environment).as_deref(),
            Some("flag.io")
        );
        assert_eq!(destination(&[], &[("DEST_REGISTRY", "")]), None);
        let error = options(&[], &[("DEST_REGISTRY", "https://x")])
            .expect_err("a mistake")
            .to_string();
        assert!(
            error.starts_with("invalid value \"https://x\" for $DEST_REGISTRY (expected "),
            "{error}"
        );
    }

    #[test]
    fn a_recording_ignores_the_destination_of_the_environment() {
        let options = options(&["--record", "x"], &[("DEST_REGISTRY", "env.io")]);
        assert!(options.expect("options").rules.sources_only);
    }
}
