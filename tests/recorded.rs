//! `--record` and `--recorded`: the sources of a list, recorded for hosts that cannot reach them.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    Content, Dir, INDEX, LIST, OCI, Registry, Reply, Server, V2, answer, descriptor, digest, entry,
};

/// A recording without its time.
fn timeless(text: &str) -> String {
    let is_time = |line: &&str| line.starts_with("\"recorded\": \"20");
    assert_eq!(text.lines().filter(is_time).count(), 1, "{text}");
    text.lines()
        .filter(|line| !is_time(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Every kind of source, and for each verdict a destination: repositories `team/…` with tag 1.
fn every_verdict() -> (Content, Content) {
    let mut both = Content::default();
    let amd64 = both.image("team/x", V2, "linux/amd64", "a");
    let arm64 = both.image("team/x", V2, "linux/arm64/v8", "a");
    let other = both.image("team/x", V2, "linux/arm64/v8", "b");
    let s390x = both.image("team/x", OCI, "linux/s390x", "a");
    let inner = both.index("team/x", None, INDEX, &[entry(&arm64, "linux/arm64/v8")]);
    let list = [
        entry(&amd64, "linux/amd64"),
        entry(&arm64, "linux/arm64/v8"),
    ];
    let (mut source, mut destination) = (both.clone(), both);
    let mut put = |tag: &str, left: &[Value], right: Option<&[Value]>| {
        source.index("team/x", Some(tag), LIST, left);
        if let Some(right) = right {
            destination.index("team/x", Some(tag), INDEX, right);
        }
    };
    let one = [entry(&s390x, "linux/s390x")];
    put("passes", &list, Some(&list));
    put(
        "nested",
        &[entry(&amd64, "linux/amd64"), descriptor(&inner)],
        Some(&list),
    );
    put(
        "unnamed",
        &[descriptor(&amd64), descriptor(&arm64)],
        Some(&list),
    );
    put(
        "differs",
        &list,
        Some(&[list[0].clone(), entry(&other, "linux/arm64/v8")]),
    );
    put("missing", &list, None);
    put("empty", &list, Some(&[]));
    put("unselected", &one, Some(&one));
    put("sparse", &list, Some(&list[..1]));
    for tag in ["single", "two", "other", "bare"] {
        source.tag("team/x", tag, &amd64);
    }
    destination.index("team/x", Some("single"), LIST, &list[..1]);
    destination.index("team/x", Some("two"), LIST, &list);
    destination.index(
        "team/x",
        Some("other"),
        LIST,
        &[entry(&other, "linux/amd64")],
    );
    destination.tag("team/x", "bare", &amd64);
    for (tag, on) in [("v1", "linux/amd64"), ("v1-arm", "linux/arm64")] {
        source.schema1("team/x", tag, on, true);
        destination.index("team/x", Some(tag), LIST, &list[..1]);
    }
    let chart = |content: &mut Content, tag: &str, text: &str| {
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI,
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "size": 2, "digest": content.blob("team/x", "{}")},
            "layers": [{"mediaType": "x", "size": text.len(), "digest": content.blob("team/x", text)}]});
        content.put("team/x", tag, OCI, manifest.to_string());
    };
    for (tag, left, right) in [("chart", "a", "a"), ("chart-other", "a", "b")] {
        chart(&mut source, tag, left);
        chart(&mut destination, tag, right);
    }
    (source, destination)
}

const TAGS: [&str; 17] = [
    "passes",
    "nested",
    "unnamed",
    "differs",
    "missing",
    "empty",
    "unselected",
    "sparse",
    "single",
    "two",
    "other",
    "bare",
    "v1",
    "v1-arm",
    "chart",
    "chart-other",
    "nowhere",
];

