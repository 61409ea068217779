//! Validates one image: reads and compares both sides, and checks that the compared manifests exist at the
//! destination.

mod compare;
mod deep;
mod destination;
mod difference;
mod published;
mod reasons;
mod referrer_status;
mod referrers;
mod source;
mod sources;
mod why;
mod why_config;
mod why_manifest;
mod why_read;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::record::{Published, Recording};
use super::specs::{ListedManifest, Reader};
use super::{Task, TaskWording};
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Body, Digest, Filter, Manifest, Platform, PlatformNames, Referrer, Spec};
use crate::reference::DOCKER_HUB;
use crate::registry::{Client, Error, Gate, Side};
use crate::sync::Interrupt;
use crate::verdict::{Class, Finding, Outcome, PlatformDifference, Reason};
use published::PublishedSource;
use reasons::Names;
use referrers::Images;
use source::{FoundSource, ReadDestination};

pub use deep::{Deep, Depth};
pub use sources::Sources;

/// The wording of this task.
pub const WORDS: TaskWording = TaskWording {
    task: "validate",
    passed: "passed",
    not_passed: "not validated",
    compares: true,
    pass_line: |image, finding| match finding.accepted.as_slice() {
        [] => format!("PASS {}", image.compared()),
        accepted => format!("PASS {} ({})", image.compared(), in_words(accepted)),
    },
};

/// The names of these classes.
fn in_words(classes: &[Class]) -> String {
    let words: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
    words.join(", ")
}

/// Validates images; shared by all threads.
pub struct Validator {
    pub client: Arc<Client>,
    /// Recorded sources; `None`: the sources are read from their registries.
    pub recording: Option<Recording>,
    /// Source digests that a vendor published; `None` without such a list.
    pub published: Option<Published>,
    /// The platforms that are validated.
    pub filter: Filter,
    /// The path that `-s` puts in front of source names; may be empty.
    pub source_prefix: String,
    /// Whether a single image at the destination counts as an index with one entry.
    pub allow_single: bool,
    /// Accepted differences.
    pub accept: Vec<Class>,
    /// Checks the blobs of the destination's images; `None` without `--deep`.
    pub deep: Option<Deep>,
    /// Whether the source's referrers are required at the destination.
    pub referrers: bool,
    /// Whether the source must have every architecture of `-a`.
    pub require_arch: bool,
    /// Cache of the sources; `None`: the source of every line is read.
    pub sources: Option<Sources>,
    /// Whether the manifests of both sides are requested at the same time: one image is validated at
    /// a time, and a person waits for it.
    pub reads_sides_together: bool,
    /// Set when a signal ends the run.
    pub interrupt: Arc<Interrupt>,
    /// The platforms of all sources in the run.
    pub found_names: Mutex<PlatformNames>,
}

/// The compared images; empty fields were not reached.
#[derive(Default)]
struct ComparedImages {
    /// Digest of the source's manifest.
    source_digest: Option<Digest>,
    /// Digest of the destination's manifest.
    destination_digest: Option<Digest>,
    source: Option<Vec<Spec>>,
    destination: Option<Vec<Spec>>,
    /// Architectures of `-a` that the source lacks.
    absent: Vec<String>,
    /// The reasons why digests differ.
    why: Vec<PlatformDifference>,
    /// The classes of the differences, if all are accepted.
    accepted: Vec<Class>,
    /// Referrers without a type in the destination's lists.
    without_type: Vec<Referrer>,
}

impl Task for Validator {
    fn words(&self) -> &'static TaskWording {
        &WORDS
    }

    fn announce(&self, image: &Image) {
        if self.recording.is_none() {
            self.client.announce(Side::Source, &image.source);
        }
        self.client.announce(Side::Destination, &image.destination);
    }

    fn run(&self, image: &Image, log: &Log) -> Finding {
        let begun = Instant::now();
        let mut compared = ComparedImages::default();
        if self.recording.is_none() {
            self.client
                .warm_up(Side::Destination, &image.destination, log);
        }
        let result = self.validate(image, &mut compared, log);
        let outcome = super::outcome(result, &self.interrupt);
        let has_passed = outcome == Outcome::Passed;
        Finding {
            source_digest: compared.source_digest,
            destination_digest: compared.destination_digest,
            source: compared.source,
            destination: compared.destination,
            absent: compared.absent,
            why: compared.why,
            accepted: Some(compared.accepted)
                .filter(|_| has_passed)
                .unwrap_or_default(),
            referrers_without_type: compared.without_type,
            requests: log.requests(),
            time: begun.elapsed(),
            ..Finding::from(outcome)
        }
    }

    fn gate(&self, image: &Image) -> Gate {
        let destination = self.client.gate(Side::Destination, &image.destination);
        match self.recording {
            Some(_) => destination,
            None => destination.max(self.client.gate(Side::Source, &image.source)),
        }
    }

    fn shutdown(&self) {
        self.client.shutdown();
    }

    /// Names of `-a` and `--os` that no source had.
    fn closing_warnings(&self) -> Vec<String> {
        let found = self.found_names.lock();
        let found = found.unwrap_or_else(PoisonError::into_inner);
        if found.architectures.is_empty() {
            return Vec::new();
        }
        let architectures = self.filter.absent(&found).into_iter();
        let architectures = architectures.map(|name| ("-a", "architecture", name));
        let systems = self.filter.absent_systems(&found).into_iter();
        let systems = systems.map(|name| ("--os", "operating system", name));
        architectures
            .chain(systems)
            .map(|(flag, what, name)| {
                format!("no source of this run has an image for the {what} {name} of {flag}")
            })
            .collect()
    }

    fn compares_registries(&self) -> bool {
        self.recording.is_none() && self.published.is_none()
    }
}

