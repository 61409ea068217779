//! Validating one image: both sides are read and compared, and the destination is asked for what
//! was compared.

mod compare;
mod deep;
mod destination;
mod difference;
mod fate;
mod reasons;
mod referrers;
mod source;

use std::sync::Arc;
use std::time::Instant;

use super::record::Recording;
use super::specs::{Listed, Reader};
use super::{Task, Words};
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Body, Filter, Manifest, Platform, Referrer, Spec};
use crate::registry::{Client, Error, Side};
use crate::sync::Interrupt;
use crate::verdict::{Finding, Reason};
use reasons::Names;
use referrers::Images;
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
    /// The path that `-s` puts in front of the names of sources; empty where there is none.
    pub source_prefix: String,
    /// Whether a bare image at the destination counts as an index with that one entry.
    pub allow_single: bool,
    /// Checks the blobs of the destination's images; `None`: they are not checked.
    pub deep: Option<Deep>,
    /// Whether the source's referrers are required at the destination.
    pub referrers: bool,
    /// Whether the source has to have every wanted architecture.
    pub require_arch: bool,
    /// Set when the run is to end.
    pub interrupt: Arc<Interrupt>,
}

/// The compared images, as far as it came to a comparison.
#[derive(Default)]
struct Compared {
    source: Option<Vec<Spec>>,
    destination: Option<Vec<Spec>>,
    /// Wanted architectures that the source lacks.
    absent: Vec<String>,
    /// Referrers whose type the destination's lists do not say.
    without_type: Vec<Referrer>,
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
            absent: compared.absent,
            referrers_without_type: compared.without_type,
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
        let filter = image.platforms.as_ref().unwrap_or(&self.filter);
        let mut found = self.find_source(image, filter, log)?;
        compared.source = found.images.as_ref().map(|images| images.specs().to_vec());
        let destination = self.destination(image, found.destination.take(), names, log)?;
        let Some(source) = &found.images else {
            return self.compare_whole(image, &found, &destination, compared, names, log);
        };
        compared.absent = filter.absent(&found.architectures);
        if self.require_arch && !compared.absent.is_empty() {
            return Err(reasons::architecture_missing(&compared.absent));
        }
        let (images, attestations) =
            self.reduce_destination(image, source, &destination, filter, names, log)?;
        let specs: Vec<Spec> = images.iter().map(|listed| listed.spec.clone()).collect();
        let result = compare::compare(source, &specs, names);
        compared.destination = Some(specs);
        result?;
        let children = self.check_children(image, &destination, &images, &found, names, log)?;
        if let Some(deep) = &self.deep {
            deep.check(&image.destination, &children, names, log)?;
        }
        let children: Vec<Spec> = children.into_iter().map(|child| child.spec).collect();
        let images = Images {
            found: &found,
            children: &children,
            attestations: &attestations,
        };
        self.check_attached(image, &images, compared, names, log)
    }

    /// Compares what has no platform: it has to be at the destination as it is.
    fn compare_whole(
        &self,
        image: &Image,
        found: &Found,
        destination: &Manifest,
        compared: &mut Compared,
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        compare::compare_artifact(&found.digest, destination)?;
        // The entries of an index without platforms are not compared, but they have to be there.
        let images = match &destination.body {
            Body::Index(entries) => {
                let (side, repository) = (Side::Destination, &image.destination);
                let reader = Reader::new(&self.client, side, repository, None, log);
                let images = Arc::new(reader).images(entries);
                images.map_err(|why| destination::unreadable(why, names))?
            }
            _ => vec![Listed::alone(found.digest.clone(), Platform::default())],
        };
        let children = self.check_children(image, destination, &images, found, names, log)?;
        if let Some(deep) = &self.deep {
            deep.check(&image.destination, &children, names, log)?;
        }
        let children: Vec<Spec> = children.into_iter().map(|child| child.spec).collect();
        let images = Images {
            found,
            children: &children,
            attestations: &[],
        };
        self.check_attached(image, &images, compared, names, log)
    }

    /// With `--referrers`: the source's referrers at the destination, with `--deep` also their blobs.
    fn check_attached(
        &self,
        image: &Image,
        images: &Images<'_>,
        compared: &mut Compared,
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        if !self.referrers {
            return Ok(());
        }
        let attached = self.check_referrers(image, images, compared, names, log)?;
        match &self.deep {
            Some(deep) => deep.check_referrers(&image.destination, attached, names, log),
            None => Ok(()),
        }
    }

    fn read(&self, side: Side, image: &Image, log: &Log) -> Result<Manifest, Error> {
        super::read(&self.client, side, image, log)
    }
}