#[test]
fn a_recording_gives_the_same_verdicts_in_the_same_words() {
    let (content, copy) = every_verdict();
    let (source, destination) = (Server::of(content), Server::of(copy));
    let dir = Dir::new();
    let list: String = TAGS
        .iter()
        .map(|tag| format!("team/x team/x {tag}\n"))
        .collect();
    dir.write("list.txt", &list);
    let flags = format!("-f list.txt -s {}", source.name());
    dir.validate()
        .args(&flags)
        .args("--record sources.json -j 8")
        .run()
        .code(3)
        .has("NOT RECORDED [")
        .has("/team/x:nowhere]: source manifest does not exist: ")
        .has("17 images: 16 recorded, 1 not recorded in ")
        .has("; failed list: mirror-validate-failed.txt; recording: sources.json (16 sources, 1 missing)\n");
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        "team/x team/x nowhere\n"
    );
    for more in [
        "",
        "--allow-single",
        "-a amd64",
        "-a s390x,arm64 --os linux",
        "--os windows",
        "--deep",
    ] {
        let flags = format!("{flags} -d {} {more}", destination.name());
        let live = dir.validate().args(&flags).args("-o live.txt").run();
        let requests = source.requests().len();
        let recorded = dir
            .validate()
            .args(&flags)
            .args("--recorded sources.json -o recorded.txt")
            .run();
        assert_eq!(source.requests().len(), requests, "the source is not asked");
        // The one that could not be recorded is told differently, and so are the time and, as the
        // source is not read, the reason why digests differ.
        let comparable = |log: Vec<String>| -> Vec<String> {
            log.into_iter()
                .filter(|line| !line.contains("/team/x:nowhere]: "))
                .filter(|line| !line.ends_with(": 17") && !line.contains(": started "))
                .map(|line| line.split(" in ").next().unwrap().to_owned())
                .map(|line| line.split("; other: ").next().unwrap().to_owned())
                .collect()
        };
        let (live_code, code) = (live.status.code(), recorded.status.code());
        assert_eq!(code, live_code, "{more}");
        assert_eq!(comparable(recorded.log()), comparable(live.log()), "{more}");
        assert_eq!(dir.read("recorded.txt"), dir.read("live.txt"), "{more}");
        recorded.has("/team/x:nowhere]: not in the recording sources.json, because the source could not be read during --record; record it again\n");
    }
}

#[test]
fn two_recordings_of_the_same_state_differ_in_their_time_only() {
    let (content, _) = every_verdict();
    let source = Registry::of(&{
        let mut content = content;
        // A real registry takes no schema 1 any more.
        content.remove("team/x", "v1");
        content.remove("team/x", "v1-arm");
        content
    });
    let dir = Dir::new();
    let mut list: Vec<String> = TAGS
        .iter()
        .filter(|tag| !tag.starts_with("v1"))
        .map(|tag| format!("team/x {tag}/{tag} {tag}\n"))
        .collect();
    dir.write("list.txt", list.concat());
    list.reverse();
    // Another order, other destinations and some lines twice.
    dir.write(
        "other.txt",
        list.concat().replace(" team", " other") + &list[3] + &list[4],
    );
    for (list, file, jobs) in [("list.txt", "one.json", 1), ("other.txt", "two.json", 20)] {
        dir.validate()
            .args(&format!(
                "-f {list} --record {file} -j {jobs} -s {}",
                source.name()
            ))
            .run()
            .code(3);
    }
    let one = dir.read("one.json");
    assert_eq!(timeless(&one), timeless(&dir.read("two.json")));
    // Valid JSON, sorted, all platforms, also those that only a config tells.
    let document: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(document["format"], "image-tools recording");
    assert_eq!(document["version"], 1);
    assert_eq!(
        document["missing"],
        json!([format!("{}/team/x:nowhere", source.name())])
    );
    let sources = document["sources"].as_array().unwrap();
    let names: Vec<&str> = sources
        .iter()
        .map(|source| source["source"].as_str().unwrap())
        .collect();
    assert!(names.is_sorted());
    assert_eq!(names.len(), 14);
    let named = |tag: &str| {
        sources
            .iter()
            .find(|source| source["source"].as_str().unwrap().ends_with(tag))
            .unwrap()
    };
    let unnamed = named(":unnamed");
    assert_eq!(unnamed["images"][1]["platform"]["architecture"], "arm64");
    assert_eq!(unnamed["images"][1]["platform"]["variant"], "v8");
    assert_eq!(unnamed["mediaType"], LIST);
    assert_eq!(
        named(":unselected")["images"][0]["platform"]["architecture"],
        "s390x"
    );
    assert!(named(":chart").get("images").is_none());
    assert!(unnamed["size"].as_u64().unwrap() > 100);
    // Again into the same file: nothing changes.
    dir.validate()
        .args(&format!(
            "-f list.txt --record one.json -s {}",
            source.name()
        ))
        .run();
    assert_eq!(timeless(&dir.read("one.json")), timeless(&one));
}

