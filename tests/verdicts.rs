//! Every verdict and every FAIL string, from the real binary against two real registries.

use serde_json::json;

use crate::support::{
    Content, Dir, INDEX, LIST, OCI, Registry, Run, Server, V2, descriptor, digest, entry,
};

/// Two registries, one line `x x TAG` of a list, and the flags.
fn validate(
    source: &Content,
    destination: &Content,
    tag: &str,
    flags: &str,
) -> (Run, String, String) {
    let (source, destination) = (Registry::of(source), Registry::of(destination));
    let dir = Dir::new();
    dir.write("list.txt", format!("team/x team/x {tag}\n"));
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt -s {} -d {} {flags}",
            source.name(),
            destination.name()
        ))
        .run();
    (
        run,
        format!("{}/team/x", source.name()),
        format!("{}/team/x", destination.name()),
    )
}

/// Both platforms of the default filter, from one `salt`, in a Docker list.
fn usual(salt: &str) -> Content {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64", "linux/arm64/v8"], salt);
    content
}

#[test]
fn equal_indexes_pass() {
    let (run, source, destination) = validate(&usual("a"), &usual("a"), "1", "");
    run.code(0).has(&format!(
        "[INFO] [M_ID:1] PASS [{source}:1] == [{destination}:1]\n"
    ));
    run.error("");
}

#[test]
fn another_order_other_architectures_and_the_oci_type_pass() {
    let mut source = Content::default();
    let amd64 = source.image("team/x", OCI, "linux/amd64", "a");
    let arm64 = source.image("team/x", OCI, "linux/arm64", "a");
    let mut destination = source.clone();
    let s390x = destination.image("team/x", OCI, "linux/s390x", "a");
    source.index(
        "team/x",
        Some("1"),
        INDEX,
        &[entry(&amd64, "linux/amd64"), entry(&arm64, "linux/arm64")],
    );
    destination.index(
        "team/x",
        Some("1"),
        LIST,
        &[
            entry(&s390x, "linux/s390x"),
            entry(&arm64, "linux/arm64"),
            entry(&amd64, "linux/amd64"),
        ],
    );
    validate(&source, &destination, "1", "")
        .0
        .code(0)
        .has("PASS");
}

#[test]
fn attestations_do_not_count() {
    let mut source = Content::default();
    let amd64 = source.image("team/x", OCI, "linux/amd64", "a");
    let attestation = source.image("team/x", OCI, "unknown/unknown", "attestation");
    let mut attestation = entry(&attestation, "unknown/unknown");
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let destination = {
        let mut destination = source.clone();
        destination.index("team/x", Some("1"), INDEX, &[entry(&amd64, "linux/amd64")]);
        destination
    };
    source.index(
        "team/x",
        Some("1"),
        INDEX,
        &[entry(&amd64, "linux/amd64"), attestation],
    );
    validate(&source, &destination, "1", "")
        .0
        .code(0)
        .has("PASS");
    // Also where the source is an image and the list has to have exactly one.
    let mut single = source.clone();
    single.remove("team/x", "1");
    single.tag("team/x", "1", &amd64);
    validate(&single, &source, "1", "").0.code(0).has("PASS");
}

#[test]
fn nested_indexes_and_entries_without_platform_are_followed() {
    let mut source = Content::default();
    let amd64 = source.image("team/x", OCI, "linux/amd64", "a");
    let arm64 = source.image("team/x", OCI, "linux/arm64", "a");
    let mut destination = source.clone();
    let inner = source.index("team/x", None, INDEX, &[entry(&arm64, "linux/arm64")]);
    source.index(
        "team/x",
        Some("1"),
        INDEX,
        &[descriptor(&amd64), descriptor(&inner)],
    );
    destination.index(
        "team/x",
        Some("1"),
        INDEX,
        &[entry(&amd64, "linux/amd64"), descriptor(&arm64)],
    );
    validate(&source, &destination, "1", "")
        .0
        .code(0)
        .has("PASS");
}

