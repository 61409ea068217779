//! Files of mirroring tools: regsync, image-syncer, `skopeo sync`.

use super::tree::Node;
use super::{Entry, Images};
use crate::escape::escape_bytes;

const TEMPLATE: &str = "a Go template instead of an image";
const NO_TEMPLATE: &str = "write the resulting names";

/// regsync.yaml of regclient: `sync[].source`, `.target`, `.type`. False for other files.
pub fn regsync(document: Node<'_>, images: &mut Images) -> bool {
    let Some(steps) = document.get("sync").filter(|sync| sync.is_sequence()) else {
        return false;
    };
    let defaults = document.get("defaults");
    let [usual_type, usual_platforms, usual_platform] = defaults
        .map(|defaults| defaults.fields(["type", "platforms", "platform"]))
        .unwrap_or_default();
    let usual_platforms = platforms(usual_platforms, usual_platform);
    for step in steps.items() {
        let [source, target, kind, several, one] =
            step.fields(["source", "target", "type", "platforms", "platform"]);
        let (source, target) = (text(source), text(target));
        let written = format!("{source} {target}");
        let kind = kind
            .or(usual_type)
            .and_then(Node::scalar)
            .unwrap_or("image");
        if !step.is_mapping() || source.is_empty() || target.is_empty() {
            let what = "a sync entry without source or target";
            images.refuse(step, &written, what, "write both");
        } else if kind != "image" {
            let kind = escape_bytes(kind.as_bytes(), 40);
            let what = format!("type: {kind} is a rule, not an image");
            let remedy = "write an entry with type: image for each tag";
            images.refuse(step, &written, &what, remedy);
        } else if written.contains("{{") {
            images.refuse(step, &written, TEMPLATE, NO_TEMPLATE);
        } else {
            let platforms = platforms(several, one).or_else(|| usual_platforms.clone());
            images.take(step, &written, |_| {
                Entry::pair(source, target, false)?.with_platforms(platforms.unwrap_or_default())
            });
        }
    }
    true
}

fn text<'a>(node: Option<Node<'a>>) -> &'a str {
    node.and_then(Node::scalar).unwrap_or_default().trim()
}

/// The platforms of a sync entry, from its keys `platforms` and `platform`.
fn platforms<'a>(several: Option<Node<'a>>, one: Option<Node<'a>>) -> Option<Vec<&'a str>> {
    let several = several.map(|list| {
        // An item that is not a string is rejected as a platform without a name.
        let names = list.items().map(|item| item.scalar().unwrap_or_default());
        names.collect::<Vec<_>>()
    });
    several
        .filter(|list| !list.is_empty())
        .or_else(|| Some(vec![one?.scalar()?]))
}

/// image-syncer of Aliyun: a mapping of `SRC[:t1,t2][@digest]` to one or several destinations. False for
/// other files.
pub fn image_syncer(document: Node<'_>, images: &mut Images) -> bool {
    let entries = document.entries();
    let is_destination = |node: Node<'_>| node.scalar().is_some_and(|text| text.contains('/'));
    let has_destinations = |value: Node<'_>| {
        is_destination(value) || (value.is_sequence() && value.items().all(is_destination))
    };
    let names_images = |key: Node<'_>| key.scalar().is_some_and(|key| key.contains(['/', ':']));
    if !entries
        .iter()
        .all(|(key, value)| key.scalar().is_some() && has_destinations(*value))
        || !entries.iter().any(|(key, _)| names_images(*key))
    {
        return false;
    }
    for (key, value) in entries {
        let source = key.scalar().unwrap_or_default().trim();
        let sources = match Sources::parse(source) {
            Ok(sources) => sources,
            Err((what, remedy)) => {
                images.refuse(key, source, what, remedy);
                continue;
            }
        };
        let several: Vec<Node<'_>> = value.items().collect();
        if value.is_sequence() && several.is_empty() {
            images.refuse(key, source, "no destination", "write one");
        }
        let destinations = if value.is_sequence() {
            several
        } else {
            vec![value]
        };
        for destination in destinations {
            let place = if value.is_sequence() {
                destination
            } else {
                key
            };
            let destination = destination.scalar().unwrap_or_default().trim();
            for tag in sources.tags.split(',') {
                if images.is_full() {
                    return true;
                }
                let source = sources.with(tag.trim());
                let written = format!("{source} {destination}");
                images.take(place, &written, |_| Entry::pair(&source, destination, true));
            }
        }
    }
    true
}

/// A key of image-syncer: sources with the same name.
struct Sources<'a> {
    name: &'a str,
    /// Separated by commas; empty if there is only a digest.
    tags: &'a str,
    digest: Option<&'a str>,
}

impl<'a> Sources<'a> {
    /// Parses a key; the error is the mistake and its remedy.
    fn parse(key: &'a str) -> Result<Self, (&'static str, &'static str)> {
        const WRITE: &str = "write the tags, NAME:TAG,TAG";
        if key.contains(":/") && !key.contains("://") {
            return Err(("a regular expression is a rule, not an image", WRITE));
        }
        let (name, digest) = match key.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (key, None),
        };
        match name.rsplit_once(':') {
            Some((name, tags)) if !tags.contains('/') => Ok(Self { name, tags, digest }),
            _ if digest.is_some() => Ok(Self {
                name,
                tags: "",
                digest,
            }),
            _ => Err((
                "a source without a tag (all tags) is a rule, not an image",
                WRITE,
            )),
        }
    }

    fn with(&self, tag: &str) -> String {
        let mut text = self.name.to_owned();
        for (separator, part) in [(":", tag), ("@", self.digest.unwrap_or_default())] {
            if !part.is_empty() {
                text += separator;
                text += part;
            }
        }
        text
    }
}

/// `skopeo sync --src yaml`: `REGISTRY.images.REPOSITORY: [tag or digest, …]`. False for other files.
pub fn skopeo(document: Node<'_>, images: &mut Images) -> bool {
    const RULES: [&str; 2] = ["images-by-tag-regex", "images-by-semver"];
    let registries = document.entries();
    let is_registry = |(_, value): &(Node<'_>, Node<'_>)| {
        value.get("images").is_some_and(Node::is_mapping)
            || RULES
                .iter()
                .any(|rule| value.get(rule).is_some_and(Node::is_mapping))
    };
    // The values of a Helm chart may contain such a mapping among others.
    if registries.is_empty() || !registries.iter().all(is_registry) {
        return false;
    }
    for (registry, value) in registries {
        let registry = registry.scalar().unwrap_or_default();
        let of = |key: &str| value.get(key).map(Node::entries).unwrap_or_default();
        for (repository, references) in of("images") {
            let name = format!("{registry}/{}", repository.scalar().unwrap_or_default());
            let mut references = references.items().peekable();
            if references.peek().is_none() {
                let what = "an empty list (all tags) is a rule, not an image";
                images.refuse(repository, &name, what, "write the tags");
            }
            for reference in references {
                let text = reference.scalar().unwrap_or_default().trim();
                let is_digest = text.starts_with("sha256:") || text.starts_with("sha512:");
                let separator = if is_digest { '@' } else { ':' };
                let written = format!("{name}{separator}{text}");
                images.take(reference, &written, Entry::same_name);
            }
        }
        for rule in RULES {
            for (repository, _) in of(rule) {
                let name = format!("{registry}/{}", repository.scalar().unwrap_or_default());
                let what = format!("{rule} is a rule, not an image");
                let remedy = "write the tags under images";
                images.refuse(repository, &name, &what, remedy);
            }
        }
    }
    true
}
