//! The class of a difference, from the real binary: destinations made by real tools, and by an attacker.

use serde_json::{Value, json};

use crate::support::{
    Content, Dir, INDEX, LIST, OCI, Registry, Reply, Run, Server, V2, answer, digest, entry,
};

/// One line of a list against two registries, and its object in the report.
fn validate(source: &str, destination: &str, flags: &str) -> (Run, Value) {
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt --report r.json -s {source} -d {destination} {flags}"
        ))
        .run();
    let report: Value = serde_json::from_str(&dir.read("r.json")).unwrap();
    (run, report["lines"][0].clone())
}

fn classes(line: &Value) -> Vec<&str> {
    let why = line["why"].as_array().unwrap();
    why.iter()
        .map(|why| why["class"].as_str().unwrap())
        .collect()
}

/// A gzip file of stored blocks.
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(content);
    let mut crc = u32::MAX;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    out.extend((!crc).to_le_bytes());
    out.extend(u32::from(length).to_le_bytes());
    out
}

/// The config of an image on a platform, as Docker writes it.
fn config(on: &str, diff_ids: &[String]) -> Value {
    json!({
        "architecture": on, "os": "linux", "created": "2024-03-01T10:00:00.5Z",
        "docker_version": "20.10.1", "container": "0123456789ab",
        "config": {"Hostname": "0123456789ab", "Env": ["PATH=/bin"], "Cmd": ["sh", "-c", "a && b"],
            "Labels": {"a": ""}, "Image": "sha256:x", "OnBuild": null},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "2024-03-01T10:00:00.5Z", "created_by": "COPY x"}, {"created_by": "COPY y"}],
    })
}

