//! `remedy`: prints the commands that repair the failures of a report.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Content, Dir, INDEX, OCI, Registry, Run, digest, entry};

/// A digest that is easy to tell from others.
fn hash(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

/// A failed line of a report, as `mirror-validate` writes it.
fn failed(code: &str) -> Value {
    json!({
        "line": 4, "m_id": 3, "source": "docker.io/nginx", "destination": "reg.local:5000/library/nginx",
        "tag": "1.29", "destination_tag": "1.29", "outcome": "failed", "code": code, "message": "why",
        "details": [], "source_digest": hash('a'), "destination_digest": hash('b'),
        "source_spec": [
            {"digest": hash('c'), "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": hash('d'), "platform": {"os": "linux", "architecture": "arm64"}},
        ],
        "destination_spec": [], "absent": [], "why": [], "accepted": [], "referrers_without_type": [],
        "requests": 1, "milliseconds": 1, "same_as_line": null,
    })
}

fn header() -> Value {
    json!({
        "format": "image-tools report", "version": 1, "tool": "image-tools 0.1.0",
        "begun": "2026-01-01T00:00:00Z", "list": "list.txt",
        "run": {"work": "validate", "arch": ["amd64", "arm64"], "os": null, "allow_single": false, "accept": [],
            "deep": null, "referrers": false, "recorded": null, "shard": null},
    })
}

/// The report of these lines as `.json` is written: the fields in order.
fn document(header: &Value, lines: &[Value]) -> String {
    let mut text = format!(
        "{{\"format\":{},\"version\":{},\"list\":{},\"run\":{},\"lines\":[\n",
        header["format"], header["version"], header["list"], header["run"]
    );
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    text += &lines.join(",\n");
    text + &format!("\n],\"totals\":{{\"lines\":{}}}}}\n", lines.len())
}

fn remedy(text: &str, args: &str) -> Run {
    let dir = Dir::new();
    dir.write("r.json", text);
    dir.program().args(&format!("remedy r.json {args}")).run()
}

fn of_line(line: Value, args: &str) -> String {
    let run = remedy(&document(&header(), &[line]), args);
    run.code(0).error("");
    run.stdout.clone()
}

/// What is no comment.
fn commands(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[test]
fn every_tool_copies_the_digest_to_the_tag() {
    let (from, to) = (
        format!("docker.io/library/nginx@{}", hash('a')),
        "reg.local:5000/library/nginx:1.29",
    );
    for code in [
        "destination-missing",
        "destination-empty",
        "destination-not-an-index",
        "destination-not-single",
        "digest-differs",
        "platform-differs",
        "index-differs",
        "index-damaged",
        "tag-differs",
    ] {
        for (tool, expected) in [
            (
                "skopeo",
                format!("skopeo copy --all --preserve-digests docker://{from} docker://{to}"),
            ),
            ("regctl", format!("regctl image copy {from} {to}")),
            ("crane", format!("crane copy {from} {to}")),
            ("oras", format!("oras cp {from} {to}")),
            (
                "regsync",
                format!(
                    "version: 1\nsync:\n  - source: '{from}'\n    target: '{to}'\n    type: image"
                ),
            ),
            ("image-syncer", format!("'{from}': ['{to}']")),
            (
                "hangar",
                "docker.io/library/nginx reg.local:5000/library/nginx 1.29".to_owned(),
            ),
        ] {
            let text = of_line(failed(code), &format!("--for {tool}"));
            assert_eq!(commands(&text).join("\n"), expected, "{code}");
            assert!(text.contains(&format!("# M_ID:3 {code}: why\n")), "{text}");
        }
    }
}

#[test]
fn a_pinned_tag_and_a_digest_are_kept() {
    let mut pinned = failed("tag-differs");
    pinned["tag"] = json!(hash('a'));
    let text = of_line(pinned.clone(), "--for=crane");
    assert_eq!(
        commands(&text),
        [format!(
            "crane copy docker.io/library/nginx@{} reg.local:5000/library/nginx:1.29",
            hash('a')
        )]
    );
    // Hangar has no form for it.
    assert!(commands(&of_line(pinned.clone(), "--for=hangar")).is_empty());
    pinned["destination_tag"] = json!(hash('a'));
    for (tool, to) in [
        ("skopeo", format!("nginx@{}", hash('a'))),
        ("oras", "library/nginx".to_owned()),
    ] {
        let text = of_line(pinned.clone(), &format!("--for {tool}"));
        assert!(commands(&text)[0].ends_with(&to), "{text}");
    }
    // A report of an earlier version.
    let mut old = failed("index-differs");
    for field in ["source_digest", "destination_digest", "destination_tag"] {
        old.as_object_mut().unwrap().remove(field);
    }
    let text = of_line(old, "--for oras");
    assert_eq!(
        commands(&text),
        ["oras cp docker.io/library/nginx:1.29 reg.local:5000/library/nginx:1.29"]
    );
    assert!(text.contains("# not pinned"), "{text}");
}

#[test]
fn blobs_that_a_registry_claims_to_have_are_pushed_again() {
    let mut line = failed("image-missing");
    line["destination_digest"] = json!(hash('a'));
    line["message"] = json!(format!(
        "failed to inspect dest image: [docker://reg.local:5000/library/nginx@{}]",
        hash('c')
    ));
    let child = format!(
        "docker.io/library/nginx@{} reg.local:5000/library/nginx",
        hash('c')
    );
    for (tool, expected) in [
        (
            "skopeo",
            "skopeo copy --all --preserve-digests docker://".to_owned(),
        ),
        (
            "regctl",
            "regctl image copy --force-recursive docker.io/".to_owned(),
        ),
        ("crane", format!("crane copy {child}@{}", hash('c'))),
        ("oras", format!("oras cp {child}")),
    ] {
        let text = of_line(line.clone(), &format!("--for {tool}"));
        let commands = commands(&text);
        assert_eq!(commands.len(), 1, "{text}");
        assert!(commands[0].starts_with(&expected), "{text}");
    }
    let text = of_line(line.clone(), "--for regsync");
    assert!(text.contains("    forceRecursive: true\n"), "{text}");
    line["code"] = json!("blob-damaged");
    line["message"] = json!(format!(
        "failed to inspect dest blobs: [reg.local:5000/library/nginx@{}]",
        hash('e')
    ));
    line["details"] = json!([format!(
        "docker://reg.local:5000/library/nginx@{} linux/amd64: layer {} of 5 bytes has 4 bytes at the destination",
        hash('c'),
        hash('e')
    )]);
    for (tool, removal) in [
        (
            "skopeo",
            format!(
                "skopeo delete docker://reg.local:5000/library/nginx@{}",
                hash('c')
            ),
        ),
        (
            "regctl",
            format!(
                "regctl blob delete reg.local:5000/library/nginx {}",
                hash('e')
            ),
        ),
        (
            "crane",
            format!("crane delete reg.local:5000/library/nginx@{}", hash('c')),
        ),
        (
            "oras",
            format!(
                "oras manifest delete --force reg.local:5000/library/nginx@{}",
                hash('c')
            ),
        ),
    ] {
        let text = of_line(line.clone(), &format!("--for {tool}"));
        // Nothing is deleted by who only runs the script.
        assert!(text.contains(&format!("#   {removal}\n")), "{text}");
        assert_eq!(commands(&text).len(), 1, "{text}");
    }
}

#[test]
fn referrers_are_copied_by_who_can() {
    let mut line = failed("referrer-missing");
    line["destination_digest"] = json!(hash('a'));
    let text = of_line(line.clone(), "--for regctl");
    assert!(
        commands(&text)[0].contains(" --digest-tags --referrers "),
        "{text}"
    );
    let text = of_line(line.clone(), "--for oras");
    assert!(commands(&text)[0].starts_with("oras cp -r "), "{text}");
    for tool in ["skopeo", "crane", "image-syncer", "hangar"] {
        let text = of_line(line.clone(), &format!("--for {tool}"));
        assert!(
            text.contains("#   cosign copy docker.io/library/nginx@sha256:a"),
            "{text}"
        );
        assert!(commands(&text).iter().all(|line| *line == "{}"), "{text}");
    }
    // Where they are wanted, every copy takes them along.
    let mut header = header();
    header["run"]["referrers"] = json!(true);
    let run = remedy(
        &document(&header, &[failed("index-differs")]),
        "--for regsync",
    );
    run.code(0)
        .has("    digestTags: true\n    referrers: true\n");
}

#[test]
fn a_single_image_stays_one_or_becomes_an_index() {
    let mut line = failed("destination-missing");
    line["source_spec"] =
        json!([{"digest": hash('a'), "platform": {"os": "linux", "architecture": "amd64"}}]);
    let text = of_line(line.clone(), "--for regctl");
    assert!(
        commands(&text)[0].starts_with("regctl index create --ref docker.io/"),
        "{text}"
    );
    let text = of_line(line.clone(), "--for skopeo");
    assert!(
        text.contains("only with --allow-single")
            && text.contains("#   docker buildx imagetools create"),
        "{text}"
    );
    assert_eq!(commands(&text).len(), 1);
    // The index around it stays.
    line["code"] = json!("blob-missing");
    let text = of_line(line.clone(), "--for skopeo");
    assert!(
        commands(&text)[0].ends_with(&format!("nginx@{}", hash('a'))),
        "{text}"
    );
    let mut header = header();
    header["run"]["allow_single"] = json!(true);
    let run = remedy(&document(&header, &[line]), "--for skopeo");
    assert!(
        commands(&run.stdout)[0].ends_with("nginx:1.29"),
        "{}",
        run.stdout
    );
}

#[test]
fn failures_that_no_copy_repairs_are_explained() {
    let mut passed = failed("x");
    passed["outcome"] = json!("passed");
    passed["code"] = json!(null);
    let mut unknown = failed("unreachable");
    unknown["outcome"] = json!("not_validated");
    unknown["source"] = json!(null);
    let mut again = failed("index-differs");
    again["same_as_line"] = json!(4);
    let lines = [
        passed,
        failed("no-platform"),
        failed("something-new"),
        unknown,
        again,
    ];
    for tool in [
        "skopeo",
        "regctl",
        "crane",
        "oras",
        "regsync",
        "image-syncer",
        "hangar",
    ] {
        let run = remedy(&document(&header(), &lines), &format!("--for {tool}"));
        run.code(0)
            .has("# nothing to copy: the source lacks the platforms of -a and --os")
            .has("# unknown reason code")
            .has("# 1 line not validated")
            .has("# 1 line more with an image that is listed above")
            .has(": 2 failed images of list.txt (5 lines)\n");
        let expected: &[&str] = match tool {
            "regsync" => &["version: 1", "sync: []"],
            "image-syncer" => &["{}"],
            _ => &[],
        };
        assert_eq!(commands(&run.stdout), expected);
    }
}

#[test]
fn insecure_registries_have_the_flags_of_the_tool() {
    let mut line = failed("index-differs");
    line["source"] = json!("[::1]:5000/x");
    for (args, expected) in [
        (
            "--for skopeo --insecure reg.local:5000",
            "skopeo copy --all --preserve-digests --dest-tls-verify=false 'docker://[::1]:5000/x@",
        ),
        (
            "--for skopeo --tls-verify=false",
            "skopeo copy --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false '",
        ),
        (
            "--for regctl --insecure reg.local:5000",
            "regctl --host reg=reg.local:5000,tls=insecure image copy '",
        ),
        (
            "--for crane --insecure reg.local:5000",
            "crane copy --insecure ",
        ),
        (
            "--for oras --insecure reg.local:5000",
            "oras cp --to-insecure ",
        ),
        (
            "--for regsync --insecure reg.local:5000",
            "creds:\n  - registry: 'reg.local:5000'\n    tls: insecure\n",
        ),
        (
            "--for image-syncer --insecure reg.local:5000",
            "#   'reg.local:5000': {insecure: true}\n",
        ),
        (
            "--for hangar --insecure reg.local:5000",
            " --arch amd64,arm64 --tls-verify=false\n",
        ),
    ] {
        let text = of_line(line.clone(), args);
        assert!(text.contains(expected), "{args}: {text}");
    }
}

#[test]
fn a_hostile_report_prints_nothing() {
    for (field, value) in [
        ("source", "docker.io/x'; rm -rf /; '"),
        ("source", "docker.io/x\nrm -rf /"),
        ("source", "-x/y"),
        ("source", "nginx"),
        ("destination", "reg.local/$(id)"),
        ("destination", "reg.local/x y"),
        ("tag", "1;id"),
        ("destination_tag", "`id`"),
        ("destination_tag", "-f"),
        ("source_digest", "sha256:x"),
        ("destination_digest", "sha256:'"),
    ] {
        let mut line = failed("index-differs");
        line[field] = json!(value);
        // Even behind one that is good.
        let run = remedy(
            &document(&header(), &[failed("index-differs"), line]),
            "--for skopeo",
        );
        run.code(2)
            .one_error("r.json:3: the report is damaged: line 4 of the list: ");
        assert_eq!(run.stdout, "", "{field}");
    }
    // What is only shown cannot leave its comment, in the list's name neither.
    let evil = "x\n'; touch bad\r\u{2028}touch bad #\u{1b}[2J";
    let mut line = failed("index-differs");
    line["message"] = json!(evil);
    line["details"] = json!([evil]);
    let mut header = header();
    header["list"] = json!(evil);
    header["run"]["arch"] = json!([evil]);
    for tool in [
        "skopeo",
        "regctl",
        "crane",
        "oras",
        "regsync",
        "image-syncer",
        "hangar",
    ] {
        line["code"] = json!("blob-damaged");
        let run = remedy(
            &document(&header, &[line.clone()]),
            &format!("--for {tool}"),
        );
        run.code(0);
        assert!(
            !run.stdout
                .lines()
                .any(|line| line.starts_with("touch") || line.contains('\r'))
        );
        assert!(!run.stdout.contains(['\u{1b}', '\u{2028}']));
        assert!(
            commands(&run.stdout)
                .iter()
                .all(|line| !line.contains("touch")),
            "{}",
            run.stdout
        );
    }
    line["code"] = json!("x\ntouch bad");
    assert!(commands(&of_line(line, "--for skopeo")).is_empty());
}

#[test]
fn a_report_that_is_not_whole_prints_nothing() {
    let whole = document(
        &header(),
        &[failed("index-differs"), failed("index-differs")],
    );
    for (text, error) in [
        (
            whole[..whole.len() - 40].to_owned(),
            "r.json:3: the report has no totals",
        ),
        (
            whole.replace("\"lines\":2}", "\"lines\":3}"),
            "the totals count 3 lines, but the report has 2",
        ),
        (
            whole.replace("},\n{", "}\n{"),
            "r.json:3: the report is damaged: expected ','",
        ),
        (whole.clone() + "{}", "there is data after its end"),
        (
            whole.replace("\"version\":1", "\"version\":2"),
            "r.json is a report of version 2, but this program reads version 1",
        ),
        (
            whole.replace("image-tools report", "other"),
            "r.json is not a report of image-tools: the field \"format\" has another value",
        ),
        (
            String::new(),
            "r.json is not a report of image-tools: the file is empty",
        ),
        (
            "nginx nginx 1\n".to_owned(),
            "the content is not a JSON object",
        ),
        (
            "{\"a\":".to_owned(),
            "r.json is not a report of image-tools",
        ),
        ("{}".to_owned(), "the first field is not \"format\""),
        (
            whole.replace("\"outcome\":\"failed\"", "\"outcome\":\"odd\""),
            "unknown variant",
        ),
    ] {
        let run = remedy(&text, "--for crane");
        run.code(2).one_error(error);
        assert_eq!(run.stdout, "");
    }
    let dir = Dir::new();
    for (args, error) in [
        (
            "remedy",
            "a report is missing; usage: image-tools remedy REPORT --for TOOL",
        ),
        ("remedy r.json", "--for with the name of a tool is missing"),
        (
            "remedy r.json --for scopeo",
            "(expected skopeo, regctl, crane, oras, regsync, image-syncer, hangar; did you mean \"skopeo\"?)",
        ),
        (
            "remedy r.json x --for crane",
            "unexpected argument \"x\"; remedy takes one report",
        ),
        ("remedy r.json --fo crane", "did you mean \"--for\"?"),
        ("remdy r.json", "did you mean \"remedy\"?"),
        (
            "remedy r.json --for crane",
            "cannot read the report r.json: ",
        ),
    ] {
        dir.program().args(args).run().code(2).one_error(error);
    }
}

#[test]
fn lines_of_json_and_standard_input_are_read() {
    let mut head = header();
    head["type"] = json!("header");
    let mut line = failed("index-differs");
    line["type"] = json!("image");
    let whole = format!(
        "{head}\n{line}\n{}\n",
        json!({"type": "totals", "lines": 1})
    );
    let dir = Dir::new();
    let run = dir
        .program()
        .args("remedy - --for crane")
        .stdin(&whole)
        .run();
    assert_eq!(commands(&run.code(0).stdout).len(), 1);
    let torn = whole.lines().take(2).collect::<Vec<_>>().join("\n");
    let run = dir.program().args("remedy - --for crane").stdin(torn).run();
    run.code(2)
        .one_error("standard input:2: the report has no totals");
    assert_eq!(run.stdout, "");
    // As `jq .` writes it, and as `jq -S .` does.
    let whole = document(&header(), &[failed("index-differs")]);
    let pretty = whole.replace(",\"", ",\n  \"").replace("\":", "\" : ");
    let run = remedy(&pretty, "--for crane");
    assert_eq!(commands(&run.code(0).stdout).len(), 1);
    let sorted: Value = serde_json::from_str(&whole).unwrap();
    let run = remedy(&format!("{sorted:#}"), "--for crane");
    assert_eq!(commands(&run.code(0).stdout).len(), 1);
}

#[test]
fn skopeo_mends_what_failed() {
    let mut left = Content::default();
    let mut right = Content::default();
    let index = |content: &mut Content, tag: &str, salt: &str| {
        let images =
            ["linux/amd64", "linux/arm64"].map(|on| (content.image("team/x", OCI, on, salt), on));
        let entries = images.each_ref().map(|(image, on)| entry(image, on));
        content.index("team/x", Some(tag), INDEX, &entries);
        images.map(|(image, _)| digest(&image.bytes))
    };
    index(&mut left, "missing", "a");
    index(&mut left, "older", "new");
    index(&mut right, "older", "old");
    let [lost, _] = index(&mut left, "image-missing", "b");
    index(&mut right, "image-missing", "b");
    index(&mut left, "blob-missing", "c");
    index(&mut right, "blob-missing", "c");
    index(&mut left, "blob-damaged", "d");
    index(&mut right, "blob-damaged", "d");
    index(&mut left, "passes", "e");
    index(&mut right, "passes", "e");
    let single = left.image("team/x", OCI, "linux/amd64", "single");
    left.tag("team/x", "single", &single);
    let layer = |content: &Content, salt: &str| {
        let text = format!("layer of {salt} on linux/amd64");
        let mut blobs = content.blobs.values();
        blobs
            .find(|bytes| **bytes == text.as_bytes())
            .map(digest)
            .unwrap()
    };
    let (missing, damaged) = (layer(&right, "c"), layer(&right, "d"));
    let (source, mirror) = (Registry::of(&left), Registry::of(&right));
    mirror.delete("team/x", &lost);
    fs::remove_file(mirror.file(&missing)).unwrap();
    fs::write(mirror.file(&damaged), "layer of X on linux/amd64").unwrap();
    let dir = Dir::new();
    let tags = [
        "missing",
        "older",
        "image-missing",
        "blob-missing",
        "blob-damaged",
        "passes",
        "single",
    ];
    dir.write(
        "list.txt",
        tags.map(|tag| format!("team/x team/x {tag}\n")).concat(),
    );
    let validate = |destination: &str| {
        dir.validate()
            .args(&format!(
                "-f list.txt --deep=full --allow-single --report r.json --report r.jsonl -s {} -d {destination}",
                source.name()
            ))
            .run()
    };
    let mend = |report: &str| {
        let run = dir
            .program()
            .args(&format!("remedy {report} --for skopeo --tls-verify=false"))
            .run();
        dir.write("repair.sh", &run.code(0).stdout);
        dir.command("sh").args("-e repair.sh").run().code(0);
        run
    };
    validate(&mirror.name())
        .code(1)
        .has("7 images: 1 passed, 6 failed");
    let run = mend("r.json");
    run.has(&format!(
        "#   skopeo delete docker://{}/team/x@",
        mirror.name()
    ));
    // The damaged blob is still there: no tool pushes over it.
    validate(&mirror.name())
        .code(1)
        .has("7 images: 6 passed, 1 failed");
    fs::remove_file(mirror.file(&damaged)).unwrap();
    mend("r.jsonl");
    validate(&mirror.name()).code(0);

    let fresh = Registry::of(&Content::default());
    validate(&fresh.name()).code(1).has("7 failed");
    mend("r.jsonl");
    validate(&fresh.name()).code(0);
}
