//! Artifacts and other manifests without a platform are compared by digest, for any `-a` and `--os`.

use serde_json::{Value, json};

use crate::support::content::Stored;
use crate::support::{Content, Dir, INDEX, OCI, Registry, Run, descriptor, digest, entry};

fn validate(source: &Content, destination: &Content, tag: &str, flags: &str) -> Run {
    against(source, &Registry::of(destination), tag, flags)
}

fn against(source: &Content, destination: &Registry, tag: &str, flags: &str) -> Run {
    let source = Registry::of(source);
    let dir = Dir::new();
    dir.write("list.txt", format!("team/x team/x {tag}\n"));
    dir.validate()
        .args(&format!(
            "-f list.txt -s {} -d {} {flags}",
            source.name(),
            destination.name()
        ))
        .run()
}

/// A manifest with this config and one layer.
fn manifest(content: &mut Content, config_type: &str, config: &str, layer: &str) -> Stored {
    let text = json!({
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": {"mediaType": config_type, "size": config.len(), "digest": content.blob("team/x", config)},
        "layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "size": layer.len(), "digest": content.blob("team/x", layer)}],
    })
    .to_string();
    content.put("team/x", &digest(&text), OCI, text)
}

const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

fn chart(content: &mut Content, version: &str) -> Stored {
    let config = json!({"name": "chart", "version": version}).to_string();
    let config_type = "application/vnd.cncf.helm.config.v1+json";
    manifest(content, config_type, &config, "a chart")
}

#[test]
fn an_image_whose_config_has_no_architecture() {
    for config in ["{}", r#"{"architecture":"","os":""}"#, r#"{"os":null}"#] {
        let tagged = |layer: &str| {
            let mut content = Content::default();
            let image = manifest(&mut content, IMAGE_CONFIG, config, layer);
            content.tag("team/x", "1", &image);
            (content, digest(&image.bytes))
        };
        let ((old, old_name), (new, new_name)) = (tagged("a"), tagged("b"));
        for flags in ["", "-a s390x --os windows", "--deep=full --referrers"] {
            validate(&old, &old, "1", flags).code(0).has("PASS");
        }
        validate(&old, &new, "1", "").code(1).has(&format!(
            "source digest \"{old_name}\" != dest digest \"{new_name}\""
        ));
    }
}

#[test]
fn a_line_that_is_a_signature_of_cosign() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64", "linux/arm64"], "a");
    let signed = digest(&content.find("team/x", "1").unwrap().bytes);
    // As cosign writes it: the config of an image that is for nothing.
    let config = json!({"architecture": "", "created": "0001-01-01T00:00:00Z",
        "history": [{"created": "0001-01-01T00:00:00Z"}], "os": "",
        "rootfs": {"type": "layers", "diff_ids": [digest("payload")]}, "config": {}})
    .to_string();
    let tag = format!("{}.sig", signed.replace(':', "-"));
    let mut again = content.clone();
    let signature = manifest(&mut content, IMAGE_CONFIG, &config, "payload");
    content.tag("team/x", &tag, &signature);
    validate(&content, &content, &tag, "").code(0).has("PASS");
    validate(&content, &again, &tag, "")
        .code(1)
        .has("destination manifest does not exists");
    let other = manifest(&mut again, IMAGE_CONFIG, &config, "another payload");
    again.tag("team/x", &tag, &other);
    validate(&content, &again, &tag, "")
        .code(1)
        .has("source digest \"");
}

#[test]
fn an_index_of_artifacts() {
    let indexed = |versions: &[&str]| {
        let mut content = Content::default();
        let entries: Vec<Value> = versions
            .iter()
            .map(|version| descriptor(&chart(&mut content, version)))
            .collect();
        content.index("team/x", Some("1"), INDEX, &entries);
        content
    };
    let both = indexed(&["1", "2"]);
    for flags in ["", "-a s390x", "--deep=full"] {
        validate(&both, &both, "1", flags).code(0).has("PASS");
    }
    for other in [indexed(&["1"]), indexed(&["1", "3"])] {
        validate(&both, &other, "1", "")
            .code(1)
            .has("source digest \"");
    }
    // The index alone is not the artifacts.
    let destination = Registry::of(&both);
    let lost = digest(&chart(&mut Content::default(), "2").bytes);
    destination.delete("team/x", &lost);
    against(&both, &destination, "1", "").code(1).has(&format!(
        "failed to inspect dest image: [docker://{}/team/x@{lost}]\n",
        destination.name()
    ));
}

#[test]
fn an_index_of_images_and_artifacts() {
    // An image for each of these platforms, and a chart.
    let mixed = |platforms: &[&str], version: Option<&str>| {
        let mut content = Content::default();
        let mut entries: Vec<Value> = platforms
            .iter()
            .map(|on| entry(&content.image("team/x", OCI, on, "a"), on))
            .collect();
        entries.extend(version.map(|version| descriptor(&chart(&mut content, version))));
        content.index("team/x", Some("1"), INDEX, &entries);
        content
    };
    let both = mixed(&["linux/amd64", "linux/s390x"], Some("1"));
    validate(&both, &both, "1", "").code(0).has("PASS");
    // The architectures are filtered, the chart is not.
    let filtered = mixed(&["linux/amd64"], Some("1"));
    validate(&both, &filtered, "1", "").code(0).has("PASS");
    for other in [
        mixed(&["linux/amd64", "linux/s390x"], None),
        mixed(&["linux/amd64", "linux/s390x"], Some("2")),
        mixed(&[], Some("1")),
    ] {
        validate(&both, &other, "1", "").code(1).has("!= dest");
        validate(&other, &both, "1", "").code(1);
    }
    // One more at the destination is a difference as well.
    let plain = mixed(&["linux/amd64"], None);
    validate(&plain, &filtered, "1", "").code(1).has("!= dest");
    // There are platforms, and none is wanted.
    validate(&both, &both, "1", "-a arm64")
        .code(1)
        .has("no image available for specified arch list");
    let destination = Registry::of(&both);
    let lost = digest(&chart(&mut Content::default(), "1").bytes);
    destination.delete("team/x", &lost);
    against(&both, &destination, "1", "").code(1).has(&format!(
        "failed to inspect dest image: [docker://{}/team/x@{lost}]\n",
        destination.name()
    ));
}

#[test]
fn attestations_in_an_index_of_artifacts_do_not_count() {
    let indexed = |attested: bool| {
        let mut content = Content::default();
        let image = content.image("team/x", OCI, "linux/amd64", "a");
        let chart = chart(&mut content, "1");
        let attestation = content.image("team/x", OCI, "unknown/unknown", "attestation");
        let mut entries = vec![entry(&image, "linux/amd64"), descriptor(&chart)];
        if attested {
            let mut entry = entry(&attestation, "unknown/unknown");
            entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": digest(&image.bytes)});
            entries.push(entry);
        }
        content.index("team/x", Some("1"), INDEX, &entries);
        content
    };
    validate(&indexed(true), &indexed(false), "1", "")
        .code(0)
        .has("PASS");
    validate(&indexed(true), &indexed(false), "1", "--referrers")
        .code(1)
        .has("present, but not listed: push the index with its attestations");
}