#[test]
fn a_recording_is_extended_and_nothing_in_it_is_lost() {
    let mut content = Content::default();
    for name in ["team/a", "team/b", "team/c"] {
        content.multi(name, "1", &["linux/amd64"], name);
    }
    let repaired = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_repaired = repaired.clone();
    let whole = Server::start(move |request| {
        match request.path.contains("team/b/")
            && !is_repaired.load(std::sync::atomic::Ordering::SeqCst)
        {
            true => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            false => answer(&content, request),
        }
    });
    let dir = Dir::new();
    let record = |list: &str| {
        dir.validate()
            .args(&format!("-f {list} --record s.json -s {}", whole.name()))
            .run()
    };
    dir.write("list.txt", "team/a x/a 1\nteam/b x/b 1\nteam/c x/c 1\n");
    record("list.txt")
        .code(3)
        .has("2 recorded, 1 not recorded")
        .has("(2 sources, 1 missing)");
    let first: Value = serde_json::from_str(&dir.read("s.json")).unwrap();
    repaired.store(true, std::sync::atomic::Ordering::SeqCst);
    // The failed list is what is missing.
    record("mirror-validate-failed.txt")
        .code(0)
        .has("1 image: 1 recorded, 0 not recorded")
        .has("recording: s.json (3 sources)\n");
    let second: Value = serde_json::from_str(&dir.read("s.json")).unwrap();
    assert_eq!(second["missing"], json!([]));
    assert_eq!(second["sources"].as_array().unwrap().len(), 3);
    assert_eq!(second["sources"][0], first["sources"][0]);
    assert_eq!(second["sources"][2], first["sources"][1]);
    assert!(!dir.has("mirror-validate-failed.txt"));
    // A source that cannot be read any more stays in the file, and nothing is validated against it.
    drop(whole);
    let before = dir.read("s.json");
    let name = second["sources"][0]["source"].as_str().unwrap().to_owned();
    let registry = name.split('/').next().unwrap();
    dir.write("list.txt", "team/a x/a 1\n");
    dir.validate()
        .args(&format!(
            "-f list.txt --retries 0 --record s.json -s {registry}"
        ))
        .run()
        .code(3)
        .has("NOT RECORDED")
        .has("recording: s.json (3 sources, 1 missing)\n");
    assert_eq!(
        timeless(&dir.read("s.json")),
        timeless(&before).replace("\"missing\": []", &format!("\"missing\": [\"{name}\"]"))
    );
    dir.validate()
        .args(&format!("-f list.txt --recorded s.json -s {registry} -d 127.0.0.1:1"))
        .run()
        .code(3)
        .has("the recording s.json has only an older state of this image, because the source could not be read during the last --record; record it again");
}

