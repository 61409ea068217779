//! `--deep`: missing, empty and damaged blobs, and servers that describe them badly.

use std::fs;

use serde_json::json;

use crate::support::{
    Content, Dir, How, INDEX, LIST, OCI, Registry, Reply, Request, Run, Server, V2, answer, digest,
    entry,
};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn usual() -> Content {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64", "linux/arm64/v8"], "a");
    content
}

/// The blob of an image of [`usual`] that begins with this text.
fn blob(content: &Content, begins: &str) -> (String, usize) {
    let is_it = |bytes: &&Vec<u8>| bytes.starts_with(begins.as_bytes());
    let bytes = content.blobs.values().find(is_it).expect("a blob");
    (digest(bytes), bytes.len())
}

fn validate(source: &str, destination: &str, flags: &str) -> Run {
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    dir.validate()
        .args(&format!(
            "-f list.txt --retries 1 -j 4 -s {source} -d {destination} {flags}"
        ))
        .run()
}

#[test]
fn a_real_registry_that_lost_or_damaged_a_blob_is_found() {
    let content = usual();
    let source = Registry::of(&content);
    let (layer, size) = blob(&content, "layer of a on linux/amd64");
    let (other, other_size) = blob(&content, "layer of a on linux/arm64");
    let config = content
        .blobs
        .values()
        .map(digest)
        .find(|name| *name != layer && *name != other)
        .expect("a config");
    let image = |destination: &Registry, platform: &str| {
        let list: serde_json::Value =
            serde_json::from_slice(&content.find("team/x", "1").unwrap().bytes).unwrap();
        let index = usize::from(platform.contains("arm64"));
        let image = list["manifests"][index]["digest"].as_str().unwrap();
        format!(
            "docker://{}/team/x@{image} {platform}: ",
            destination.name()
        )
    };
    let damage = |how: &dyn Fn(&Registry)| {
        let destination = Registry::of(&content);
        how(&destination);
        // Without the flag it passes: nobody looks.
        validate(&source.name(), &destination.name(), "")
            .code(0)
            .has("PASS");
        destination
    };
    let reason = |destination: &Registry, digest: &str| {
        format!(
            "[ERRO] [M_ID:1] failed to inspect dest blobs: [{}/team/x@{digest}]\n",
            destination.name()
        )
    };

    let destination = damage(&|_| ());
    for flag in ["--deep", "--deep=full"] {
        validate(&source.name(), &destination.name(), flag)
            .code(0)
            .has("PASS");
    }

    let destination = damage(&|registry| fs::remove_file(registry.file(&layer)).unwrap());
    for flag in ["--deep", "--deep=full"] {
        validate(&source.name(), &destination.name(), flag)
            .code(1)
            .has(&format!(
                "{}layer {layer} of {size} bytes is missing at the destination\n",
                image(&destination, "linux/amd64")
            ))
            .has(&reason(&destination, &layer));
    }

    let destination = damage(&|registry| fs::write(registry.file(&other), "").unwrap());
    for flag in ["--deep", "--deep=full"] {
        validate(&source.name(), &destination.name(), flag)
            .code(1)
            .has(&format!(
                "{}layer {other} of {other_size} bytes has 0 bytes at the destination\n",
                image(&destination, "linux/arm64/v8")
            ))
            .has(&reason(&destination, &other));
    }

    let destination = damage(&|registry| {
        let mut bytes = fs::read(registry.file(&layer)).unwrap();
        bytes[3] ^= 1;
        fs::write(registry.file(&layer), bytes).unwrap();
    });
    validate(&source.name(), &destination.name(), "--deep").code(0);
    let found = content
        .blobs
        .values()
        .find(|bytes| digest(bytes) == layer)
        .map(|bytes| {
            let mut bytes = bytes.clone();
            bytes[3] ^= 1;
            digest(bytes)
        })
        .unwrap();
    validate(&source.name(), &destination.name(), "--deep=full")
        .code(1)
        .has(&format!(
            "{}layer {layer} of {size} bytes has the digest {found} at the destination\n",
            image(&destination, "linux/amd64")
        ))
        .has(&reason(&destination, &layer));

    let destination = damage(&|registry| fs::remove_file(registry.file(&config)).unwrap());
    validate(&source.name(), &destination.name(), "--deep")
        .code(1)
        .has(&format!(": config {config} of "));
}

