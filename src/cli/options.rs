//! What the program needs to know of the command line: resolved, checked, with defaults.

use std::path::PathBuf;
use std::time::Duration;

use super::UsageError;
use super::flags::Id;
use super::parse::{Typed, flag};
use crate::list::{Override, Rules, Shard, names};
use crate::manifest::Filter;

use crate::task::Depth;

/// The most threads, as in the original.
const MAX_JOBS: usize = 20;

/// Where the image lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input, read as a file.
    Stream,
    /// Standard input, one image after the other.
    Typed,
}

/// When something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Everything that flags and environment settle.
#[derive(Debug)]
pub struct Options {
    /// Where the image lines come from.
    pub input: Input,
    /// How names are resolved.
    pub rules: Rules,
    /// Which platforms are validated.
    pub filter: Filter,
    /// Number of threads, 1 to 20.
    pub jobs: usize,
    /// The failed list.
    pub output: PathBuf,
    /// Whether every request is logged.
    pub debug: bool,
    /// How the blobs of the destination are looked at; none: not at all.
    pub deep: Option<Depth>,
    /// Whether what is attached to the source has to be at the destination.
    pub referrers: bool,
    /// The recording to write: only the sources are read.
    pub record: Option<PathBuf>,
    /// The recording to read: the sources are not asked.
    pub recorded: Option<PathBuf>,
    /// The report for programs.
    pub report: Option<PathBuf>,
    /// The metrics.
    pub metrics: Option<PathBuf>,
    /// Which part of the list is validated; none: all of it.
    pub shard: Option<Shard>,
    /// Whether only warnings, errors and the summary are printed.
    pub quiet: bool,
    /// Whether a bare image at the destination counts as a list of one.
    pub allow_single: bool,
    /// Whether certificates are verified.
    pub tls_verify: bool,
    /// More trusted CAs.
    pub ca_file: Option<PathBuf>,
    /// For one request without progress.
    pub timeout: Duration,
    /// How often a request is repeated.
    pub retries: u32,
    /// When the progress bar is shown.
    pub progress: When,
    /// When the log is coloured.
    pub color: When,
    /// What the user has to be told before the run, one warning a line.
    pub warnings: Vec<String>,
}

impl Options {
    /// From what was typed, and the environment where nothing was.
    ///
    /// # Errors
    /// [`UsageError`] names the flag or variable, its value and what is wanted.
    pub fn resolve(
        typed: &Typed,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, UsageError> {
        let input = match typed.path(Id::File) {
            None => Input::Typed,
            Some(path) if path == "-" => Input::Stream,
            Some(path) => Input::File(path.into()),
        };
        let mut warnings = Vec::new();
        let path = |id| typed.path(id).map(PathBuf::from);
        refuse_pairs(typed)?;
        Ok(Self {
            jobs: jobs(typed, &input, &mut warnings)?,
            input,
            rules: Rules {
                source: registry(typed, Id::Source, "SOURCE_REGISTRY", environment)?,
                destination: registry(typed, Id::Destination, "DEST_REGISTRY", environment)?,
                default_project: default_project(typed)?,
                sources_only: typed.path(Id::Record).is_some(),
            },
            filter: filter(typed)?,
            output: typed
                .path(Id::Output)
                .unwrap_or("mirror-validate-failed.txt".as_ref())
                .into(),
            debug: typed.switch(Id::Debug, false),
            deep: typed.grade(Id::Deep).map(|grade| match grade {
                "full" => Depth::Full,
                _ => Depth::Blobs,
            }),
            referrers: typed.switch(Id::Referrers, false),
            record: path(Id::Record),
            recorded: path(Id::Recorded),
            report: path(Id::Report),
            metrics: path(Id::Metrics),
            shard: shard(typed)?,
            quiet: typed.switch(Id::Quiet, false),
            allow_single: typed.switch(Id::AllowSingle, false),
            tls_verify: typed.switch(Id::TlsVerify, true),
            ca_file: path(Id::CaFile),
            timeout: timeout(typed)?,
            retries: number(typed, Id::Retries)?.unwrap_or(4),
            progress: when(typed, Id::Progress)?,
            color: when(typed, Id::Color)?,
            warnings,
        })
    }
}

/// Flags that contradict each other.
fn refuse_pairs(typed: &Typed) -> Result<(), UsageError> {
    let is_set = |id| match id {
        Id::Deep => typed.grade(id).is_some(),
        id => typed.path(id).is_some(),
    };
    for (one, other, why) in [
        (
            Id::Record,
            Id::Recorded,
            "the one writes a recording, the other reads one",
        ),
        (
            Id::Record,
            Id::Deep,
            "only the sources are read for a recording",
        ),
    ] {
        if is_set(one) && is_set(other) {
            return Err(UsageError::Pair(
                flag(one).shown(),
                flag(other).shown(),
                why,
            ));
        }
    }
    Ok(())
}

fn invalid(id: Id, value: &str, wanted: impl Into<String>) -> UsageError {
    UsageError::Value {
        flag: flag(id).shown(),
        value: value.to_owned(),
        wanted: wanted.into(),
    }
}

fn jobs(typed: &Typed, input: &Input, warnings: &mut Vec<String>) -> Result<usize, UsageError> {
    let Some(text) = typed.text(Id::Jobs)? else {
        return Ok(1);
    };
    let asked: i64 = text
        .parse()
        .map_err(|_| invalid(Id::Jobs, &text, "a number from 1 to 20"))?;
    if *input == Input::Typed && asked != 1 {
        warnings.push(format!(
            "-j {asked} needs an image list (-f): 1 job is used"
        ));
        return Ok(1);
    }
    let jobs = usize::try_from(asked.max(1))
        .unwrap_or(MAX_JOBS)
        .min(MAX_JOBS);
    match asked {
        ..1 => warnings.push(format!("-j {asked} is below the minimum: 1 job is used")),
        21.. => warnings.push(format!(
            "-j {asked} is above the maximum: {MAX_JOBS} jobs are used"
        )),
        _ => {}
    }
    Ok(jobs)
}

fn registry(
    typed: &Typed,
    id: Id,
    variable: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Override>, UsageError> {
    let from_flag = typed.text(id)?.map(|text| (flag(id).shown(), text));
    let from_environment = || {
        environment(variable)
            .filter(|text| !text.is_empty())
            .map(|text| (format!("${variable}"), text))
    };
    let Some((flag, text)) = from_flag.or_else(from_environment) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(registry) => Ok(Some(registry)),
        Err(error) => Err(UsageError::Value {
            wanted: format!("a registry, HOST[:PORT][/PATH]; {error}"),
            flag,
            value: text,
        }),
    }
}

fn default_project(typed: &Typed) -> Result<String, UsageError> {
    let project = typed
        .text(Id::DefaultProject)?
        .unwrap_or_else(|| "library".to_owned());
    if names::is_project(&project) {
        Ok(project)
    } else {
        Err(invalid(
            Id::DefaultProject,
            &project,
            "lower-case letters, digits, and between them '.', '_', '-', '/'",
        ))
    }
}

fn filter(typed: &Typed) -> Result<Filter, UsageError> {
    let architectures = match typed.text(Id::Arch)? {
        Some(text) => names(Id::Arch, &text)?,
        None => vec!["amd64".to_owned(), "arm64".to_owned()],
    };
    let systems = typed
        .text(Id::Os)?
        .map(|text| names(Id::Os, &text))
        .transpose()?;
    Ok(Filter::new(&architectures, systems.as_deref()))
}

fn names(id: Id, text: &str) -> Result<Vec<String>, UsageError> {
    let names: Vec<String> = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    let plain = |name: &String| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    if names.is_empty() || !names.iter().all(plain) {
        return Err(invalid(
            id,
            text,
            "names separated with ',', for example amd64,arm64; a variant is not part of the name",
        ));
    }
    Ok(names)
}

fn shard(typed: &Typed) -> Result<Option<Shard>, UsageError> {
    let parse = |text: String| {
        text.parse().map_err(|()| {
            invalid(
                Id::Shard,
                &text,
                "I/N with I from 0 to N-1, for example 0/4",
            )
        })
    };
    typed.text(Id::Shard)?.map(parse).transpose()
}

fn timeout(typed: &Typed) -> Result<Duration, UsageError> {
    let Some(text) = typed.text(Id::Timeout)? else {
        return Ok(Duration::from_secs(30));
    };
    match humantime::parse_duration(&text) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout),
        _ => Err(invalid(
            Id::Timeout,
            &text,
            "a time above 0 with its unit, for example 30s, 2m or 1m30s",
        )),
    }
}