#[test]
fn a_single_image_passes_as_a_list_of_one() {
    for media_type in [V2, OCI] {
        let mut source = Content::default();
        let image = source.image("team/x", media_type, "linux/amd64", "a");
        let mut destination = source.clone();
        source.tag("team/x", "1", &image);
        destination.index("team/x", Some("1"), LIST, &[entry(&image, "linux/amd64")]);
        validate(&source, &destination, "1", "")
            .0
            .code(0)
            .has("PASS");
    }
}

#[test]
fn a_digest_in_place_of_the_tag() {
    let content = usual("a");
    let index = content.find("team/x", "1").expect("the list").clone();
    let name = digest(&index.bytes);
    let (run, source, destination) = validate(&content, &content, &name, "");
    run.code(0)
        .has(&format!("PASS [{source}@{name}] == [{destination}@{name}]"));
}

#[test]
fn a_missing_destination_fails() {
    let (run, source, destination) = validate(&usual("a"), &Content::default(), "1", "");
    run.code(1);
    assert_eq!(
        run.log()[..2],
        [
            format!("[ERRO] [M_ID:1] FAILED [{source}:1]"),
            format!("[ERRO] [M_ID:1] [{destination}:1]: destination manifest does not exists"),
        ]
    );
}

#[test]
fn a_missing_source_is_not_validated() {
    let (run, source, _) = validate(&Content::default(), &usual("a"), "1", "");
    run.code(3)
        .has(&format!("[ERRO] [M_ID:1] NOT VALIDATED [{source}:1]\n"))
        .has("source manifest does not exist")
        .has("404 Not Found (MANIFEST_UNKNOWN: manifest unknown)");
}

#[test]
fn nothing_for_the_architectures_fails() {
    let text = "no image available for specified arch list";
    validate(&usual("a"), &usual("a"), "1", "-a s390x")
        .0
        .code(1)
        .has(text);
    let mut single = Content::default();
    let image = single.image("team/x", V2, "linux/s390x", "a");
    single.tag("team/x", "1", &image);
    validate(&single, &usual("a"), "1", "").0.code(1).has(text);
    validate(&usual("a"), &usual("a"), "1", "--os windows")
        .0
        .code(1)
        .has(text);
}

#[test]
fn a_destination_that_is_no_list_fails() {
    for media_type in [V2, OCI] {
        let mut destination = Content::default();
        let image = destination.image("team/x", media_type, "linux/amd64", "a");
        destination.tag("team/x", "1", &image);
        let (run, _, name) = validate(&usual("a"), &destination, "1", "");
        run.code(1).has(&format!(
            "[{name}:1]: destination manifest MIME type unknow: {media_type}\n"
        ));
    }
}

#[test]
fn an_empty_list_fails() {
    let mut destination = Content::default();
    destination.index("team/x", Some("1"), INDEX, &[]);
    let (run, _, name) = validate(&usual("a"), &destination, "1", "");
    run.code(1)
        .has(&format!("[{name}:1]: destination manifest list is empty\n"));
}

#[test]
fn another_digest_shows_both_sides() {
    let (run, source, destination) = validate(&usual("old"), &usual("new"), "1", "");
    run.code(1)
        .has("[ERRO] [M_ID:1] srcSpec: [\n    {\n        \"digest\": \"sha256:")
        .has("[ERRO] [M_ID:1] dstSpec: [\n    {\n        \"digest\": \"sha256:")
        .has("            \"architecture\": \"arm64\",\n            \"os\": \"linux\",\n            \"variant\": \"v8\"\n")
        .has(&format!("[ERRO] [M_ID:1] FAILED [{source}:1]\n"))
        .has(&format!("[ERRO] [M_ID:1] source manifest \"{source}\" != dest \"{destination}\", tag \"1\"\n"));
}