#[test]
fn a_missing_image_has_its_usual_message() {
    let content = usual();
    let mut without = content.clone();
    let list: serde_json::Value =
        serde_json::from_slice(&content.find("team/x", "1").unwrap().bytes).unwrap();
    let child = list["manifests"][1]["digest"].as_str().unwrap();
    without.remove("team/x", child);
    let (source, destination) = (Server::of(content), Server::of(without));
    validate(&source.name(), &destination.name(), "--deep")
        .code(1)
        .has(&format!(
            "failed to inspect dest image: [docker://{}/team/x@{child}]\n",
            destination.name()
        ));
}

#[test]
fn each_blob_of_a_repository_is_requested_once_per_run() {
    let mut content = usual();
    // The same layers under five more tags, in other images.
    let shared = content.blob("team/x", "a layer that all of them have");
    let size = content.blobs[&("team/x".to_owned(), shared.clone())].len();
    let mut lines = String::new();
    for number in 0..6 {
        let config = json!({"architecture": "amd64", "os": "linux", "n": number}).to_string();
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(), "digest": content.blob("team/x", config.clone())},
            "layers": [
                {"mediaType": LAYER, "size": size, "digest": shared},
                {"mediaType": LAYER, "size": size, "digest": shared},
            ]})
        .to_string();
        let image = content.put("team/x", &digest(&manifest), OCI, manifest);
        content.index(
            "team/x",
            Some(&format!("t{number}")),
            INDEX,
            &[entry(&image, "linux/amd64")],
        );
        lines += &format!("team/x team/x t{number}\n");
    }
    for flag in ["--deep", "--deep=full"] {
        let (source, destination) = (Server::of(content.clone()), Server::of(content.clone()));
        let dir = Dir::new();
        dir.write("list.txt", &lines);
        dir.validate()
            .args(&format!(
                "-f list.txt -j 8 {flag} -s {} -d {}",
                source.name(),
                destination.name()
            ))
            .run()
            .code(0);
        assert_eq!(destination.count("GET", &format!("blobs/{shared}")), 1);
        // Six configs and the layer, and nothing of the source but its manifests.
        let asked = |server: &Server| {
            let requests = server.requests();
            requests
                .iter()
                .filter(|request| request.path.contains("/blobs/"))
                .count()
        };
        assert_eq!(asked(&destination), 7, "{flag}");
        assert_eq!(asked(&source), 0);
    }
}

#[test]
fn a_foreign_layer_may_be_missing() {
    for media_type in [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        LAYER,
    ] {
        let mut content = Content::default();
        let config = json!({"architecture": "amd64", "os": "windows"}).to_string();
        let foreign = digest("elsewhere");
        let manifest = json!({"schemaVersion": 2, "mediaType": V2,
            "config": {"size": config.len(), "digest": content.blob("team/x", config.clone())},
            "layers": [{"mediaType": media_type, "size": 9, "digest": foreign, "urls": ["https://elsewhere.test/x"]}]})
        .to_string();
        let image = content.put("team/x", &digest(&manifest), V2, manifest);
        content.index(
            "team/x",
            Some("1"),
            LIST,
            &[entry(&image, "windows/amd64:10.0.1")],
        );
        let mut damaged = content.clone();
        let (source, destination) = (Server::of(content.clone()), Server::of(content));
        validate(&source.name(), &destination.name(), "--deep").code(0);
        // Whatever the registry answers for it.
        let (registry, name) = (damaged.clone(), foreign.clone());
        let destination = Server::start(move |request| match request.path.contains(&name) {
            true => Reply::error(403, "DENIED", "no"),
            false => answer(&registry, request),
        });
        validate(&source.name(), &destination.name(), "--deep").code(0);
        // One that it holds all the same has to be sound.
        damaged
            .blobs
            .insert(("team/x".to_owned(), foreign), b"else".to_vec());
        let destination = Server::of(damaged);
        validate(&source.name(), &destination.name(), "--deep")
            .code(1)
            .has("of 9 bytes has 4 bytes at the destination");
    }
}

#[test]
fn an_index_that_is_listed_as_an_image_is_not_passed_over() {
    let mut content = Content::default();
    let nothing = content.index("team/x", None, INDEX, &[]);
    let mut listed = entry(&nothing, "linux/amd64");
    listed["mediaType"] = json!(OCI);
    content.index("team/x", Some("1"), INDEX, &[listed]);
    let (source, destination) = (Server::of(content.clone()), Server::of(content));
    validate(&source.name(), &destination.name(), "--deep=full")
        .code(3)
        .has(": the manifest is an index, but the index lists it as an image\n");
}