/// An image of two layers that unpack, in Docker's format; `change` changes manifest and config.
fn image(
    content: &mut Content,
    on: &str,
    change: impl Fn(&mut Value, &mut Value),
) -> crate::support::content::Stored {
    let tars: Vec<Vec<u8>> = ["x", "y"]
        .iter()
        .map(|name| {
            // Two blocks of zeros end an archive; what is before does not matter here.
            let mut tar = vec![0; 1024];
            tar.extend(format!("{name} on {on}").as_bytes());
            tar.resize(1536, 0);
            tar
        })
        .collect();
    let ids: Vec<String> = tars.iter().map(digest).collect();
    let layers: Vec<Value> = tars
        .iter()
        .map(|tar| {
            let bytes = gzip(tar);
            json!({"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": bytes.len(), "digest": content.blob("team/x", bytes)})
        })
        .collect();
    let mut config = config(on, &ids);
    let mut manifest = json!({"schemaVersion": 2, "mediaType": V2,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json"}, "layers": layers});
    change(&mut manifest, &mut config);
    let config = config.to_string();
    manifest["config"]["size"] = json!(config.len());
    manifest["config"]["digest"] = json!(content.blob("team/x", config));
    let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
    let bytes = manifest.to_string();
    content.put("team/x", &digest(&bytes), &media_type, bytes)
}

/// Two platforms in a list under tag 1.
fn usual(change: impl Fn(&mut Value, &mut Value)) -> Content {
    let mut content = Content::default();
    let entries = ["amd64", "arm64"].map(|on| {
        let stored = image(&mut content, on, &change);
        entry(&stored, &format!("linux/{on}"))
    });
    content.index("team/x", Some("1"), LIST, &entries);
    content
}

/// Both sides made here, with flags.
fn between(source: Content, destination: Content, flags: &str) -> (Run, Value) {
    let (source, destination) = (Server::of(source), Server::of(destination));
    validate(&source.name(), &destination.alias(), flags)
}

fn to_oci(manifest: &mut Value) {
    let text = manifest
        .to_string()
        .replace(V2, OCI)
        .replace(
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.oci.image.config.v1+json",
        )
        .replace(
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.oci.image.layer.v1.tar+gzip",
        );
    *manifest = serde_json::from_str(&text).unwrap();
}

#[test]
fn skopeo_s_conversions_have_their_classes() {
    let source = Registry::of(&usual(|_, _| ()));
    let mut single = Content::default();
    let bare = image(&mut single, "amd64", |_, _| ());
    single.tag("team/x", "1", &bare);
    let single = Registry::of(&single);
    for (from, flags, expected, accept) in [
        (&source, "--all --format oci", "converted", "converted"),
        (&single, "--format oci", "converted", "converted"),
        (
            &source,
            "--all --format oci --dest-compress-format zstd --dest-compress",
            "re-compressed",
            "re-compressed",
        ),
        (
            &single,
            "--format oci --dest-compress-format zstd --dest-compress",
            "re-compressed",
            "re-compressed,converted",
        ),
    ] {
        let destination = Registry::of(&Content::default());
        let dir = Dir::new();
        let policy = dir.write(
            "policy.json",
            r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
        );
        let copied = dir
            .command("skopeo")
            .args("--policy")
            .arg(policy)
            .args(&format!(
                "copy {flags} --src-tls-verify=false --dest-tls-verify=false docker://{}/team/x:1 docker://{}/team/x:1",
                from.name(),
                destination.name()
            ))
            .run();
        if !copied.status.success() {
            copied.fail("a copy");
        }
        let (run, line) = validate(&from.name(), &destination.alias(), "--allow-single");
        run.code(1).has(&format!("{expected}: "));
        assert!(
            classes(&line).iter().all(|class| *class == expected),
            "{flags}: {line}"
        );
        assert!(!classes(&line).is_empty());
        assert_eq!(line["accepted"], json!([]));
        let flags = format!("--allow-single --deep --accept {accept}");
        let (run, line) = validate(&from.name(), &destination.alias(), &flags);
        run.code(0).has(&format!(
            "PASS [{}/team/x:1] == [{}/team/x:1] ({expected})\n",
            from.name(),
            destination.alias()
        ));
        assert_eq!(line["accepted"], json!([expected]));
        if expected == "re-compressed" {
            let why = line["why"].to_string();
            assert!(why.contains("according to the config"), "{why}");
            // Unpacked, the layers are what the config says.
            let flags = flags.replace("--deep", "--deep=full");
            let (run, line) = validate(&from.name(), &destination.alias(), &flags);
            run.code(0);
            let why = line["why"].to_string();
            assert!(why.contains("; verified: the unpacked layers"), "{why}");
            assert!(!why.contains("according to the config"), "{why}");
        }
        let details = line["details"].to_string();
        assert!(
            details.contains("signatures of the source do not match"),
            "{details}"
        );
    }
}

#[test]
fn a_layer_that_unpacks_to_another_content_is_not_accepted_where_it_is_unpacked() {
    let forged = gzip(&[7; 1536]);
    let mut destination = usual(|manifest, _| {
        manifest["layers"][0]["digest"] = json!(digest(&forged));
        manifest["layers"][0]["size"] = json!(forged.len());
    });
    destination.blob("team/x", forged.clone());
    // By its config, it is the same.
    let (source, accept) = (usual(|_, _| ()), "--accept re-compressed");
    let (run, line) = between(source.clone(), destination.clone(), accept);
    run.code(0).has("(re-compressed)");
    assert_eq!(classes(&line), ["re-compressed"; 2]);
    let (run, line) = between(source, destination, &format!("{accept} --deep=full"));
    run.code(1).has("unpacks to sha256:");
    assert_eq!(classes(&line), ["other"; 2]);
}

#[test]
fn skopeo_s_way_to_schema_2_keeps_the_config() {
    let mut content = Content::default();
    let oci = image(&mut content, "amd64", |manifest, _| to_oci(manifest));
    content.tag("team/x", "1", &oci);
    let source = Registry::of(&content);
    let destination = Registry::of(&Content::default());
    let dir = Dir::new();
    let policy = dir.write(
        "policy.json",
        r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
    );
    let copied = dir
        .command("skopeo")
        .args("--policy")
        .arg(policy)
        .args(&format!(
            "copy --format v2s2 --src-tls-verify=false --dest-tls-verify=false docker://{}/team/x:1 docker://{}/team/x:1",
            source.name(),
            destination.name()
        ))
        .run();
    if !copied.status.success() {
        copied.fail("a copy");
    }
    let (run, line) = validate(
        &source.name(),
        &destination.alias(),
        "--allow-single --accept converted",
    );
    run.code(0).has("(converted)");
    assert_eq!(classes(&line), ["converted"]);
}

#[test]
fn every_class_has_a_name_and_a_remedy() {
    for (change, class, text) in [
        (
            (|manifest, _| manifest["annotations"] = json!({})) as fn(&mut Value, &mut Value),
            "re-serialised",
            "re-serialised: a tool or the registry rewrote the manifest's JSON; ",
        ),
        (
            |manifest, _| to_oci(manifest),
            "converted",
            "the media types are Docker's at the source, OCI's at the destination",
        ),
        (
            |_, config| config["config"]["Env"] = json!(["PATH=/bin", "LD_PRELOAD=/evil.so"]),
            "re-created",
            "another config: config.Env",
        ),
        (
            |_, config| {
                config["created"] = json!("2023-01-01T00:00:00Z");
                config["rootfs"]["diff_ids"][0] = json!(digest("rebuilt"));
            },
            "older",
            "the source's image was created 2024-03-01T10:00:00Z, the destination's 2023-01-01T00:00:00Z",
        ),
        (
            |_, config| {
                config["created"] = json!("2025-01-01T00:00:00Z");
                config["rootfs"]["diff_ids"][0] = json!(digest("rebuilt"));
            },
            "newer",
            "newer: the destination has a newer build than the source; ",
        ),
    ] {
        let (run, line) = between(usual(|_, _| ()), usual(change), "");
        run.code(1)
            .has(text)
            .has("linux/amd64: other digest: source sha256:");
        assert_eq!(classes(&line), [class, class]);
        assert_eq!(line["why"][0]["platform"], "linux/amd64");
        if class == "older" {
            assert_eq!(
                line["why"][1]["destination_created"],
                "2023-01-01T00:00:00Z"
            );
        }
    }
}

#[test]
fn a_platform_that_was_left_out_is_a_subset() {
    let mut less = usual(|_, _| ());
    let amd64 = image(&mut less, "amd64", |_, _| ());
    less.index("team/x", Some("1"), INDEX, &[entry(&amd64, "linux/amd64")]);
    let (run, line) = between(usual(|_, _| ()), less, "--accept converted");
    run.code(1)
        .has("linux/arm64: only at the source: sha256:")
        .has("subset: the destination lacks platforms; copy the whole manifest list (`skopeo copy --all`)");
    assert_eq!(classes(&line), ["subset"]);
}

#[test]
fn another_config_or_order_is_not_accepted_with_converted_media_types() {
    let all = "--accept re-serialised --accept converted,re-compressed";
    for change in [
        (|manifest, config| {
            to_oci(manifest);
            config["config"]["Env"] = json!(["PATH=/bin", "LD_PRELOAD=/evil.so"]);
        }) as fn(&mut Value, &mut Value),
        |manifest, config| {
            to_oci(manifest);
            config["Config"] = json!({"Env": ["LD_PRELOAD=/evil.so"]});
        },
        |manifest, config| {
            to_oci(manifest);
            config["config"]["env"] = json!(["LD_PRELOAD=/evil.so"]);
        },
        |manifest, _| {
            to_oci(manifest);
            manifest["layers"].as_array_mut().unwrap().reverse();
        },
    ] {
        let (run, line) = between(usual(|_, _| ()), usual(change), all);
        run.code(1).has("FAILED").has_not("PASS");
        assert_eq!(line["accepted"], json!([]));
    }
    // One platform converted, one evil.
    let mut mixed = Content::default();
    let entries = [("amd64", "PATH=/bin"), ("arm64", "EVIL=1")].map(|(on, env)| {
        let stored = image(&mut mixed, on, |manifest, config| {
            to_oci(manifest);
            config["config"]["Env"] = json!([env]);
        });
        entry(&stored, &format!("linux/{on}"))
    });
    mixed.index("team/x", Some("1"), INDEX, &entries);
    let (run, line) = between(usual(|_, _| ()), mixed, all);
    run.code(1).has_not("PASS");
    assert_eq!(classes(&line), ["converted", "re-created"]);
}

#[test]
fn an_accepted_image_is_still_checked_with_deep() {
    let to_oci = |manifest: &mut Value, _: &mut Value| to_oci(manifest);
    let mut gone = usual(to_oci);
    let layer = gone
        .blobs
        .iter()
        .find(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b]))
        .map(|(key, _)| key.clone())
        .unwrap();
    gone.blobs.remove(&layer);
    let (run, _) = between(usual(|_, _| ()), gone.clone(), "--accept converted --deep");
    run.code(1).has("failed to inspect dest blobs");
    let (run, line) = between(usual(|_, _| ()), gone, "--accept converted --referrers");
    run.code(0)
        .has("[WARN]")
        .has("signatures of the source do not match the manifests at the destination");
    assert_eq!(line["accepted"], json!(["converted"]));
}

