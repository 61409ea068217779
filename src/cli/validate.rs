//! `mirror-validate`: from options to client, task and outputs, and the run itself.

use std::io::{IsTerminal as _, stderr, stdin, stdout};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::commands::Flags;
use super::display::{self, Streams};
use super::error::Error;
use super::failed_start::FailedStart;
use super::flags::output::OutputFlags;
use super::flags::{DisplayMode, nearest};
use super::options::{Input, Options};
use super::parse::Parsed;
use crate::escape::escape;
use crate::exit::Exit;
use crate::list::{List, ListError, Override};
use crate::log::Level;
use crate::manifest::{KNOWN_ARCHITECTURES, KNOWN_SYSTEMS};
use crate::output::{self, OutputError, RunSettings};
use crate::pipeline::{self, Ended, LogForm, Run, WaitSettings};
use crate::registry::{
    CertsD, Client, CredentialError, Credentials, InsecureHosts, Proxies, RegistriesConf,
    RegistriesConfError, Settings, Side, TrustError,
};
use crate::sync::Interrupt;
use crate::task::record::{Recorded, RecordingError};
use crate::task::{Deep, Depth, Recorder, Sources, Task, Validator};

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The list.
    #[error(transparent)]
    List(#[from] ListError),
    /// A file that the run writes.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The recording that is to be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The settings of other tools.
    #[error(transparent)]
    Conf(#[from] RegistriesConfError),
    /// The credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The system refuses threads or signals.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Runs the command.
///
/// # Errors
/// [`Error::Run`] where it cannot begin; no request has been sent then.
/// [`Error::StandardOutput`] where the log could not be written; the run was done all the same.
pub fn run(parsed: Parsed) -> Result<Exit, Error> {
    let failed_start = FailedStart::of(&parsed.flags);
    let ended = begin(parsed).inspect_err(|_| failed_start.note())?;
    match ended.stdout_error {
        Some(error) => Err(Error::StandardOutput(error)),
        None => Ok(ended.totals.exit()),
    }
}

/// Runs to the end, if it can begin.
fn begin(parsed: Parsed) -> Result<Ended, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let options = Options::resolve(parsed, &environment, stdin().is_terminal())?;
    Ok(prepare(options)?.run().map_err(RunError::System)?)
}

/// Threads of the pool, and connections to each registry. A typed image is alone, and its parts are
/// requested at once.
fn threads(options: &Options) -> usize {
    const FOR_ONE_IMAGE: usize = 4;
    match options.input {
        Input::Typed => FOR_ONE_IMAGE,
        Input::Files(_) => options.jobs,
    }
}

/// Opens and checks everything that a run needs.
fn prepare(options: Options) -> Result<Run, RunError> {
    let (list, total) = match &options.input {
        Input::Files(paths) => List::open_all(paths)?,
        Input::Typed => (List::stdin(), None),
    };
    let flags = &options.flags;
    output::refuse_shared(flags.output.requests(), &inputs(flags))?;
    let interrupt = Arc::new(Interrupt::new());
    let (task, mut warnings) = task(&options, &interrupt)?;
    // Last what changes something: the partial files take the place of those of a killed run.
    let settings = run_settings(&options, &*task);
    let sinks = output::open(flags.output.requests(), &list, &settings)?;
    let input = match &options.input {
        Input::Typed if stdin().is_terminal() => pipeline::Input::Terminal,
        Input::Typed => pipeline::Input::Lines,
        Input::Files(_) => pipeline::Input::List {
            is_file: list.is_regular_file(),
        },
    };
    let shard = flags.compare.shard;
    warnings.splice(0..0, options.warnings.iter().cloned());
    warnings.extend(unnamed_registries(&options));
    warnings.extend(unknown_platforms(&options));
    Ok(Run {
        list,
        input,
        total: total.map(|total| total / shard.map_or(1, |shard| shard.count)),
        display: display::choose(flags.output.progress, input, &Streams::of_process()),
        form: LogForm {
            level: level(&options),
            color: is_colored(&options),
            to_stderr: logs_to_stderr(&options),
        },
        debug: flags.output.debug && !flags.output.quiet,
        may_be_empty: flags.compare.allow_empty || shard.is_some(),
        shard,
        task,
        interrupt: interrupt.clone(),
        jobs: threads(&options),
        sinks,
        warnings,
        rules: options.rules.clone(),
        wait: wait(options, interrupt),
    })
}

/// Files besides the list that the run reads.
pub fn inputs(flags: &Flags) -> Vec<(&'static str, &Path)> {
    let certificates = flags.registries.ca_files.iter();
    let recording = flags.airgap.recorded.iter();
    certificates
        .map(|path| ("certificate file", path.as_path()))
        .chain(recording.map(|path| ("recording", path.as_path())))
        .collect()
}

fn run_settings(options: &Options, task: &dyn Task) -> RunSettings {
    let (compare, recorded) = (&options.flags.compare, &options.flags.airgap.recorded);
    RunSettings {
        work: task.words().task,
        arch: options.filter.architectures().to_vec(),
        os: options.filter.systems().map(<[String]>::to_vec),
        source: options.rules.source.as_ref().map(Override::to_string),
        destination: options.rules.destination.as_ref().map(Override::to_string),
        default_project: options.rules.default_project.clone(),
        allow_single: compare.allow_single,
        require_arch: compare.require_arch,
        accept: compare.accept.clone(),
        deep: compare.deep.map(|depth| match depth {
            Depth::Blobs => "blobs",
            Depth::Full => "full",
        }),
        referrers: compare.referrers,
        recorded: recorded
            .as_ref()
            .map(|name| escape(&name.display().to_string()).into_owned()),
        tls_verify: options.flags.registries.tls_verify,
        shard: compare.shard,
        splits_failed: options.flags.output.splits_failed(),
        words: task.words(),
    }
}

/// `--wait`. Every attempt reads the settings of other tools anew: credentials may be what was missing.
fn wait(options: Options, interrupt: Arc<Interrupt>) -> Option<WaitSettings> {
    Some(WaitSettings {
        time: options.flags.patience.wait?,
        renew: Box::new(move || match task(&options, &interrupt) {
            Ok((task, _)) => Ok(task),
            Err(error) => Err(error.to_string()),
        }),
    })
}

/// The task, and warnings about the settings of other tools.
fn task(
    options: &Options,
    interrupt: &Arc<Interrupt>,
) -> Result<(Arc<dyn Task>, Vec<String>), RunError> {
    let environment = |name: &str| std::env::var(name).ok();
    let conf = RegistriesConf::load(&environment)?;
    let credentials = credentials(options, &conf)?;
    let warnings = conf.warnings.iter().cloned();
    let warnings = warnings.chain(credentials.warnings().map(str::to_owned));
    let warnings = warnings.collect();
    let settings = client_settings(options, credentials, conf);
    let client = Arc::new(Client::new(settings, interrupt)?);
    let interrupt = interrupt.clone();
    let (compare, airgap) = (&options.flags.compare, &options.flags.airgap);
    let source = options.rules.source.as_ref();
    let source_prefix = source.map_or_else(String::new, |source| source.prefix().to_owned());
    if airgap.records {
        let recorder = Recorder {
            client,
            source_prefix,
            referrers: compare.referrers,
            interrupt,
        };
        return Ok((Arc::new(recorder), warnings));
    }
    let recorded = airgap.recorded.as_deref();
    let recorded = recorded
        .map(|path| Recorded::load(path, source))
        .transpose()?;
    let (recording, published) = match recorded {
        None => (None, None),
        Some(Recorded::Sources(recording)) => (Some(recording), None),
        Some(Recorded::Digests(published)) => (None, Some(published)),
    };
    let validator = Validator {
        recording,
        published,
        filter: options.filter.clone(),
        source_prefix,
        allow_single: compare.allow_single,
        accept: compare.accept.clone(),
        deep: compare.deep.map(|depth| Deep::new(client.clone(), depth)),
        referrers: compare.referrers,
        require_arch: compare.require_arch,
        interrupt,
        found_names: Mutex::default(),
        // An image that is typed again is validated again.
        sources: (options.input != Input::Typed).then(Sources::default),
        reads_sides_together: options.input == Input::Typed,
        client,
    };
    Ok((Arc::new(validator), warnings))
}

fn credentials(options: &Options, conf: &RegistriesConf) -> Result<Credentials, RunError> {
    let environment = |name: &str| std::env::var(name).ok();
    let registry = |replaced: &Option<Override>| replaced.as_ref().map(|r| r.registry.clone());
    let (source, destination) = (
        registry(&options.rules.source),
        registry(&options.rules.destination),
    );
    Credentials::check_named(&environment)?;
    Ok(Credentials::new(
        &environment,
        [
            (Side::Source, source.as_deref()),
            (Side::Destination, destination.as_deref()),
        ],
        &conf.helpers,
        options.flags.patience.timeout,
    ))
}

fn client_settings(options: &Options, credentials: Credentials, conf: RegistriesConf) -> Settings {
    let environment = |name: &str| std::env::var(name).ok();
    let registries = &options.flags.registries;
    let insecure = |side: Side| {
        let hosts = registries.insecure.iter();
        let hosts = hosts.filter(|(only, _)| only.is_none_or(|only| only == side));
        InsecureHosts {
            all: !registries.tls_verify,
            hosts: hosts
                .map(|(_, host)| host)
                .chain(&conf.of_docker)
                .cloned()
                .collect(),
            conf: conf.hosts.clone(),
        }
    };
    Settings {
        insecure_destinations: Some(insecure(Side::Destination))
            .filter(|other| *other != insecure(Side::Source)),
        insecure: insecure(Side::Source),
        conf,
        ca_files: registries.ca_files.clone(),
        timeout: options.flags.patience.timeout,
        retries: options.flags.patience.retries,
        patience: options.flags.patience.patience,
        jobs: threads(options),
        credentials,
        certs_d: CertsD::new(&environment),
        proxies: Proxies::new(&environment),
    }
}

/// Credentials are sent to no registry that the user has not named.
fn unnamed_registries(options: &Options) -> Vec<String> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    [
        ("SOURCE", "-s", &options.rules.source),
        ("DEST", "-d", &options.rules.destination),
    ]
    .into_iter()
    .filter(|(prefix, _, replaced)| {
        replaced.is_none()
            && set(&format!("{prefix}_USERNAME"))
            && set(&format!("{prefix}_PASSWORD"))
    })
    .map(|(prefix, flag, _)| {
        format!(
            "{prefix}_USERNAME and {prefix}_PASSWORD are used for docker.io only, because neither {flag} nor {prefix}_REGISTRY names another registry"
        )
    })
    .collect()
}