#[test]
fn a_missing_blob_is_requested_once() {
    let (run, destination) = playing(
        |_, _| Reply::error(404, "BLOB_UNKNOWN", "blob unknown"),
        "--deep=full",
    );
    run.code(1).has("is missing at the destination");
    // The other three blobs, and this one.
    assert_eq!(destination.count("GET", "/blobs/"), 4);
}

/// [`usual`] at a destination whose answers about one blob are made by `reply`.
fn playing(
    reply: impl Fn(&Request, &[u8]) -> Reply + Send + Sync + 'static,
    flags: &str,
) -> (Run, Server) {
    let content = usual();
    let (layer, _) = blob(&content, "layer of a on linux/amd64");
    let bytes = content.blobs[&("team/x".to_owned(), layer.clone())].clone();
    let source = Server::of(content.clone());
    let destination = Server::start(move |request| {
        if request.path.contains(&layer) {
            return reply(request, &bytes);
        }
        answer(&content, request)
    });
    let run = validate(&source.name(), &destination.name(), flags);
    (run, destination)
}

fn is_head(request: &Request) -> bool {
    request.method == "HEAD"
}

/// The first byte of a blob, as it was requested.
fn first_byte(request: &Request, bytes: &[u8]) -> Reply {
    assert_eq!(request.header("range"), Some("bytes=0-0"));
    Reply::new(206)
        .header("content-range", format!("bytes 0-0/{}", bytes.len()))
        .body(&bytes[..1])
}

#[test]
fn a_blob_that_head_confirms_and_get_does_not_find_is_missing() {
    let (run, destination) = playing(
        |request, bytes| match is_head(request) {
            true => Reply::new(200).header("content-length", bytes.len().to_string()),
            false => Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
        },
        "--deep",
    );
    run.code(1).has("is missing at the destination");
    // One request for each of the four blobs.
    assert_eq!(destination.count("GET", "/blobs/"), 4);
    assert_eq!(destination.count("HEAD", "/blobs/"), 0);
}

#[test]
fn a_negative_head_response_is_no_proof_against_a_blob() {
    let lies: [fn() -> Reply; 4] = [
        || Reply::new(404),
        || Reply::new(405),
        || Reply::new(403),
        || Reply::new(200).header("content-length", "0"),
    ];
    for lie in lies {
        let (run, destination) = playing(
            move |request, bytes| match is_head(request) {
                true => lie(),
                false => first_byte(request, bytes),
            },
            "--deep",
        );
        run.code(0).has("PASS").has_not("[WARN] [M_ID");
        assert_eq!(destination.count("GET", "/blobs/"), 4);
    }
}

#[test]
fn a_blob_of_no_bytes_has_no_first_one() {
    let mut content = Content::default();
    let config = json!({"architecture": "amd64", "os": "linux"}).to_string();
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI,
        "config": {"size": config.len(), "digest": content.blob("team/x", config.clone())},
        "layers": [{"mediaType": LAYER, "size": 0, "digest": content.blob("team/x", "")}]})
    .to_string();
    let image = content.put("team/x", &digest(&manifest), OCI, manifest);
    content.index("team/x", Some("1"), INDEX, &[entry(&image, "linux/amd64")]);
    let source = Server::of(content.clone());
    let empty = digest("");
    for reply in [
        Reply::new(416).header("content-range", "bytes */0"),
        Reply::new(416),
        Reply::new(200),
    ] {
        let (content, empty) = (content.clone(), empty.clone());
        let destination = Server::start(move |request| match request.header("range") {
            Some(_) if request.path.contains(&empty) => reply.clone(),
            _ => answer(&content, request),
        });
        validate(&source.name(), &destination.name(), "--deep")
            .code(0)
            .has("PASS")
            .has_not("[WARN] [M_ID");
    }
    // As distribution answers.
    let registry = Registry::of(&content);
    validate(&source.name(), &registry.name(), "--deep")
        .code(0)
        .has_not("[WARN] [M_ID");
    // A part that is refused is no proof of a blob that has bytes.
    let (run, _) = playing(
        |request, bytes| match request.header("range") {
            Some(_) => Reply::new(416).header("content-range", format!("bytes */{}", bytes.len())),
            None if is_head(request) => {
                Reply::new(200).header("content-length", bytes.len().to_string())
            }
            None => Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
        },
        "--deep",
    );
    run.code(1).has("is missing at the destination");
}

