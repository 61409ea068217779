//! The files on disk after a run is killed, or the disk is full.

use std::time::Duration;

use crate::support::{Content, Dir, Server, answer, skip};

/// A source that answers slowly for `team/x`, and a destination that has nothing.
fn slow() -> (Server, Server) {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    let source = Server::start(move |request| {
        std::thread::sleep(Duration::from_millis(3));
        answer(&content, request)
    });
    (source, Server::of(Content::default()))
}

#[test]
fn every_failure_that_was_printed_is_on_disk_whenever_the_run_is_killed() {
    let (source, destination) = slow();
    for round in 0..12 {
        let dir = Dir::new();
        // Each line is one of its own, so that it can be found again.
        let list: String = (0..400)
            .map(|number| format!("team/x{} team/y{number} 1\n", " ".repeat(number % 7)))
            .collect();
        dir.write("list.txt", &list);
        let flags = format!(
            "-f list.txt -o list.txt -j 8 -s {} -d {}",
            source.name(),
            destination.name()
        );
        let mut running = dir.validate().args(&flags).start();
        let mut printed = Vec::new();
        for _ in 0..(1 + round * 23) {
            printed.push(running.wait_for("does not exists"));
        }
        running.child.kill().unwrap();
        let rest = running.end().stdout;
        printed.extend(
            rest.lines()
                .filter(|line| line.contains("does not exists"))
                .map(str::to_owned),
        );
        let partial = dir.read("list.txt.partial");
        for line in &printed {
            let name = line
                .split("/team/")
                .nth(1)
                .unwrap()
                .split(':')
                .next()
                .unwrap();
            assert!(
                partial.contains(&format!("team/{name} 1\n")),
                "{line} is printed and not on disk:\n{partial}"
            );
        }
        assert_eq!(dir.read("list.txt"), list, "the input is never lost");
    }
}

/// Whether file systems can be mounted here.
fn can_mount() -> bool {
    let dir = Dir::new();
    let tried = dir
        .command("unshare")
        .args("-m sh -c")
        .arg("mount -t tmpfs none /mnt")
        .run();
    if !tried.status.success() {
        skip(&format!(
            "this needs root, to mount a file system: {}",
            tried.stderr
        ));
    }
    tried.status.success()
}

#[test]
fn a_full_disk_ends_the_run_with_an_error() {
    if !can_mount() {
        return;
    }
    let (source, destination) = slow();
    let dir = Dir::new();
    let list = "team/x team/y 1\n".repeat(3000);
    dir.write("list.txt", &list);
    std::fs::create_dir(dir.path().join("small")).unwrap();
    let command = format!(
        "mount -t tmpfs -o size=16k none small && {} mirror-validate -f list.txt -o small/failed.txt -j 20 -s {} -d {}; code=$?; wc -c <small/failed.txt.partial; ls small; exit $code",
        env!("CARGO_BIN_EXE_image-tools"),
        source.name(),
        destination.name()
    );
    let run = dir.command("unshare").args("-m sh -c").arg(command).run();
    run.code(2)
        .has("[ERRO] cannot write the failed list small/failed.txt: No space left on device")
        .has("; the results until then are in small/failed.txt.partial");
    let log = run.log();
    assert!(
        log.iter()
            .any(|line| line.starts_with("[INFO] ") && line.contains(" not validated in ")),
        "{log:?}"
    );
    assert_eq!(log.last().map(String::as_str), Some("failed.txt.partial"));
    // Nothing was printed that is not on disk.
    let printed = run
        .log()
        .iter()
        .filter(|line| line.contains("does not exists"))
        .count();
    let on_disk: usize = log[log.len() - 2].trim().parse().unwrap();
    assert!(
        printed * "team/x team/y 1\n".len() <= on_disk,
        "{printed} {on_disk}"
    );
    assert_eq!(dir.read("list.txt"), list);
}
