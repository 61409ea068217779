//! How manifests are read: ambiguous ones never pass, and parts that are not compared do not matter.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::content::{Stored, V1};
use crate::support::{
    Content, Dir, INDEX, Internet, LIST, OCI, Reply, Run, Server, V2, answer, descriptor, digest,
    entry,
};

/// Both may be one server: the destination goes by its other name.
fn validate(source: &Server, destination: &Server, flags: &str) -> Run {
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    dir.validate()
        .args(&format!(
            "-f list.txt --retries 0 -s {} -d {} {flags}",
            source.name(),
            destination.alias()
        ))
        .run()
}

/// The images of both sides, an honest one and another one.
struct Images {
    content: Content,
    amd64: Stored,
    arm64: Stored,
    evil: Stored,
}

fn images() -> Images {
    let mut content = Content::default();
    Images {
        amd64: content.image("team/x", OCI, "linux/amd64", "a"),
        arm64: content.image("team/x", OCI, "linux/arm64", "a"),
        evil: content.image("team/x", OCI, "linux/amd64", "evil"),
        content,
    }
}

impl Images {
    fn server(&self, entries: &[Value]) -> Server {
        let mut content = self.content.clone();
        content.index("team/x", Some("1"), INDEX, entries);
        Server::of(content)
    }

    /// A source that has both platforms, and a destination of these entries.
    fn against(&self, entries: &[Value], flags: &str) -> Run {
        let source = self.server(&self.entries());
        validate(&source, &self.server(entries), flags)
    }

    fn entries(&self) -> [Value; 2] {
        [
            entry(&self.amd64, "linux/amd64"),
            entry(&self.arm64, "linux/arm64"),
        ]
    }
}