#[test]
fn a_list_with_one_platform_too_few_or_too_many_fails() {
    let mut fewer = Content::default();
    let amd64 = fewer.image("team/x", V2, "linux/amd64", "a");
    let more = {
        let mut more = fewer.clone();
        let other = more.image("team/x", V2, "linux/amd64", "b");
        more.index(
            "team/x",
            Some("1"),
            LIST,
            &[entry(&amd64, "linux/amd64"), entry(&other, "linux/amd64")],
        );
        more
    };
    fewer.index("team/x", Some("1"), LIST, &[entry(&amd64, "linux/amd64")]);
    validate(&usual("a"), &fewer, "1", "")
        .0
        .code(1)
        .has("!= dest");
    validate(&fewer, &more, "1", "").0.code(1).has("!= dest");
    // What the filter leaves out makes no difference.
    validate(&usual("a"), &fewer, "1", "-a amd64")
        .0
        .code(0)
        .has("PASS");
}

#[test]
fn the_first_difference_of_a_single_image_is_reported() {
    let mut source = Content::default();
    let image = source.image("team/x", V2, "linux/arm/v7", "a");
    let base = source.clone();
    source.tag("team/x", "1", &image);
    let with = |entries: &dyn Fn(&mut Content) -> Vec<serde_json::Value>| {
        let mut content = base.clone();
        let entries = entries(&mut content);
        content.index("team/x", Some("1"), LIST, &entries);
        content
    };
    let other = base.clone().image("team/x", V2, "linux/arm/v7", "b");
    let cases: [(Content, String); 6] = [
        (
            with(&|content| {
                let other = content.image("team/x", V2, "linux/arm/v7", "b");
                vec![entry(&image, "linux/arm/v7"), entry(&other, "linux/arm/v7")]
            }),
            "destination manifest list length should be 1".to_owned(),
        ),
        (
            with(&|content| {
                vec![entry(
                    &content.image("team/x", V2, "linux/arm/v7", "b"),
                    "linux/arm/v7",
                )]
            }),
            format!(
                "source digest \"{}\" != dest digest \"{}\"",
                digest(&image.bytes),
                digest(&other.bytes)
            ),
        ),
        (
            with(&|_| vec![entry(&image, "linux/arm64")]),
            "source arch \"arm\" != dest arch \"arm64\"".to_owned(),
        ),
        (
            with(&|_| vec![entry(&image, "windows/arm/v7")]),
            "source os \"linux\" != dest os \"windows\"".to_owned(),
        ),
        (
            with(&|_| vec![entry(&image, "linux/arm/v6")]),
            "source Variant \"v7\" != dest Variant \"v6\"".to_owned(),
        ),
        (
            with(&|_| vec![entry(&image, "linux/arm/v7:10.0")]),
            "dest os.version is \"10.0\", should be empty".to_owned(),
        ),
    ];
    for (destination, expected) in cases {
        validate(&source, &destination, "1", "-a arm")
            .0
            .code(1)
            .has(&expected);
    }
}

#[test]
fn a_child_deleted_at_the_destination_is_found() {
    let content = usual("a");
    let (source, destination) = (Registry::of(&content), Registry::of(&content));
    let children: Vec<String> = content
        .manifests
        .iter()
        .filter(|(_, reference, _)| reference.starts_with("sha256:"))
        .map(|(_, reference, _)| reference.clone())
        .collect();
    let dir = Dir::new();
    let flags = format!("-s {} -d {}", source.name(), destination.name());
    let name = format!("docker://{}/team/x", destination.name());
    destination.delete("team/x", &children[1]);
    let run = dir.validate().args(&flags).stdin("team/x team/x 1\n").run();
    run.code(1).has(&format!(
        "failed to inspect dest image: [{name}@{}]\n",
        children[1]
    ));
    destination.delete("team/x", &children[0]);
    let run = dir.validate().args(&flags).stdin("team/x team/x 1\n").run();
    run.code(1).has(&format!(
        "failed to inspect dest image: [{name}@{} {name}@{}]\n",
        children[0], children[1]
    ));
    // A child that is not compared may be missing.
    let other = dir
        .validate()
        .args(&flags)
        .args("-a s390x")
        .stdin("team/x team/x 1\n")
        .run();
    other.code(1).has("no image available");
}

