//! Recording a source: all that a later comparison needs of it.

use std::sync::Arc;

use super::referrers::{attached, distinct};
use super::source::unreadable;
use super::specs::Reader;
use super::{Seen, Stop, read_source};
use crate::image::Image;
use crate::interrupt::Interrupt;
use crate::manifest::{Body, Spec};
use crate::recording;
use crate::registry::{Client, Side};
use crate::report::{Logger, Outcome};

/// Reads sources as a whole; shared by all threads.
pub struct Recorder {
    /// Who reads the registries.
    pub client: Client,
    /// Whether what is attached to the sources is recorded too.
    pub referrers: bool,
    /// The wish to end.
    pub interrupt: Arc<Interrupt>,
}

impl Recorder {
    /// Reads the source of an image.
    pub(super) fn record(
        &self,
        image: &Image,
        seen: &mut Seen,
        log: &Logger,
    ) -> Result<Outcome, Stop> {
        let manifest = read_source(&self.client, image, log)?;
        let reader = Reader::new(&self.client, Side::Source, &image.source, None, log);
        let digest = manifest.digest.clone();
        let images = match &manifest.body {
            Body::Index(entries) => Some(reader.images(entries).map_err(unreadable)?),
            Body::Image { config } => {
                let platform = reader.platform(&digest, config).map_err(unreadable)?;
                Some(vec![Spec { digest, platform }])
            }
            Body::Schema1(platform) => {
                let platform = platform.clone();
                Some(vec![Spec { digest, platform }])
            }
            Body::Artifact => None,
        };
        seen.source.clone_from(&images);
        let attestations = reader.into_attestations();
        let referrers = if self.referrers {
            let images = images.iter().flatten().map(|spec| spec.digest.clone());
            let subjects = distinct(std::iter::once(manifest.digest.clone()).chain(images));
            Some(attached(&self.client, image, &subjects, attestations, log)?)
        } else {
            None
        };
        Ok(Outcome::Recorded(Some(Box::new(recording::Source {
            source: image.source_name(),
            media_type: manifest.media_type,
            digest: manifest.digest,
            size: manifest.size,
            images,
            referrers,
        }))))
    }
}
