//! What a run is made of, as the options want it: files, job, client, how the log looks.

use std::io::{IsTerminal as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::{Options, When};
use crate::escape::escape;
use crate::interrupt::Interrupt;
use crate::list::{List, ListError};
use crate::recording::{Recording, RecordingError};
use crate::reference;
use crate::registry::{self, CertsD, Client, Credentials, Proxies, Settings, Side, TrustError};
use crate::report::{
    FAILED_LIST, FailedList, Kind, Level, Logger, Looked, METRICS, Metrics, OutputError, RECORDING,
    REPORT, RecordError, RecordingFile, Report, Work, refuse_shared,
};
use crate::validate::{Deep, Depth, Job, Recorder, Validator};

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The list.
    #[error(transparent)]
    List(#[from] ListError),
    /// A file that the run writes.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The recording that is to be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The recording that is to be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The system refuses threads or signals.
    #[error("cannot start: {0}")]
    System(String),
}

/// The files that a run writes.
pub struct Files {
    /// Lines that did not pass.
    pub failed: FailedList,
    /// What became of each line, for programs.
    pub report: Option<Report>,
    /// The totals, for Prometheus.
    pub metrics: Option<Metrics>,
    /// What the sources are.
    pub recording: Option<RecordingFile>,
}

impl Files {
    /// Opens all of them, so that what cannot be written is known before the first request.
    ///
    /// # Errors
    /// [`RunError`]; nothing has been changed then.
    pub fn open(options: &Options, list: &List) -> Result<Self, RunError> {
        let record = |name: &PathBuf| RecordingFile::create(name, list);
        let report = |name: &PathBuf| Report::create(name, list, looked(options));
        let metrics = |name: &PathBuf| Metrics::create(name, list, options.shard);
        Ok(Self {
            recording: options.record.as_ref().map(record).transpose()?,
            report: options.report.as_ref().map(report).transpose()?,
            metrics: options.metrics.as_ref().map(metrics).transpose()?,
            failed: FailedList::create(&options.output, list)?,
        })
    }
}

/// No file is written that is read, or twice.
///
/// # Errors
/// [`OutputError::Taken`].
pub fn refuse_shared_files(options: &Options) -> Result<(), OutputError> {
    let named = |kind: Kind, name: &'_ Option<PathBuf>| Some((kind, name.clone()?));
    let outputs = [
        Some((FAILED_LIST, options.output.clone())),
        named(REPORT, &options.report),
        named(METRICS, &options.metrics),
        named(RECORDING, &options.record),
    ];
    let outputs: Vec<(Kind, &Path)> = outputs
        .iter()
        .flatten()
        .map(|(kind, name)| (*kind, name.as_path()))
        .collect();
    let inputs: Vec<(&str, &Path)> = [
        ("recording", &options.recorded),
        ("certificate file", &options.ca_file),
    ]
    .into_iter()
    .filter_map(|(what, name)| Some((what, name.as_deref()?)))
    .collect();
    refuse_shared(&outputs, &inputs)
}

/// What the report says of the run.
fn looked(options: &Options) -> Looked {
    let recorded = options.recorded.as_ref();
    Looked {
        work: work(options),
        arch: options.filter.architectures().to_vec(),
        os: options.filter.systems().map(<[String]>::to_vec),
        allow_single: options.allow_single,
        deep: options.deep.map(|depth| match depth {
            Depth::Blobs => "blobs",
            Depth::Full => "full",
        }),
        referrers: options.referrers,
        recorded: recorded.map(|name| escape(&name.display().to_string()).into_owned()),
        shard: options.shard.map(|shard| shard.to_string()),
    }
}

/// What the run does, in words.
pub fn work(options: &Options) -> Work {
    match options.record {
        Some(_) => Work::Recording,
        None => Work::Validating,
    }
}

/// What is done with each image.
///
/// # Errors
/// [`RunError`] where certificates or a recording cannot be used.
pub fn job(options: &Options, interrupt: &Arc<Interrupt>) -> Result<Job, RunError> {
    let client = Client::new(settings(options), interrupt.clone())?;
    let interrupt = interrupt.clone();
    if options.record.is_some() {
        return Ok(Job::Record(Box::new(Recorder {
            client,
            referrers: options.referrers,
            interrupt,
        })));
    }
    let recorded = options.recorded.as_deref();
    Ok(Job::Validate(Box::new(Validator {
        client,
        recording: recorded.map(Recording::load).transpose()?,
        filter: options.filter.clone(),
        allow_single: options.allow_single,
        deep: options.deep.map(Deep::new),
        referrers: options.referrers,
        interrupt,
    })))
}

fn settings(options: &Options) -> Settings {
    let environment = |name: &str| std::env::var(name).ok();
    let registry =
        |replaced: &Option<reference::Override>| replaced.as_ref().map(|r| r.registry.clone());
    let (source, destination) = (
        registry(&options.rules.source),
        registry(&options.rules.destination),
    );
    Settings {
        tls_verify: options.tls_verify,
        ca_file: options.ca_file.clone(),
        timeout: options.timeout,
        retries: options.retries,
        patience: registry::PATIENCE,
        jobs: options.jobs,
        credentials: Credentials::new(
            &environment,
            [
                (Side::Source, source.as_deref()),
                (Side::Destination, destination.as_deref()),
            ],
            options.timeout,
        ),
        certs_d: CertsD::new(&environment),
        proxies: Proxies::new(&environment),
    }
}

/// Credentials are sent to nobody whom the user has not named.
pub fn warn_of_unnamed_registries(options: &Options, log: &Logger) {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    for (prefix, flag, replaced) in [
        ("SOURCE", "-s", &options.rules.source),
        ("DEST", "-d", &options.rules.destination),
    ] {
        if replaced.is_none()
            && set(&format!("{prefix}_USERNAME"))
            && set(&format!("{prefix}_PASSWORD"))
        {
            log.warn(format!(
                "{prefix}_USERNAME and {prefix}_PASSWORD are used for docker.io only, because neither {flag} nor {prefix}_REGISTRY names another registry"
            ));
        }
    }
}

/// The least level that is printed.
pub fn level(options: &Options) -> Level {
    match options {
        Options { quiet: true, .. } => Level::Warn,
        Options { debug: true, .. } => Level::Debug,
        _ => Level::Info,
    }
}

/// A bar makes sense for a list; a person who types images sees their results.
pub fn shows_progress(options: &Options, at_terminal: bool) -> bool {
    match options.progress {
        When::Always => true,
        When::Never => false,
        When::Auto => stderr().is_terminal() && !at_terminal,
    }
}

/// Whether the log is coloured.
pub fn is_colored(options: &Options) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match options.color {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            stdout().is_terminal()
                && !set("NO_COLOR")
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}
