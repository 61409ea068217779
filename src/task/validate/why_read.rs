//! Explains a difference: reads the manifests of both sides, classifies the difference, and applies
//! `--accept`.

use indicatif::HumanCount;

use super::Validator;
use super::compare::{self, Source};
use super::deep::Deep;
use super::difference::{Difference, differences};
use super::reasons::Names;
use super::why::{self, Classification};
use super::why_config;
use crate::escape::escape;
use crate::list::Image;
use crate::log::Log;
use crate::manifest::{Digest, Platform, Spec, distinct};
use crate::registry::{Error, Side};
use crate::sync::fan_out;
use crate::verdict::{Class, Code, PlatformDifference, Reason};

/// Limit of the platforms per image whose difference is classified.
const MOST_EXAMINED: usize = 20;

/// Two manifests of one platform.
#[derive(Clone)]
struct Pair {
    source: Digest,
    destination: Digest,
}

/// An explained difference.
pub struct ExplainedDifference {
    pub why: Vec<PlatformDifference>,
    /// The accepted classes, each once; an error if not all classes are accepted.
    pub result: Result<Vec<Class>, Reason>,
}

impl Validator {
    /// Explains the difference that `reason` reports.
    pub(super) fn explain(
        &self,
        image: &Image,
        source: &Source,
        destination: &[Spec],
        reason: Reason,
        names: Names<'_>,
        log: &Log,
    ) -> ExplainedDifference {
        if !matches!(reason.code, Code::DigestDiffers | Code::IndexDiffers) {
            return ExplainedDifference {
                why: Vec::new(),
                result: Err(reason),
            };
        }
        let destination = distinct(destination.to_vec());
        let found = match (source, destination.as_slice()) {
            (Source::Image(source), [destination]) => vec![Difference::OtherDigest {
                source,
                destination,
            }],
            _ => differences(source.specs(), &destination),
        };
        let is_subset = !destination.is_empty()
            && found
                .iter()
                .all(|difference| matches!(difference, Difference::OnlySource(_)));
        let why = self.classes(image, &found, is_subset, log);
        if let Some(accepted) = self.accepted(&found, &why) {
            // With the source's digests in place of the accepted ones, both sides must be equal.
            let replaced: Vec<Spec> = destination
                .iter()
                .map(|spec| counterpart(&found, spec).unwrap_or_else(|| spec.clone()))
                .collect();
            if compare::compare(source, &replaced, names).is_ok() {
                return ExplainedDifference {
                    why,
                    result: Ok(accepted),
                };
            }
        }
        let result = Err(Reason {
            details: details(&reason.details, &found, &why),
            hints: hints(&why, found.len()),
            ..reason
        });
        ExplainedDifference { why, result }
    }

    /// Explains the difference between two manifests without platforms.
    pub(super) fn explain_whole(
        &self,
        image: &Image,
        source: &Digest,
        destination: &Digest,
        reason: Reason,
        log: &Log,
    ) -> ExplainedDifference {
        let spec = |digest: &Digest| Spec {
            digest: digest.clone(),
            platform: Platform::default(),
        };
        let (source, destination) = (spec(source), spec(destination));
        let found = [Difference::OtherDigest {
            source: &source,
            destination: &destination,
        }];
        let why = self.classes(image, &found, false, log);
        let result = self.accepted(&found, &why).ok_or_else(|| Reason {
            details: details(&reason.details, &found, &why),
            hints: hints(&why, found.len()),
            ..reason
        });
        ExplainedDifference { why, result }
    }