#[test]
fn untrusted_outputs_are_refused_before_the_first_request() {
    let server = Server::of(every_verdict().0);
    let dir = Dir::new();
    let list = "team/x team/x passes\n";
    dir.write("list.txt", list);
    let flags = format!("-f list.txt -s {}", server.name());
    dir.validate()
        .args(&format!("-f list.txt -s {} --record s.json", server.name()))
        .run()
        .code(0);
    let good = dir.read("s.json");
    let asked = server.requests().len();
    let line = good
        .lines()
        .find(|line| line.starts_with("{\"source\""))
        .unwrap();
    for (text, message) in [
        (
            good[..good.len() / 2].to_owned(),
            "the recording bad.json is damaged: the file was cut off in line",
        ),
        (
            good.replace("sha256:", "sha256:0"),
            "the recording bad.json is damaged: the hash must be 64",
        ),
        (
            good.replace("manifest.list.v2", "manifest.list.v3"),
            "the recording bad.json is damaged: invalid value",
        ),
        (
            good.replace("\"missing\"", "\"other\""),
            "the recording bad.json is damaged: unknown field `other`",
        ),
        (
            good.replace(line, &format!("{line},\n{line}")),
            "is damaged: the checksum does not match the sources; record again, or copy it again",
        ),
        (
            good.replace("\"version\": 1", "\"version\": 2"),
            "the recording bad.json has format version 2, but this program reads version 1; use a newer image-tools",
        ),
        (
            good.replace("image-tools recording", "something else"),
            "the file bad.json is not a recording: its format is \"something else\"",
        ),
        (
            list.to_owned(),
            "the file bad.json is not a recording: not JSON (line 1, column 2)",
        ),
        (
            String::new(),
            "the file bad.json is not a recording: the file is empty",
        ),
    ] {
        dir.write("bad.json", &text);
        for flag in ["--recorded", "--record"] {
            // An empty file is as good as none to begin with.
            if text.is_empty() && flag == "--record" {
                continue;
            }
            dir.validate()
                .args(&flags)
                .args(&format!("{flag} bad.json"))
                .run()
                .code(2)
                .has_not(" ")
                .one_error(message);
            assert_eq!(dir.read("bad.json"), text, "{flag}");
        }
    }
    for (args, message) in [
        (
            "--recorded nothing.json",
            "cannot read the recording nothing.json: No such file",
        ),
        (
            "--recorded s.json --record t.json",
            "--record cannot be used with --recorded: --record writes a recording, and --recorded reads one",
        ),
        (
            "--record t.json --deep",
            "--record cannot be used with --deep: --record reads only the sources",
        ),
        (
            "-a arm64 --record t.json",
            "--record cannot be used with -a: --record reads only the sources",
        ),
        (
            "--record t.json --os linux",
            "--record cannot be used with --os: --record reads only the sources",
        ),
        (
            "--record t.json --destination reg.io",
            "--record cannot be used with -d: --record reads only the sources",
        ),
        (
            "--record t.json --allow-single",
            "--record cannot be used with --allow-single: --record reads only the sources",
        ),
        (
            "--record t.json --default-project x",
            "--record cannot be used with -default-project: --record reads only the sources",
        ),
        (
            "--record list.txt",
            "cannot write the recording list.txt: it would overwrite the image list",
        ),
        (
            "--recorded s.json --report s.json",
            "cannot write the report s.json: it would overwrite the recording; name another file with --report",
        ),
        (
            "--record nowhere/s.json",
            "cannot write the recording nowhere/s.json: No such file or directory",
        ),
    ] {
        dir.validate()
            .args(&flags)
            .args(args)
            .run()
            .code(2)
            .one_error(message);
    }
    assert_eq!(dir.read("list.txt"), list);
    assert_eq!(dir.read("s.json"), good);
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn a_recording_is_a_lock_file_that_finds_tags_that_moved() {
    let mut content = Content::default();
    for name in ["team/a", "team/b", "team/c"] {
        content.multi(name, "1", &["linux/amd64", "linux/arm64"], name);
    }
    let single = content.image("team/d", OCI, "linux/amd64", "single");
    content.tag("team/d", "1", &single);
    let upstream = Registry::of(&content);
    let dir = Dir::new();
    dir.write(
        "list.txt",
        "team/a team/a 1\nteam/b team/b 1\nteam/d team/d 1\n",
    );
    let at = upstream.name();
    dir.validate()
        .args(&format!("-f list.txt -s {at} --record lock.json"))
        .run()
        .code(0);
    let look = || {
        dir.validate()
            .args(&format!(
                "-f list.txt -s {at} -d {at} --recorded lock.json --allow-single"
            ))
            .run()
    };
    look().code(0).has("3 images: 3 passed");
    let mut moved = Content::default();
    moved.multi("team/b", "1", &["linux/amd64", "linux/arm64"], "moved");
    upstream.fill(&moved);
    look()
        .code(1)
        .has(&format!("FAILED [{at}/team/b:1]"))
        .has(&format!(
            "source manifest \"{at}/team/b\" != dest \"{at}/team/b\", tag \"1\""
        ))
        .has("3 images: 2 passed, 1 failed");
    assert_eq!(dir.read("mirror-validate-failed.txt"), "team/b team/b 1\n");
}

#[test]
fn lists_with_one_field_are_recorded_without_a_destination() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    let (source, destination) = (Server::of(content.clone()), Server::of(content));
    let dir = Dir::new();
    dir.write("list.txt", format!("{}/team/x:1\n", source.name()));
    dir.validate()
        .args("-f list.txt --record s.json")
        .run()
        .code(0);
    drop(source);
    dir.validate()
        .args(&format!(
            "-f list.txt --recorded s.json -d {}",
            destination.name()
        ))
        .run()
        .code(0)
        .has("PASS");
    dir.validate()
        .args("-f list.txt --recorded s.json")
        .run()
        .code(3)
        .has("a line with one field requires -d (the destination registry)");
}

