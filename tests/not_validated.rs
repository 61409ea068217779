//! `--not-validated`: a separate list of the images that could not be checked.

use crate::support::{Content, Dir, Gate, Reply, Server, answer, wait_until};

const GOOD: &str = "team/good team/good 1\n";
const BAD: &str = "team/bad  team/bad\t1\n";
const DENIED: &str = "team/denied  team/denied 1 \n";
const SLOW: &str = "team/slow team/slow 1\n";
const NONSENSE: &str = "nonsense  \n";

/// `team/good` passes, `team/bad` is not at the destination, `team/denied` cannot be read there, and
/// for `team/slow` the source never answers.
fn registries() -> (Server, Server) {
    let mut source = Content::default();
    source.multi("team/good", "1", &["linux/amd64"], "a");
    source.multi("team/denied", "1", &["linux/amd64"], "a");
    let content = source.clone();
    source.multi("team/bad", "1", &["linux/amd64"], "a");
    let destination = Server::start(move |request| {
        if request.path.contains("team/denied") {
            Reply::error(403, "DENIED", "not for you")
        } else {
            answer(&content, request)
        }
    });
    (Server::stalling(source, "team/slow"), destination)
}

fn flags((source, destination): &(Server, Server)) -> String {
    format!("-f list.txt -s {} -d {}", source.name(), destination.name())
}

#[test]
fn failed_and_unvalidated_lines_go_to_different_files() {
    let registries = registries();
    let dir = Dir::new();
    let list = [DENIED, BAD, GOOD, NONSENSE, BAD, DENIED].concat();
    dir.write("list.txt", &list);
    for jobs in [1, 20] {
        let run = dir
            .validate()
            .args(&flags(&registries))
            .args(&format!("-o bad.txt --not-validated open.txt -j {jobs}"))
            .run();
        run.code(1)
            .has("6 images: 1 passed, 2 failed, 3 not validated");
        run.has("; failed list: bad.txt; list of images that were not validated: open.txt\n");
        assert_eq!(dir.read("bad.txt"), BAD.repeat(2));
        assert_eq!(dir.read("open.txt"), [DENIED, NONSENSE, DENIED].concat());
    }
    // Without the flag the failed list has both.
    dir.validate()
        .args(&flags(&registries))
        .args("-o all.txt")
        .run()
        .code(1);
    assert_eq!(dir.read("all.txt"), list.replace(GOOD, ""));
    // Neither is left where there is nothing for it.
    dir.write("list.txt", DENIED);
    let both = format!("{} -o bad.txt --not-validated open.txt", flags(&registries));
    dir.validate()
        .args(&both)
        .run()
        .code(3)
        .has("; removed the failed list of an earlier run; list of");
    assert!(!dir.has("bad.txt") && !dir.has("bad.txt.partial"));
    assert_eq!(dir.read("open.txt"), DENIED);
    dir.write("list.txt", BAD);
    dir.validate()
        .args(&both)
        .run()
        .code(1)
        .has("; failed list: bad.txt; removed the list of images that were not validated of an earlier run");
    assert!(!dir.has("open.txt") && !dir.has("open.txt.partial"));
    // A shard has its own of both.
    dir.write("list.txt", &list);
    let (mut bad, mut open) = (String::new(), String::new());
    for shard in ["0/2", "1/2"] {
        for name in ["bad.txt", "open.txt"] {
            let _ = std::fs::remove_file(dir.path().join(name));
        }
        dir.validate()
            .args(&both)
            .args(&format!("--shard {shard}"))
            .run();
        let read = |name| {
            if dir.has(name) {
                dir.read(name)
            } else {
                String::new()
            }
        };
        bad += &read("bad.txt");
        open += &read("open.txt");
    }
    assert_eq!(
        (bad.len(), open.len()),
        (2 * BAD.len(), 2 * DENIED.len() + NONSENSE.len())
    );
}