/// Names of `-a` and `--os` that no image can have.
fn unknown_platforms(options: &Options) -> Vec<String> {
    let systems = options.filter.systems().unwrap_or_default();
    [
        (
            "-a",
            "architecture",
            options.filter.architectures(),
            KNOWN_ARCHITECTURES,
        ),
        ("--os", "operating system", systems, KNOWN_SYSTEMS),
    ]
    .into_iter()
    .flat_map(|(flag, what, names, known)| {
        let unknown = names.iter().filter(|name| !known.contains(&name.as_str()));
        unknown.map(move |name| {
            let near = nearest(name, known.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            format!("{flag} {name}: no known {what}{hint}")
        })
    })
    .collect()
}

/// The least level that is printed.
fn level(options: &Options) -> Level {
    match &options.flags.output {
        OutputFlags { quiet: true, .. } => Level::Warn,
        OutputFlags { debug: true, .. } => Level::Debug,
        _ => Level::Info,
    }
}

/// Standard output is either the log's or a report's.
fn logs_to_stderr(options: &Options) -> bool {
    let mut outputs = options.flags.output.requests().iter();
    outputs.any(output::OutputRequest::is_standard_output)
}

/// Whether the log is coloured.
fn is_colored(options: &Options) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match options.flags.output.color {
        DisplayMode::Always => true,
        DisplayMode::Never => false,
        DisplayMode::Auto => {
            let is_terminal = if logs_to_stderr(options) {
                stderr().is_terminal()
            } else {
                stdout().is_terminal()
            };
            is_terminal
                && !set("NO_COLOR")
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}
