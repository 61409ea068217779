//! `mirror-validate`: from options to client, task and outputs, and the run itself.

use std::io::{IsTerminal as _, stderr, stdin, stdout};
use std::path::Path;
use std::sync::Arc;

use super::options::{Input, Options, When};
use super::print_error;
use crate::escape::escape;
use crate::exit::Exit;
use crate::list::{List, ListError, Override};
use crate::log::Level;
use crate::output::{
    self, FAILED_LIST, METRICS, OutputError, RECORDING, REPORT, Request, RunSettings,
};
use crate::pipeline::{self, LogForm, Run};
use crate::registry::{CertsD, Client, Credentials, Proxies, Settings, Side, TrustError};
use crate::sync::Interrupt;
use crate::task::record::{Recording, RecordingError};
use crate::task::{Deep, Depth, Recorder, Task, Validator};

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
    /// The system refuses threads or signals.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Runs the command.
///
/// # Errors
/// [`RunError`] where it cannot begin; no request has been sent then.
pub fn run(options: Options) -> Result<Exit, RunError> {
    let (list, total) = match &options.input {
        Input::File(path) => List::open(path)?,
        Input::Stream | Input::Typed => (List::stdin(), None),
    };
    let outputs = outputs(&options);
    output::refuse_shared(&outputs, &inputs(&options))?;
    let interrupt = Arc::new(Interrupt::new());
    let task = task(&options, &interrupt)?;
    // Last what changes something: the partial files take the place of those of a killed run.
    let settings = run_settings(&options, &*task);
    let sinks = output::open(&outputs, &list, &settings)?;
    let input = match options.input {
        Input::Typed if stdin().is_terminal() => pipeline::Input::Terminal,
        Input::Typed => pipeline::Input::Lines,
        Input::File(_) | Input::Stream => pipeline::Input::List {
            is_file: list.is_regular_file(),
        },
    };
    let mut warnings = options.warnings.clone();
    warnings.extend(unnamed_registries(&options));
    let ended = Run {
        list,
        input,
        total: total.map(|total| total / options.shard.map_or(1, |shard| shard.count)),
        shows_progress: shows_progress(&options, input),
        form: LogForm {
            level: level(&options),
            color: is_colored(&options),
        },
        debug: options.debug && !options.quiet,
        rules: options.rules,
        shard: options.shard,
        task,
        interrupt,
        jobs: options.jobs,
        sinks,
        warnings,
    }
    .run()?;
    if let Some(error) = ended.stdout_error {
        print_error(&format!("cannot write to standard output: {error}"));
    }
    Ok(ended.totals.exit())
}

/// The outputs that the user asked for; the failed list is written first.
fn outputs(options: &Options) -> Vec<Request> {
    let failed = Request {
        kind: &FAILED_LIST,
        path: options.output.clone(),
    };
    let further = [
        (&RECORDING, &options.record),
        (&REPORT, &options.report),
        (&METRICS, &options.metrics),
    ];
    let further = further.into_iter().filter_map(|(kind, path)| {
        let path = path.clone()?;
        Some(Request { kind, path })
    });
    std::iter::once(failed).chain(further).collect()
}

/// Files besides the list that the run reads.
fn inputs(options: &Options) -> Vec<(&'static str, &Path)> {
    [
        ("recording", &options.recorded),
        ("certificate file", &options.ca_file),
    ]
    .into_iter()
    .filter_map(|(what, name)| Some((what, name.as_deref()?)))
    .collect()
}

fn run_settings(options: &Options, task: &dyn Task) -> RunSettings {
    let recorded = options.recorded.as_ref();
    RunSettings {
        work: task.words().task,
        arch: options.filter.architectures().to_vec(),
        os: options.filter.systems().map(<[String]>::to_vec),
        allow_single: options.allow_single,
        deep: options.deep.map(|depth| match depth {
            Depth::Blobs => "blobs",
            Depth::Full => "full",
        }),
        referrers: options.referrers,
        recorded: recorded.map(|name| escape(&name.display().to_string()).into_owned()),
        shard: options.shard,
        words: task.words(),
    }
}

fn task(options: &Options, interrupt: &Arc<Interrupt>) -> Result<Arc<dyn Task>, RunError> {
    let client = Arc::new(Client::new(client_settings(options), interrupt.clone())?);
    let interrupt = interrupt.clone();
    if options.record.is_some() {
        return Ok(Arc::new(Recorder {
            client,
            referrers: options.referrers,
            interrupt,
        }));
    }
    let recorded = options.recorded.as_deref();
    Ok(Arc::new(Validator {
        recording: recorded.map(Recording::load).transpose()?,
        filter: options.filter.clone(),
        allow_single: options.allow_single,
        deep: options.deep.map(|depth| Deep::new(client.clone(), depth)),
        referrers: options.referrers,
        interrupt,
        client,
    }))
}

fn client_settings(options: &Options) -> Settings {
    let environment = |name: &str| std::env::var(name).ok();
    let registry = |replaced: &Option<Override>| replaced.as_ref().map(|r| r.registry.clone());
    let (source, destination) = (
        registry(&options.rules.source),
        registry(&options.rules.destination),
    );
    Settings {
        tls_verify: options.tls_verify,
        ca_file: options.ca_file.clone(),
        timeout: options.timeout,
        retries: options.retries,
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

/// The least level that is printed.
fn level(options: &Options) -> Level {
    match options {
        Options { quiet: true, .. } => Level::Warn,
        Options { debug: true, .. } => Level::Debug,
        _ => Level::Info,
    }
}

/// A bar makes sense for a list; a person who types images sees their results.
fn shows_progress(options: &Options, input: pipeline::Input) -> bool {
    match options.progress {
        When::Always => true,
        When::Never => false,
        When::Auto => stderr().is_terminal() && input != pipeline::Input::Terminal,
    }
}

/// Whether the log is coloured.
fn is_colored(options: &Options) -> bool {
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
