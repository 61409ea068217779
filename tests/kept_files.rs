//! Files that a run must not destroy: the list that it reads, the failed list of last night, and files that
//! only look like its own.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Content, Dir, Gate, Run, Server, answer, wait_until};
use crate::terminal::on_terminal;

const FAILED: &str = "mirror-validate-failed.txt";
const GOOD: &str = "team/good team/good 1\n";
const BAD: &str = "team/bad  team/bad\t1\n";
const REMOVED: &str = "removed the failed list of an earlier run";

/// `team/good` passes; `team/bad` is not at the destination.
fn registries() -> (Server, Server) {
    let mut source = Content::default();
    source.multi("team/good", "1", &["linux/amd64"], "a");
    let destination = source.clone();
    source.multi("team/bad", "1", &["linux/amd64"], "a");
    (Server::of(source), Server::of(destination))
}

/// A run against these registries.
fn validate(dir: &Dir, registries: &(Server, Server), args: &str) -> Run {
    let (source, destination) = registries;
    dir.validate()
        .args(&format!("-s {} -d {}", source.name(), destination.name()))
        .args(args)
        .run()
}

/// The last line of the log.
fn summary(run: &Run) -> String {
    run.log().pop().unwrap_or_default()
}

#[test]
fn a_shard_may_not_replace_the_list_that_it_is_a_part_of() {
    let registries = registries();
    let list = format!("{GOOD}{BAD}").repeat(20);
    for args in [
        "-f x.txt -o x.txt",
        "-f x.txt -o ./x.txt",
        "-f ./x.txt -o sub/../x.txt",
        "-f x.txt -o link.txt",
        "-f link.txt -o x.txt",
        "-f link.txt -o link.txt",
        "-f mirror-validate-failed.txt",
    ] {
        let dir = Dir::new();
        fs::create_dir(dir.path().join("sub")).unwrap();
        dir.write("x.txt", &list);
        dir.write(FAILED, &list);
        symlink("x.txt", dir.path().join("link.txt")).unwrap();
        let before = dir.names();
        let run = validate(&dir, &registries, &format!("--shard 0/2 {args}"));
        run.code(2).one_error("--shard").one_error("-o");
        assert_eq!(run.stdout, "", "{args}");
        assert_eq!(dir.names(), before, "{args}");
        assert_eq!(
            dir.read("x.txt") + &dir.read(FAILED),
            list.repeat(2),
            "{args}"
        );
    }
    // Standard input may be that file too.
    let dir = Dir::new();
    dir.write("x.txt", &list);
    let shell = format!(
        "{} mirror-validate --shard 0/2 -f - -o x.txt -s {} -d {} <x.txt",
        env!("CARGO_BIN_EXE_image-tools"),
        registries.0.name(),
        registries.1.name()
    );
    let run = dir.command("sh").arg("-c").arg(shell).run();
    run.code(2).one_error("--shard").one_error("-o");
    assert_eq!(dir.read("x.txt"), list);
    assert_eq!(dir.names(), ["x.txt"]);
    assert!(registries.0.requests().is_empty() && registries.1.requests().is_empty());
    // Another file is what it is for.
    let run = validate(&dir, &registries, "--shard 0/1 -f x.txt -o y.txt");
    run.code(1);
    assert_eq!(dir.read("y.txt"), BAD.repeat(20));
    assert_eq!(dir.read("x.txt"), list);
}

/// Names behind which a program may want to put what it writes.
const SUFFIXES: [&str; 5] = [".sorted", ".tmp", ".new", ".partial~", ".partial.sorted"];