fn number(typed: &Typed, id: Id) -> Result<Option<u32>, UsageError> {
    let parse = |text: String| {
        text.parse()
            .map_err(|_| invalid(id, &text, "a number, 0 or more"))
    };
    typed.text(id)?.map(parse).transpose()
}

fn when(typed: &Typed, id: Id) -> Result<When, UsageError> {
    Ok(match typed.text(id)?.as_deref() {
        Some("always") => When::Always,
        Some("never") => When::Never,
        _ => When::Auto,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse::parse;
    use std::ffi::OsString;

    fn options(args: &[&str], environment: &[(&str, &str)]) -> Result<Options, UsageError> {
        let typed = parse(args.iter().map(OsString::from))?;
        let lookup = |name: &str| {
            environment
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        };
        Options::resolve(&typed, &lookup)
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
        assert!(
            options(&["-j", "abc"], &[])
                .expect_err("a mistake")
                .to_string()
                .contains("\"abc\"")
        );
    }

    #[test]
    fn the_flag_wins_over_the_environment() {
        let environment = [
            ("DEST_REGISTRY", "env.io"),
            ("SOURCE_REGISTRY", "src.io/path"),
        ];
        let from_environment = options(&[], &environment).expect("options");
        assert_eq!(
            from_environment
                .rules
                .destination
                .expect("a registry")
                .registry,
            "env.io"
        );
        let from_flag = options(&["-d", "flag.io"], &environment).expect("options");
        assert_eq!(
            from_flag.rules.destination.expect("a registry").registry,
            "flag.io"
        );
        let error = options(&[], &[("DEST_REGISTRY", "https://x")])
            .expect_err("a mistake")
            .to_string();
        assert!(error.contains("$DEST_REGISTRY"), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        for args in [
            &["-d", "http://x"][..],
            &["-default-project", "UPPER"],
            &["-a", " , "],
            &["-a", "linux/amd64"],
            &["--timeout", "0s"],
            &["--timeout", "30"],
            &["--retries", "-1"],
            &["--shard", "4/4"],
            &["--record", "x", "--recorded", "x"],
            &["--record", "x", "--deep"],
        ] {
            let error = options(args, &[]).expect_err("a mistake").to_string();
            assert!(error.contains(args[0].trim_start_matches('-')), "{error}");
        }
    }
}