#[test]
fn this_program_and_go_read_the_same_manifest() {
    let images = images();
    let good = json!(images.entries()).to_string();
    let evil = json!([entry(&images.evil, "linux/amd64")]).to_string();
    let source = images.server(&images.entries());
    let of_one = |with: &str| {
        let entry = images.entries()[0].to_string();
        let entry = format!("{},{with}}}", &entry[..entry.len() - 1]);
        format!(r#""manifests":[{entry},{}]"#, images.entries()[1])
    };
    let name = digest(&images.evil.bytes);
    for fields in [
        format!(r#""manifests":{good},"Manifests":{evil}"#),
        format!(r#""MANIFESTS":{evil},"manifests":{good}"#),
        format!(r#""manifests":{evil},"manifests":{good}"#),
        format!(r#""manifests":{good},"manife\u017ft\u017f":{evil}"#),
        format!(r#""manifests":{good},"layer\u017f":[]"#),
        of_one(&format!(r#""Digest":"{name}""#)),
        of_one(r#""PLATFORM":{"architecture":"amd64","os":"windows"}"#),
        good_with(&images, r#""Architecture":"s390x""#),
        good_with(&images, r#""o\u017f":"windows""#),
        of_one(r#""annotations":{"x":"1","X":"2"}"#),
    ] {
        let mut content = images.content.clone();
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}",{fields}}}"#);
        content.put("team/x", "1", INDEX, text);
        validate(&source, &Server::of(content), "")
            .code(3)
            .has("NOT VALIDATED")
            .has("ambiguous manifest: ");
    }
}

/// The honest entries, with one field more in the first one's platform.
fn good_with(images: &Images, field: &str) -> String {
    let list = json!(images.entries()).to_string();
    format!(
        r#""manifests":{}"#,
        list.replacen(r#""platform":{"#, &format!(r#""platform":{{{field},"#), 1)
    )
}

#[test]
fn an_image_that_calls_itself_an_attestation_is_an_image() {
    let images = images();
    let annotations = json!({"vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest(&images.amd64.bytes)});
    let with = |change: &dyn Fn(&mut Value)| {
        let mut evil = entry(&images.evil, "linux/amd64");
        change(&mut evil);
        let [amd64, arm64] = images.entries();
        [evil, amd64, arm64]
    };
    let annotated = with(&|evil| evil["annotations"] = annotations.clone());
    images.against(&annotated, "").code(1).has("!= dest");
    let half_unknown = with(&|evil| evil["platform"]["os"] = json!("unknown"));
    images.against(&half_unknown, "").code(1).has("!= dest");
    let bare = with(&|evil| {
        *evil = descriptor(&images.evil);
        evil["annotations"] = annotations.clone();
    });
    images.against(&bare, "").code(1).has("!= dest");
    // A real one does not count.
    let real = with(&|evil| {
        *evil = entry(&images.evil, "unknown/unknown");
        evil["annotations"] = annotations.clone();
    });
    images.against(&real, "").code(0).has("PASS");
}

#[test]
fn an_image_with_an_artifact_type_is_an_image() {
    let mut images = images();
    let mut manifest: Value = serde_json::from_slice(&images.evil.bytes).unwrap();
    manifest["artifactType"] = json!("application/spdx+json");
    let bytes = manifest.to_string();
    let name = digest(&bytes);
    let evil = images.content.put("team/x", &name, OCI, bytes);
    let [amd64, arm64] = images.entries();
    images
        .against(&[descriptor(&evil), amd64, arm64], "")
        .code(1)
        .has("!= dest");
    // One without a config is nothing that is known.
    let bytes = json!({"schemaVersion": 2, "mediaType": OCI, "artifactType": "x"}).to_string();
    images.content.put("team/x", "1", OCI, bytes);
    let both = Server::of(images.content);
    validate(&both, &both, "")
        .code(3)
        .has("damaged manifest: config is missing");
}

/// A schema 1 document whose signature is of any text at all.
fn wrapper(payload: &[u8]) -> String {
    let protected =
        json!({"formatLength": 0, "formatTail": BASE64_URL_SAFE_NO_PAD.encode(payload)});
    let protected = BASE64_URL_SAFE_NO_PAD.encode(protected.to_string());
    json!({"schemaVersion": 1, "architecture": "amd64", "fsLayers": [],
        "history": [{"v1Compatibility": "{\"os\":\"linux\"}"}],
        "signatures": [{"protected": protected}]})
    .to_string()
}

#[test]
fn schema_1_around_another_document_is_not_that_document() {
    let mut hub = Content::default();
    let list = hub.multi("library/x", "1", &["linux/amd64"], "a");
    let internet = Internet::new()
        .host("mirror.test", move |_| {
            Reply::new(200).body(wrapper(&list.bytes))
        })
        .host("registry-1.docker.io", move |request| answer(&hub, request));
    internet
        .validate()
        .arg("--allow-single")
        .stdin("x mirror.test/x 1\n")
        .run()
        .code(3)
        .has("damaged manifest: schema 1 signature: the payload is not the whole manifest");
    // In place of a listed image, with nothing that --deep would look at.
    let images = images();
    let both = images.server(&images.entries());
    let mut content = images.content.clone();
    content.index("team/x", Some("1"), INDEX, &images.entries());
    let name = digest(&images.amd64.bytes);
    let wrapped = wrapper(&images.amd64.bytes);
    let destination = Server::start(move |request| {
        if request.path.ends_with(&name) {
            return Reply::new(200).body(wrapped.clone());
        }
        answer(&content, request)
    });
    validate(&both, &destination, "--deep=full")
        .code(3)
        .has("schema 1 signature");
}

#[test]
fn schema_1_is_not_taken_for_a_digest_that_was_listed_with_another_type() {
    let mut content = Content::default();
    let old = content.schema1("team/x", "old", "linux/amd64", false);
    let as_listed = |media_type: &str| {
        let mut entry = descriptor(&old);
        entry["mediaType"] = json!(media_type);
        let mut content = content.clone();
        content.index("team/x", Some("1"), INDEX, &[entry]);
        Server::of(content)
    };
    let both = as_listed(OCI);
    validate(&both, &both, "").code(3).has(&format!(
        "the manifest is schema 1, but the index lists it as {OCI}"
    ));
    let both = as_listed(V1);
    validate(&both, &both, "").code(0).has("PASS");
}

#[test]
fn the_destination_s_bytes_are_the_source_s_by_their_own_digest_only() {
    let mut hub = Content::default();
    let unsigned = hub.schema1("library/x", "1", "linux/amd64", false);
    let mut mirror = Content::default();
    let signed = mirror.schema1("library/x", "1", "linux/amd64", true);
    assert_ne!(unsigned.bytes, signed.bytes);
    let internet = Internet::new()
        .host("mirror.test", move |request| answer(&mirror, request))
        .host("registry-1.docker.io", move |request| answer(&hub, request));
    internet
        .validate()
        .arg("--allow-single")
        .stdin("x mirror.test/x 1\n")
        .run()
        .code(0);
    let is_pull = |request: &&crate::support::Request| {
        request.method == "GET" && request.path.contains("/manifests/")
    };
    let requests = internet.requests("registry-1.docker.io");
    assert_eq!(requests.iter().filter(is_pull).count(), 1);
}

#[test]
fn platform_fields_of_an_entry_are_kept() {
    let images = images();
    let partial = |platform: Value| {
        let [mut amd64, arm64] = images.entries();
        amd64["platform"] = platform;
        [amd64, arm64]
    };
    for platform in [
        json!({"os": "windows"}),
        json!({"architecture": "amd64", "variant": "v3"}),
        json!({"os.version": "10.0"}),
        json!({"architecture": "s390x"}),
    ] {
        images
            .against(&partial(platform), "")
            .code(1)
            .has("!= dest");
    }
    for platform in [
        json!({}),
        json!({"os": "linux"}),
        json!({"architecture": "amd64"}),
        json!({"architecture": "amd64", "os": null, "variant": null}),
    ] {
        images.against(&partial(platform), "").code(0).has("PASS");
    }
}

#[test]
fn a_wrong_json_type_is_damage() {
    let images = images();
    for (field, value) in [
        ("platform", json!("x")),
        ("platform", json!({"architecture": 5, "os": "linux"})),
        (
            "platform",
            json!({"architecture": "amd64", "os": "linux", "variant": ["v1"]}),
        ),
        ("mediaType", json!(7)),
        ("size", json!("big")),
    ] {
        let [mut amd64, arm64] = images.entries();
        amd64[field] = value;
        images
            .against(&[amd64, arm64], "")
            .code(3)
            .has(&format!("damaged manifest: manifests[0].{field}"));
    }
}

#[test]
fn entries_that_are_not_compared_do_not_matter() {
    let images = images();
    let [amd64, arm64] = images.entries();
    let s390x = json!({"digest": "sha1:00", "size": "big",
        "platform": {"architecture": "s390x", "os": "linux"}});
    images
        .against(&[amd64, s390x, arm64], "")
        .code(0)
        .has("PASS");
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":{},"annotations":{{"a":1e400,"b":"\ud800"}}}}"#,
        json!(images.entries())
    );
    let mut content = images.content.clone();
    content.put("team/x", "1", INDEX, text);
    let both = Server::of(content);
    validate(&both, &both, "").code(0).has("PASS");
}

#[test]
fn os_features_are_part_of_a_platform() {
    let images = images();
    let with = |features: &[&str]| {
        let [mut amd64, arm64] = images.entries();
        amd64["platform"]["os.features"] = json!(features);
        [amd64, arm64]
    };
    images
        .against(&with(&["win32k"]), "")
        .code(1)
        .has("\"os.features\": [\n                \"win32k\"\n            ]")
        .has("other os.features: source \"\", destination \"win32k\"");
    let source = images.server(&with(&["b", "a"]));
    let destination = images.server(&with(&["a", "b", "a"]));
    validate(&source, &destination, "").code(0).has("PASS");
}

#[test]
fn another_spelling_of_a_platform_is_a_difference_that_is_selected() {
    let images = images();
    for (architecture, os) in [("x86_64", "linux"), ("AMD64", "linux"), ("amd64", "LINUX")] {
        let [mut amd64, arm64] = images.entries();
        amd64["platform"] = json!({"architecture": architecture, "os": os});
        let entries = [amd64, arm64];
        images
            .against(&entries, "--os linux")
            .code(1)
            .has("!= dest");
        let both = images.server(&entries);
        for flags in ["-a amd64 --os linux", "-a X86_64 --os Linux"] {
            validate(&both, &both, flags).code(0).has("PASS");
        }
    }
}

#[test]
fn another_spelling_in_a_flag_selects_the_usual_one() {
    let images = images();
    for flags in ["-a x86_64", "-a x86-64,aarch64 --os Linux"] {
        images.against(&images.entries(), flags).code(0).has("PASS");
    }
    // What it selects has to be there.
    let [_, arm64] = images.entries();
    images.against(&[arm64], "-a x86_64").code(1).has("!= dest");
}

#[test]
fn the_same_entry_twice_counts_once() {
    let images = images();
    let [amd64, arm64] = images.entries();
    let mut with_variant = arm64.clone();
    with_variant["platform"]["variant"] = json!("v8");
    images
        .against(&[amd64.clone(), arm64.clone(), with_variant], "")
        .code(0)
        .has("PASS");
    // Two images of one platform stay two.
    let evil = entry(&images.evil, "linux/amd64");
    images
        .against(&[amd64, evil, arm64], "")
        .code(1)
        .has("!= dest");
    // A source that is one image.
    let mut single = Content::default();
    let image = single.image("team/x", V2, "linux/amd64", "a");
    let mut list = single.clone();
    single.tag("team/x", "1", &image);
    let on = entry(&image, "linux/amd64");
    list.index("team/x", Some("1"), LIST, &[on.clone(), on]);
    validate(&Server::of(single), &Server::of(list), "")
        .code(0)
        .has("PASS");
}

#[test]
fn indexes_are_followed_four_levels_below_the_first() {
    let mut content = Content::default();
    let image = content.image("team/x", OCI, "linux/amd64", "a");
    let index = content.index("team/x", None, INDEX, &[entry(&image, "linux/amd64")]);
    let inner = content.nest("team/x", index, 4);
    content.tag("team/x", "1", &inner);
    let both = Server::of(content);
    validate(&both, &both, "").code(0).has("PASS");
}
