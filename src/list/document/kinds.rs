//! Files with a recognizable kind: `ImagesLock` of imgpkg and kbld, hauler, zarf, and arrays of images;
//! and files of rules, which are rejected.

use super::tree::Node;
use super::{Entry, Images, UnsupportedDocument};

/// Rejects files that contain rules instead of images.
///
/// # Errors
/// [`UnsupportedDocument`] names the file of the same tool that lists images.
pub fn refuse(document: Node<'_>) -> Result<(), UnsupportedDocument> {
    let kind = document.text("kind").unwrap_or_default();
    let place = document.get("kind").unwrap_or(document);
    let what = match kind {
        "ImageSetConfiguration" | "DeleteImageSetConfiguration" => {
            "an ImageSetConfiguration contains rules, not images; use the mapping.txt that \
             `oc mirror --dry-run` writes"
        }
        "ImageContentSourcePolicy" | "ImageDigestMirrorSet" | "ImageTagMirrorSet" => {
            return Err(UnsupportedDocument::new(
                place,
                format!(
                    "an {kind} contains mirror locations, not images; use the mapping.txt that `oc mirror --dry-run` writes"
                ),
            ));
        }
        "Kustomization" => {
            "a Kustomization contains rules, not images; use the output of `kustomize build`"
        }
        "ImageTxts" => "an ImageTxts of hauler refers to other lists; use those lists",
        _ => "",
    };
    if !what.is_empty() {
        return Err(UnsupportedDocument::new(place, what));
    }
    if document.text("format") == Some("image-tools recording") {
        return Err(UnsupportedDocument::new(
            document,
            "this is a recording, not an image list; use it with --recorded, or print it with `image-tools list --digests`",
        ));
    }
    let has = |keys: &[&str]| keys.iter().all(|key| document.get(key).is_some());
    if has(&["src_registry", "filters"]) || has(&["dest_registry", "filters"]) {
        return Err(UnsupportedDocument::new(
            document,
            "a replication rule of Harbor contains filters, not images; write a list of SOURCE DESTINATION TAG lines",
        ));
    }
    let sync = document
        .get("extensions")
        .and_then(|extensions| extensions.get("sync"));
    if let Some(sync) = sync.filter(|sync| sync.get("registries").is_some()) {
        return Err(UnsupportedDocument::new(
            sync,
            "a configuration of zot contains rules, not images; write a list of NAME:TAG lines",
        ));
    }
    if let Some(tasks) = document.get("tasks")
        && tasks.items().any(|task| task.get("mappings").is_some())
    {
        return Err(UnsupportedDocument::new(
            tasks,
            "a configuration of dregsync contains rules, not images; write a list of SOURCE DESTINATION TAG lines",
        ));
    }
    let entries = document.entries();
    let is_account = |(_, value): &(Node<'_>, Node<'_>)| {
        value.get("username").is_some() && value.get("password").is_some()
    };
    if !entries.is_empty() && entries.iter().all(is_account) {
        return Err(UnsupportedDocument::new(
            document,
            "auth.yaml of image-syncer contains accounts, not images; use its images.yaml",
        ));
    }
    Ok(())
}

/// Reads files that are recognized by their kind, or as an array of images. False for other files.
pub fn read(document: Node<'_>, images: &mut Images) -> bool {
    let kind = document.text("kind").unwrap_or_default();
    let version = document.text("apiVersion").unwrap_or_default();
    if kind == "ImagesLock" {
        list(document.get("images"), images);
        return true;
    }
    if version.starts_with("content.hauler.cattle.io/") {
        hauler(document, kind, images);
        return true;
    }
    if let Some(components) = document.get("components").filter(|node| node.is_sequence())
        && (kind.starts_with("Zarf") || components.items().any(|node| node.get("images").is_some()))
    {
        for component in components.items() {
            list(component.get("images"), images);
        }
        return true;
    }
    if is_list(document) {
        list(Some(document), images);
        return true;
    }
    let own = document.get("images").filter(|node| is_list(*node));
    if own.is_some() && version.is_empty() {
        list(own, images);
        return true;
    }
    false
}

/// A manifest of hauler: `spec.images[].name` and `.platform`.
fn hauler(document: Node<'_>, kind: &str, images: &mut Images) {
    let spec = document.get("spec");
    if kind != "Images" {
        // Charts and files are not images.
        return;
    }
    for image in spec
        .and_then(|spec| spec.get("images"))
        .iter()
        .flat_map(|node| node.items())
    {
        let name = image.get("name").unwrap_or(image);
        let platform = image
            .text("platform")
            .filter(|platform| !platform.is_empty());
        images.same_name(name, platform.as_slice());
    }
}

/// Whether this is a list of strings or of objects with an image, and nothing else.
fn is_list(node: Node<'_>) -> bool {
    let mut items = node.items().peekable();
    items.peek().is_some()
        && items.all(|item| {
            let named = |key| item.get(key).is_some_and(|value| value.scalar().is_some());
            item.scalar().is_some() || named("image") || named("name")
        })
}

/// Items that are strings, or objects with a key `image` or `name`.
fn list(node: Option<Node<'_>>, images: &mut Images) {
    for item in node.iter().flat_map(|node| node.items()) {
        let name = item
            .get("image")
            .or_else(|| item.get("name"))
            .unwrap_or(item);
        match item.scalar() {
            // In the syntax of a line, which may name both sides.
            Some(text) if text.contains([' ', '=']) => {
                images.take(item, text, |text| Entry::parse(text.as_bytes()));
            }
            _ => images.same_name(name, &[]),
        }
    }
}
