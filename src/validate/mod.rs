//! Validating one image: both sides are read, compared, and what was compared is asked for.

mod compare;
mod deep;
mod destination;
mod difference;
mod record;
mod referrers;
mod source;
mod specs;

use std::sync::Arc;
use std::time::Instant;

use crate::image::Image;
use crate::interrupt::Interrupt;
use crate::manifest::{Digest, Filter, Manifest, Platform, Referrer, Spec};
use crate::recording::Recording;
use crate::registry::{Client, Error, Side};
use crate::report::{Code, Finding, Logger, Outcome};
use compare::{Mismatch, Names};
use source::Found;

pub use deep::{Deep, Depth};
pub use record::Recorder;

/// What is done with each image of a list.
pub enum Job {
    /// It is validated.
    Validate(Box<Validator>),
    /// Its source is recorded.
    Record(Box<Recorder>),
}

impl Job {
    /// Does it.
    pub fn run(&self, image: &Image, log: &Logger) -> Finding {
        let begun = Instant::now();
        let mut seen = Seen::default();
        let (result, interrupt) = match self {
            Self::Validate(validator) => (
                validator.validate(image, &mut seen, log),
                &validator.interrupt,
            ),
            Self::Record(recorder) => (recorder.record(image, &mut seen, log), &recorder.interrupt),
        };
        Finding {
            outcome: outcome(result, interrupt),
            source: seen.source,
            destination: seen.destination,
            requests: log.requests(),
            time: begun.elapsed(),
            same_as: None,
        }
    }

    /// Ends all requests.
    pub fn shutdown(&self) {
        match self {
            Self::Validate(validator) => validator.client.shutdown(),
            Self::Record(recorder) => recorder.client.shutdown(),
        }
    }
}

/// Validates images; shared by all threads.
pub struct Validator {
    /// Who reads the registries.
    pub client: Client,
    /// What the sources are, where they are not read.
    pub recording: Option<Recording>,
    /// Which platforms are validated.
    pub filter: Filter,
    /// Whether a bare image at the destination counts as a list of one.
    pub allow_single: bool,
    /// How the blobs of the destination's images are looked at; none: not at all.
    pub deep: Option<Deep>,
    /// Whether what is attached to the source has to be at the destination.
    pub referrers: bool,
    /// The wish to end.
    pub interrupt: Arc<Interrupt>,
}

/// What was compared, as far as it came to that.
#[derive(Default)]
struct Seen {
    source: Option<Vec<Spec>>,
    destination: Option<Vec<Spec>>,
}

/// Why there is no verdict that the image passed.
enum Stop {
    /// The sides differ.
    Failed(Mismatch),
    /// It cannot be found out.
    NotValidated(Code, String),
}

impl From<Mismatch> for Stop {
    fn from(mismatch: Mismatch) -> Self {
        Self::Failed(mismatch)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Missing(_) => Code::SourceMissing,
            Error::Denied(_) => Code::Denied,
            Error::Unreachable(_) => Code::Unreachable,
            Error::Invalid(_) => Code::InvalidAnswer,
            Error::Interrupted => Code::Interrupted,
        };
        Self::NotValidated(code, error.to_string())
    }
}

fn outcome(result: Result<Outcome, Stop>, interrupt: &Interrupt) -> Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(Stop::Failed(mismatch)) => Outcome::Failed {
            code: mismatch.code,
            sides: mismatch.sides,
            details: mismatch.details,
            reason: mismatch.reason,
        },
        Err(Stop::NotValidated(..)) if interrupt.is_set() => Outcome::Interrupted,
        Err(Stop::NotValidated(code, cause)) => Outcome::NotValidated { code, cause },
    }
}

impl Validator {
    /// Finds out whether the destination is what the source is.
    fn validate(&self, image: &Image, seen: &mut Seen, log: &Logger) -> Result<Outcome, Stop> {
        let (source, destination) = (image.source.to_string(), image.destination.to_string());
        let names = Names {
            source: &source,
            destination: &destination,
            full_destination: &image.destination_name(),
            tag: image.reference.as_str(),
        };
        let mut found = self.find_source(image, log)?;
        let destination = self.destination(image, found.destination.take(), names, log)?;
        let Some(source) = &found.images else {
            // It runs on no platform: it has to be there as it is.
            compare::compare_artifact(&found.digest, &destination)?;
            let whole = whole(found.digest.clone());
            let whole = std::slice::from_ref(&whole);
            self.look_deeper(image, &found, whole, &[], names, log)?;
            return Ok(Outcome::Passed);
        };
        seen.source = Some(source.specs().to_vec());
        let (specs, attestations) =
            self.reduce_destination(image, source, &destination, names, log)?;
        let compared = compare::compare(source, &specs, &self.filter, names);
        seen.destination = Some(specs);
        let children = compared?;
        if self.deep.is_none() {
            self.ask_for_children(image, &destination, &children, names, log)?;
        }
        self.look_deeper(image, &found, &children, &attestations, names, log)?;
        Ok(Outcome::Passed)
    }

    /// What is only looked at when the user wants it.
    fn look_deeper(
        &self,
        image: &Image,
        found: &Found,
        children: &[Spec],
        attestations: &[Referrer],
        names: Names<'_>,
        log: &Logger,
    ) -> Result<(), Stop> {
        let blobs_of = |images: &[Spec], are_images| match &self.deep {
            Some(deep) => deep.check(
                &self.client,
                &image.destination,
                images,
                are_images,
                names,
                log,
            ),
            None => Ok(()),
        };
        blobs_of(children, true)?;
        if self.referrers {
            let attached = self.check_referrers(image, found, children, attestations, log)?;
            let whole = attached.into_iter().map(whole);
            blobs_of(&whole.collect::<Vec<_>>(), false)?;
        }
        Ok(())
    }

    fn read(&self, side: Side, image: &Image, log: &Logger) -> Result<Manifest, Error> {
        read(&self.client, side, image, log)
    }
}

/// A manifest that runs on no platform.
fn whole(digest: Digest) -> Spec {
    Spec {
        digest,
        platform: Platform::default(),
    }
}

fn read(client: &Client, side: Side, image: &Image, log: &Logger) -> Result<Manifest, Error> {
    let repository = match side {
        Side::Source => &image.source,
        Side::Destination => &image.destination,
    };
    client.manifest(side, repository, &image.reference, log)
}

/// Reads the source's manifest at the source.
fn read_source(client: &Client, image: &Image, log: &Logger) -> Result<Manifest, Stop> {
    match read(client, Side::Source, image, log) {
        Err(Error::Missing(trouble)) => Err(Stop::NotValidated(
            Code::SourceMissing,
            format!(
                "[{}]: source manifest does not exist: {trouble}",
                image.source_name()
            ),
        )),
        other => Ok(other?),
    }
}
