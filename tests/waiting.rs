//! `--wait`: validates again what did not pass, until all images pass or the time is over.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::Value;

use crate::support::{Content, Dir, Gate, Reply, Request, Server, Shim, answer};

const GOOD: &str = "team/good team/good 1\n";
const LATE: &str = "team/late   team/late 1\n";
const GONE: &str = "team/gone\tteam/gone 1\n";
const NONSENSE: &str = "nonsense \n";

fn source() -> Content {
    let mut content = Content::default();
    for name in ["team/good", "team/late", "team/gone"] {
        content.multi(name, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    content
}

/// A destination that has `team/late` from the second request for its tag on, and never `team/gone`.
fn destination() -> impl Fn(&Request) -> Reply + Send + Sync {
    let (mut content, requests) = (source(), Mutex::new(0));
    content.remove("team/gone", "1");
    move |request| {
        if request.path.ends_with("/team/late/manifests/1") {
            let mut requests = requests.lock().expect("the counter");
            *requests += 1;
            if *requests == 1 {
                return Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
            }
        }
        answer(&content, request)
    }
}

fn flags(source: &Server, destination: &Server) -> String {
    format!("-f list.txt -s {} -d {}", source.name(), destination.name())
}

/// Place and outcome of each line in a `.json` report.
fn outcomes(report: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(report).expect("JSON");
    let lines = report["lines"].as_array().expect("lines");
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    lines
        .iter()
        .map(|line| (text(&line["place"]), text(&line["outcome"])))
        .collect()
}

#[test]
fn an_image_that_is_mirrored_meanwhile_passes() {
    let (source, destination) = (Server::of(source()), Server::start(destination()));
    let dir = Dir::new();
    dir.write("list.txt", [GOOD, LATE, NONSENSE, GONE, GOOD].concat());
    let reports = ["json", "jsonl", "xml", "csv", "md", "html"]
        .map(|form| format!(" --report r.{form}"))
        .concat();
    let run = dir
        .validate()
        .args(&flags(&source, &destination))
        .args(&format!(
            "-j 4 --wait 2s -o failed.txt --metrics m.prom{reports}"
        ))
        .run();
    run.code(1)
        .has("2 images did not pass; the next attempt begins in ")
        .has("5 images: 3 passed, 1 failed, 1 not validated in ");
    // What has not changed is logged once.
    for text in [
        "FAILED [",
        "PASS [",
        "list.txt:3: ",
        "team/late:1]: destination manifest does not exists",
    ] {
        let expected = match text {
            "FAILED [" => 2,
            "PASS [" => 3,
            _ => 1,
        };
        assert_eq!(run.stdout.matches(text).count(), expected, "{}", run.stdout);
    }
    // Only what did not pass is requested again.
    assert_eq!(destination.count("GET", "/team/good/manifests/1"), 1);
    assert_eq!(destination.count("GET", "/team/late/manifests/1"), 2);
    assert_eq!(destination.count("GET", "/team/gone/manifests/1"), 2);
    assert_eq!(dir.read("failed.txt"), [NONSENSE, GONE].concat());
    let expected = ["passed", "passed", "not_validated", "failed", "passed"];
    let found = outcomes(&dir.read("r.json"));
    let found: Vec<&str> = found.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(found, expected);
    let rows = dir.read("r.csv");
    assert_eq!(rows.lines().count(), 6, "{rows}");
    let junit = dir.read("r.xml");
    assert!(junit.contains("tests=\"5\" failures=\"1\" errors=\"1\""));
    assert_eq!(junit.matches("<testcase ").count(), 5, "{junit}");
    assert!(!junit.contains("late:1 (line"), "{junit}");
    let page = dir.read("r.html");
    assert!(page.contains("<h2>Failed: 1</h2>"), "{page}");
    assert_eq!(page.matches("team/late:1").count(), 2, "{page}");
    let summary = dir.read("r.md");
    assert!(summary.contains("## Failed (1 of 1)"), "{summary}");
    assert!(!summary.contains("team/late"), "{summary}");
    let metrics = dir.read("m.prom");
    assert!(metrics.contains("outcome=\"passed\"} 3\n"), "{metrics}");
    assert!(
        metrics.contains("code=\"destination-missing\"} 1\n"),
        "{metrics}"
    );
    // The attempts are separated; of a line with several objects the last one counts.
    let mut last = HashMap::new();
    for line in dir.read("r.jsonl").lines() {
        let object: Value = serde_json::from_str(line).expect("JSON");
        if object["type"] == "image" {
            last.insert(object["line"].to_string(), object["outcome"].clone());
        }
    }
    assert_eq!(last.len(), 5);
    assert_eq!(last["2"], "passed");
    // So do the programs that read it.
    dir.program().args("merge all.json r.jsonl").run().code(1);
    assert_eq!(
        outcomes(&dir.read("all.json")),
        outcomes(&dir.read("r.json"))
    );
    let one = dir.program().args("remedy r.json --for skopeo").run();
    let other = dir.program().args("remedy r.jsonl --for skopeo").run();
    assert_eq!(one.code(0).stdout, other.code(0).stdout);
    assert!(dir.names().iter().all(|name| !name.ends_with(".partial")));
}

#[test]
fn the_run_ends_as_soon_as_all_images_pass() {
    for own_list in [false, true] {
        let (source, destination) = (Server::of(source()), Server::start(destination()));
        let dir = Dir::new();
        dir.write("list.txt", [GOOD, LATE].concat());
        let output = if own_list { "list.txt" } else { "failed.txt" };
        let run = dir
            .validate()
            .args(&flags(&source, &destination))
            .args(&format!("--wait 1h -o {output}"))
            .run();
        run.code(0).has("2 images: 2 passed, 0 failed");
        run.has_not("of an earlier run");
        assert!(!dir.has(output));
        if own_list {
            run.has("the previous image list is list.txt.previous");
            assert_eq!(dir.read("list.txt.previous"), [GOOD, LATE].concat());
        }
    }
}

#[test]
fn each_attempt_leaves_complete_files_and_a_signal_keeps_what_it_found() {
    let (source, destination) = (Server::of(source()), Server::start(destination()));
    let dir = Dir::new();
    dir.write("list.txt", [LATE, GONE, GOOD].concat());
    let mut run = dir
        .validate()
        .args(&flags(&source, &destination))
        .args("--wait 1h -o failed.txt --report r.json --not-validated open.txt")
        .start();
    run.wait_for("the next attempt begins in 2.0s");
    assert_eq!(dir.read("failed.txt"), [LATE, GONE].concat());
    let found = outcomes(&dir.read("r.json"));
    let found: Vec<&str> = found.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(found, ["failed", "failed", "passed"]);
    run.wait_for("the next attempt begins in 4.0s");
    assert_eq!(dir.read("failed.txt"), GONE);
    run.signal("TERM");
    let run = run.end();
    run.code(143)
        .has("interrupted by SIGTERM: 3 images: 2 passed, 1 failed, 0 not validated");
    assert_eq!(dir.read("failed.txt"), GONE);
    assert!(!dir.has("open.txt"));
    let found = outcomes(&dir.read("r.json"));
    let found: Vec<&str> = found.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(found, ["passed", "failed", "passed"]);
}

/// A signal in the middle of the second attempt: what the first one found stands.
#[test]
fn an_attempt_that_is_cut_short_takes_no_verdict_back() {
    let gate = Gate::default();
    let requests = Mutex::new(0);
    let (mut there, closed) = (source(), gate.clone());
    there.remove("team/gone", "1");
    let destination = Server::start(move |request| {
        if request.path.ends_with("/team/gone/manifests/1") {
            let number = {
                let mut requests = requests.lock().expect("the counter");
                *requests += 1;
                *requests
            };
            if number > 1 {
                closed.pass();
            }
        }
        answer(&there, request)
    });
    let source = Server::of(source());
    let dir = Dir::new();
    dir.write("list.txt", [GONE, GOOD].concat());
    let mut run = dir
        .validate()
        .args(&flags(&source, &destination))
        .args("--wait 1h -o failed.txt -debug")
        .start();
    run.wait_for("the next attempt begins in");
    run.wait_for("/team/gone/manifests/1");
    run.signal("INT");
    let run = run.end();
    gate.open();
    run.code(130)
        .has("interrupted by SIGINT: 2 images: 1 passed, 1 failed, 0 not validated");
    assert_eq!(dir.read("failed.txt"), GONE);
}

/// Nothing of an attempt is remembered: what was refused may be allowed, and settings are read again.
#[test]
fn the_next_attempt_reads_credentials_again() {
    let dir = Dir::new();
    let config = dir.path().join("config.json");
    let content = source();
    let name = Mutex::new(String::new());
    let destination = Server::start(move |request| {
        if request.header("authorization") == Some("Basic bWU6c2VjcmV0") {
            return answer(&content, request);
        }
        let host = request.header("host").unwrap_or_default();
        *name.lock().expect("the name") = host.to_owned();
        if request.path.contains("/manifests/") {
            let text = format!("{{\"auths\":{{\"{host}\":{{\"auth\":\"bWU6c2VjcmV0\"}}}}}}");
            std::fs::write(&config, text).expect("a login");
        }
        Reply::error(401, "UNAUTHORIZED", "authentication required")
            .header("www-authenticate", "Basic realm=\"x\"")
    });
    let source = Server::of(source());
    dir.write("list.txt", GOOD);
    let run = dir
        .validate()
        .args(&flags(&source, &destination))
        .args("--wait 1h")
        .env("DOCKER_CONFIG", dir.path())
        .run();
    run.code(0)
        .has("NOT VALIDATED [")
        .has("1 image: 1 passed, 0 failed, 0 not validated");
}

#[test]
fn wait_needs_a_list_and_a_duration() {
    let dir = Dir::new();
    dir.validate()
        .args("--wait 1m")
        .stdin(GOOD)
        .run()
        .code(2)
        .one_error("--wait needs an image list; use -f FILE, or -f - for standard input");
    dir.validate()
        .args("--wait 0s -f -")
        .run()
        .code(2)
        .one_error("invalid value \"0s\" for --wait (expected a duration above 0 with its unit, for example 30m or 2h)");
}

/// A line that is no image cannot become one: the run ends at once.
#[test]
fn lines_that_are_no_images_are_not_waited_for() {
    let (source, destination) = (Server::of(source()), Server::start(destination()));
    let dir = Dir::new();
    dir.write("list.txt", [GOOD, NONSENSE].concat());
    let run = dir
        .validate()
        .args(&flags(&source, &destination))
        .args("--wait 1h")
        .run();
    run.code(3)
        .has("2 images: 1 passed, 0 failed, 1 not validated");
    run.has_not("next attempt");
}

#[test]
fn a_run_whose_next_attempt_cannot_begin_keeps_the_outcomes() {
    let (source, destination) = (Server::of(source()), Server::start(destination()));
    let (dir, shim) = (Dir::new(), Shim::no_threads());
    dir.write("list.txt", [GOOD, NONSENSE, GONE].concat());
    let command = dir
        .validate()
        .args(&flags(&source, &destination))
        .args("--wait 1h --report r.json")
        .env("NO_THREADS", dir.path().join("none"));
    let mut running = shim.in_front_of(command).start();
    running.wait_for("the next attempt begins in");
    dir.write("none", "");
    running
        .end()
        .code(1)
        .has("[WARN] no further attempt: ")
        .has("3 images: 1 passed, 1 failed, 1 not validated");
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        [NONSENSE, GONE].concat()
    );
    let outcomes = outcomes(&dir.read("r.json"));
    let outcomes: Vec<&str> = outcomes
        .iter()
        .map(|(_, outcome)| outcome.as_str())
        .collect();
    assert_eq!(outcomes, ["passed", "not_validated", "failed"]);
}