#[test]
fn a_file_beside_an_output_is_its_user_s() {
    let names = ["slow", "a", "b", "c"];
    let mut content = Content::default();
    for name in names {
        content.multi(&format!("team/{name}"), "1", &["linux/amd64"], "a");
    }
    let list = names
        .map(|name| format!("team/{name} team/{name} 1\n"))
        .concat();
    for (flag, output, verdict, code) in [
        ("--report", "report.json", "] FAILED", 1),
        ("--record", "sources.json", "] RECORDED", 0),
    ] {
        let (gate, content) = (Gate::default(), content.clone());
        let closed = gate.clone();
        let source = Server::start(move |request| {
            if request.path.ends_with("/team/slow/manifests/1") {
                closed.pass();
            }
            answer(&content, request)
        });
        let destination = Server::of(Content::default());
        let dir = Dir::new();
        dir.write("list.txt", &list);
        let mut mine = Vec::new();
        for (name, suffix) in ["failed.txt", output]
            .iter()
            .flat_map(|name| SUFFIXES.map(|suffix| (name, suffix)))
        {
            mine.push(format!("{name}{suffix}"));
            dir.write(&format!("{name}{suffix}"), format!("my {name}{suffix}"));
        }
        let mut flags = format!(
            "-f list.txt -o failed.txt -j 4 {flag} {output} -s {}",
            source.name()
        );
        if flag != "--record" {
            flags += &format!(" -d {}", destination.name());
        }
        let mut running = dir.validate().args(&flags).start();
        for _ in 0..3 {
            running.wait_for(verdict);
        }
        // The first of the list is the last to be found.
        gate.open();
        running.end().code(code);
        for name in &mine {
            assert_eq!(dir.read(name), format!("my {name}"));
        }
        let mut expected = mine;
        expected.extend(["list.txt".to_owned(), output.to_owned()]);
        if code == 1 {
            assert_eq!(dir.read("failed.txt"), list);
            expected.push("failed.txt".to_owned());
        }
        expected.sort();
        assert_eq!(dir.names(), expected);
    }
}

#[test]
fn a_person_who_types_nothing_keeps_the_failed_list_of_last_night() {
    let (source, destination) = registries();
    let flags = format!(
        "--color never -s {} -d {}",
        source.name(),
        destination.name()
    );
    for (key, end) in [
        ("\u{3}", "interrupted by SIGINT: 0 images"),
        ("\u{4}", "0 images: "),
    ] {
        let dir = Dir::new();
        dir.write(FAILED, BAD);
        let mut running = on_terminal(&dir, 200, &flags).start();
        running.wait_for("Press Ctrl-D to end.");
        running.type_in(key);
        running.wait_for(end);
        let run = running.end();
        run.has_not("removed");
        assert_eq!(dir.read(FAILED), BAD, "{key:?}");
        assert_eq!(dir.names(), [FAILED]);
    }
    let dir = Dir::new();
    dir.write(FAILED, BAD);
    let shell = format!(
        "{} mirror-validate {flags} </dev/null",
        env!("CARGO_BIN_EXE_image-tools")
    );
    dir.command("sh")
        .arg("-c")
        .arg(shell)
        .run()
        .has("0 images: ")
        .has_not("removed");
    assert_eq!(dir.read(FAILED), BAD);
    assert_eq!(dir.names(), [FAILED]);
}

#[test]
fn images_that_are_typed_replace_a_failed_list_and_remove_none() {
    let (source, destination) = registries();
    let flags = format!("-s {} -d {}", source.name(), destination.name());
    let dir = Dir::new();
    dir.write(FAILED, "last night's\n");
    let typed = |lines: &str| dir.validate().args(&flags).stdin(lines).run();
    typed(&GOOD.repeat(3))
        .code(0)
        .has("3 passed")
        .has_not("removed")
        .has_not("failed list");
    assert_eq!(dir.read(FAILED), "last night's\n");
    assert_eq!(dir.names(), [FAILED]);
    typed(&format!("{GOOD}{BAD}"))
        .code(1)
        .has(&format!("; failed list: {FAILED}"));
    assert_eq!(dir.read(FAILED), BAD);
    typed(GOOD).code(0);
    assert_eq!(dir.read(FAILED), BAD);
    assert_eq!(dir.names(), [FAILED]);
    // At a terminal too.
    let shown = on_terminal(&dir, 200, &flags)
        .stdin(format!("{GOOD}\u{4}"))
        .run();
    assert!(shown.stdout.contains("1 image: 1 passed") && !shown.stdout.contains("removed"));
    assert_eq!(dir.read(FAILED), BAD);
}

#[test]
fn a_list_that_passes_removes_an_earlier_failed_list_and_says_so() {
    let registries = registries();
    for (output, flag) in [(FAILED, ""), ("other.txt", "-o other.txt")] {
        let dir = Dir::new();
        dir.write("list.txt", GOOD.repeat(3));
        dir.write(output, BAD);
        let run = validate(&dir, &registries, &format!("-f list.txt {flag}"));
        run.code(0);
        assert!(summary(&run).contains(REMOVED), "{}", summary(&run));
        assert_eq!(dir.names(), ["list.txt"]);
        let run = validate(&dir, &registries, &format!("-f list.txt {flag}"));
        run.code(0).has("3 images: 3 passed").has_not("removed");
        assert_eq!(dir.names(), ["list.txt"]);
    }
}