#[test]
fn allow_single_takes_a_bare_image_as_a_list_of_one() {
    let mut bare = Content::default();
    let image = bare.image("team/x", V2, "linux/amd64", "a");
    bare.tag("team/x", "1", &image);
    validate(&bare, &bare, "1", "")
        .0
        .code(1)
        .has("MIME type unknow");
    validate(&bare, &bare, "1", "--allow-single")
        .0
        .code(0)
        .has("PASS");
    // A list of two was copied with one of its images only.
    validate(&usual("a"), &bare, "1", "--allow-single")
        .0
        .code(1)
        .has("!= dest");
    // A list of one was copied as its image.
    let mut list = bare.clone();
    list.remove("team/x", "1");
    list.index("team/x", Some("1"), INDEX, &[entry(&image, "linux/amd64")]);
    validate(&list, &bare, "1", "--allow-single")
        .0
        .code(0)
        .has("PASS");
}

#[test]
fn windows_versions_are_part_of_the_platform() {
    let mut source = Content::default();
    let image = source.image("team/x", V2, "windows/amd64:10.0.17763.1", "a");
    let mut destination = source.clone();
    source.index(
        "team/x",
        Some("1"),
        LIST,
        &[entry(&image, "windows/amd64:10.0.17763.1")],
    );
    destination.index(
        "team/x",
        Some("1"),
        LIST,
        &[entry(&image, "windows/amd64:10.0.20348.2")],
    );
    validate(&source, &source, "1", "").0.code(0);
    validate(&source, &destination, "1", "")
        .0
        .code(1)
        .has("\"os.version\": \"10.0.20348.2\"");
    validate(&source, &destination, "1", "--os linux")
        .0
        .code(1)
        .has("no image available");
}

#[test]
fn names_with_many_components() {
    let mut content = Content::default();
    content.multi("a/b/c/d/e", "1", &["linux/amd64", "linux/arm64"], "a");
    let (source, destination) = (Registry::of(&content), Registry::of(&content));
    let dir = Dir::new();
    let list = format!(
        "{}/a/b/c/d/e {}/a/b/c/d/e 1\n",
        source.name(),
        destination.name()
    );
    dir.validate().stdin(list).run().code(0).has("PASS");
    let prefixed = format!("-s {}/a/b -d {}/a/b/c", source.name(), destination.name());
    dir.validate()
        .args(&prefixed)
        .stdin("c/d/e quay.io/d/e 1\n")
        .run()
        .code(0)
        .has("PASS");
}

#[test]
fn a_manifest_list_may_have_null_and_no_media_type() {
    let mut source = Content::default();
    let amd64 = source.image("team/x", OCI, "linux/amd64", "a");
    let mut nulls = entry(&amd64, "linux/amd64");
    nulls["annotations"] = json!(null);
    nulls["platform"]["os.features"] = json!(null);
    source.index("team/x", Some("1"), INDEX, &[nulls]);
    validate(&source, &source, "1", "").0.code(0).has("PASS");
}

