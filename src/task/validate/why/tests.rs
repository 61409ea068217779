//! The classes of generated pairs, each with a class that is known from how it was made, and attacks.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::*;
use crate::manifest::MediaType;

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn is(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// An image as its parts, of which the bytes are made.
#[derive(Clone)]
struct Made {
    manifest: Value,
    config: Vec<u8>,
    /// How the manifest's JSON is written.
    layout: usize,
}

impl Made {
    /// An image of some layers, as Docker or an OCI builder writes it.
    fn new(random: &mut Random, is_docker: bool) -> Self {
        let layers = 1 + random.below(6);
        let salt = random.below(1_000_000);
        let ids: Vec<String> = (0..layers)
            .map(|layer| Digest::of(format!("content {salt} {layer}").as_bytes()).to_string())
            .collect();
        let mut config = json!({
            "architecture": "amd64", "os": "linux",
            "created": format!("2024-03-{:02}T10:00:00.{}Z", 1 + random.below(20), 1 + random.below(999)),
            "config": {"Env": ["PATH=/bin", format!("SALT={salt}")], "Cmd": ["sh", "-c", "a && b < c"],
                "Labels": {"a": "", "b": "x"}, "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": ids},
            "history": (0..layers).map(|layer| json!({"created": "2024-03-01T10:00:00Z", "created_by": format!("RUN {layer}")})).collect::<Vec<_>>(),
        });
        if random.is() {
            config["config"]["ExposedPorts"] = json!({"80/tcp": {}});
            config["config"]["User"] = json!("nobody");
        }
        if is_docker {
            config["docker_version"] = json!("20.10.1");
            config["container"] = json!("0123456789ab");
            config["config"]["Hostname"] = json!("0123456789ab");
            config["config"]["Tty"] = json!(false);
            config["config"]["OnBuild"] = Value::Null;
            config["container_config"] = config["config"].clone();
        }
        let mut made = Self {
            manifest: json!({"schemaVersion": 2, "layers": ids.iter().enumerate().map(|(layer, id)| json!({
                "mediaType": if is_docker { DOCKER_LAYER.to_owned() } else { format!("{OCI_LAYER}+gzip") },
                "size": 100 + layer,
                "digest": Digest::of(format!("gzip of {id}").as_bytes()),
            })).collect::<Vec<_>>()}),
            config: Vec::new(),
            layout: 0,
        };
        made.set_types(is_docker);
        made.set_config(&config);
        made
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&self.config).expect("JSON")
    }

    fn set_config(&mut self, config: &Value) {
        self.config = config.to_string().into_bytes();
        self.manifest["config"]["size"] = json!(self.config.len());
        self.manifest["config"]["digest"] = json!(Digest::of(&self.config));
    }

    fn layers(&mut self) -> &mut Vec<Value> {
        self.manifest["layers"].as_array_mut().expect("a list")
    }

    fn set_types(&mut self, is_docker: bool) {
        let (manifest, config) = if is_docker {
            (MediaType::DockerManifest, DOCKER_CONFIG)
        } else {
            (MediaType::OciManifest, OCI_CONFIG)
        };
        self.manifest["mediaType"] = json!(manifest.as_str());
        self.manifest["config"]["mediaType"] = json!(config);
        for layer in self.layers() {
            let name = layer["mediaType"].as_str().expect("text");
            layer["mediaType"] = json!(if is_docker {
                DOCKER_LAYER.to_owned()
            } else {
                name.replace(DOCKER_LAYER, &format!("{OCI_LAYER}+gzip"))
            });
        }
    }

    /// The config as Go writes OCI's struct, without Docker's own fields.
    fn remarshal(&mut self) {
        let mut config = self.config();
        let object = config.as_object_mut().expect("an object");
        for name in ["docker_version", "container", "container_config"] {
            object.remove(name);
        }
        let inner = object["config"].as_object_mut().expect("an object");
        for name in ["Hostname", "Tty", "OnBuild"] {
            inner.remove(name);
        }
        let date = DateTime::parse_from_rfc3339(config["created"].as_str().expect("text"));
        config["created"] = json!(date.expect("a date").to_rfc3339());
        let text = config
            .to_string()
            .replace('&', "\\u0026")
            .replace('<', "\\u003c");
        self.config = text.into_bytes();
        self.manifest["config"]["size"] = json!(self.config.len());
        self.manifest["config"]["digest"] = json!(Digest::of(&self.config));
    }

    /// Other bytes for some layers.
    fn recompress(&mut self, random: &mut Random, kind: &str) {
        let first = random.below(self.layers().len());
        for layer in &mut self.layers()[first..] {
            let before = layer["digest"].to_string();
            layer["digest"] = json!(Digest::of(format!("{kind} of {before}").as_bytes()));
            layer["size"] = json!(7);
            if kind == "zstd" {
                layer["mediaType"] = json!(format!("{OCI_LAYER}+zstd"));
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let text = match self.layout {
            0 => self.manifest.to_string(),
            1 => serde_json::to_string_pretty(&self.manifest).expect("JSON"),
            2 => self.manifest.to_string() + "\n",
            _ => {
                let fields = self.manifest.as_object().expect("an object").iter().rev();
                let fields: Vec<String> = fields
                    .map(|(key, value)| format!("\"{key}\" :\t{value}"))
                    .collect();
                format!("{{ {} }}", fields.join(" ,"))
            }
        };
        text.into_bytes()
    }
}

fn judged(source: &Made, destination: &Made) -> Classification {
    let configs: HashMap<Digest, Vec<u8>> = [source, destination]
        .map(|made| (Digest::of(&made.config), made.config.clone()))
        .into();
    classify(&source.bytes(), &destination.bytes(), |_, digest| {
        configs
            .get(digest)
            .cloned()
            .ok_or_else(|| "not there".to_owned())
    })
}

/// Changes a field of the config; none of them is a date.
fn change_config(random: &mut Random, made: &mut Made) {
    let mut config = made.config();
    let (name, value) = [
        ("Env", json!(["PATH=/bin", "LD_PRELOAD=/evil.so"])),
        ("Cmd", json!(["evil"])),
        ("Entrypoint", json!(["/evil"])),
        ("User", json!("root")),
        ("WorkingDir", json!("/evil")),
        ("Labels", json!({"a": "x"})),
        ("StopSignal", json!("SIGKILL")),
        ("Healthcheck", json!({"Test": ["CMD", "evil"]})),
    ][random.below(8)]
    .clone();
    config["config"][name] = value;
    made.set_config(&config);
}

#[test]
fn generated_pairs_have_the_class_that_they_were_made_for() {
    let mut random = Random(7);
    let mut wrong = Vec::new();
    let mut count = 0;
    for round in 0..60 {
        let is_docker = random.is();
        let source = Made::new(&mut random, is_docker);
        let mut pairs: Vec<(&str, Class, Made)> = Vec::new();
        let mut add = |name, class, made: Made| pairs.push((name, class, made));
        let layout = 1 + random.below(3);
        add(
            "another layout",
            Class::ReSerialised,
            Made {
                layout,
                ..source.clone()
            },
        );

        let mut made = source.clone();
        made.set_types(!is_docker);
        add(
            "converted with the same config",
            Class::Converted,
            Made { layout, ..made },
        );

        let mut made = source.clone();
        made.recompress(&mut random, "gzip -1");
        add("another level", Class::ReCompressed, made);

        let mut made = source.clone();
        made.set_types(false);
        made.remarshal();
        let class = if is_docker {
            Class::Converted
        } else {
            Class::ReSerialised
        };
        add("converted as skopeo does", class, made.clone());
        made.recompress(&mut random, "zstd");
        add("converted and zstd", Class::ReCompressed, made);

        let mut made = source.clone();
        change_config(&mut random, &mut made);
        add("another config", Class::ReCreated, made.clone());
        made.set_types(!is_docker);
        add("another config and format", Class::ReCreated, made.clone());
        made.recompress(&mut random, "gzip -1");
        add("another config and level", Class::ReCreated, made);

        for (date, class) in [
            ("2023-01-01T00:00:00Z", Class::Older),
            ("2025-01-01T00:00:00+02:00", Class::Newer),
        ] {
            let mut made = source.clone();
            let mut config = made.config();
            config["created"] = json!(date);
            made.set_config(&config);
            add("only another date", Class::ReCreated, made.clone());
            config["rootfs"]["diff_ids"][0] = json!(Digest::of(date.as_bytes()));
            made.set_config(&config);
            made.recompress(&mut random, "rebuilt");
            add("rebuilt", class, made);
        }

        let other = Made::new(&mut random, is_docker);
        let mut config = other.config();
        config.as_object_mut().expect("an object").remove("created");
        let mut undated = other;
        undated.set_config(&config);
        add("another image without a date", Class::Other, undated);

        let mut made = source.clone();
        if made.layers().len() > 1 {
            made.layers().swap(0, 1);
            add("layers in another order", Class::Other, made);
        }
        for (name, class, made) in pairs {
            count += 1;
            let found = judged(&source, &made);
            if found.class != class {
                wrong.push(format!("{round} {name}: {class:?}, but {found:?}"));
            }
        }
    }
    assert!(count >= 200, "{count}");
    assert!(wrong.is_empty(), "{} of {count}: {wrong:#?}", wrong.len());
}

/// Whether the class is one that `--accept` can take.
fn is_acceptable(source: &Made, destination: &Made) -> bool {
    Class::ACCEPTABLE.contains(&judged(source, destination).class)
}

#[test]
fn another_config_is_never_accepted() {
    let mut random = Random(11);
    for _ in 0..200 {
        let source = Made::new(&mut random, true);
        let mut evil = source.clone();
        if random.is() {
            evil.remarshal();
        }
        change_config(&mut random, &mut evil);
        if random.is() {
            evil.set_types(false);
        }
        if random.is() {
            evil.recompress(&mut random, "gzip -1");
        }
        evil.layout = random.below(4);
        assert!(!is_acceptable(&source, &evil));
    }
}

#[test]
fn a_config_that_two_readers_read_differently_is_never_accepted() {
    let mut random = Random(13);
    let source = Made::new(&mut random, true);
    let mut converted = source.clone();
    converted.set_types(false);
    converted.remarshal();
    assert_eq!(judged(&source, &converted).class, Class::Converted);
    let text = String::from_utf8(converted.config.clone()).expect("text");
    for (from, to) in [
        ("\"config\":{", "\"config\":{\"env\":[\"EVIL=1\"],"),
        ("\"config\":{", "\"config\":{\"Cmd\":[\"evil\"],"),
        ("\"config\":{", "\"Config\":{},\"config\":{"),
        ("\"config\":{", "\"config\":{\"Label\\u017f\":{},"),
        ("\"rootfs\":{", "\"rootfs\":{\"Diff_ids\":[],"),
        (
            "{\"architecture\"",
            "{\"Architecture\":\"arm64\",\"architecture\"",
        ),
    ] {
        let mut evil = converted.clone();
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        evil.config = changed.into_bytes();
        evil.manifest["config"]["size"] = json!(evil.config.len());
        evil.manifest["config"]["digest"] = json!(Digest::of(&evil.config));
        let found = judged(&source, &evil);
        assert_eq!(found.class, Class::Other, "{to}: {found:?}");
    }
}

#[test]
fn layers_that_cannot_be_the_same_content_are_never_accepted() {
    let mut random = Random(17);
    let mut source = Made::new(&mut random, false);
    while source.layers().len() < 3 {
        source = Made::new(&mut random, false);
    }
    type Change = fn(&mut Vec<Value>);
    let changes: [(&str, Change); 8] = [
        ("swapped", |layers| layers.swap(0, 2)),
        ("one too many", |layers| {
            layers
                .push(json!({"mediaType": DOCKER_LAYER, "size": 1, "digest": Digest::of(b"evil")}));
        }),
        ("one too few", |layers| {
            layers.pop();
        }),
        ("one twice", |layers| layers[1] = layers[0].clone()),
        ("another size", |layers| layers[0]["size"] = json!(1)),
        ("another type", |layers| {
            layers[0]["mediaType"] = json!(OCI_LAYER);
        }),
        ("other urls", |layers| {
            layers[0]["urls"] = json!(["https://evil.test/layer"]);
        }),
        ("embedded", |layers| {
            layers[0]["digest"] = json!(Digest::of(b"recompressed"));
            layers[0]["data"] = json!("ZXZpbA==");
        }),
    ];
    for (name, change) in changes {
        for is_docker in [false, true] {
            let mut evil = source.clone();
            evil.set_types(is_docker);
            change(evil.layers());
            let found = judged(&source, &evil);
            assert_eq!(found.class, Class::Other, "{name}: {found:?}");
        }
    }
}

#[test]
fn a_config_that_is_listed_with_a_wrong_size_is_never_accepted() {
    let mut random = Random(29);
    let source = Made::new(&mut random, true);
    for remarshals in [false, true] {
        let mut evil = source.clone();
        evil.set_types(false);
        if remarshals {
            evil.remarshal();
        }
        assert_eq!(judged(&source, &evil).class, Class::Converted);
        evil.manifest["config"]["size"] = json!(1);
        assert_eq!(judged(&source, &evil).class, Class::Other);
    }
}

#[test]
fn other_annotations_and_subjects_are_never_accepted() {
    let mut random = Random(19);
    let mut source = Made::new(&mut random, false);
    source.manifest["annotations"] = json!({"a": "x"});
    for (name, value) in [
        ("annotations", json!({"a": "y"})),
        ("annotations", json!({"a": "x", "b": "y"})),
        ("subject", json!({"digest": Digest::of(b"x")})),
        ("artifactType", json!("evil")),
        ("unheard", json!(1)),
    ] {
        let mut evil = source.clone();
        evil.manifest[name] = value;
        assert!(!is_acceptable(&source, &evil), "{name}");
        evil.set_types(true);
        assert!(!is_acceptable(&source, &evil), "{name}");
    }
    let mut dropped = source.clone();
    dropped.set_types(true);
    dropped
        .manifest
        .as_object_mut()
        .expect("an object")
        .remove("annotations");
    assert_eq!(judged(&source, &dropped).class, Class::Converted);
}

#[test]
fn an_unreadable_manifest_is_other_with_a_reason() {
    let mut random = Random(23);
    let source = Made::new(&mut random, true);
    let mut other = source.clone();
    change_config(&mut random, &mut other);
    let found = classify(
        &source.bytes(),
        &other.bytes(),
        |_, _| Err("503".to_owned()),
    );
    assert_eq!(
        (found.class, found.evidence.as_str()),
        (
            Class::Other,
            "the destination's config could not be read: 503"
        )
    );
    let index = br#"{"schemaVersion":2,"manifests":[]}"#;
    let found = classify(&source.bytes(), index, |_, _| Err(String::new()));
    assert_eq!(
        found.evidence,
        "the destination's manifest: a manifest list"
    );
}
