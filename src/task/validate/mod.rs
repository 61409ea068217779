//! Validating one image: both sides are read and compared, and the destination is asked for what
//! was compared.

mod compare;
mod deep;
mod destination;
mod difference;
mod referrers;
mod source;

use std::sync::Arc;
use std::time::Instant;

use super::record::Recording;
use super::{Task, Words};
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Digest, Filter, Manifest, Platform, Referrer, Spec};
use crate::registry::{Client, Error, Side};
use crate::sync::Interrupt;
use crate::verdict::{Finding, Reason};
use compare::Names;
use source::Found;

pub use deep::{Deep, Depth};

/// The words of this task.
const WORDS: Words = Words {
    task: "validate",
    passed: "passed",
    not_passed: "not validated",
    compares: true,
    pass_line: |image, _| format!("PASS {}", image.compared()),
};

/// Validates images; shared by all threads.
pub struct Validator {
    /// Reads the registries.
    pub client: Arc<Client>,
    /// Recorded sources; `None`: the sources are read from their registries.
    pub recording: Option<Recording>,
    /// The platforms that are validated.
    pub filter: Filter,
    /// Whether a bare image at the destination counts as an index with that one entry.
    pub allow_single: bool,
    /// Checks the blobs of the destination's images; `None`: they are not checked.
    pub deep: Option<Deep>,
    /// Whether the source's referrers are required at the destination.
    pub referrers: bool,
    /// Set when the run is to end.
    pub interrupt: Arc<Interrupt>,
}

/// The compared images, as far as it came to a comparison.
#[derive(Default)]
struct Compared {
    source: Option<Vec<Spec>>,
    destination: Option<Vec<Spec>>,
}

impl Task for Validator {
    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn run(&self, image: &Image, log: &Log) -> Finding {
        let begun = Instant::now();
        let mut compared = Compared::default();
        let result = self.validate(image, &mut compared, log);
        let outcome = super::outcome(result, &self.interrupt);
        Finding {
            source: compared.source,
            destination: compared.destination,
            requests: log.requests(),
            time: begun.elapsed(),
            ..Finding::from(outcome)
        }
    }

    fn shutdown(&self) {
        self.client.shutdown();
    }
}

impl Validator {
    /// Finds out whether the destination is what the source is.
    fn validate(&self, image: &Image, compared: &mut Compared, log: &Log) -> Result<(), Reason> {
        let (source, destination) = (image.source.to_string(), image.destination.to_string());
        let names = Names {
            source: &source,
            destination: &destination,
            full_destination: &image.destination_name(),
            tag: image.source_reference.as_str(),
        };
        let mut found = self.find_source(image, log)?;
        let destination = self.destination(image, found.destination.take(), names, log)?;
        let Some(source) = &found.images else {
            // It runs on no platform: it has to be there as it is.
            compare::compare_artifact(&found.digest, &destination)?;
            let whole = whole(found.digest.clone());
            let whole = std::slice::from_ref(&whole);
            return self.look_deeper(image, &found, whole, &[], names, log);
        };
        compared.source = Some(source.specs().to_vec());
        let (specs, attestations) =
            self.reduce_destination(image, source, &destination, names, log)?;
        let result = compare::compare(source, &specs, &self.filter, names);
        compared.destination = Some(specs);
        let children = result?;
        if self.deep.is_none() {
            self.ask_for_children(image, &destination, &children, names, log)?;
        }
        self.look_deeper(image, &found, &children, &attestations, names, log)
    }

    /// What is only looked at when the user wants it.
    fn look_deeper(
        &self,
        image: &Image,
        found: &Found,
        children: &[Spec],
        attestations: &[Referrer],
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        let blobs_of = |images: &[Spec], are_images| match &self.deep {
            Some(deep) => deep.check(&image.destination, images, are_images, names, log),
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

    fn read(&self, side: Side, image: &Image, log: &Log) -> Result<Manifest, Error> {
        super::read(&self.client, side, image, log)
    }
}

/// A manifest that runs on no platform.
fn whole(digest: Digest) -> Spec {
    Spec {
        digest,
        platform: Platform::default(),
    }
}