/// Schema 1, which new registries do not take any more, from the scripted server.
#[test]
fn a_schema_1_source_is_compared_by_its_platform_only() {
    for signed in [true, false] {
        let mut source = Content::default();
        let stored = source.schema1("team/x", "1", "linux/arm/v6", signed);
        let mut destination = Content::default();
        let converted = destination.image("team/x", V2, "linux/arm/v6", "converted");
        let list = |on: &str| {
            let mut content = destination.clone();
            content.index("team/x", Some("1"), LIST, &[entry(&converted, on)]);
            content
        };
        let source = Server::of(source);
        let run = |destination: Content, flags: &str| {
            let destination = Server::of(destination);
            let dir = Dir::new();
            let flags = format!("-s {} -d {} {flags}", source.name(), destination.name());
            dir.validate().args(&flags).stdin("team/x team/x 1\n").run()
        };
        run(list("linux/arm/v6"), "-a arm")
            .code(0)
            .has("PASS")
            .has_not("WARN");
        run(list("linux/arm/v7"), "-a arm")
            .code(1)
            .has("source Variant \"v6\" != dest Variant \"v7\"");
        run(list("linux/arm64"), "-a arm")
            .code(1)
            .has("source arch \"arm\" != dest arch \"arm64\"");
        run(list("linux/arm/v6"), "")
            .code(1)
            .has("no image available for specified arch list");
        let mut two = destination.clone();
        let other = two.image("team/x", V2, "linux/arm/v6", "other");
        two.index(
            "team/x",
            Some("1"),
            LIST,
            &[
                entry(&converted, "linux/arm/v6"),
                entry(&other, "linux/arm/v6"),
            ],
        );
        run(two, "-a arm")
            .code(1)
            .has("destination manifest list length should be 1");
        // At the destination it is no list.
        let mut bare = Content::default();
        bare.put("team/x", "1", &stored.media_type, stored.bytes.clone());
        run(bare, "-a arm").code(1).has(&format!(
            "destination manifest MIME type unknow: {}\n",
            stored.media_type
        ));
    }
}

#[test]
fn artifacts_are_compared_by_digest() {
    let chart = |version: &str| {
        let mut content = Content::default();
        let config = format!("{{\"name\":\"chart\",\"version\":\"{version}\"}}");
        let layer = content.blob("team/x", "chart");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": {
                "mediaType": "application/vnd.cncf.helm.config.v1+json",
                "size": config.len(),
                "digest": content.blob("team/x", config.clone()),
            },
            "layers": [{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "size": 5, "digest": layer}],
        });
        content.put("team/x", "1", OCI, manifest.to_string());
        content
    };
    let (old, new) = (chart("1"), chart("2"));
    validate(&old, &old, "1", "").0.code(0).has("PASS");
    let digest_of = |content: &Content| digest(&content.find("team/x", "1").unwrap().bytes);
    let expected = format!(
        "source digest \"{}\" != dest digest \"{}\"",
        digest_of(&new),
        digest_of(&old)
    );
    validate(&new, &old, "1", "").0.code(1).has(&expected);
    validate(&new, &usual("a"), "1", "")
        .0
        .code(1)
        .has("source digest");
    validate(&new, &Content::default(), "1", "")
        .0
        .code(1)
        .has("does not exists");
    let (run, _, name) = validate(&usual("a"), &old, "1", "");
    run.code(1).has(&format!(
        "[{name}:1]: destination manifest MIME type unknow: {OCI}"
    ));
}

#[test]
fn an_unneeded_entry_may_be_missing() {
    let mut source = Content::default();
    let amd64 = source.image("team/x", OCI, "linux/amd64", "a");
    let other = Content::default().image("team/x", OCI, "linux/s390x", "other");
    let mut destination = source.clone();
    source.index("team/x", Some("1"), INDEX, &[entry(&amd64, "linux/amd64")]);
    destination.index(
        "team/x",
        Some("1"),
        INDEX,
        &[entry(&amd64, "linux/amd64"), descriptor(&other)],
    );
    let run = |destination: &Content| {
        let (source, destination) = (Server::of(source.clone()), Server::of(destination.clone()));
        let dir = Dir::new();
        dir.validate()
            .args(&format!("-s {} -d {}", source.name(), destination.name()))
            .stdin("team/x team/x 1\n")
            .run()
    };
    run(&destination).code(0).has("PASS");
    // One that the source has may not.
    let mut without = destination.clone();
    without.remove("team/x", "1");
    without.remove("team/x", &digest(&amd64.bytes));
    without.index("team/x", Some("1"), INDEX, &[descriptor(&amd64)]);
    run(&without)
        .code(1)
        .has("failed to inspect dest image: [docker://");
}