#[test]
fn a_list_that_is_its_own_output_is_kept_beside_it() {
    let registries = registries();
    let passing = GOOD.repeat(3);
    let mixed = format!("# mine\r\n{GOOD}{BAD}\n{GOOD}nonsense\n");
    let left = format!("{BAD}nonsense\n");
    for (name, args) in [
        ("pass.txt", "-f pass.txt -o pass.txt"),
        ("pass.txt", "-f ./pass.txt -o pass.txt -j 4"),
        (FAILED, "-f mirror-validate-failed.txt"),
    ] {
        let dir = Dir::new();
        let previous = format!("{name}.previous");
        dir.write(name, &passing);
        let run = validate(&dir, &registries, args);
        run.code(0).has("3 images: 3 passed");
        assert!(summary(&run).contains(&previous), "{}", summary(&run));
        assert_eq!(dir.read(&previous), passing);
        assert_eq!(dir.names(), [previous.as_str()]);
        // An older one gives way.
        dir.write(name, &mixed);
        let run = validate(&dir, &registries, args);
        run.code(1);
        assert!(summary(&run).contains(&previous), "{}", summary(&run));
        assert_eq!(dir.read(&previous), mixed);
        assert_eq!(dir.read(name), left);
        assert_eq!(dir.names(), [name, previous.as_str()]);
        // Another list as output is none of this.
        dir.write("list.txt", GOOD);
        let run = validate(&dir, &registries, &format!("-f list.txt -o {name}"));
        run.code(0).has_not("previous");
        assert_eq!(dir.read(&previous), mixed);
    }
}

/// What somebody does to a list while it is read.
type Change = fn(&Dir);

#[test]
fn a_list_that_changes_while_it_is_read_was_not_read() {
    let changes: [(&str, Change); 5] = [
        ("truncated", |dir| {
            let file = fs::OpenOptions::new()
                .write(true)
                .open(dir.path().join("list.txt"));
            file.unwrap().set_len(5000).unwrap();
        }),
        ("emptied", |dir| {
            dir.write("list.txt", "");
        }),
        ("appended to", |dir| {
            dir.write("list.txt", dir.read("list.txt") + GOOD);
        }),
        ("rewritten in place", |dir| {
            dir.write("list.txt", dir.read("list.txt").replace("see", "sea"));
        }),
        ("replaced", |dir| {
            dir.write("new.txt", dir.read("list.txt"));
            fs::rename(dir.path().join("new.txt"), dir.path().join("list.txt")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let mut content = Content::default();
        content.multi("team/x", "1", &["linux/amd64"], "a");
        let gate = Gate::default();
        let closed = gate.clone();
        let source = Server::start(move |request| {
            let mut request = request.clone();
            if let Some((repository, tag)) = request.path.split_once("/manifests/v") {
                if tag != "0" {
                    closed.pass();
                }
                request.path = format!("{repository}/manifests/1");
            }
            answer(&content, &request)
        });
        let destination = Server::of(Content::default());
        let dir = Dir::new();
        // More images than can be on their way, and more text than any reader takes at once.
        let images = (0..1000).map(|number| format!("team/x team/x v{number}\n"));
        let comments = "# nothing to see here\n".repeat(20_000);
        let list = images.collect::<String>() + &comments + BAD;
        dir.write("list.txt", &list);
        dir.write("failed.txt", "last night's\n");
        let flags = format!(
            "-f list.txt -o failed.txt -j 4 -s {} -d {}",
            source.name(),
            destination.name()
        );
        let mut running = dir.validate().args(&flags).start();
        running.wait_for("[M_ID:1] FAILED");
        wait_until("the gate", || source.count("GET", "/manifests/v") > 1);
        change(&dir);
        gate.open();
        let run = running.end();
        run.code(2)
            .error("")
            .has("[ERRO] the image list changed while it was being read")
            .has("lines that did not pass until then: failed.txt.partial");
        assert_eq!(dir.read("failed.txt"), "last night's\n", "{what}");
        let mut found: Vec<String> = run
            .log()
            .iter()
            .filter_map(|line| line.split_once("] FAILED [")?.1.rsplit_once(":v"))
            .map(|(_, number)| format!("team/x team/x v{}", number.trim_end_matches(']')))
            .collect();
        let partial = dir.read("failed.txt.partial");
        // A line that was cut in two is none of the list, and none of its images.
        let mut partial: Vec<&str> = partial
            .lines()
            .filter(|line| line.starts_with("team/x team/x v"))
            .collect();
        found.sort();
        partial.sort_unstable();
        assert_eq!(partial, found, "{what}");
        assert!(!found.is_empty(), "{what}");
    }
}
