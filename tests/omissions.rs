//! Warnings about images that a run did not compare: images that are their own mirrors, architectures that
//! no registry knows or that a source lacks.

use serde_json::{Value, json};

use crate::support::{Content, Dir, Run, Server};

/// `team/both` for two architectures, `team/one` for amd64 only.
fn registry() -> Server {
    let mut content = Content::default();
    content.multi("team/both", "1", &["linux/amd64", "linux/arm64"], "a");
    content.multi("team/one", "1", &["linux/amd64"], "a");
    Server::of(content)
}

/// The lines of the log that are warnings or worse.
fn complaints(run: &Run) -> Vec<String> {
    let mut log = run.log();
    log.retain(|line| line.starts_with("[WARN]") || line.starts_with("[ERRO]"));
    log
}

/// The warning for an image that is its own mirror.
fn own_mirror(number: u64, registry: &str, repository: &str) -> String {
    format!(
        "[WARN] [M_ID:{number}] [{registry}/{repository}:1]: source and destination are the same image; use -d for the mirror's registry"
    )
}

const BOTH: &str = "team/both team/both 1\n";
const ONE: &str = "team/one team/one 1\n";
const ALL_OWN: &str = "[ERRO] source and destination are the same image in every line; use -d for the mirror's registry";

#[test]
fn a_list_whose_lines_all_compare_an_image_with_itself_is_a_usage_error() {
    let registry = registry();
    let name = registry.name();
    let dir = Dir::new();
    dir.write("list.txt", format!("{BOTH}# comment\n{ONE}"));
    let run = dir
        .validate()
        .args(&format!("-f list.txt -s {name} -d {name}"))
        .run();
    run.code(2).error("").has("2 images: 2 passed");
    assert_eq!(
        complaints(&run),
        [
            own_mirror(1, &name, "team/both"),
            own_mirror(2, &name, "team/one"),
            ALL_OWN.to_owned()
        ]
    );
    // From a pipe, without -f.
    let piped = dir
        .validate()
        .args(&format!("-s {name} -d {name}"))
        .stdin(BOTH)
        .run();
    piped.code(2).has(ALL_OWN);
}

#[test]
fn an_image_that_is_its_own_mirror_is_a_warning_among_others() {
    let registry = registry();
    let name = registry.name();
    let dir = Dir::new();
    // The names of the second line are whole: another registry at the destination.
    dir.write(
        "list.txt",
        format!("{name}/team/both {name}/team/both 1\n{name}/team/both {0}/team/both 1\n{name}/team/one {name}/team/one 1\n", registry.alias()),
    );
    let run = dir.validate().args("-f list.txt").run();
    run.code(0).has("3 images: 3 passed").has_not("[ERRO]");
    assert_eq!(
        complaints(&run),
        [
            own_mirror(1, &name, "team/both"),
            own_mirror(3, &name, "team/one")
        ]
    );
}

#[test]
fn with_a_recording_the_same_names_on_both_sides_are_meant() {
    let registry = registry();
    let name = registry.name();
    let dir = Dir::new();
    dir.write("list.txt", BOTH);
    let run = |flags: &str| {
        let run = dir.validate().args(&format!("-f list.txt {flags}")).run();
        assert_eq!(complaints(&run), Vec::<String>::new(), "{flags}");
        run
    };
    run(&format!("-s {name} --record s.json"))
        .code(0)
        .has("1 recorded");
    run(&format!("-s {name} -d {name} --recorded s.json"))
        .code(0)
        .has(&format!(
            "PASS [{name}/team/both:1] == [{name}/team/both:1]"
        ))
        .has("1 image: 1 passed");
}

#[test]
fn an_unknown_architecture_is_a_warning_at_the_start() {
    let registry = registry();
    let dir = Dir::new();
    dir.write("list.txt", BOTH);
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt -s {} -d {} -a amd64,s930x --os linux,windwos,plan10x",
            registry.name(),
            registry.alias()
        ))
        .run();
    run.code(0).has("1 image: 1 passed");
    let log = run.log();
    assert_eq!(
        log[..3],
        [
            "[WARN] -a s930x: no known architecture; did you mean s390x?",
            "[WARN] --os windwos: no known operating system; did you mean windows?",
            "[WARN] --os plan10x: no known operating system",
        ]
    );
    // And at the end, with the names that no source had.
    let summary = log
        .iter()
        .position(|line| line.contains("1 image: "))
        .unwrap();
    assert_eq!(
        log[summary - 3..summary],
        [
            "[WARN] no source of this run has an image for the architecture s930x of -a",
            "[WARN] no source of this run has an image for the operating system windwos of --os",
            "[WARN] no source of this run has an image for the operating system plan10x of --os",
        ]
    );
    assert_eq!(complaints(&run).len(), 6);
    assert!(
        log[summary].ends_with("s; 1 source lacks an architecture of -a"),
        "{}",
        log[summary]
    );
}

