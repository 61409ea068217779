//! Images that are validated: `team/x0:1`, `team/x1:1` and so on, all of one shape.

use serde_json::json;

use crate::floor::Get;
use crate::support::{Content, LIST, OCI, V2, digest, entry};

pub struct Workload {
    pub content: Content,
    pub images: usize,
    /// Digests of the children, by repository; fewer repositories than images are used in turn.
    children: Vec<Vec<String>>,
}

impl Workload {
    /// Images of two architectures, the same content for every repository.
    pub fn pairs(images: usize) -> Self {
        Self::pairs_in(1, images)
    }

    /// Images of two architectures, each with content of its own, for a registry that stores them.
    pub fn stored_pairs(images: usize) -> Self {
        Self::pairs_in(images, images)
    }

    fn pairs_in(repositories: usize, images: usize) -> Self {
        let mut content = Content::default();
        for number in 0..repositories {
            content.multi(
                &format!("team/x{number}"),
                "1",
                &["linux/amd64", "linux/arm64"],
                &number.to_string(),
            );
        }
        Self::of(content, images)
    }

    /// Indexes with so many children, each a manifest of at least so many bytes.
    pub fn wide(images: usize, children: usize, bytes: usize) -> Self {
        let mut content = Content::default();
        let repository = "team/x0";
        let padding = "x".repeat(bytes);
        let entries: Vec<_> = (0..children)
            .map(|number| {
                let image = content.image(repository, V2, "linux/amd64", &number.to_string());
                if bytes == 0 {
                    return entry(&image, "linux/amd64");
                }
                let mut manifest: serde_json::Value =
                    serde_json::from_slice(&image.bytes).expect("JSON");
                manifest["mediaType"] = json!(OCI);
                manifest["annotations"] = json!({"padding": padding});
                let manifest = manifest.to_string();
                let stored = content.put(repository, &digest(&manifest), OCI, manifest);
                entry(&stored, "linux/amd64")
            })
            .collect();
        content.index(repository, Some("1"), LIST, &entries);
        let names = entries.iter().filter_map(|entry| entry["digest"].as_str());
        let children = vec![names.map(str::to_owned).collect()];
        Self {
            content,
            images,
            children,
        }
    }

    fn of(content: Content, images: usize) -> Self {
        let mut children: Vec<Vec<String>> = vec![Vec::new()];
        for (_, reference, _) in &content.manifests {
            if reference.starts_with("sha256:") {
                children.last_mut().expect("one").push(reference.clone());
            } else {
                // The tag is put after the children.
                children.push(Vec::new());
            }
        }
        children.pop();
        Self {
            content,
            images,
            children,
        }
    }

    /// Its lines, without registries.
    pub fn list(&self) -> String {
        list(self.images)
    }

    /// The requests that each image needs: the indexes of both sides, and the children of the destination.
    pub fn requests(&self, source: &str, destination: &str) -> Vec<Vec<Get>> {
        (0..self.images)
            .map(|number| {
                let get = |registry: &str, reference: &str| Get {
                    registry: registry.to_owned(),
                    path: format!("/v2/team/x{number}/manifests/{reference}"),
                };
                let children = &self.children[number % self.children.len()];
                [get(source, "1"), get(destination, "1")]
                    .into_iter()
                    .chain(children.iter().map(|child| get(destination, child)))
                    .collect()
            })
            .collect()
    }
}

/// Lines of so many images, without registries.
pub fn list(images: usize) -> String {
    (0..images)
        .map(|number| format!("team/x{number} team/x{number} 1\n"))
        .collect()
}