#[test]
fn lines_that_a_signal_cut_off_could_not_be_checked() {
    let registries = registries();
    let dir = Dir::new();
    let rest = SLOW.to_owned() + &GOOD.repeat(300) + NONSENSE + DENIED;
    dir.write("list.txt", [BAD, DENIED, &rest].concat());
    let mut running = dir
        .validate()
        .args(&flags(&registries))
        .args("-o bad.txt --not-validated open.txt")
        .start();
    running.wait_for("not for you");
    // On disk before it is printed.
    assert_eq!(dir.read("bad.txt.partial"), BAD);
    // Lines that are none may be found before.
    assert!(dir.read("open.txt.partial").contains(DENIED));
    wait_until("the stall", || registries.0.count("GET", "team/slow") > 0);
    running.signal("TERM");
    running
        .end()
        .code(143)
        .has("list of images that were not validated: open.txt");
    assert_eq!(dir.read("bad.txt"), BAD);
    assert_eq!(dir.read("open.txt"), [DENIED, &rest].concat());
}

#[test]
fn the_list_of_not_validated_images_may_replace_the_image_list() {
    let registries = registries();
    let dir = Dir::new();
    let list = [DENIED, BAD, GOOD].concat();
    dir.write("list.txt", &list);
    let both = format!("{} -o bad.txt --not-validated list.txt", flags(&registries));
    dir.validate()
        .args(&both)
        .run()
        .code(1)
        .has("the previous image list is list.txt.previous");
    assert_eq!(dir.read("list.txt"), DENIED);
    assert_eq!(dir.read("list.txt.previous"), list);
    dir.validate().args(&both).args("--shard 0/2").run().code(2).one_error(
        "cannot write the list of images that were not validated list.txt: it is the image list, and --shard validates only a part of it; name another file with --not-validated",
    );
    assert_eq!(dir.read("list.txt"), DENIED);
}

#[test]
fn the_output_cannot_be_another_file_of_the_run() {
    let registries = registries();
    let dir = Dir::new();
    dir.write("list.txt", GOOD);
    for (args, message) in [
        (
            "-o same.txt --not-validated same.txt",
            "cannot write the list of images that were not validated same.txt: it would overwrite the failed list; name another file with --not-validated",
        ),
        (
            "--not-validated ./mirror-validate-failed.txt",
            "it would overwrite the failed list",
        ),
        (
            "-o x --not-validated x.partial",
            "it would overwrite the failed list",
        ),
        (
            "-o list.txt --not-validated list.txt",
            "it would overwrite the failed list",
        ),
        (
            "--report r.json --not-validated r.json",
            "r.json: it would overwrite the",
        ),
        ("--not-validated .", "it is a directory"),
    ] {
        dir.validate()
            .args(&flags(&registries))
            .args(args)
            .run()
            .code(2)
            .one_error(message);
    }
    assert!(registries.0.requests().is_empty());
    assert_eq!(dir.names(), ["list.txt"]);
    dir.validate()
        .args(&flags(&registries))
        .args("--not-validated /dev/null")
        .run()
        .code(0);
}

#[test]
fn a_list_that_changes_leaves_both_partial_files() {
    let mut content = Content::default();
    content.multi("team/bad", "1", &["linux/amd64"], "a");
    let gate = Gate::default();
    let opened = gate.clone();
    let source = Server::start(move |request| {
        if request.path.contains("team/late") {
            opened.pass();
        }
        answer(&content, request)
    });
    let servers = (source, Server::of(Content::default()));
    let dir = Dir::new();
    // More than are read ahead.
    let late: String = (0..100)
        .map(|number| format!("team/late{number} team/late 1\n"))
        .collect();
    dir.write("list.txt", [BAD, &late].concat());
    dir.write("open.txt", "of an earlier run\n");
    let mut running = dir
        .validate()
        .args(&flags(&servers))
        .args("-o bad.txt --not-validated open.txt")
        .start();
    running.wait_for("does not exists");
    dir.write("list.txt", BAD);
    gate.open();
    let run = running.end();
    run.code(2).has("the image list was not read to its end; lines that did not pass until then: bad.txt.partial; lines not validated until then: open.txt.partial\n");
    assert_eq!(dir.read("bad.txt.partial"), BAD);
    assert_eq!(dir.read("open.txt"), "of an earlier run\n");
    assert!(late.starts_with(&dir.read("open.txt.partial")));
}