#[test]
fn swapped_letters_are_nearer_than_another_letter() {
    let registry = registry();
    let run = Dir::new()
        .validate()
        .args(&format!(
            "-a amr64,amd64 -s {} -d {}",
            registry.name(),
            registry.alias()
        ))
        .stdin(BOTH)
        .run();
    run.code(0);
    assert_eq!(
        run.log()[0],
        "[WARN] -a amr64: no known architecture; did you mean arm64?"
    );
}

#[test]
fn names_that_some_source_had_are_no_warning_at_the_end() {
    let registry = registry();
    let dir = Dir::new();
    dir.write("list.txt", format!("{ONE}{BOTH}"));
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt -s {} -d {}",
            registry.name(),
            registry.alias()
        ))
        .run();
    run.code(0).has_not("WARN");
    let summary = run.log().pop().unwrap();
    assert!(
        summary.starts_with("[INFO] 2 images: 2 passed")
            && summary.ends_with("s; 1 source lacks an architecture of -a"),
        "{summary}"
    );
    dir.write("list.txt", BOTH);
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt -s {} -d {}",
            registry.name(),
            registry.alias()
        ))
        .run();
    run.code(0).has_not("WARN").has_not("lacks");
}

/// What a report says of each line.
fn reported(dir: &Dir, field: &str) -> Vec<Value> {
    let report: Value = serde_json::from_str(&dir.read("r.json")).unwrap();
    let lines = report["lines"].as_array().unwrap();
    lines.iter().map(|line| line[field].clone()).collect()
}

#[test]
fn a_source_that_lacks_an_architecture_fails_with_require_arch() {
    let registry = registry();
    let dir = Dir::new();
    dir.write("list.txt", format!("{ONE}{BOTH}"));
    let validate = |flags: &str| {
        let run = dir.validate().args(&format!(
            "-f list.txt --report r.json -s {} -d {} {flags}",
            registry.name(),
            registry.alias()
        ));
        run.run()
    };
    let reason = "the source has no image for arm64, which --require-arch requires";
    let run = validate("--require-arch");
    run.code(1).has("2 images: 1 passed, 1 failed");
    assert_eq!(
        complaints(&run),
        [
            format!("[ERRO] [M_ID:1] FAILED [{}/team/one:1]", registry.name()),
            format!("[ERRO] [M_ID:1] {reason}"),
        ]
    );
    assert_eq!(dir.read("mirror-validate-failed.txt"), ONE);
    assert_eq!(
        reported(&dir, "code"),
        [json!("no-platform"), Value::Null],
        "the code of {reason}"
    );
    assert_eq!(reported(&dir, "message"), [json!(reason), Value::Null]);
    validate("--require-arch -a amd64").code(0).has_not("lacks");
    assert_eq!(reported(&dir, "absent"), [json!([]), json!([])]);
}

#[test]
fn the_report_names_the_architectures_that_a_source_lacks() {
    let registry = registry();
    let dir = Dir::new();
    dir.write(
        "list.txt",
        format!("{ONE}{BOTH}nonsense\nteam/one team/none 1\n"),
    );
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt --report r.json -a s390x,arm64,amd64 -s {} -d {}",
            registry.name(),
            registry.alias()
        ))
        .run();
    run.code(1);
    let absent = reported(&dir, "absent");
    assert_eq!(absent[0], json!(["s390x", "arm64"]));
    assert_eq!(absent[1], json!(["s390x"]));
    assert_eq!(absent[2], json!([]));
    assert_eq!(
        reported(&dir, "outcome"),
        ["passed", "passed", "not_validated", "failed"].map(|text| json!(text))
    );
}

#[test]
fn two_sources_that_meet_in_one_destination_are_a_warning_with_both_lines() {
    let registry = registry();
    let dir = Dir::new();
    let (name, alias) = (registry.name(), registry.alias());
    dir.write(
        "list.txt",
        format!(
            "{name}/team/x {alias}/team/x 1\n\n{alias}/team/x {alias}/team/x 1\n{name}/team/x {alias}/team/x 1\n"
        ),
    );
    let run = dir.validate().args("-f list.txt").run();
    let warning = format!(
        "[WARN] list.txt:1 and list.txt:3 have the same destination [{alias}/team/x:1] but different sources, so at most one of them can pass"
    );
    assert_eq!(run.stdout.matches(&warning).count(), 1, "{}", run.stdout);
    assert_eq!(run.stdout.matches("have the same destination").count(), 1);
}