#[test]
fn unreadable_and_recorded_manifests_are_other() {
    let (source, destination) = (
        usual(|_, _| ()),
        usual(|_, config| config["author"] = json!("x")),
    );
    let whole = Server::of(source.clone());
    let broken = Server::start(move |request| {
        if request.path.contains("/blobs/") {
            return Reply::error(403, "DENIED", "no");
        }
        answer(&destination, request)
    });
    let (run, line) = validate(
        &whole.name(),
        &broken.alias(),
        "--retries 0 --accept converted",
    );
    run.code(1)
        .has("other: the destination's config could not be read: ");
    assert_eq!(line["code"], "index-differs");
    assert_eq!(classes(&line), ["other", "other"]);

    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    dir.validate()
        .args(&format!("-f list.txt --record s.json -s {}", whole.name()))
        .run()
        .code(0);
    let before = whole.requests().len();
    dir.validate()
        .args(&format!(
            "-f list.txt --recorded s.json -s {} -d {}",
            whole.name(),
            broken.alias()
        ))
        .run()
        .code(1)
        .has("other: the reason is unknown, because the source was recorded");
    assert_eq!(whole.requests().len(), before);
}

#[test]
fn only_a_difference_costs_two_manifests_and_two_configs_per_platform() {
    let (source, destination) = (Server::of(usual(|_, _| ())), Server::of(usual(|_, _| ())));
    validate(&source.name(), &destination.alias(), "").0.code(0);
    assert_eq!(source.count("GET", "/manifests/"), 1);
    assert_eq!(destination.count("GET", "/manifests/"), 3);
    for server in [&source, &destination] {
        assert_eq!(server.count("GET", "/blobs/"), 0);
    }
    let other = Server::of(usual(|_, config| config["author"] = json!("x")));
    let before = source.requests().len();
    validate(&source.name(), &other.alias(), "").0.code(1);
    let read = &source.requests()[before..];
    let count = |part: &str| {
        read.iter()
            .filter(|request| request.path.contains(part))
            .count()
    };
    assert_eq!((count("/manifests/"), count("/blobs/")), (3, 2));
    assert_eq!(other.count("GET", "/manifests/"), 3);
    assert_eq!(other.count("GET", "/blobs/"), 2);
}

