//! A failed line of a report, validated: its fields are safe to use in a command.

use std::str::FromStr;

use crate::manifest::Digest;
use crate::reference::{NameError, Reference, Repository, check_path, check_registry};
use crate::report_reading::LineObject;

/// The kind of repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Copy the source to the tag.
    Copy,
    /// Push manifests that an index lists but the registry lacks.
    Manifests,
    /// Push blobs that manifests name but the registry lacks.
    Blobs {
        /// Whether the registry has them with wrong content.
        damaged: bool,
    },
    /// Copy the referrers of the image.
    Referrers,
    /// No copy helps; the reason.
    Nothing(&'static str),
}

pub struct Failure {
    /// Line number in the list.
    pub line: u64,
    /// `M_ID`.
    pub number: Option<u64>,
    pub code: String,
    pub message: String,
    pub mending: Repair,
    source: Repository,
    /// Tag or digest of the source in the list.
    listed: Reference,
    /// The validated digest; the tag of the list if the report has no digest.
    source_reference: Reference,
    pub destination: Repository,
    pub destination_reference: Reference,
    /// Whether the tag at the destination points to the source's manifest.
    pub is_there: bool,
    /// Whether the source is a single image, not an index.
    pub is_bare: bool,
    /// Digests in the message, of manifests or blobs at the destination.
    pub named: Vec<Digest>,
    /// Digests in the details, of manifests at the destination.
    pub manifests: Vec<Digest>,
}

impl Failure {
    /// Names the invalid field.
    pub fn of(object: &LineObject) -> Result<Self, String> {
        let source = repository("source", object.source.as_deref())?;
        let destination = repository("destination", object.destination.as_deref())?;
        let listed: Reference = parsed("tag", object.tag.as_deref())?;
        let destination_reference = match &object.destination_tag {
            Some(tag) => parsed("destination_tag", Some(tag))?,
            None => listed.clone(),
        };
        let source_digest: Option<Digest> =
            optional("source_digest", object.source_digest.as_deref())?;
        let destination_digest: Option<Digest> =
            optional("destination_digest", object.destination_digest.as_deref())?;
        let is_bare = match (object.source_spec.as_deref(), &source_digest) {
            (Some([only]), Some(digest)) => only.digest == digest.as_str(),
            _ => false,
        };
        let is_there = source_digest.is_some() && source_digest == destination_digest;
        let code = object
            .code
            .clone()
            .ok_or("a failed line has no field code")?;
        let name = destination.to_string();
        let message = object.message.clone().unwrap_or_default();
        let details = object.details.iter();
        Ok(Self {
            line: object.line,
            number: object.m_id,
            mending: mending(&code, is_there),
            named: digests(&message, &name),
            manifests: details.flat_map(|line| digests(line, &name)).collect(),
            code,
            message,
            source,
            source_reference: source_digest.map_or_else(|| listed.clone(), Reference::Digest),
            listed,
            destination,
            destination_reference,
            is_there,
            is_bare,
        })
    }

    /// Whether the source is copied by its validated digest.
    pub fn is_pinned(&self) -> bool {
        matches!(self.source_reference, Reference::Digest(_))
    }

    /// The source, as an argument of a command.
    pub fn source_name(&self) -> String {
        self.source_reference.of(&full(&self.source))
    }

    /// A manifest of the source's repository.
    pub fn source_at(&self, digest: &Digest) -> String {
        format!("{}@{digest}", full(&self.source))
    }

    /// The repository of the destination, as an argument of a command.
    pub fn destination_repository(&self) -> String {
        full(&self.destination)
    }

    /// A manifest of the destination's repository.
    pub fn destination_at(&self, digest: &Digest) -> String {
        format!("{}@{digest}", full(&self.destination))
    }

    /// The target of the copy: the tag of the list, or the digest only, where the tag is an index that
    /// contains the image and must stay.
    pub fn target(&self, allow_single: bool) -> Reference {
        let stays = self.is_bare && !allow_single && self.mending != Repair::Copy;
        match (&self.source_reference, stays) {
            (Reference::Digest(digest), true) => Reference::Digest(digest.clone()),
            _ => self.destination_reference.clone(),
        }
    }

    /// The registries of both sides.
    pub fn registries(&self) -> [&str; 2] {
        [&self.source.registry, &self.destination.registry]
    }

    /// Source, destination and tag; `None` where the tags of the two sides differ.
    pub fn by_tag(&self) -> Option<[String; 3]> {
        match (&self.listed, &self.destination_reference) {
            (Reference::Tag(one), Reference::Tag(other)) if one == other => {
                Some([full(&self.source), full(&self.destination), one.clone()])
            }
            _ => None,
        }
    }
}

fn mending(code: &str, is_there: bool) -> Repair {
    match code {
        "destination-missing"
        | "destination-empty"
        | "destination-not-an-index"
        | "destination-not-single"
        | "digest-differs"
        | "platform-differs"
        | "index-differs"
        | "tag-differs" => Repair::Copy,
        // The wrong size is in the list of referrers.
        "index-damaged" if is_there => Repair::Referrers,
        "index-damaged" => Repair::Copy,
        "image-missing" => Repair::Manifests,
        "blob-missing" => Repair::Blobs { damaged: false },
        "blob-damaged" => Repair::Blobs { damaged: true },
        "referrer-missing" => Repair::Referrers,
        "no-platform" => Repair::Nothing(
            "nothing to copy: the source lacks the platforms of -a and --os; correct these flags or the list",
        ),
        _ => Repair::Nothing("unknown reason code; use a newer image-tools"),
    }
}

/// The name with `library/` for official images of Docker Hub.
fn full(repository: &Repository) -> String {
    format!("{}/{}", repository.registry, repository.registry_path())
}

fn repository(field: &str, text: Option<&str>) -> Result<Repository, String> {
    let text = text.ok_or_else(|| format!("a failed line has no field {field}"))?;
    let wrong = |error: NameError| format!("{field} {text:?}: {error}");
    let (registry, path) = text
        .split_once('/')
        .ok_or_else(|| format!("{field} {text:?} is not a name with its registry"))?;
    check_registry(registry).map_err(wrong)?;
    check_path(path).map_err(wrong)?;
    Ok(Repository {
        registry: registry.to_owned(),
        path: path.to_owned(),
    })
}

fn parsed<T: FromStr<Err: ToString>>(field: &str, text: Option<&str>) -> Result<T, String> {
    let text = text.ok_or_else(|| format!("a failed line has no field {field}"))?;
    text.parse()
        .map_err(|error: T::Err| format!("{field} {text:?}: {}", error.to_string()))
}

fn optional<T: FromStr<Err: ToString>>(
    field: &str,
    text: Option<&str>,
) -> Result<Option<T>, String> {
    text.map(|text| parsed(field, Some(text))).transpose()
}

/// The digests of this repository in a log line, each once: `[docker://]NAME@DIGEST`.
fn digests(text: &str, repository: &str) -> Vec<Digest> {
    let mut found = Vec::new();
    for word in text.split([' ', '[', ']']) {
        let name = word.strip_prefix("docker://").unwrap_or(word);
        let digest = name
            .strip_prefix(repository)
            .and_then(|rest| rest.strip_prefix('@'));
        if let Some(Ok(digest)) = digest.map(|digest| digest.trim_end_matches(':').parse())
            && !found.contains(&digest)
        {
            found.push(digest);
        }
    }
    found
}
