//! `--report` and `--metrics`: the result of a run for other programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Content, Dir, INDEX, LIST, OCI, Registry, Reply, Run, Server, Shim, V2, answer, digest, entry,
    skip,
};

fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/report.schema.json")
}

/// The report, which follows its schema; `jsonschema` of Debian says so.
pub fn report(dir: &Dir, name: &str) -> Value {
    const CHECK: &str = "import json, sys, jsonschema
schema, document = (json.load(open(name)) for name in sys.argv[1:3])
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(document)";
    let run = dir
        .command("/usr/bin/python3")
        .arg("-c")
        .arg(CHECK)
        .arg(schema())
        .arg(name)
        .run();
    if !run.status.success() {
        run.fail(
            "a report that follows its schema; the check needs: apt-get install python3-jsonschema",
        );
    }
    serde_json::from_str(&dir.read(name)).unwrap()
}

/// `promtool check metrics` finds nothing wrong.
pub fn check_metrics(dir: &Dir, name: &str) -> BTreeMap<String, String> {
    let text = dir.read(name);
    let promtool = std::env::var("IMAGE_TOOLS_PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let found = std::process::Command::new(&promtool)
        .arg("--version")
        .output();
    if found.is_ok() {
        let run = dir
            .command(promtool)
            .args("check metrics")
            .stdin(&text)
            .run();
        run.code(0).error("");
        assert_eq!(run.stdout, "");
    } else {
        skip("no promtool; `make test` gets one");
    }
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.to_owned())
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(value)
        .collect()
}

/// Sources and destinations for every reason code that registries can bring about.
pub fn registries() -> (Server, Server) {
    let mut both = Content::default();
    let amd64 = both.image("team/x", V2, "linux/amd64", "a");
    let arm64 = both.image("team/x", V2, "linux/arm64", "a");
    let other = both.image("team/x", V2, "linux/arm64", "b");
    let s390x = both.image("team/x", OCI, "linux/s390x", "a");
    let gone = both.image("team/x", OCI, "linux/arm64", "gone");
    let list = [entry(&amd64, "linux/amd64"), entry(&arm64, "linux/arm64")];
    let (mut source, mut destination) = (both.clone(), both);
    let mut put = |tag: &str, left: &[Value], right: &[Value]| {
        source.index("team/x", Some(tag), INDEX, left);
        destination.index("team/x", Some(tag), LIST, right);
    };
    put("passes", &list, &list);
    put("destination-missing", &list, &list);
    put("destination-empty", &list, &[]);
    put("destination-not-an-index", &list, &list);
    let one = [entry(&s390x, "linux/s390x")];
    put("no-platform", &one, &one);
    let differing = [list[0].clone(), entry(&other, "linux/arm64")];
    put("index-differs", &list, &differing);
    let lost = [entry(&gone, "linux/arm64")];
    put("image-missing", &lost, &lost);
    for tag in ["denied", "unreachable", "invalid-answer"] {
        put(tag, &list, &list);
    }
    for tag in [
        "destination-not-single",
        "digest-differs",
        "platform-differs",
    ] {
        source.tag("team/x", tag, &amd64);
    }
    destination.index("team/x", Some("destination-not-single"), LIST, &list);
    destination.index("team/x", Some("digest-differs"), LIST, &list[1..]);
    destination.index(
        "team/x",
        Some("platform-differs"),
        LIST,
        &[entry(&amd64, "windows/amd64")],
    );
    destination.remove("team/x", "destination-missing");
    destination.tag("team/x", "destination-not-an-index", &amd64);
    destination.remove("team/x", &digest(&gone.bytes));
    let destination =
        Server::start(
            move |request| match request.path.rsplit('/').next().unwrap_or_default() {
                "denied" => Reply::error(403, "DENIED", "not for you \u{202e}"),
                "unreachable" => Reply::error(503, "UNAVAILABLE", "later"),
                "invalid-answer" => Reply::new(200).body("<html>"),
                _ => answer(&destination, request),
            },
        );
    (Server::of(source), destination)
}

