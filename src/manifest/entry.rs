//! The entries (descriptors) of an index.
//!
//! A damaged entry matters only if it is compared, or might be. An ambiguous entry makes the whole
//! document ambiguous, because two readers may see two indexes.

use super::document::DESCRIPTOR;
use super::strict::Field;
use super::{Digest, Filter, ManifestError, MediaType, Platform, digest};

/// The maximum number of entries of an index, or of layers of an image.
pub const MAX_ENTRIES: usize = 10_000;

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub digest: Digest,
    /// The length of that manifest in bytes, if the index contains it.
    pub size: Option<u64>,
    /// The type of that manifest; `None` if it is absent, or not one of the six.
    pub media_type: Option<MediaType>,
    /// Its platform in the index, which may be incomplete.
    pub platform: Option<Platform>,
    /// Whether it is an attestation and no image: annotated as one, with the platform unknown/unknown.
    pub is_attestation: bool,
    /// For an attestation: the digest of its image.
    pub subject: Option<Digest>,
}

impl Entry {
    pub fn is_index(&self) -> bool {
        self.media_type.is_some_and(MediaType::is_index)
    }

    /// Its platform, if the index contains enough of it.
    pub fn complete_platform(&self) -> Option<&Platform> {
        self.platform.as_ref().filter(|known| known.is_complete())
    }
}

/// An invalid entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedEntry {
    /// Its platform, where that can be read.
    pub platform: Option<Platform>,
    /// As [`Entry::is_attestation`].
    pub is_attestation: bool,
    /// The first error in it.
    pub error: ManifestError,
}

pub type IndexEntry = Result<Entry, DamagedEntry>;

/// The entries to compare: without attestations, and without those that the filter certainly excludes.
///
/// # Errors
/// A damaged entry that is, or might be, one of them.
pub fn compared<'a>(
    entries: &'a [IndexEntry],
    filter: Option<&Filter>,
) -> Result<Vec<&'a Entry>, &'a ManifestError> {
    let is_compared = |is_attestation: bool, platform: Option<&Platform>| {
        let may_be = |platform: &Platform| filter.is_none_or(|filter| filter.selects(platform));
        !is_attestation && platform.is_none_or(may_be)
    };
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) if is_compared(entry.is_attestation, entry.platform.as_ref()) => {
                found.push(entry);
            }
            Err(entry) if is_compared(entry.is_attestation, entry.platform.as_ref()) => {
                return Err(&entry.error);
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Reads the entries of an index, in order.
///
/// # Errors
/// Errors of the document, not of one entry.
pub fn entries(list: &Field<'_, '_>) -> Result<Vec<IndexEntry>, ManifestError> {
    let mut entries = Vec::new();
    each(list, |field| {
        entries.push(entry(&field)?);
        Ok(())
    })?;
    Ok(entries)
}

/// [`Field::each`] for lists of bounded length.
pub fn each<'a>(
    list: &Field<'a, '_>,
    mut read: impl FnMut(Field<'a, '_>) -> Result<(), ManifestError>,
) -> Result<(), ManifestError> {
    let mut count = 0;
    list.each(|field| {
        count += 1;
        if count > MAX_ENTRIES {
            return Err(ManifestError::TooLarge(format!(
                "{} has more than {MAX_ENTRIES} entries",
                list.at()
            )));
        }
        read(field)
    })
}

fn entry(field: &Field<'_, '_>) -> Result<IndexEntry, ManifestError> {
    let unreadable = |error| {
        Ok(Err(DamagedEntry {
            platform: None,
            is_attestation: false,
            error,
        }))
    };
    let [media_type, digest, size, _, platform, annotations, ..] =
        match own(field.object(DESCRIPTOR))? {
            Ok(Some(fields)) => fields,
            Ok(None) => return unreadable(field.missing()),
            Err(error) => return unreadable(error),
        };
    let platform = own(Platform::read(&platform))?;
    let marks = own(AttestationMarks::read(&annotations))?;
    let is_unknown = matches!(&platform, Ok(Some(platform)) if platform.is_unknown());
    let is_attestation = is_unknown && marks.as_ref().is_ok_and(|marks| marks.is_attestation);
    let readable = platform.clone().ok().flatten();
    let read = || {
        Ok(Entry {
            digest: digest::field(&digest)?,
            size: size.number()?,
            media_type: media_type.text()?.as_deref().and_then(MediaType::from_name),
            platform: platform?,
            is_attestation,
            subject: marks?.subject.filter(|_| is_attestation),
        })
    };
    Ok(read().map_err(|error| DamagedEntry {
        platform: readable,
        is_attestation,
        error,
    }))
}

