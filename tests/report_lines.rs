//! `--report FILE.jsonl` and `--report -`: one line per image, as it ends.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::report::{CODES, registries, stalling};
use crate::support::{Dir, digest, wait_until};

/// The lines of a report, each of which follows the schema.
pub fn lines(dir: &Dir, text: &str) -> Vec<Value> {
    const CHECK: &str = "import json, sys, pathlib, jsonschema
path = pathlib.Path(sys.argv[1])
schema = json.loads(path.read_text())
jsonschema.Draft202012Validator.check_schema(schema)
resolver = jsonschema.RefResolver(path.as_uri(), schema)
validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
for line in sys.stdin:
    validator.validate(json.loads(line))";
    assert!(text.ends_with('\n'), "{text}");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/report.jsonl.schema.json");
    let run = dir
        .command("/usr/bin/python3")
        .args("-W ignore -c")
        .arg(CHECK)
        .arg(schema)
        .stdin(text)
        .run();
    if !run.status.success() {
        run.fail("lines that follow their schema");
    }
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_lines_have_the_same_content_as_the_document() {
    let (source, destination) = registries();
    let dir = Dir::new();
    let mut list = "team/x team/x passes\n".to_owned();
    for code in &CODES[..13] {
        list += &format!("team/x team/x {code}\n");
    }
    list += "invalid line\nteam/x team/x passes\n";
    dir.write("list.txt", &list);
    dir.validate()
        .args(&format!(
            "-f list.txt -j 8 --retries 0 --report r.json --report r.jsonl -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .run()
        .code(1)
        .error("");
    let document: Value = serde_json::from_str(&dir.read("r.json")).unwrap();
    let lines = lines(&dir, &dir.read("r.jsonl"));
    let (header, rest) = lines.split_first().unwrap();
    let (totals, images) = rest.split_last().unwrap();
    assert_eq!(header["type"], "header");
    for field in [
        "format",
        "version",
        "tool",
        "list",
        "list_digest",
        "shard",
        "run",
    ] {
        assert_eq!(header[field], document[field], "{field}");
    }
    assert_eq!(header["list_digest"], digest(&list));
    let mut images = images.to_vec();
    images.sort_by_key(|image| image["line"].as_u64());
    for image in &mut images {
        let kind = image.as_object_mut().unwrap().remove("type");
        assert_eq!(kind, Some(json!("image")));
    }
    assert_eq!(json!(images), document["lines"]);
    assert_eq!(totals["type"], "totals");
    for (field, value) in document["totals"].as_object().unwrap() {
        assert_eq!(&totals[field], value, "{field}");
    }
    assert!(!dir.has("r.jsonl.partial"));
}

#[test]
fn finished_lines_survive_a_kill() {
    let server = stalling();
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\nteam/y team/y 1\n");
    dir.write("r.jsonl", "the last one\n");
    let flags = format!(
        "-f list.txt --report r.jsonl -s {0} -d {1}",
        server.name(),
        server.alias()
    );
    let mut running = dir.validate().args(&flags).start();
    // A line of the log is printed after it is in the report.
    running.wait_for("PASS");
    // Another run does not write between its lines.
    dir.validate()
        .args(&flags)
        .args("-o other.txt")
        .run()
        .code(2)
        .one_error("cannot write the report r.jsonl: another run is writing it; name another file with --report");
    running.signal("KILL");
    running.end();
    let lines = lines(&dir, &dir.read("r.jsonl"));
    let kinds: Vec<&Value> = lines.iter().map(|line| &line["type"]).collect();
    assert_eq!(kinds, ["header", "image"]);
    assert_eq!(
        (&lines[1]["line"], &lines[1]["outcome"]),
        (&json!(1), &json!("passed"))
    );
    assert!(!dir.has("r.jsonl.partial"));
    // The next run begins anew.
    let running = dir.validate().args(&flags).start();
    wait_until("the next report", || {
        dir.read("r.jsonl").lines().count() == 2
    });
    wait_until("the stalled image", || server.count("GET", "team/y") > 1);
    running.signal("TERM");
    running.end().code(143);
    let lines = self::lines(&dir, &dir.read("r.jsonl"));
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[2]["code"], "interrupted");
    assert_eq!(lines[3]["signal"], 15);
}

#[test]
fn a_run_that_cannot_begin_leaves_the_report_that_is_there() {
    let dir = Dir::new();
    dir.write("list.txt", "a b c\n");
    dir.write("r.jsonl", "the last one\n");
    fs::create_dir(dir.path().join("r.json")).unwrap();
    let refused = dir
        .validate()
        .args("-f list.txt --report r.jsonl --report r.json")
        .run();
    refused
        .code(2)
        .one_error("cannot write the report r.json: it is a directory");
    assert_eq!(dir.read("r.jsonl"), "the last one\n");
    assert_eq!(dir.names(), ["list.txt", "r.json", "r.jsonl"]);
}

#[test]
fn on_standard_output_the_lines_stand_alone_and_the_log_on_standard_error() {
    let (source, destination) = registries();
    let dir = Dir::new();
    let flags = format!(
        "-f - -j 2 --retries 0 -s {} -d {}",
        source.name(),
        destination.name()
    );
    let list = "team/x team/x passes\nteam/x team/x index-differs\nno image\n";
    let run = dir
        .validate()
        .args(&flags)
        .args("--report - --report - --report r.json")
        .stdin(list)
        .run();
    run.code(1);
    for text in [
        "[INFO] [M_ID:1]",
        "[ERRO] [M_ID:2]",
        "3 images: 1 passed, 1 failed, 1 not validated",
    ] {
        assert!(run.stderr.contains(text), "{}", run.stderr);
    }
    let lines = lines(&dir, &run.stdout);
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["list_digest"], Value::Null, "a pipe");
    assert_eq!(lines[4]["list_digest"], digest(list));
    // Nobody reads on: as with the log, that is no error.
    let closed = format!(
        "{} mirror-validate {flags} --report - | head -n 1; echo \"${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_image-tools")
    );
    let run = dir.command("bash").arg("-c").arg(closed).stdin(list).run();
    let (header, code) = run.stdout.split_once('\n').unwrap();
    assert!(header.starts_with("{\"type\":\"header\""), "{header}");
    assert_eq!(code, "1\n");
    // A full disk is one.
    let full = format!(
        "{} mirror-validate {flags} --report - >/dev/full",
        env!("CARGO_BIN_EXE_image-tools")
    );
    let run = dir.command("bash").arg("-c").arg(full).stdin(list).run();
    let text = "[ERRO] cannot write the report -: No space left on device";
    assert!(run.code(2).stderr.contains(text), "{}", run.stderr);
}

#[test]
fn an_unknown_suffix_is_refused_and_the_known_ones_are_listed() {
    let dir = Dir::new();
    dir.write("list.txt", "a b c\n");
    for name in [
        "report",
        "r.txt",
        "r.json.gz",
        ".json",
        "json",
        "r.",
        "-.",
        "r.htm",
    ] {
        dir.validate()
            .args("-f list.txt --report")
            .arg(name)
            .run()
            .code(2)
            .one_error(&format!(
                "invalid value \"{name}\" for --report (expected a file name with the suffix .json, .jsonl, .xml (JUnit), .csv, .md or .html, or '-')"
            ));
    }
    assert_eq!(dir.names(), ["list.txt"]);
}