pub const CODES: [&str; 14] = [
    "destination-missing",
    "destination-empty",
    "destination-not-an-index",
    "destination-not-single",
    "no-platform",
    "digest-differs",
    "platform-differs",
    "index-differs",
    "image-missing",
    "source-missing",
    "denied",
    "unreachable",
    "invalid-answer",
    "invalid-line",
];

#[test]
fn the_report_has_every_line_with_its_code() {
    let (source, destination) = registries();
    let dir = Dir::new();
    let mut list = "# a comment\nteam/x team/x passes\n".to_owned();
    for code in &CODES[..13] {
        list += &format!("team/x team/x {code}\n");
    }
    list += "invalid line\nteam/x team/x passes\nteam/x team/x index-differs\n";
    dir.write("list.txt", &list);
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt -j 8 --retries 0 --report r.json --metrics m.prom -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .run();
    run.code(1)
        .has("17 images: 2 passed, 10 failed, 5 not validated");
    let report = report(&dir, "r.json");
    let lines = report["lines"].as_array().unwrap();
    let numbers: Vec<u64> = lines
        .iter()
        .map(|line| line["line"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (2..=18).collect::<Vec<u64>>());
    assert_eq!(lines[0]["outcome"], "passed");
    assert_eq!(lines[0]["m_id"], 1);
    assert_eq!(lines[0]["source"], format!("{}/team/x", source.name()));
    assert_eq!(
        lines[0]["destination"],
        format!("{}/team/x", destination.name())
    );
    assert_eq!(lines[0]["tag"], "passes");
    assert_eq!(lines[0]["source_spec"], lines[0]["destination_spec"]);
    assert_eq!(lines[0]["source_spec"].as_array().unwrap().len(), 2);
    let code = |index: usize| lines[index]["code"].as_str().unwrap_or("none");
    for (index, expected) in CODES.iter().enumerate() {
        assert_eq!(code(index + 1), *expected);
        let is_failed = index < 9;
        let outcome = if is_failed { "failed" } else { "not_validated" };
        assert_eq!(lines[index + 1]["outcome"], outcome, "{expected}");
        // The message is the log's, word for word.
        let message = lines[index + 1]["message"].as_str().unwrap();
        run.has(&format!(" {message}\n"));
    }
    let differs = &lines[8];
    assert_ne!(differs["source_spec"], differs["destination_spec"]);
    let details = differs["details"].as_array().unwrap();
    assert_eq!(
        details.len(),
        2,
        "the difference, and what to do: {details:?}"
    );
    assert!(
        details[0]
            .as_str()
            .unwrap()
            .starts_with("linux/arm64: other digest: source sha256:")
    );
    assert_eq!(lines[14]["m_id"], Value::Null);
    assert!(
        lines[11]["message"].as_str().unwrap().contains("\\u{202e}"),
        "{}",
        lines[11]
    );
    // The same images again.
    for (index, first, outcome) in [(15, 2, "passed"), (16, 10, "failed")] {
        assert_eq!(lines[index]["same_as_line"], first);
        assert_eq!(lines[index]["outcome"], outcome);
        assert_eq!(lines[index]["requests"], 0);
    }
    // What was wanted, and what there is.
    assert_eq!(
        lines[5]["details"],
        json!(["requested: amd64, arm64; the source has: s390x"])
    );
    assert_eq!(lines[15]["m_id"], 15);
    // Every request is somebody's.
    let requests = source.requests().len() + destination.requests().len();
    let totals = &report["totals"];
    assert_eq!(totals["requests"], requests as u64);
    assert_eq!(
        (&totals["lines"], &totals["passed"], &totals["failed"]),
        (&json!(17), &json!(2), &json!(10))
    );
    assert_eq!(
        (&totals["not_validated"], &totals["exit_code"]),
        (&json!(5), &json!(1))
    );
    assert_eq!(report["list"], "list.txt");
    // One line of text a line of the list.
    let text = dir.read("r.json");
    let is_line = |line: &&str| line.starts_with("{\"line\":");
    assert_eq!(text.lines().filter(is_line).count(), 17);
    assert!(!dir.has("r.json.partial"));

    let metrics = check_metrics(&dir, "m.prom");
    let of = |name: &str, labels: &str| {
        metrics[&format!("mirror_validate_{name}{{list=\"list.txt\"{labels}}}")].as_str()
    };
    let registry = format!(",registry=\"{}\"", destination.name());
    for (outcome, all, ours) in [
        ("passed", "2", "2"),
        ("failed", "10", "10"),
        // A line that is no image belongs to no registry.
        ("not_validated", "5", "4"),
    ] {
        let outcome = format!(",outcome=\"{outcome}\"");
        assert_eq!(of("images", &outcome), all);
        assert_eq!(of("registry_images", &(registry.clone() + &outcome)), ours);
    }
    // Every code, also those that did not come.
    for (code, count) in [
        ("index-differs", "2"),
        ("unreachable", "1"),
        ("invalid-line", "1"),
        ("blob-missing", "0"),
    ] {
        assert_eq!(of("images_by_reason", &format!(",code=\"{code}\"")), count);
    }
    let is_by_reason = |name: &&String| name.starts_with("mirror_validate_images_by_reason{");
    assert_eq!(metrics.keys().filter(is_by_reason).count(), 22);
    assert_eq!(of("last_run_exit_code", ""), "1");
    assert_eq!(of("requests", ""), totals["requests"].to_string());
    assert!(of("duration_seconds", "").parse::<f64>().unwrap() > 0.0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let ended: u64 = of("last_run_timestamp_seconds", "").parse().unwrap();
    assert!(ended <= now && now - ended < 60);
}

#[test]
fn the_report_has_the_digests_that_were_validated() {
    let (mut left, mut right) = (Content::default(), Content::default());
    let index = |content: &mut Content, tag: &str, salt: &str| {
        let image = content.image("team/x", OCI, "linux/amd64", salt);
        let entries = [entry(&image, "linux/amd64")];
        digest(&content.index("team/x", Some(tag), INDEX, &entries).bytes)
    };
    let wanted = index(&mut left, "moved", "new");
    let old = index(&mut right, "moved", "old");
    let missing = index(&mut left, "missing", "missing");
    let (source, destination) = (Server::of(left), Server::of(right));
    let dir = Dir::new();
    dir.write(
        "list.txt",
        format!(
            "team/x team/x moved\nteam/x:moved@{wanted}\nteam/x team/x missing\nteam/x team/x nowhere\n"
        ),
    );
    dir.validate()
        .args(&format!(
            "-f list.txt --report r.json -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .run()
        .code(1);
    let report = report(&dir, "r.json");
    let facts: Vec<_> = report["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            json!([
                line["code"],
                line["tag"],
                line["destination_tag"],
                line["source_digest"],
                line["destination_digest"]
            ])
        })
        .collect();
    assert_eq!(
        facts,
        [
            json!(["index-differs", "moved", "moved", wanted, old]),
            json!(["destination-missing", wanted, "moved", wanted, old]),
            json!(["destination-missing", "missing", "missing", missing, null]),
            json!(["source-missing", "nowhere", "nowhere", null, null]),
        ]
    );
}

#[test]
fn every_run_writes_its_report() {
    // Deep, referrers, recording, recorded: each has codes and outcomes of its own.
    let mut content = Content::default();
    let amd64 = content.image("team/x", OCI, "linux/amd64", "a");
    let index = content.index("team/x", Some("1"), INDEX, &[entry(&amd64, "linux/amd64")]);
    let signature = content.image("team/x", OCI, "linux/amd64", "signature");
    let tag = digest(&index.bytes).replace(':', "-") + ".sig";
    content.tag("team/x", &tag, &signature);
    let source = Registry::of(&content);
    content.remove("team/x", &tag);
    let destination = Registry::of(&content);
    let blobs = |content: &Content| {
        content
            .blobs
            .values()
            .find(|bytes| bytes.starts_with(b"layer of a on"))
            .map(digest)
            .unwrap()
    };
    let file = destination.file(&blobs(&content));
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    let to = format!("-d {}", destination.name());
    let run = |flags: &str| {
        let run = dir
            .validate()
            .args(&format!(
                "-f list.txt --report r.json --metrics m.prom -s {} {flags}",
                source.name()
            ))
            .env("DEST_REGISTRY", destination.name())
            .run();
        let report = report(&dir, "r.json");
        let metrics = check_metrics(&dir, "m.prom");
        (run, report["lines"][0].clone(), metrics)
    };
    let (_, line, metrics) = run("--record s.json");
    assert_eq!(line["outcome"], "recorded");
    assert_eq!(line["destination"], Value::Null);
    assert_eq!(
        metrics["mirror_validate_images{list=\"list.txt\",outcome=\"recorded\"}"],
        "1"
    );
    let top = digest(&index.bytes);
    assert_eq!(line["source_digest"], top);
    assert_eq!(
        (&line["destination_digest"], &line["destination_tag"]),
        (&Value::Null, &Value::Null)
    );
    let (_, line, _) = run(&format!("--referrers {to}"));
    assert_eq!(line["code"], "referrer-missing");
    assert_eq!(
        (&line["source_digest"], &line["destination_digest"]),
        (&json!(top), &json!(top))
    );
    assert_eq!(line["details"].as_array().unwrap().len(), 1);
    let (_, line, _) = run(&format!("--recorded s.json --referrers {to}"));
    assert_eq!(line["code"], "not-recorded");
    fs::write(&file, "other").unwrap();
    let (_, line, _) = run(&format!("--deep {to}"));
    assert_eq!(line["code"], "blob-damaged");
    fs::remove_file(&file).unwrap();
    let looked = |file: &str| report(&dir, file)["run"].clone();
    assert_eq!(
        looked("r.json"),
        json!({"work": "validate", "arch": ["amd64", "arm64"], "os": null, "source": source.name(),
            "destination": destination.name(), "default_project": "library", "allow_single": false,
            "require_arch": false, "accept": [], "deep": "blobs", "referrers": false, "recorded": null,
            "tls_verify": true, "shard": null})
    );
    run(&format!(
        "--deep=full --referrers --recorded s.json --shard 0/1 --os linux -a x86_64 --allow-single {to}"
    ));
    assert_eq!(
        looked("r.json"),
        json!({"work": "validate", "arch": ["amd64"], "os": ["linux"], "source": source.name(),
            "destination": destination.name(), "default_project": "library", "allow_single": true,
            "require_arch": false, "accept": [], "deep": "full", "referrers": true, "recorded": "s.json",
            "tls_verify": true, "shard": "0/1"})
    );
    assert_eq!(
        report(&dir, "r.json")["shard"],
        json!({"index": 0, "count": 1})
    );
    let (_, line, metrics) = run(&format!("--deep --shard 0/1 {to}"));
    assert_eq!(line["code"], "blob-missing");
    assert!(metrics.contains_key("mirror_validate_requests{list=\"list.txt\",shard=\"0/1\"}"));
    // An empty list has an empty report, whether it may be empty or not.
    dir.write("list.txt", "# nothing\n");
    for (flags, code) in [("", 2), ("--allow-empty", 0)] {
        dir.validate()
            .args(&format!(
                "-f list.txt --report r.json --metrics m.prom {flags}"
            ))
            .run()
            .code(code);
        let report = report(&dir, "r.json");
        assert_eq!(report["lines"], json!([]));
        assert_eq!(report["totals"]["exit_code"], code);
        let metrics = check_metrics(&dir, "m.prom");
        assert_eq!(
            metrics["mirror_validate_last_run_exit_code{list=\"list.txt\"}"],
            code.to_string()
        );
    }
    // Typed images have one too.
    dir.validate()
        .args(&format!(
            "--report r.json -s {0} -d {1}",
            source.name(),
            source.alias()
        ))
        .stdin("team/x team/x 1\nnonsense\n")
        .run()
        .code(3);
    let report = report(&dir, "r.json");
    assert_eq!(report["list"], "standard input");
    assert_eq!(report["lines"].as_array().unwrap().len(), 2);
}

/// Reports of one list can be told from those of another: by the digest of its bytes, however they came.
#[test]
fn the_report_has_the_digest_of_the_list() {
    let dir = Dir::new();
    let (one, other) = ("no image\n", "{\"images\": [\"no/image\"]}");
    dir.write("one.txt", one);
    dir.write("other.json", other);
    let hex = |text: &str| digest(text).replace("sha256:", "");
    let both = |one: &str, other: &str| digest(format!("{}\n{}\n", hex(one), hex(other)));
    let found = |args: &str, stdin: Option<&str>| {
        let command = dir.validate().args(args).arg("--report").arg("r.json");
        let command = match stdin {
            Some(text) => command.stdin(text),
            None => command,
        };
        command.run().code(3);
        report(&dir, "r.json")["list_digest"].clone()
    };
    assert_eq!(found("-f one.txt", None), digest(one));
    assert_eq!(found("-f other.json -d x.invalid", None), digest(other));
    assert_eq!(
        found("-f one.txt -f other.json -d x.invalid", None),
        both(one, other)
    );
    assert_eq!(found("-f -", Some(one)), digest(one));
    assert_eq!(found("-j 2", Some(one)), digest(one));
    assert_eq!(
        found("-f - -d x.invalid", Some(other)),
        digest(other),
        "a document from a pipe"
    );
    assert_eq!(
        found("-f other.json -f - -d x.invalid", Some(one)),
        both(other, one)
    );
    let redirected = format!(
        "{} mirror-validate -f - --report r.json <one.txt",
        env!("CARGO_BIN_EXE_image-tools")
    );
    dir.command("sh").arg("-c").arg(redirected).run().code(3);
    assert_eq!(report(&dir, "r.json")["list_digest"], digest(one));
    assert_eq!(found("", Some(one)), Value::Null, "typed images");
}

/// A registry that answers for `team/x` only.
pub fn stalling() -> Server {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    Server::stalling(content, "team/y")
}

#[test]
fn an_interrupted_run_reports_every_line() {
    let server = stalling();
    let dir = Dir::new();
    let rest = "team/y team/y 1\n".to_owned() + &"nonsense\n".repeat(300) + "team/x team/z 1\n";
    dir.write("list.txt", "team/x team/x 1\n".to_owned() + &rest);
    let mut running = dir
        .validate()
        .args(&format!(
            "-f list.txt --report r.json --metrics m.prom -s {0} -d {1}",
            server.name(),
            server.alias()
        ))
        .start();
    running.wait_for("PASS");
    crate::support::wait_until("the stalled image", || server.count("GET", "team/y") > 0);
    running.signal("TERM");
    running.end().code(143);
    let report = report(&dir, "r.json");
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 303);
    assert_eq!(lines[0]["outcome"], "passed");
    assert_eq!(lines[1]["code"], "interrupted");
    assert_eq!(lines[1]["tag"], "1");
    let codes: BTreeSet<&str> = lines[2..]
        .iter()
        .map(|line| line["code"].as_str().unwrap())
        .collect();
    assert!(codes.is_subset(&BTreeSet::from(["interrupted", "invalid-line"])));
    assert_eq!(lines[302]["code"], "interrupted");
    assert_eq!(lines[302]["m_id"], 3);
    assert_eq!(report["totals"]["signal"], 15);
    assert_eq!(report["totals"]["exit_code"], 143);
    let metrics = check_metrics(&dir, "m.prom");
    assert_eq!(
        metrics["mirror_validate_last_run_exit_code{list=\"list.txt\"}"],
        "143"
    );
    assert_eq!(dir.read("mirror-validate-failed.txt"), rest);
}