#[test]
fn an_image_that_was_not_recorded_is_not_validated() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    let server = Server::of(content);
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    // A destination in the environment is no mistake, and nothing to a recording.
    dir.validate()
        .env("DEST_REGISTRY", "127.0.0.1:1")
        .args(&format!("-f list.txt -s {} --record s.json", server.name()))
        .run()
        .code(0);
    let flags = format!("-f list.txt -s {0} -d {1}", server.name(), server.alias());
    dir.write("list.txt", "team/x team/x 1\nteam/x team/x 2\n");
    dir.validate()
        .args(&flags)
        .args("--recorded s.json")
        .run()
        .code(3)
        .has(&format!(
            "[{}/team/x:2]: not in the recording s.json; use --record on a host that can read the source\n",
            server.name()
        ))
        .has("2 images: 1 passed, 0 failed, 1 not validated");
    // What is attached was not recorded.
    dir.write("list.txt", "team/x team/x 1\n");
    dir.validate()
        .args(&flags)
        .args("--recorded s.json --referrers")
        .run()
        .code(3)
        .has(
            "the recording s.json has no referrers of this image; record it again with --referrers",
        );
}

#[test]
fn referrers_of_the_sources_are_recorded_too() {
    let mut content = Content::default();
    let amd64 = content.image("team/x", OCI, "linux/amd64", "a");
    let index = content.index("team/x", Some("1"), INDEX, &[entry(&amd64, "linux/amd64")]);
    let sbom = content.attach("team/x", &amd64, "application/spdx+json");
    content.referrers_tag("team/x", &amd64, &[&sbom]);
    let signature = content.image("team/x", OCI, "linux/amd64", "signature");
    let tag = digest(&index.bytes).replace(':', "-") + ".sig";
    content.tag("team/x", &tag, &signature);
    let source = Registry::of(&content);
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    dir.validate()
        .args(&format!(
            "-f list.txt -s {} --record s.json --referrers",
            source.name()
        ))
        .run()
        .code(0);
    let at = source.name();
    drop(source);
    let look = |content: &Content| {
        let destination = Registry::of(content);
        dir.validate()
            .args(&format!(
                "-f list.txt -s {at} -d {} --recorded s.json --referrers",
                destination.name()
            ))
            .run()
    };
    look(&content).code(0).has("PASS");
    content.remove("team/x", &tag);
    look(&content)
        .code(1)
        .has(&format!(
            "tag {tag} {} of the source {}: present, but without its tag: push the tag",
            digest(&signature.bytes),
            digest(&index.bytes)
        ))
        .has("1 of 2 referrers of the source are not at the destination");
}

#[test]
fn two_runs_cannot_extend_one_recording() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    let server = Server::stalling(content, "/y/");
    let dir = Dir::new();
    dir.write("list.txt", "team/x y/y 1\nteam/y y/y 1\n");
    let flags = format!("-f list.txt --record s.json -s {}", server.name());
    let mut running = dir.validate().args(&flags).start();
    running.wait_for("RECORDED");
    dir.validate()
        .args(&flags)
        .args("-o other.txt")
        .run()
        .code(2)
        .one_error("cannot write the recording s.json: another run is writing it; name another file with --record");
    running.signal("INT");
    running.end().code(130).has("(1 source, 1 missing)");
}

#[test]
fn an_interrupted_recording_says_what_it_lacks() {
    let mut content = Content::default();
    for number in 0..3 {
        content.multi(&format!("team/x{number}"), "1", &["linux/amd64"], "a");
    }
    let server = Server::stalling(content, "/x1/");
    let dir = Dir::new();
    dir.write("list.txt", "team/x0 y/y 1\nteam/x1 y/y 1\nteam/x2 y/y 1\n");
    let mut running = dir
        .validate()
        .args(&format!("-f list.txt --record s.json -s {}", server.name()))
        .start();
    running.wait_for("RECORDED");
    running.signal("INT");
    running
        .end()
        .code(130)
        .has("interrupted by SIGINT: 3 images: 1 recorded, 2 not recorded")
        .has("recording: s.json (1 source, 2 missing)");
    let document: Value = serde_json::from_str(&dir.read("s.json")).unwrap();
    assert_eq!(
        document["missing"],
        json!([
            format!("{}/team/x1:1", server.name()),
            format!("{}/team/x2:1", server.name())
        ])
    );
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        "team/x1 y/y 1\nteam/x2 y/y 1\n"
    );
    assert!(!fs::exists(dir.path().join("s.json.partial")).unwrap());
}
