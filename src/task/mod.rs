//! Tasks: the work per image, which is to validate it or to record its source.
//!
//! A task reads registries and returns a [`Finding`]. It does not depend on the outputs.

mod attached;
pub mod record;
mod specs;
mod validate;

pub use record::{Recorder, WORDS as RECORD};
pub use validate::{Deep, Depth, Sources, Validator, WORDS as VALIDATE};

use crate::list::Image;
use crate::log::Log;
use crate::manifest::Manifest;
use crate::registry::{Client, Error, Gate, Side};
use crate::sync::Interrupt;
use crate::verdict::{Code, Finding, HostFailure, Outcome, Reason};

/// Terms of a task for the log, the progress bar and the summary.
#[derive(Debug)]
pub struct TaskWording {
    /// The task: `validate`.
    pub task: &'static str,
    /// Success: `passed`.
    pub passed: &'static str,
    /// No result: `not validated`.
    pub not_passed: &'static str,
    /// Whether the task compares images: only then is there a destination, and only then can an image fail.
    pub compares: bool,
    /// The log line of a successful image.
    pub pass_line: fn(&Image, &Finding) -> String,
}

/// A task, shared by all threads.
pub trait Task: Send + Sync {
    fn words(&self) -> &'static TaskWording;

    /// Announces an image before its turn, because the list is read ahead.
    fn announce(&self, image: &Image);

    /// Processes one image.
    fn run(&self, image: &Image, log: &Log) -> Finding;

    /// Whether the registries of an image accept requests now, as far as known.
    fn gate(&self, _: &Image) -> Gate {
        Gate::Open
    }

    /// Aborts all requests; images in progress end as interrupted.
    fn shutdown(&self);

    /// Warnings on the whole run, logged at its end.
    fn closing_warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether both sides are read from registries, so that source and destination must differ.
    fn compares_registries(&self) -> bool {
        false
    }
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Missing(_) => Code::SourceMissing,
            Error::Denied(_) => Code::Denied,
            Error::Unreachable(_) => Code::Unreachable,
            Error::Invalid(_) => Code::InvalidAnswer,
            Error::Interrupted => Code::Interrupted,
        };
        let message = error.to_string();
        let diagnostic = match error {
            Error::Missing(diagnostic)
            | Error::Denied(diagnostic)
            | Error::Unreachable(diagnostic)
            | Error::Invalid(diagnostic) => Some(diagnostic),
            Error::Interrupted => None,
        };
        Self {
            host_failure: diagnostic.map(|diagnostic| {
                Box::new(HostFailure {
                    host: diagnostic.host,
                    cause: diagnostic.cause,
                    hint: diagnostic.hint,
                })
            }),
            ..Self::new(code, message)
        }
    }
}

/// A failure found before a signal is kept; anything that the signal interrupted is not validated.
fn outcome(result: Result<(), Reason>, interrupt: &Interrupt) -> Outcome {
    match result {
        Ok(()) => Outcome::Passed,
        Err(reason) if !reason.code.is_failure() && interrupt.is_set() => {
            Reason::interrupted().into()
        }
        Err(reason) => reason.into(),
    }
}

fn read(client: &Client, side: Side, image: &Image, log: &Log) -> Result<Manifest, Error> {
    let (repository, reference) = match side {
        Side::Source => (&image.source, &image.source_reference),
        Side::Destination => (&image.destination, &image.destination_reference),
    };
    client.manifest(side, repository, reference, log)
}

/// Reads the manifest of the source; `prefix`: the path that `-s` adds before names.
fn read_source(
    client: &Client,
    image: &Image,
    prefix: &str,
    log: &Log,
) -> Result<Manifest, Reason> {
    match read(client, Side::Source, image, log) {
        Err(error @ Error::Missing(_)) => {
            let reason = Reason::from(error);
            Err(Reason {
                message: format!(
                    "[{}]: source manifest does not exist: {}{}",
                    image.source_name(),
                    reason.message,
                    name_in_cache(image, prefix).unwrap_or_default()
                ),
                ..reason
            })
        }
        other => Ok(other?),
    }
}

/// The name of an official image in a proxy cache, if the list omits `library`.
fn name_in_cache(image: &Image, prefix: &str) -> Option<String> {
    let name = image.source.path.strip_prefix(prefix)?.strip_prefix('/')?;
    (!prefix.is_empty() && !name.contains('/')).then(|| {
        format!(
            "; in a proxy cache of Docker Hub the name is {prefix}/library/{name}: write library/{name} in the list"
        )
    })
}