#[test]
fn a_killed_run_leaves_the_last_report_whole() {
    let server = stalling();
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\nteam/y team/y 1\n");
    dir.write("r.json", "the last one");
    dir.write("m.prom", "the last one");
    let mut running = dir
        .validate()
        .args(&format!(
            "-f list.txt --report r.json --metrics m.prom -s {0} -d {1}",
            server.name(),
            server.alias()
        ))
        .start();
    running.wait_for("PASS");
    running.signal("KILL");
    running.end();
    assert_eq!(dir.read("r.json"), "the last one");
    assert_eq!(dir.read("m.prom"), "the last one");
    assert!(dir.read("r.json.partial").starts_with("{\"line\":1,"));
}

fn refused(dir: &Dir, args: &str) -> Run {
    let run = dir.validate().args(args).run();
    run.code(2).has_not(" ");
    run
}

#[test]
fn unwritable_outputs_are_refused_before_the_first_request() {
    let dir = Dir::new();
    let list = "127.0.0.1:1/x 127.0.0.1:1/x 1\n";
    dir.write("list.json", list);
    fs::create_dir(dir.path().join("directory.json")).unwrap();
    for (flag, what) in [("--report", "report"), ("--metrics", "metrics")] {
        for (name, why) in [
            ("directory.json", "it is a directory; name a file with"),
            (
                "nowhere/x.json",
                "No such file or directory (os error 2); name another file with",
            ),
            (
                "list.json",
                "it would overwrite the image list; name another file with",
            ),
            (
                "failed.json",
                "it would overwrite the failed list; name another file with",
            ),
            (
                "./failed.json",
                "it would overwrite the failed list; name another file with",
            ),
        ] {
            refused(&dir, &format!("-f list.json -o failed.json {flag} {name}"))
                .one_error(&format!("cannot write the {what} {name}: {why} {flag}"));
        }
    }
    refused(&dir, "-f list.json --report x.csv --metrics x.csv").one_error(
        "cannot write the metrics x.csv: it would overwrite the report; name another file with --metrics",
    );
    dir.write("r.json.partial", list);
    refused(&dir, "-f r.json.partial --report r.json").one_error(
        "cannot read the image list r.json.partial: this run writes the report to that file until it ends; rename the list, or name another file with --report",
    );
    assert_eq!(
        dir.read("list.json") + &dir.read("r.json.partial"),
        list.repeat(2)
    );
    // Nothing of these runs is left.
    refused(&dir, "-f list.json --ca-file nowhere.pem --report r2.json");
    let mut left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["directory.json", "list.json", "r.json.partial"]);
    // Nor may what is written on the way be anything that is read or written.
    for (args, message) in [
        (
            "-f list.json --report m.json --metrics m.json.partial",
            "cannot write the metrics m.json.partial: it would overwrite the report",
        ),
        (
            "-f list.json --recorded x.partial -o x",
            "cannot write the failed list x: it would overwrite the recording",
        ),
        (
            "-f list.json --ca-file x.partial -o x",
            "cannot write the failed list x: it would overwrite the certificate file",
        ),
        (
            "-f im.md.partial --report im.md",
            "cannot read the image list im.md.partial: this run writes the report to that file",
        ),
    ] {
        let mut made = Vec::new();
        for name in ["x.partial", "im.md.partial"] {
            made.push(dir.write(name, list));
        }
        refused(&dir, args).one_error(message);
        for path in made {
            assert_eq!(fs::read_to_string(&path).unwrap(), list, "{args}");
            fs::remove_file(path).unwrap();
        }
    }
    // The log, when it goes to a file, and a file called `-`.
    let shell = format!(
        "{} mirror-validate -f list.json --report log.json >log.json",
        env!("CARGO_BIN_EXE_image-tools")
    );
    dir.command("sh").arg("-c").arg(shell).run().code(2).one_error(
        "cannot write the report log.json: it would overwrite the standard output; name another file with --report",
    );
    refused(&dir, "-f list.json --metrics -").one_error("the metrics -: it is not a regular file");
    // A device takes a failed list only, which may be unwanted.
    for flag in ["--metrics", "--record"] {
        refused(&dir, &format!("-f list.json {flag} /dev/null"))
            .one_error("/dev/null: it is not a regular file; name another file with");
    }
    dir.validate()
        .args("-f list.json --retries 0 -o /dev/null")
        .run()
        .code(3);
    assert!(!dir.has("mirror-validate-failed.txt"));
}