#[test]
fn a_repeated_image_has_the_accepted_differences() {
    let source = Server::of(usual(|_, _| ()));
    let destination = Server::of(usual(|manifest, _| to_oci(manifest)));
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\nteam/x team/x 1\n");
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt --accept converted -s {} -d {}",
            source.name(),
            destination.alias()
        ))
        .run();
    run.code(0);
    assert_eq!(
        run.stdout.matches("] (converted)\n").count(),
        2,
        "{}",
        run.stdout
    );
}

#[test]
fn other_classes_cannot_be_accepted() {
    for flags in [
        "--accept older",
        "--accept converted,re-created",
        "--accept Converted",
    ] {
        let run = Dir::new().validate().args(flags).run();
        run.code(2);
        run.one_error("re-serialised, converted, re-compressed");
    }
}

#[test]
fn of_many_differences_the_log_shows_the_first_and_the_report_has_all() {
    let many = |salt: &str| {
        let mut content = Content::default();
        let entries: Vec<Value> = (0..3_000)
            .map(|number| {
                json!({"mediaType": OCI, "size": 5, "digest": digest(format!("{salt} {number}")),
                    "platform": {"os": "linux", "architecture": "amd64", "os.version": format!("{salt}{number}")}})
            })
            .collect();
        content.index("team/x", Some("1"), INDEX, &entries);
        content
    };
    let (run, line) = between(many("a"), many("b"), "--retries 0");
    run.code(1)
        .has("… and 2,900 more entries; use --report to see all of them\n")
        .has("… and 5,980 more; use --report to see all of them\n")
        .has("5,980 further differing platforms were not examined\n");
    assert!(run.stdout.len() < 100_000, "{}", run.stdout.len());
    assert!(line["details"].as_array().unwrap().len() >= 6_000);
    assert_eq!(line["source_spec"].as_array().unwrap().len(), 3_000);
    assert_eq!(line["why"].as_array().unwrap().len(), 20);
}