/// The annotations of an entry.
#[derive(Default)]
struct AttestationMarks {
    is_attestation: bool,
    subject: Option<Digest>,
}

impl AttestationMarks {
    fn read(annotations: &Field<'_, '_>) -> Result<Self, ManifestError> {
        let names = ["vnd.docker.reference.type", "vnd.docker.reference.digest"];
        let Some([kind, subject]) = annotations.object(names)? else {
            return Ok(Self::default());
        };
        Ok(Self {
            is_attestation: kind.text()?.as_deref() == Some("attestation-manifest"),
            subject: subject.text()?.and_then(|text| text.parse().ok()),
        })
    }
}

/// Damage belongs to the entry; every other error to the document.
pub fn own<T>(result: Result<T, ManifestError>) -> Result<Result<T, ManifestError>, ManifestError> {
    match result {
        Err(error) if !matches!(error, ManifestError::Damaged(_)) => Err(error),
        own => Ok(own),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, parse};
    use super::*;
    use serde_json::{Value, json};

    fn named(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn index(entries: &Value) -> Result<Vec<IndexEntry>, ManifestError> {
        let index = json!({"schemaVersion": 2, "manifests": entries});
        match parse(index.to_string().as_bytes())?.body {
            Body::Index(entries) => Ok(entries),
            other => panic!("not an index: {other:?}"),
        }
    }

    #[test]
    fn entries_keep_their_order_and_fields() {
        let found = index(&json!([
            {"digest": named("a"), "size": 7, "mediaType": MediaType::DockerManifest.as_str(),
                "platform": {"architecture": "amd64", "os": "linux"}},
            {"digest": named("b"), "mediaType": MediaType::OciIndex.as_str(), "annotations": null},
            {"digest": named("c"), "mediaType": "x/y", "platform": {}, "size": null},
            {"digest": named("d"), "platform": {"os": "windows"}},
        ]))
        .expect("an index");
        let found: Vec<_> = found
            .into_iter()
            .map(|entry| entry.expect("sound"))
            .collect();
        let digests: Vec<_> = found.iter().map(|entry| &entry.digest).collect();
        assert_eq!(
            digests,
            [&named("a"), &named("b"), &named("c"), &named("d")]
        );
        assert_eq!(
            (found[0].size, found[0].media_type),
            (Some(7), Some(MediaType::DockerManifest))
        );
        assert!(found[0].complete_platform().is_some());
        assert!(found[1].is_index() && found[1].platform.is_none());
        assert_eq!((found[2].size, found[2].media_type), (None, None));
        assert_eq!(found[2].platform, Some(Platform::default()));
        let partial = found[3].platform.as_ref().expect("a part of a platform");
        assert_eq!(partial.os, "windows");
        assert!(found[3].complete_platform().is_none());
    }

    #[test]
    fn an_attestation_is_annotated_and_of_an_unknown_platform() {
        let annotations = json!({"vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": named("a")});
        let marks = |entry: Value| {
            let mut entry = entry;
            entry["digest"] = json!(named("x"));
            let found = index(&json!([entry]))
                .expect("an index")
                .remove(0)
                .expect("sound");
            (found.is_attestation, found.subject)
        };
        let unknown = json!({"architecture": "unknown", "os": "unknown"});
        assert_eq!(
            marks(json!({"platform": unknown, "annotations": annotations})),
            (true, Some(named("a")))
        );
        for entry in [
            json!({"platform": unknown}),
            json!({"annotations": annotations}),
            json!({"platform": {"architecture": "amd64", "os": "linux"}, "annotations": annotations}),
            json!({"platform": {"architecture": "amd64", "os": "unknown"}, "annotations": annotations}),
            json!({"platform": {"architecture": "unknown"}, "annotations": annotations}),
            json!({"platform": unknown, "annotations": {"vnd.docker.reference.type": "other"}}),
        ] {
            assert_eq!(marks(entry.clone()), (false, None), "{entry}");
        }
    }

    #[test]
    fn damage_matters_only_in_entries_that_may_be_compared() {
        let filter = Filter::new(&["amd64".into()], None);
        let on = |architecture: &str| json!({"architecture": architecture, "os": "linux"});
        let good = json!({"digest": named("a"), "platform": on("amd64")});
        for (entry, is_an_error, why) in [
            (
                json!({"digest": "sha1:00", "platform": on("s390x")}),
                false,
                "digest: the digest algorithm",
            ),
            (
                json!({"digest": "sha1:00", "platform": on("amd64")}),
                true,
                "digest: the digest algorithm",
            ),
            (
                json!({"digest": "sha1:00", "platform": on("x86_64")}),
                true,
                "digest: the digest algorithm",
            ),
            (
                json!({"digest": "sha1:00"}),
                true,
                "digest: the digest algorithm",
            ),
            (
                json!({"digest": "sha1:00", "platform": {"os": "linux"}}),
                true,
                "digest: the digest algorithm",
            ),
            (json!({"platform": on("s390x")}), false, "digest is missing"),
            (
                json!({"digest": named("b"), "size": "big", "platform": on("s390x")}),
                false,
                "size is not a number",
            ),
            (
                json!({"digest": named("b"), "size": -1, "platform": on("amd64")}),
                true,
                "size is not a number",
            ),
            (
                json!({"digest": named("b"), "mediaType": 7, "platform": on("amd64")}),
                true,
                "mediaType is not a string",
            ),
            (
                json!({"digest": named("b"), "platform": "x"}),
                true,
                "platform is not an object",
            ),
            (
                json!({"digest": named("b"), "platform": {"architecture": "s390x", "os": 5}}),
                true,
                "platform.os is not a string",
            ),
            (
                json!({"digest": named("b"), "annotations": [], "platform": on("s390x")}),
                false,
                "annotations is not an object",
            ),
            (
                json!({"digest": named("b"), "annotations": {"vnd.docker.reference.type": 1}, "platform": on("amd64")}),
                true,
                "annotations.vnd.docker.reference.type is not a string",
            ),
            (
                json!({"digest": "x", "platform": {"architecture": "unknown", "os": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}),
                false,
                "digest: not a digest",
            ),
            (json!("x"), true, "is not an object"),
            (Value::Null, true, "is missing"),
        ] {
            let found = index(&json!([good, entry])).expect("an index");
            let damage = found[1].as_ref().expect_err("damaged");
            let text = damage.error.to_string();
            assert!(text.starts_with("damaged manifest: manifests[1]"), "{text}");
            assert!(text.contains(why), "{text}");
            assert_eq!(
                compared(&found, Some(&filter)).is_err(),
                is_an_error,
                "{entry}"
            );
            assert_eq!(
                compared(&found, None).is_err(),
                !damage.is_attestation,
                "{entry}"
            );
        }
    }

    #[test]
    fn an_ambiguous_entry_makes_the_document_ambiguous() {
        let (good, evil) = (named("a"), named("b"));
        for (entry, why) in [
            (
                format!(r#"{{"digest":"{good}","Digest":"{evil}"}}"#),
                "manifests[0] has the key \"Digest\", which some JSON readers treat as \"digest\"",
            ),
            (
                format!(r#"{{"digest":"{good}","digest":"{evil}"}}"#),
                "manifests[0] has the key \"digest\" twice",
            ),
            (
                format!(r#"{{"digest":"{good}","urlS":[]}}"#),
                "manifests[0] has the key \"urlS\"",
            ),
            (
                r#"{"digest":5,"platform":{"os":"linux","o\u017f":"windows"}}"#.to_owned(),
                "manifests[0].platform has the key \"o\u{17f}\"",
            ),
            (
                r#"{"platform":{"x":1,"X":2,"architecture":5}}"#.to_owned(),
                "manifests[0].platform has the key \"X\" twice",
            ),
            (
                r#"{"annotations":{"Vnd.docker.reference.type":""}}"#.to_owned(),
                "manifests[0].annotations has the key \"Vnd.docker.reference.type\"",
            ),
        ] {
            let text = format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
            let error = parse(text.as_bytes()).expect_err(&text).to_string();
            assert!(
                error.starts_with(&format!("ambiguous manifest: {why}")),
                "{error}"
            );
        }
    }
}
