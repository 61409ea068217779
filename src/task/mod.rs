//! The work that is done with each image of a list: it is validated, or its source is recorded.
//!
//! A task reads registries and makes a [`Finding`]. It knows nothing of the outputs that take it.

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
use crate::verdict::{Code, Finding, Outcome, Reason, Trouble};

/// The words of a task, for the log, the bar and the summary.
#[derive(Debug)]
pub struct Words {
    /// The task itself: `validate`.
    pub task: &'static str,
    /// An image with which it succeeded: `passed`.
    pub passed: &'static str,
    /// An image with which it could not be done: `not validated`.
    pub not_passed: &'static str,
    /// Whether images are compared: only then can one fail, and only then is there a destination.
    pub compares: bool,
    /// The log line of an image with which it succeeded.
    pub pass_line: fn(&Image, &Finding) -> String,
}

/// One kind of work; shared by all threads.
pub trait Task: Send + Sync {
    /// Its words.
    fn words(&self) -> &'static Words;

    /// Takes note of an image that is begun later: the list is read ahead.
    fn announce(&self, image: &Image);

    /// Does it for one image.
    fn run(&self, image: &Image, log: &Log) -> Finding;

    /// Whether the registries of an image take requests now, as far as is known.
    fn gate(&self, _: &Image) -> Gate {
        Gate::Open
    }

    /// Ends all requests; images in progress end as interrupted.
    fn shutdown(&self);

    /// Warnings about the run as a whole, once it has come to its end.
    fn closing_warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether both sides are read from registries, so that an image must not be its own mirror.
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
            trouble: diagnostic.map(|diagnostic| {
                Box::new(Trouble {
                    host: diagnostic.host,
                    cause: diagnostic.cause,
                    hint: diagnostic.hint,
                })
            }),
            ..Self::new(code, message)
        }
    }
}

/// A failure that was found stands; what a signal cut off is no verdict on the image.
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

/// Reads the source's manifest at the source; `prefix`: the path that `-s` puts in front of names.
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

/// The name of an official image in a proxy cache, where the list leaves `library` out.
fn name_in_cache(image: &Image, prefix: &str) -> Option<String> {
    let name = image.source.path.strip_prefix(prefix)?.strip_prefix('/')?;
    (!prefix.is_empty() && !name.contains('/')).then(|| {
        format!(
            "; if this is a proxy cache of Docker Hub, it has the image as {prefix}/library/{name}: write library/{name} in the list"
        )
    })
}
