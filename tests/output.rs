//! Log, summary, failed list, exit codes, and the files after a signal.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::dir::starts_with_time;
use crate::support::{Content, Dir, Server, wait_until};

/// `team/good` passes, for one architecture of two; `team/bad` is not at the destination.
fn registries() -> (Server, Server) {
    let mut source = Content::default();
    source.multi("team/good", "1", &["linux/amd64"], "a");
    let destination = source.clone();
    source.multi("team/bad", "1", &["linux/amd64", "linux/arm64"], "a");
    (Server::of(source), Server::of(destination))
}

const GOOD: &str = "team/good team/good 1\n";
const BAD: &str = "team/bad  team/bad\t1\n";

#[test]
fn the_log_and_its_last_line() {
    let (source, destination) = registries();
    let dir = Dir::new();
    dir.write("list.txt", format!("{GOOD}{BAD}nothing\n"));
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .run();
    run.code(1).error("");
    assert!(run.stdout.lines().all(starts_with_time), "{}", run.stdout);
    let log = run.log();
    let summary = log.last().unwrap();
    assert!(
        summary.starts_with("[INFO] 3 images: 1 passed, 1 failed, 1 not validated in "),
        "{summary}"
    );
    assert!(
        summary.ends_with(
            "s; 1 source lacks an architecture of -a; failed list: mirror-validate-failed.txt"
        ),
        "{summary}"
    );
    let quiet = dir
        .validate()
        .args(&format!(
            "-q -f list.txt -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .run();
    quiet
        .code(1)
        .has_not("PASS")
        .has("FAILED")
        .has("3 images: 1 passed");
}

#[test]
fn the_failed_list_is_the_lines_as_they_stood_in_their_order() {
    let (source, destination) = registries();
    let dir = Dir::new();
    let mut list = String::from("# comment\n");
    let mut expected = String::new();
    for number in 0..100 {
        let line = format!(
            "team/bad   team/bad{} 1 {}\n",
            if number % 3 == 0 {
                number.to_string()
            } else {
                String::new()
            },
            " ".repeat(number % 5)
        );
        expected += &line;
        list += &line;
        list += GOOD;
    }
    dir.write("list.txt", &list);
    let flags = format!("-s {} -d {}", source.name(), destination.name());
    for jobs in [1, 20] {
        dir.validate()
            .args(&format!(
                "-f list.txt -j {jobs} -o failed{jobs}.txt {flags}"
            ))
            .run()
            .code(1)
            .has("200 images: 100 passed, 100 failed");
        assert_eq!(dir.read(&format!("failed{jobs}.txt")), expected);
        assert!(!dir.has(&format!("failed{jobs}.txt.partial")));
    }
    // It can be given to -f again, also as the output of that run.
    dir.validate()
        .args(&format!("-f failed20.txt -j 5 -o failed20.txt {flags}"))
        .run()
        .code(1)
        .has("100 images: 0 passed, 100 failed");
    assert_eq!(dir.read("failed20.txt"), expected);
    assert_eq!(dir.read("list.txt"), list);
}

#[test]
fn without_a_failure_there_is_no_failed_list() {
    let (source, destination) = registries();
    let dir = Dir::new();
    dir.write("failed.txt", "stale\n");
    dir.write("failed.txt.partial", "left by a killed run\n");
    let flags = format!(
        "-s {} -d {} -o failed.txt",
        source.name(),
        destination.name()
    );
    dir.write("list.txt", GOOD);
    let run = dir.validate().args(&flags).args("-f list.txt").run();
    run.code(0)
        .has("1 image: 1 passed, 0 failed, 0 not validated in ")
        .has("; removed the failed list of an earlier run")
        .has_not("failed list:");
    assert!(!dir.has("failed.txt") && !dir.has("failed.txt.partial"));
    // A loop over a failed list ends when all of it has passed.
    dir.write("failed.txt", GOOD);
    dir.validate()
        .args(&flags)
        .args("-f failed.txt")
        .run()
        .code(0);
    assert!(!dir.has("failed.txt"));
}

#[test]
fn an_output_that_cannot_be_written_is_known_before_the_first_request() {
    let (source, destination) = registries();
    let dir = Dir::new();
    fs::create_dir(dir.path().join("directory")).unwrap();
    dir.write("directory/kept", "x");
    dir.write("list.txt", GOOD);
    dir.write("x.partial", BAD);
    let flags = format!("-s {} -d {}", source.name(), destination.name());
    for (args, message) in [
        (
            "-f list.txt -o missing/failed.txt",
            "cannot write the failed list missing/failed.txt: No such file or directory",
        ),
        (
            "-f list.txt -o directory",
            "cannot write the failed list directory: it is a directory",
        ),
        (
            "-f x.partial -o x",
            "cannot read the image list x.partial: this run writes failed lines to that file",
        ),
    ] {
        dir.validate()
            .args(&flags)
            .args(args)
            .run()
            .code(2)
            .has_not(" ")
            .one_error(message);
    }
    assert_eq!(
        dir.read("directory/kept") + &dir.read("list.txt") + &dir.read("x.partial"),
        format!("x{GOOD}{BAD}")
    );
    // Standard input may be a file too.
    let shell = format!(
        "{} mirror-validate {flags} -o x <x.partial",
        env!("CARGO_BIN_EXE_image-tools")
    );
    dir.command("sh")
        .arg("-c")
        .arg(shell)
        .run()
        .code(2)
        .one_error(
            "cannot read the image list standard input: this run writes failed lines to that file",
        );
    assert_eq!(dir.read("x.partial"), BAD);
    assert!(source.requests().is_empty() && destination.requests().is_empty());
    dir.validate()
        .args(&flags)
        .args("-f list.txt -o /dev/null")
        .run()
        .code(0);
    dir.validate()
        .args(&flags)
        .args("-o /dev/null")
        .stdin(BAD)
        .run()
        .code(1)
        .has_not("failed list:");
    // The device is still the device, and nothing was put beside it.
    assert!(
        fs::symlink_metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    assert!(!Path::new("/dev/null.partial").exists());
}

#[test]
fn an_output_that_is_a_link_stays_one() {
    let (source, destination) = registries();
    let dir = Dir::new();
    dir.write("real.txt", "stale\n");
    std::os::unix::fs::symlink("real.txt", dir.path().join("link.txt")).unwrap();
    let flags = format!("-s {} -d {} -o link.txt", source.name(), destination.name());
    dir.validate()
        .args(&flags)
        .stdin(BAD)
        .run()
        .code(1)
        .has("failed list: link.txt");
    assert!(
        fs::symlink_metadata(dir.path().join("link.txt"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(dir.read("real.txt"), BAD);
}

/// A source that answers for `team/good` and `team/bad`, and never for `team/slow`.
fn stalling() -> (Server, Server) {
    let mut content = Content::default();
    content.multi("team/good", "1", &["linux/amd64"], "a");
    let destination = content.clone();
    content.multi("team/bad", "1", &["linux/amd64"], "a");
    let source = Server::stalling(content, "team/slow");
    (source, Server::of(destination))
}

#[test]
fn a_signal_leaves_everything_that_is_not_validated_in_the_list() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let (source, destination) = stalling();
        let dir = Dir::new();
        let slow: String = (0..300)
            .map(|number| format!("team/slow{number} team/slow 1\n"))
            .collect();
        let list = format!("{GOOD}{BAD}{slow}# comment\nnonsense\n{GOOD}{BAD}");
        dir.write("list.txt", &list);
        let flags = format!(
            "-f list.txt -o list.txt -j 2 -s {} -d {}",
            source.name(),
            destination.name()
        );
        let mut running = dir.validate().args(&flags).start();
        running.wait_for("does not exists");
        wait_until("the stall", || source.count("GET", "team/slow") == 2);
        assert_eq!(dir.read("list.txt.partial"), BAD);
        running.signal(signal);
        let signalled = Instant::now();
        let run = running.end();
        assert!(
            signalled.elapsed() < Duration::from_secs(2),
            "{:?}",
            signalled.elapsed()
        );
        run.code(code).error("").has(&format!(
            "interrupted by SIG{signal}: 305 images: 1 passed, 1 failed, 303 not validated"
        ));
        let expected = list.strip_prefix(GOOD).unwrap().replace("# comment\n", "");
        assert_eq!(dir.read("list.txt"), expected);
        assert!(!dir.has("list.txt.partial"));
    }
}

#[test]
fn a_killed_run_leaves_what_it_has_found_and_the_input() {
    let (source, destination) = stalling();
    let dir = Dir::new();
    let list = format!("{BAD}{BAD}team/slow team/slow 1\n");
    dir.write("list.txt", &list);
    let flags = format!(
        "-f list.txt -o list.txt -s {} -d {}",
        source.name(),
        destination.name()
    );
    let mut running = dir.validate().args(&flags).start();
    running.wait_for("does not exists");
    running.wait_for("does not exists");
    running.child.kill().unwrap();
    running.end();
    assert_eq!(dir.read("list.txt.partial"), BAD.repeat(2));
    assert_eq!(dir.read("list.txt"), list);
}

#[test]
fn two_runs_cannot_share_an_output() {
    let (source, destination) = stalling();
    let dir = Dir::new();
    let flags = format!(
        "-s {} -d {} -o failed.txt",
        source.name(),
        destination.name()
    );
    let mut first = dir.validate().args(&flags).start();
    first.type_in(BAD);
    first.wait_for("does not exists");
    let second = dir.validate().args(&flags).stdin(GOOD).run();
    second
        .code(2)
        .one_error("cannot write the failed list failed.txt: another run is writing it");
    first.end().code(1);
    assert_eq!(dir.read("failed.txt"), BAD);
}

#[test]
fn a_closed_standard_output_does_not_end_the_validation() {
    let (source, destination) = registries();
    let dir = Dir::new();
    dir.write("list.txt", BAD.repeat(500));
    let command = format!(
        "{} mirror-validate -f list.txt -j 4 -s {} -d {} | head -n 1; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_image-tools"),
        source.name(),
        destination.name()
    );
    let run = dir.command("bash").arg("-c").arg(command).run();
    run.code(0).error("");
    assert_eq!(run.stdout.lines().last(), Some("1"));
    assert_eq!(dir.read("mirror-validate-failed.txt"), BAD.repeat(500));
}

#[test]
fn colours_and_the_bar_need_a_terminal_or_a_flag() {
    let (source, destination) = registries();
    let dir = Dir::new();
    let flags = format!("-s {} -d {}", source.name(), destination.name());
    dir.validate()
        .args(&flags)
        .stdin(GOOD)
        .run()
        .code(0)
        .error("")
        .has_not("\x1b");
    dir.validate()
        .args(&flags)
        .args("--color always")
        .stdin(GOOD)
        .run()
        .has("\x1b[32m[INFO]\x1b[0m");
    dir.validate()
        .args(&flags)
        .args("--color sometimes")
        .run()
        .code(2)
        .one_error("expected auto, always, never");
}