    /// The classes of the differences, each once; empty if one of them is not accepted.
    fn accepted(&self, found: &[Difference<'_>], why: &[PlatformDifference]) -> Option<Vec<Class>> {
        let is_whole = !why.is_empty() && why.len() == found.len();
        let mut classes: Vec<Class> = why.iter().map(|why| why.class).collect();
        classes.sort_unstable();
        classes.dedup();
        (is_whole && classes.iter().all(|class| self.accept.contains(class))).then_some(classes)
    }

    /// Classifies the first [`MOST_EXAMINED`] differences.
    fn classes(
        &self,
        image: &Image,
        found: &[Difference<'_>],
        is_subset: bool,
        log: &Log,
    ) -> Vec<PlatformDifference> {
        let found = &found[..found.len().min(MOST_EXAMINED)];
        let pairs: Vec<Pair> = found
            .iter()
            .filter_map(|difference| match difference {
                Difference::OtherDigest {
                    source,
                    destination,
                } => Some(Pair {
                    source: source.digest.clone(),
                    destination: destination.digest.clone(),
                }),
                _ => None,
            })
            .collect();
        let mut judgements = self.judge(image, pairs, log).into_iter();
        found
            .iter()
            .map(|difference| {
                let judgement = match difference {
                    Difference::OtherDigest { .. } => judgements
                        .next()
                        .unwrap_or_else(|| Classification::other("not examined")),
                    Difference::OnlySource(_) if is_subset => Classification::new(
                        Class::Subset,
                        "the destination lacks the platform; its other platforms are equal",
                    ),
                    Difference::OnlySource(_) => {
                        Classification::other("the destination lacks the platform")
                    }
                    Difference::OnlyDestination(_) => {
                        Classification::other("the source lacks the platform")
                    }
                    Difference::OtherPlatform { .. } => Classification::other(
                        "the same digest, but listed with a different platform",
                    ),
                };
                why_of(difference, &judgement)
            })
            .collect()
    }

    fn judge(&self, image: &Image, pairs: Vec<Pair>, log: &Log) -> Vec<Classification> {
        if self.recording.is_some() {
            let judgement = Classification::other(
                "the reason is unknown, because the source was recorded and is not read",
            );
            return vec![judgement; pairs.len()];
        }
        let (client, log) = (self.client.clone(), log.clone());
        let unpacks = self.deep.as_ref().is_some_and(Deep::is_full);
        let (source, destination) = (image.source.clone(), image.destination.clone());
        fan_out(pairs, move |pair| {
            let repository = |side| match side {
                Side::Source => &source,
                Side::Destination => &destination,
            };
            let manifest = |side, digest| {
                let read = client.manifest_bytes(side, repository(side), digest, &log);
                read.map(|(_, bytes)| bytes)
            };
            let could_not = |name: &str, error: &Error| {
                Classification::other(format!("the {name}'s manifest could not be read: {error}"))
            };
            let own = match manifest(Side::Source, &pair.source) {
                Ok(own) => own,
                Err(error) => return could_not("source", &error),
            };
            let theirs = match manifest(Side::Destination, &pair.destination) {
                Ok(theirs) => theirs,
                Err(error) => return could_not("destination", &error),
            };
            let judgement = why::classify(&own, &theirs, |side, digest| {
                client
                    .config_bytes(side, repository(side), digest, &log)
                    .map_err(|error| error.to_string())
            });
            verified(judgement, unpacks, |layer, size, diff_id| {
                let (side, algorithm) = (Side::Destination, diff_id.algorithm());
                client
                    .unpack_blob(side, &destination, layer, size, algorithm, &log)
                    .unwrap_or_else(|error| Err(error.to_string()))
            })
        })
    }
}

/// Verifies the layers that must be unpacked; `unpack` returns the digest of the uncompressed content of a
/// layer with this length.
fn verified(
    judgement: Classification,
    unpacks: bool,
    unpack: impl Fn(&Digest, u64, &Digest) -> Result<Digest, String>,
) -> Classification {
    let layers = &judgement.unverified;
    if layers.is_empty() {
        return judgement;
    }
    if !unpacks {
        let evidence = format!(
            "{}; according to the config the content is the same; use --deep=full to verify the layers",
            judgement.evidence
        );
        return Classification {
            evidence,
            ..judgement
        };
    }
    for layer in layers {
        let (Ok(size), Ok(diff_id)) = (layer.size.parse(), layer.diff_id.parse::<Digest>()) else {
            return Classification::other(format!(
                "the same config, but layer {} has an invalid diff_id or size",
                layer.digest
            ));
        };
        match unpack(&layer.digest, size, &diff_id) {
            Ok(found) if found == diff_id => {}
            Ok(found) => {
                return Classification::other(format!(
                    "the same config, but layer {} unpacks to {found} instead of the diff_id {diff_id}",
                    layer.digest
                ));
            }
            Err(why) => {
                return Classification::other(format!(
                    "the same config, but layer {} could not be verified: {why}",
                    layer.digest
                ));
            }
        }
    }
    let evidence = format!(
        "{}; verified: the unpacked layers match the config",
        judgement.evidence
    );
    Classification {
        evidence,
        ..judgement
    }
}

fn why_of(difference: &Difference<'_>, judgement: &Classification) -> PlatformDifference {
    let (source, destination) = difference.sides();
    let platform = source
        .or(destination)
        .map(|spec| &spec.platform)
        .filter(|platform| platform.is_known());
    let [source_created, destination_created] =
        judgement.created.map(|date| date.map(why_config::shown));
    PlatformDifference {
        platform: platform.map(|platform| escape(&platform.to_string()).into_owned()),
        class: judgement.class,
        evidence: escape(&judgement.evidence).into_owned(),
        source: source.map(|spec| spec.digest.clone()),
        destination: destination.map(|spec| spec.digest.clone()),
        source_created,
        destination_created,
    }
}

/// Replaces the destination's entry of a platform with the source's entry.
fn counterpart(found: &[Difference<'_>], spec: &Spec) -> Option<Spec> {
    found.iter().find_map(|difference| match difference {
        Difference::OtherDigest {
            source,
            destination,
        } if *destination == spec => Some(Spec {
            digest: source.digest.clone(),
            platform: spec.platform.clone(),
        }),
        _ => None,
    })
}

/// The details, with the class of each classified difference.
fn details(plain: &[String], found: &[Difference<'_>], why: &[PlatformDifference]) -> Vec<String> {
    let mut why = why.iter();
    let lines = found.iter().enumerate().map(|(index, difference)| {
        let plain = plain
            .get(index)
            .cloned()
            .unwrap_or_else(|| difference.to_string());
        match (why.next(), difference) {
            (
                Some(PlatformDifference {
                    class, evidence, ..
                }),
                Difference::OtherDigest { .. },
            ) => format!("{plain}; {}: {evidence}", class.as_str()),
            (
                Some(PlatformDifference {
                    class: Class::Subset,
                    ..
                }),
                _,
            ) => format!("{plain}; subset"),
            _ => plain,
        }
    });
    lines.collect()
}

/// The remedy for each class.
fn hints(why: &[PlatformDifference], differing: usize) -> Vec<String> {
    let mut classes: Vec<Class> = why
        .iter()
        .filter(|why| {
            why.source.is_some() && why.destination.is_some() || why.class == Class::Subset
        })
        .map(|why| why.class)
        .collect();
    classes.sort_unstable();
    classes.dedup();
    let mut hints: Vec<String> = classes.into_iter().map(hint).collect();
    if differing > why.len() {
        hints.push(format!(
            "{} further differing platforms were not examined",
            HumanCount((differing - why.len()) as u64)
        ));
    }
    hints
}

fn hint(class: Class) -> String {
    let keeps = "use a copy tool and a registry that do not change manifests (`skopeo copy --all --preserve-digests`, `crane copy`, `regctl image copy`)";
    let name = class.as_str();
    match class {
        Class::ReSerialised => format!(
            "{name}: a tool or the registry rewrote the manifest's JSON; {keeps}, or use --accept {name}"
        ),
        Class::Converted => format!(
            "{name}: a tool or the registry converted the image to another format; {keeps}, or use --accept {name}"
        ),
        Class::ReCompressed => format!(
            "{name}: the layers were compressed again, as `docker pull` and `docker push` do; {keeps}, or use --accept {name}"
        ),
        Class::ReCreated => format!(
            "{name}: the image at the destination has a different config and may behave differently; mirror the image again, and {keeps}"
        ),
        Class::Subset => {
            format!(
                "{name}: the destination lacks platforms; copy the whole manifest list (`skopeo copy --all`)"
            )
        }
        Class::Older => {
            format!("{name}: the destination has an older build; mirror the image again")
        }
        Class::Newer => format!(
            "{name}: the destination has a newer build than the source; check which of the two registries is right"
        ),
        Class::Other => format!("{name}: mirror the image again"),
    }
}