#[test]
fn a_registry_that_ignores_ranges_is_named_once_and_its_blobs_are_not_read() {
    // Layers whose bodies never come.
    const SIZE: u64 = 40_000_000_000;
    let mut content = Content::default();
    let mut lines = String::new();
    for number in 0..3 {
        let config = json!({"architecture": "amd64", "os": "linux", "n": number}).to_string();
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI,
            "config": {"size": config.len(), "digest": content.blob("team/x", config.clone())},
            "layers": [{"mediaType": LAYER, "size": SIZE, "digest": digest(format!("large {number}"))}]})
        .to_string();
        let image = content.put("team/x", &digest(&manifest), OCI, manifest);
        let tag = format!("t{number}");
        content.index("team/x", Some(&tag), INDEX, &[entry(&image, "linux/amd64")]);
        lines += &format!("team/x team/x {tag}\n");
    }
    let source = Server::of(content.clone());
    let destination = Server::start(move |request| {
        let Some((_, name)) = request.path.split_once("/blobs/") else {
            return answer(&content, request);
        };
        match content.blobs.get(&("team/x".to_owned(), name.to_owned())) {
            Some(bytes) => Reply::new(200).body(bytes.clone()),
            None => Reply::new(200)
                .header("content-length", SIZE.to_string())
                .body("the beginning")
                .how(How::Cut(13)),
        }
    });
    let dir = Dir::new();
    dir.write("list.txt", lines);
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt --retries 0 --deep -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .run();
    run.code(0).has(&format!(
        "{}: the registry ignores range requests, so --deep requests complete blobs",
        destination.name()
    ));
    let warnings = run.stdout.matches("ignores range requests").count();
    assert_eq!(warnings, 1, "{}", run.stdout);
    // One request for each blob, and a new connection only after each large one. TLS is tried first.
    assert_eq!(destination.count("GET", "/blobs/"), 6);
    assert_eq!(destination.count("HEAD", ""), 0);
    assert!(
        destination.connections() <= 4,
        "{}",
        destination.connections()
    );
}

#[test]
fn a_length_that_only_head_tells_is_believed_of_a_blob_that_is_there() {
    // Neither ranges nor lengths: a cut body shows that it is not read.
    let (run, destination) = playing(
        |request, bytes| match is_head(request) {
            true => Reply::new(200).header("content-length", bytes.len().to_string()),
            false => Reply::new(200).body(bytes).how(How::UntilClose(5)),
        },
        "--deep",
    );
    run.code(0).has("PASS").has("ignores range requests");
    assert_eq!(destination.count("HEAD", "/blobs/"), 1);
}

#[test]
fn a_server_without_ranges_and_lengths_is_read() {
    for by_head in [
        Reply::new(200).header("content-length", "0"),
        Reply::new(200).how(How::Chunked),
        Reply::new(404),
    ] {
        let (run, _) = playing(
            move |request, bytes| match is_head(request) {
                true => by_head.clone(),
                false => Reply::new(200).body(bytes).how(How::Chunked),
            },
            "--deep",
        );
        run.code(0).has("PASS");
    }
    let (run, _) = playing(
        |request, bytes| match is_head(request) {
            true => Reply::new(404),
            false => Reply::new(200).body(&bytes[..5]).how(How::Chunked),
        },
        "--deep",
    );
    run.code(3).has("the body may be compressed or truncated");
}

#[test]
fn a_store_that_signs_only_gets_receives_a_get() {
    let content = usual();
    let stored = content.clone();
    // HEAD on what was signed for GET is refused.
    let store = Server::start(
        move |request| match request.path.split_once("?signature=") {
            Some((path, "GET")) if request.method == "GET" => {
                assert_eq!(request.header("authorization"), None);
                let name = path.trim_start_matches("/store/").to_owned();
                match stored.blobs.get(&("team/x".to_owned(), name)) {
                Some(bytes) => Reply::new(200).body(bytes.clone()),
                None => Reply::new(404).body("<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"),
            }
            }
            _ => Reply::new(403).body("<Error><Code>SignatureDoesNotMatch</Code></Error>"),
        },
    );
    let at = store.name();
    let registry = move |content: Content, bucket: &'static str| {
        let at = at.clone();
        Server::start(move |request| match request.path.split_once("/blobs/") {
            Some((_, digest)) => Reply::new(307).header(
                "location",
                format!("http://{at}/{bucket}/{digest}?signature=GET"),
            ),
            None => answer(&content, request),
        })
    };
    let source = Server::of(content.clone());
    let destination = registry(content.clone(), "store");
    for flag in ["--deep", "--deep=full"] {
        validate(&source.name(), &destination.name(), flag)
            .code(0)
            .has("PASS");
    }
    // An object that the store says it does not have is lost; a bucket that is not there is not.
    let mut more = Content::default();
    more.multi("team/x", "1", &["linux/amd64"], "lost");
    let source = Server::of(more.clone());
    let destination = registry(more, "store");
    validate(&source.name(), &destination.name(), "--deep")
        .code(1)
        .has("is missing at the destination");
}

