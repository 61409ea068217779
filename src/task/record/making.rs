//! Records a source, with everything that a later comparison needs.

use std::sync::Arc;
use std::time::Instant;

use super::format::Source;
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Body, Spec, distinct as distinct_specs};
use crate::registry::{Client, Gate, Side};
use crate::sync::Interrupt;
use crate::task::attached::{Subjects, attached, children};
use crate::task::specs::Reader;
use crate::task::{Task, TaskWording, outcome, read_source};
use crate::verdict::{Finding, Reason, RecordedSource};

pub const WORDS: TaskWording = TaskWording {
    task: "record",
    passed: "recorded",
    not_passed: "not recorded",
    compares: false,
    pass_line: |image, finding| match &finding.recorded {
        Some(recorded) => format!("RECORDED [{}]: {}", image.source_name(), recorded.digest),
        None => format!("RECORDED [{}]", image.source_name()),
    },
};

/// The task of `--record`.
pub struct Recorder {
    pub client: Arc<Client>,
    /// Path that `-s` adds before the names of sources; empty if there is none.
    pub source_prefix: String,
    /// Whether to record the referrers, too.
    pub referrers: bool,
    pub interrupt: Arc<Interrupt>,
}

impl Task for Recorder {
    fn words(&self) -> &'static TaskWording {
        &WORDS
    }

    fn announce(&self, image: &Image) {
        self.client.announce(Side::Source, &image.source);
    }

    fn run(&self, image: &Image, log: &Log) -> Finding {
        let begun = Instant::now();
        let source = self.record(image, log);
        let (recorded, images, result) = match source {
            Ok(source) => {
                let recorded = RecordedSource {
                    name: source.source.clone(),
                    digest: source.digest.clone(),
                    json: source.to_line(),
                };
                (Some(Box::new(recorded)), source.images, Ok(()))
            }
            Err(reason) => (None, None, Err(reason)),
        };
        Finding {
            source_digest: recorded.as_ref().map(|source| source.digest.clone()),
            recorded,
            source: images,
            requests: log.requests(),
            time: begun.elapsed(),
            ..Finding::from(outcome(result, &self.interrupt))
        }
    }

    fn gate(&self, image: &Image) -> Gate {
        self.client.gate(Side::Source, &image.source)
    }

    fn shutdown(&self) {
        self.client.shutdown();
    }
}

impl Recorder {
    fn record(&self, image: &Image, log: &Log) -> Result<Source, Reason> {
        let manifest = read_source(&self.client, image, &self.source_prefix, log)?;
        let reader = Reader::new(&self.client, Side::Source, &image.source, None, log);
        let reader = Arc::new(reader);
        let digest = manifest.digest.clone();
        let images = match &manifest.body {
            Body::Index(entries) => {
                let images = reader.images(entries)?;
                Some(distinct_specs(
                    images.into_iter().map(|listed| listed.spec).collect(),
                ))
            }
            Body::Image { config } => {
                let platform = reader.platform(&digest, config)?;
                Some(vec![Spec { digest, platform }])
            }
            Body::Schema1(platform) => {
                let platform = platform.clone();
                Some(vec![Spec { digest, platform }])
            }
            Body::Artifact => None,
        };
        let referrers = if self.referrers {
            let images = images.iter().flatten().map(|spec| spec.digest.clone());
            let subjects = Subjects {
                digests: std::iter::once(manifest.digest.clone())
                    .chain(images)
                    .collect(),
                children: children(&manifest),
                attestations: reader.attestations(),
            };
            let attached = attached(&self.client, image, subjects, log)?;
            match attached.incomplete {
                Some(reason) => return Err(reason),
                None => Some(attached.referrers.into_iter().collect()),
            }
        } else {
            None
        };
        Ok(Source {
            source: image.source_name(),
            media_type: manifest.media_type,
            digest: manifest.digest,
            size: manifest.size,
            images,
            referrers,
        })
    }
}
