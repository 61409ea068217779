//! Kubernetes manifests, Compose files and values of Helm charts: images are the values of the key
//! `image`, at any depth.

use super::tree::Node;
use super::{Entry, Images};

pub fn read(node: Node<'_>, images: &mut Images) {
    if images.is_full() {
        return;
    }
    for item in node.items() {
        read(item, images);
    }
    for (key, value) in node.entries() {
        match key.scalar() {
            Some("image") => image(key, value, images),
            Some(_) => read(value, images),
            // `image: {{ .Values.image }}` is a mapping whose key is a mapping.
            None if key.is_mapping() => images.refuse(
                key,
                "{{",
                "a template instead of an image",
                "use the output of `helm template`",
            ),
            None => read(value, images),
        }
    }
}

/// The value of a key `image`.
fn image(key: Node<'_>, value: Node<'_>, images: &mut Images) {
    if let Some(text) = value.scalar() {
        let text = text.trim();
        if text.contains("${") || text.contains("$(") {
            images.refuse(
                value,
                text,
                "a variable in the image name",
                "use the output of `docker compose config` or `envsubst`",
            );
        } else if text.contains("{{") {
            images.refuse(
                value,
                text,
                "a template instead of an image",
                "use the output of `helm template`",
            );
        } else if !text.is_empty() {
            images.same_name(value, &[]);
        }
        return;
    }
    // An image volume of a pod.
    if let Some(reference) = value
        .get("reference")
        .filter(|node| node.scalar().is_some())
    {
        images.same_name(reference, &[]);
        return;
    }
    match parts(value) {
        Some(name) => images.take(key, &name, Entry::same_name),
        None => read(value, images),
    }
}

/// An image in parts, as in the values of Helm charts: `registry`, `repository`, `tag`, `digest`. `None`
/// if it has other parts, as in the schema of such a mapping.
fn parts(value: Node<'_>) -> Option<String> {
    let part = |key: &str| match value.get(key) {
        Some(node) if node.is_sequence() || node.is_mapping() => Err(()),
        Some(node) => Ok(node.scalar().unwrap_or_default().trim()),
        None => Ok(""),
    };
    let (registry, tag, digest) = (
        part("registry").ok()?,
        part("tag").ok()?,
        part("digest").ok()?,
    );
    let mut name = part("repository").ok()?.to_owned();
    if name.is_empty() {
        // Some charts use this key; a name without a tag may be anything.
        name = part("name")
            .ok()
            .filter(|_| value.get("tag").is_some())?
            .to_owned();
    }
    if name.is_empty() {
        return None;
    }
    if !registry.is_empty() {
        name = format!("{}/{name}", registry.trim_end_matches('/'));
    }
    for (separator, part) in [(':', tag), ('@', digest)] {
        if !part.is_empty() {
            name.push(separator);
            name += part;
        }
    }
    Some(name)
}