#[test]
fn a_missing_blob_store_proves_nothing_about_a_blob() {
    let (run, _) = playing(
        |request, _| match request.path.contains("/store/") {
            true => Reply::new(404).body("<Error><Code>NoSuchBucket</Code></Error>"),
            false => Reply::new(307).header(
                "location",
                format!(
                    "http://localhost:{}/store/{}",
                    port_of(request),
                    request.path
                ),
            ),
        },
        "--deep",
    );
    run.code(3)
        .has("NOT VALIDATED")
        .has("which returned 404 Not Found (NoSuchBucket)");
}

/// The port at which a request came in.
fn port_of(request: &Request) -> String {
    let host = request.header("host").expect("a host");
    host.rsplit(':').next().expect("a port").to_owned()
}

#[test]
fn a_blob_that_cannot_be_requested_is_not_validated() {
    for flag in ["--deep", "--deep=full"] {
        for reply in [
            Reply::error(503, "UNAVAILABLE", "later"),
            Reply::error(403, "DENIED", "no"),
            Reply::new(200).how(How::Reset),
        ] {
            let (run, _) = playing(move |_, _| reply.clone(), flag);
            run.code(3).has("NOT VALIDATED").has("/blobs/sha256:");
        }
    }
}

#[test]
fn an_accident_on_the_way_is_not_the_blob_s() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    // Cut off, or flipped by whoever is in between: once.
    for accident in [0, 1] {
        let asked = AtomicUsize::new(0);
        let (run, destination) = playing(
            move |_, bytes| {
                let is_first = asked.fetch_add(1, Ordering::SeqCst) == 0;
                let mut bytes = bytes.to_vec();
                match (is_first, accident) {
                    (true, 0) => Reply::new(200).body(bytes).how(How::Cut(5)),
                    (true, _) => {
                        bytes[0] ^= 1;
                        Reply::new(200).body(bytes)
                    }
                    (false, _) => Reply::new(200).body(bytes),
                }
            },
            "--deep=full",
        );
        run.code(0).has("PASS");
        // Four blobs, and one of them again.
        assert!(destination.count("GET", "/blobs/") > 4);
    }
}

#[test]
fn a_body_of_unknown_length_proves_nothing_about_a_blob() {
    for how in [How::UntilClose(5), How::Chunked] {
        let (run, _) = playing(
            move |_, bytes| {
                let mut bytes = bytes.to_vec();
                bytes[0] ^= 1;
                Reply::new(200).body(bytes).how(how.clone())
            },
            "--deep=full",
        );
        run.code(3).has("the body may be compressed or truncated");
    }
}

#[test]
fn a_blob_that_does_not_end_is_not_read_to_its_end() {
    let (run, _) = playing(
        |_, _| Reply::new(200).body(vec![0; 3_000_000]),
        "--deep=full",
    );
    run.code(1).has("is larger at the destination");
}

#[test]
fn a_full_look_takes_constant_memory_and_tells_how_much_was_read() {
    const SIZE: usize = 96 * 1024 * 1024;
    let mut content = Content::default();
    let config = json!({"architecture": "amd64", "os": "linux"}).to_string();
    let layer = content.blob("team/x", vec![7; SIZE]);
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI,
        "config": {"size": config.len(), "digest": content.blob("team/x", config.clone())},
        "layers": [{"mediaType": LAYER, "size": SIZE, "digest": layer}]})
    .to_string();
    let image = content.put("team/x", &digest(&manifest), OCI, manifest);
    content.index("team/x", Some("1"), INDEX, &[entry(&image, "linux/amd64")]);
    let destination = Server::of(content.clone());
    content.blobs.clear();
    let source = Server::of(content);
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    // Less address space than the blob has bytes.
    let shell = format!(
        "ulimit -v {}; exec {} mirror-validate -f list.txt --deep=full -s {} -d {}",
        SIZE / 1024 - 4096,
        env!("CARGO_BIN_EXE_image-tools"),
        source.name(),
        destination.name()
    );
    dir.command("sh")
        .arg("-c")
        .arg(shell)
        .env("MALLOC_ARENA_MAX", "1")
        .run()
        .code(0)
        .has(", 96.00 MiB of blob data read in ");
}