/// The text behind a definition, wherever in this directory it stands.
fn defining(directory: &Path, definition: &str) -> Option<String> {
    fs::read_dir(directory).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return defining(&path, definition);
        }
        let text = fs::read_to_string(&path).unwrap();
        Some(text.split_once(definition)?.1.to_owned())
    })
}

#[test]
fn every_code_is_in_the_schema_and_in_the_manual() {
    let read =
        |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let kebab = |name: &str| {
        let mut text = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() && !text.is_empty() {
                text.push('-');
            }
            text.push(letter.to_ascii_lowercase());
        }
        text
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let codes: BTreeSet<String> = defining(&source, "pub enum Code {")
        .expect("the codes")
        .lines()
        .take_while(|line| *line != "}")
        .filter_map(|line| line.strip_prefix("    ")?.strip_suffix(','))
        .filter(|name| name.chars().all(char::is_alphabetic))
        .map(kebab)
        .collect();
    assert!(codes.len() >= 20, "{codes:?}");
    let schema: Value = serde_json::from_str(&read("fixtures/report.schema.json")).unwrap();
    let listed = schema["$defs"]["code"]["enum"].as_array().unwrap();
    let listed: BTreeSet<String> = listed
        .iter()
        .map(|code| code.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(codes, listed);
    let manual = read("src/help/codes.md");
    for code in codes {
        assert!(manual.contains(&format!("\n## {code}\n")), "{code}");
    }
}

#[test]
fn a_clock_that_is_set_does_not_make_a_run_longer() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    content.multi("team/y", "1", &["linux/amd64"], "a");
    let (dir, shim) = (Dir::new(), Shim::clock());
    let step = dir.path().join("step");
    let stepped = step.clone();
    let server = Server::start(move |request| {
        if request.path.contains("/team/y/") {
            fs::write(&stepped, "").unwrap();
        }
        answer(&content, request)
    });
    dir.write(
        "list.txt",
        "team/x team/x 1\nteam/y team/y 1\nteam/x team/gone 1\n",
    );
    let flags = format!(
        "-f list.txt --report r.json -s {0} -d {1}",
        server.name(),
        server.alias()
    );
    shim.in_front_of(dir.validate().args(&flags))
        .env("CLOCK_STEP", &step)
        .run()
        .code(1);
    let report = report(&dir, "r.json");
    let time =
        |name: &str| chrono::DateTime::parse_from_rfc3339(report[name].as_str().unwrap()).unwrap();
    // Otherwise this would test nothing.
    assert!(time("ended") - time("begun") > chrono::TimeDelta::hours(23));
    let milliseconds = |value: &Value| value["milliseconds"].as_u64().unwrap();
    assert!(milliseconds(&report["totals"]) < 60_000, "{report:#}");
    for line in report["lines"].as_array().unwrap() {
        assert!(milliseconds(line) < 60_000, "{line:#}");
    }
}