impl Validator {
    /// Reads and compares both sides.
    fn validate(
        &self,
        image: &Image,
        compared: &mut ComparedImages,
        log: &Log,
    ) -> Result<(), Reason> {
        let (source, destination) = (image.source.to_string(), image.destination.to_string());
        let names = Names {
            source: &source,
            destination: &destination,
            full_destination: &image.destination_name(),
            tag: image.source_reference.as_str(),
        };
        let filter = image.platforms.as_ref().unwrap_or(&self.filter);
        let (found, read) = match &self.published {
            None => self.find_sides(image, filter, log)?,
            Some(published) => {
                match self.by_digest(published, image, filter, compared, names, log)? {
                    PublishedSource::Equal => return Ok(()),
                    PublishedSource::Source(found, destination) => (found, destination),
                }
            }
        };
        self.note_platforms(&found, filter, compared);
        let read = read.unwrap_or_else(|| self.read(Side::Destination, image, log));
        let manifest = read.as_ref().ok();
        compared.destination_digest = manifest.map(|manifest| manifest.digest.clone());
        let destination = self.destination(image, read, names, log)?;
        let Some(source) = &found.images else {
            return self.compare_whole(image, &found, &destination, compared, names, log);
        };
        if self.require_arch && !compared.absent.is_empty() {
            return Err(reasons::architecture_missing(&compared.absent));
        }
        let (images, attestations) =
            self.reduce_destination(image, source, &destination, filter, names, log)?;
        let specs: Vec<Spec> = images.iter().map(|listed| listed.spec.clone()).collect();
        if let Err(reason) = compare::compare(source, &specs, names) {
            let explained = self.explain(image, source, &specs, reason, names, log);
            compared.destination = Some(specs);
            compared.why = explained.why;
            compared.accepted = explained.result?;
        } else {
            compared.destination = Some(specs);
        }
        let children = self.check_children(image, &destination, &images, &found, names, log)?;
        if let Some(deep) = &self.deep {
            deep.check(&image.destination, &children, names, log)?;
        }
        let mut children: Vec<Spec> = children.into_iter().map(|child| child.spec).collect();
        if !compared.accepted.is_empty() {
            // Signatures of the source name its digests.
            children = source.specs().to_vec();
            self.warn_of_signatures(&compared.accepted, names, log);
        }
        let images = Images {
            found: &found,
            children: &children,
            attestations: &attestations,
        };
        self.check_attached(image, &images, compared, names, log)
    }

    /// The source, and the destination's manifest if both were read together.
    ///
    /// # Errors
    /// Errors of the source, which take precedence over errors of the destination.
    fn find_sides(
        &self,
        image: &Image,
        filter: &Filter,
        log: &Log,
    ) -> Result<(Arc<FoundSource>, ReadDestination), Reason> {
        // A Docker Hub source is read from the destination if possible, so the two reads cannot overlap.
        let is_together = self.reads_sides_together
            && self.recording.is_none()
            && image.source.registry != DOCKER_HUB;
        if !is_together {
            return self.find_source(image, filter, log);
        }
        let (source, destination) = rayon::join(
            || self.find_source(image, filter, log),
            || self.read(Side::Destination, image, log),
        );
        Ok((source?.0, Some(destination)))
    }

    /// Stores the source's platforms for the finding and for the end of the run.
    fn note_platforms(&self, found: &FoundSource, filter: &Filter, compared: &mut ComparedImages) {
        compared.source_digest = Some(found.digest.clone());
        if found.images.is_some() {
            compared.absent = filter.absent(&found.names);
        }
        self.found_names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(found.names.clone());
        compared.source = found.images.as_ref().map(|images| images.specs().to_vec());
    }

    fn warn_of_signatures(&self, accepted: &[Class], names: Names<'_>, log: &Log) {
        if self.referrers {
            log.warn(format!(
                "[{}]: accepted ({}): the digests differ, so signatures of the source do not match the manifests at the destination",
                names.full_destination,
                in_words(accepted)
            ));
        }
    }

    /// Compares a manifest without platforms: the destination must have the same digest.
    fn compare_whole(
        &self,
        image: &Image,
        found: &FoundSource,
        destination: &Manifest,
        compared: &mut ComparedImages,
        names: Names<'_>,
        log: &Log,
    ) -> Result<(), Reason> {
        if let Err(reason) = compare::compare_artifact(&found.digest, destination) {
            let (own, theirs) = (&found.digest, &destination.digest);
            let explained = self.explain_whole(image, own, theirs, reason, log);
            compared.why = explained.why;
            compared.accepted = explained.result?;
        }
        // The entries of an index without platforms are not compared, but they must exist.
        let images = match &destination.body {
            Body::Index(entries) => {
                let (side, repository) = (Side::Destination, &image.destination);
                let reader = Reader::new(&self.client, side, repository, None, log);
                let images = Arc::new(reader).images(entries);
                images.map_err(|why| destination::unreadable(why, names))?
            }
            _ => vec![ListedManifest::alone(
                destination.digest.clone(),
                Platform::default(),
            )],
        };
        let children = self.check_children(image, destination, &images, found, names, log)?;
        if let Some(deep) = &self.deep {
            deep.check(&image.destination, &children, names, log)?;
        }
        let mut children: Vec<Spec> = children.into_iter().map(|child| child.spec).collect();
        if !compared.accepted.is_empty() {
            children.clear();
            self.warn_of_signatures(&compared.accepted, names, log);
        }
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
        compared: &mut ComparedImages,
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