#[test]
fn a_signal_ends_a_full_look_within_a_second() {
    let content = usual();
    let source = Server::of(content.clone());
    let destination = Server::stalling(content, "/blobs/");
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    let mut running = dir
        .validate()
        .args(&format!(
            "-f list.txt -debug --deep=full -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .start();
    running.wait_for("/manifests/sha256:");
    crate::support::wait_until("a blob to be asked for", || {
        destination.count("GET", "/blobs/") > 0
    });
    running.signal("TERM");
    let signalled = std::time::Instant::now();
    running.end().code(143).has("interrupted by SIGTERM");
    assert!(signalled.elapsed() < std::time::Duration::from_secs(2));
    assert_eq!(dir.read("mirror-validate-failed.txt"), "team/x team/x 1\n");
}

#[test]
fn artifacts_and_single_images_are_checked_too() {
    let mut content = Content::default();
    let chart = content.blob("team/x", "a chart");
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI,
        "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "size": 2, "digest": content.blob("team/x", "{}")},
        "layers": [{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "size": 7, "digest": chart}]})
    .to_string();
    content.put("team/x", "1", OCI, manifest);
    let (source, destination) = (Registry::of(&content), Registry::of(&content));
    validate(&source.name(), &destination.name(), "--deep=full").code(0);
    fs::remove_file(destination.file(&chart)).unwrap();
    validate(&source.name(), &destination.name(), "--deep")
        .code(1)
        .has(&format!(
            ": layer {chart} of 7 bytes is missing at the destination"
        ));

    let mut content = Content::default();
    let image = content.image("team/x", OCI, "linux/amd64", "a");
    content.tag("team/x", "1", &image);
    let source = Server::of(content.clone());
    let (layer, _) = blob(&content, "layer of a");
    content.blobs.remove(&("team/x".to_owned(), layer));
    let destination = Server::of(content);
    validate(&source.name(), &destination.name(), "--deep --allow-single")
        .code(1)
        .has(" linux/amd64: layer ");
}

#[test]
fn signed_schema_1_is_read_by_the_digest_that_the_registry_has_for_it() {
    let mut content = Content::default();
    let signed = content.schema1("team/x", "1", "linux/amd64", true);
    let layer = content.blob("team/x", "layer");
    let (source, raw) = (Server::of(content.clone()), Server::of(content.clone()));
    // By the digest of all bytes, as registries have it that do not know schema 1.
    let flags = "--allow-single --deep";
    for flag in [flags, "--allow-single --deep=full"] {
        validate(&source.name(), &raw.name(), flag)
            .code(0)
            .has("PASS");
    }
    let mut lost = content.clone();
    lost.blobs.clear();
    validate(&source.name(), &Server::of(lost).name(), flags)
        .code(1)
        .has(&format!("layer {layer} is missing at the destination"));
    // By the digest of the payload, as registries have it that do.
    let raw = digest(&signed.bytes);
    let payload = Server::start(move |request| match request.path.as_str() {
        path if path.ends_with(&raw) => Reply::error(404, "MANIFEST_UNKNOWN", "no"),
        path if path.contains("/manifests/sha256:") => Reply::new(200).body(signed.bytes.clone()),
        _ => answer(&content, request),
    });
    validate(&source.name(), &payload.name(), flags)
        .code(0)
        .has("PASS");
    assert_eq!(payload.count("GET", "/manifests/sha256:"), 1);
    // By neither: it is not there.
    let mut gone = Content::default();
    let signed = gone.schema1("team/x", "1", "linux/amd64", true);
    let gone = Server::start(
        move |request| match request.path.ends_with("/manifests/1") {
            true => Reply::new(200).body(signed.bytes.clone()),
            false => answer(&Content::default(), request),
        },
    );
    validate(&source.name(), &gone.name(), flags)
        .code(1)
        .has("failed to inspect dest image: [docker://");
}