#[test]
fn each_line_has_its_place_in_its_file() {
    let dir = Dir::new();
    let closed = "localhost:9";
    dir.write(
        "one.txt",
        format!("# x\n{closed}/a/x 127.0.0.1:9/a/x 1\nno-tag\n"),
    );
    dir.write(
        "two.yaml",
        format!("spec:\n  image: {closed}/a/x:1\n  other: {{image: {closed}/a/y:2}}\n"),
    );
    let places = |args: &str| -> Vec<(u64, String)> {
        let run = dir
            .validate()
            .args("-d 127.0.0.1:9 --retries 0 --report report.json")
            .args(args)
            .run();
        run.code(3);
        let report = report(&dir, "report.json");
        let lines = report["lines"].as_array().unwrap();
        for line in lines {
            let place = line["place"].as_str().unwrap();
            // An image of a plain list stands in the line that its number says.
            let has = match line["source"].as_str() {
                Some(source) => {
                    let tag = line["tag"].as_str().unwrap();
                    let heading = format!("NOT VALIDATED [{source}:{tag}]");
                    match args {
                        "-f one.txt" => format!("{heading}\n"),
                        _ => format!("{heading} ({place})\n"),
                    }
                }
                None => format!("[ERRO] {place}: "),
            };
            run.has(&has);
        }
        lines
            .iter()
            .map(|line| {
                (
                    line["line"].as_u64().unwrap(),
                    line["place"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    let of = |expected: &[(u64, &str)]| -> Vec<(u64, String)> {
        expected
            .iter()
            .map(|(number, place)| (*number, (*place).to_owned()))
            .collect()
    };
    assert_eq!(
        places("-f one.txt"),
        of(&[(2, "one.txt:2"), (3, "one.txt:3")])
    );
    assert_eq!(
        places("-f two.yaml"),
        of(&[(1, "two.yaml:2"), (2, "two.yaml:3")])
    );
    assert_eq!(
        places("-f one.txt -f two.yaml"),
        of(&[
            (2, "one.txt:2"),
            (3, "one.txt:3"),
            (4, "two.yaml:2"),
            (5, "two.yaml:3")
        ])
    );
}
