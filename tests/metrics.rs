//! `--metrics` of runs that cannot begin, and the alerts on all metrics.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::{Content, Dir, Server, skip};

/// `team/good` passes, `team/bad` is not at the destination.
fn registries() -> (Server, Server) {
    let mut content = Content::default();
    content.multi("team/good", "1", &["linux/amd64"], "a");
    let destination = content.clone();
    content.multi("team/bad", "1", &["linux/amd64"], "a");
    (Server::of(content), Server::of(destination))
}

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn metrics(dir: &Dir, name: &str) -> BTreeMap<String, String> {
    let text = dir.read(name);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn a_run_that_cannot_begin_leaves_its_exit_code() {
    let dir = Dir::new();
    let list = "127.0.0.1:1/x localhost:1/x 1\n";
    dir.write("list.txt", list);
    dir.write("bad.pem", "no certificate\n");
    dir.write("bad.rec", "no recording\n");
    dir.write("binary", b"\x7fELF\x00\x00\x01\x02");
    fs::create_dir(dir.path().join("directory")).unwrap();
    for (args, label) in [
        ("-f missing.txt", "list=\"missing.txt\""),
        ("-f directory", "list=\"directory\""),
        (
            "-f list.txt -f missing.txt --shard 0/2",
            "list=\"list.txt, missing.txt\",shard=\"0/2\"",
        ),
        ("-f list.txt --ca-file bad.pem", "list=\"list.txt\""),
        ("-f list.txt --recorded bad.rec", "list=\"list.txt\""),
        ("-f list.txt -o directory", "list=\"list.txt\""),
        ("-f list.txt --report r.json -o r.json", "list=\"list.txt\""),
        ("-f list.txt -d https://x", "list=\"list.txt\""),
        ("-f list.txt --bogus", "list=\"list.txt\""),
        ("--bogus -f list.txt -j many", "list=\"list.txt\""),
        ("-f list.txt nonsense", "list=\"list.txt\""),
        ("-f list.txt --record x --recorded y", "list=\"list.txt\""),
        ("-f", "list=\"standard input\""),
    ] {
        dir.write("m.prom", "the last one\n");
        // Before and behind the mistake.
        for args in [
            format!("--metrics m.prom {args}"),
            format!("{args} --metrics m.prom"),
        ] {
            if args.starts_with("-f --") {
                continue;
            }
            let run = dir.validate().args(&args).run();
            run.code(2).has_not(" ");
            let metrics = metrics(&dir, "m.prom");
            let of = |name: &str| metrics[&format!("mirror_validate_{name}{{{label}}}")].as_str();
            assert_eq!(of("last_run_exit_code"), "2", "{args}");
            assert!(of("last_run_timestamp_seconds").parse::<u64>().unwrap() > 1_700_000_000);
            assert_eq!(metrics.len(), 2, "{args}");
            assert!(!dir.has("m.prom.partial"), "{args}");
        }
    }
    // The environment may be what is wrong.
    dir.write("m.prom", "the last one\n");
    dir.validate()
        .args("-f list.txt --metrics m.prom")
        .env("DEST_REGISTRY", "https://x")
        .run()
        .code(2);
    assert_eq!(metrics(&dir, "m.prom").len(), 2);
    assert_eq!(dir.read("list.txt"), list);
}

#[test]
fn a_run_that_cannot_begin_writes_metrics_over_no_other_file() {
    let dir = Dir::new();
    dir.write("list.txt", "127.0.0.1:1/x localhost:1/x 1\n");
    dir.write("file", "as it was\n");
    fs::create_dir(dir.path().join("directory")).unwrap();
    for args in [
        "-f file --metrics file --bogus",
        "-f list.txt --metrics file --ca-file file",
        "-f list.txt --metrics file --recorded ./file",
        "-f list.txt --metrics file -o file",
        "-f list.txt --metrics file --not-validated directory/../file",
        "-f list.txt --metrics file --record file",
        "--report file.json -f list.txt --metrics file.json --bogus",
        "-f missing.txt --metrics missing.txt",
        "-f list.txt --metrics mirror-validate-failed.txt --bogus",
        "-f list.txt --metrics directory --bogus",
        "-f list.txt --metrics nowhere/m.prom --bogus",
        // It is the value of another flag, or of none.
        "-f list.txt -o --metrics x --bogus",
        "-f list.txt --bogus -- --metrics x",
    ] {
        let run = dir.validate().args(args).run();
        run.code(2);
        assert_eq!(run.stderr.lines().count(), 1, "{args}: {}", run.stderr);
        assert_eq!(dir.names(), ["directory", "file", "list.txt"], "{args}");
        assert_eq!(dir.read("file"), "as it was\n", "{args}");
    }
    // Help is no run.
    dir.validate()
        .args("--metrics x -f missing.txt -h")
        .run()
        .code(0);
    dir.program().args("man --metrics x").run().code(2);
    assert_eq!(dir.names(), ["directory", "file", "list.txt"]);
}

#[test]
fn the_list_is_known_by_its_digest() {
    let (one, other) = registries();
    let dir = Dir::new();
    dir.write("list.txt", "team/good team/good 1\n");
    let flags = format!(
        "--metrics m.prom --report r.json -s {} -d {}",
        one.name(),
        other.name()
    );
    dir.validate()
        .args(&flags)
        .args("-f list.txt")
        .run()
        .code(0);
    let report: serde_json::Value = serde_json::from_str(&dir.read("r.json")).unwrap();
    let digest = report["list_digest"].as_str().unwrap();
    assert!(digest.starts_with("sha256:"), "{report}");
    let name = format!("mirror_validate_list_info{{list=\"list.txt\",digest=\"{digest}\"}}");
    assert_eq!(metrics(&dir, "m.prom")[&name], "1");
    // Of images that are typed there is no list.
    dir.validate()
        .args(&flags)
        .stdin("team/good team/good 1\n")
        .run()
        .code(0);
    assert!(!dir.read("m.prom").contains("list_info"));
}

#[test]
fn the_alerts_of_the_manual_fire_when_they_should() {
    let rules = source("fixtures/alerts.yml");
    let indented: String = rules.lines().map(|line| format!("    {line}\n")).collect();
    assert!(source("src/help/metrics.md").contains(&indented));
    let (one, other) = registries();
    let dir = Dir::new();
    dir.write("rules.yml", &rules);
    let flags = format!(
        "-f list.txt --metrics m.prom -s {} -d {}",
        one.name(),
        other.name()
    );
    let (good, bad) = ("team/good team/good 1\n", "team/bad team/bad 1\n");
    let mut tests = String::new();
    let not_checked = "MirrorNotChecked {list: list.txt}";
    for (list, flags, hours, expected) in [
        (Some(good), flags.clone(), 1, &[][..]),
        (Some(good), flags.clone(), 72, &[not_checked]),
        (
            Some(bad),
            flags.clone(),
            1,
            &["MirrorWrong {list: list.txt, outcome: failed}"],
        ),
        (Some("nonsense\n"), flags.clone(), 1, &[not_checked]),
        (
            Some("# empty\n"),
            flags.clone(),
            1,
            &[not_checked, "MirrorListEmpty {list: list.txt}"],
        ),
        (
            Some("# empty\n"),
            format!("{flags} --allow-empty"),
            1,
            &["MirrorListEmpty {list: list.txt}"],
        ),
        // The list is not there, a flag is wrong, and there has been no run at all.
        (None, flags.clone(), 1, &[not_checked]),
        (Some(good), format!("{flags} --bogus"), 1, &[not_checked]),
        (
            Some(good),
            String::new(),
            1,
            &["MirrorNeverChecked {list: list.txt}"],
        ),
    ] {
        let _ = fs::remove_file(dir.path().join("m.prom"));
        let _ = fs::remove_file(dir.path().join("list.txt"));
        if let Some(list) = list {
            dir.write("list.txt", list);
        }
        let series = if flags.is_empty() {
            Vec::new()
        } else {
            dir.validate().args(&flags).run();
            metrics(&dir, "m.prom").into_iter().collect()
        };
        tests += "- interval: 1h\n  input_series:\n";
        for (name, value) in series {
            // The clock of the tests begins at 0, with the run.
            let value = if name.contains("timestamp") {
                "0"
            } else {
                &value
            };
            tests += &format!("  - series: '{name}'\n    values: '{value}x100'\n");
        }
        tests += "  alert_rule_test:\n";
        for name in [
            "MirrorWrong",
            "MirrorNotChecked",
            "MirrorListEmpty",
            "MirrorNeverChecked",
        ] {
            tests += &format!("  - eval_time: {hours}h\n    alertname: {name}\n    exp_alerts:\n");
            for alert in expected {
                if let Some(labels) = alert.strip_prefix(name) {
                    tests += &format!("    - exp_labels: {labels}\n");
                }
            }
        }
    }
    dir.write(
        "tests.yml",
        format!("rule_files: [rules.yml]\nevaluation_interval: 1h\ntests:\n{tests}"),
    );
    let promtool = std::env::var("IMAGE_TOOLS_PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    if std::process::Command::new(&promtool)
        .arg("--version")
        .output()
        .is_err()
    {
        skip("no promtool; `make test` gets one");
        return;
    }
    dir.command(&promtool)
        .args("check rules rules.yml")
        .run()
        .code(0);
    dir.command(&promtool)
        .args("test rules tests.yml")
        .run()
        .code(0)
        .has("SUCCESS");
}
