//! A user at a terminal: prompts, the bar, Ctrl-C. On a pseudo-terminal made by `script`.

use std::time::Duration;

use crate::support::dir::TestCommand;
use crate::support::{Content, Dir, Gate, How, Reply, Server, answer, wait_until};

fn content(count: usize) -> Content {
    let mut content = Content::default();
    for number in 0..count {
        content.multi(&format!("team/x{number}"), "1", &["linux/amd64"], "a");
    }
    content
}

/// A command line on a terminal of so many columns.
pub fn on_terminal(dir: &Dir, columns: u32, command: &str) -> TestCommand {
    let program = env!("CARGO_BIN_EXE_image-tools");
    let shell = format!(
        "trap : INT; stty cols {columns} rows 24 -echo; {program} mirror-validate {command}; echo \"exit $?\"; stty -a | grep -o ' -\\?icanon'"
    );
    dir.command("script")
        .args("-q -e -f -c")
        .arg(shell)
        .arg("/dev/null")
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
}

#[test]
fn each_image_that_is_typed_has_its_answer_before_the_next_prompt() {
    let server = Server::of(content(2));
    let dir = Dir::new();
    let command = format!("--color never -s {0} -d {1}", server.name(), server.alias());
    let typed = "team/x0 team/x0 1\nnonsense\n\n# comment\nteam/x1 team/nothing 1\n\u{4}";
    let shown = on_terminal(&dir, 200, &command).stdin(typed).run().stdout;
    let at = |text: &str| {
        shown
            .find(text)
            .unwrap_or_else(|| panic!("{text:?} is not in:\n{shown}"))
    };
    assert!(
        at("Type one image per line: SOURCE DESTINATION TAG") < at(">>> "),
        "{shown}"
    );
    assert!(at(">>> ") < at("[M_ID:1] PASS"));
    assert!(at("[M_ID:1] PASS") < at("standard input:2: 1 field instead of 3"));
    assert!(at("standard input:2") < at("destination manifest does not exists"));
    assert!(at("does not exists") < at("3 images: 1 passed, 1 failed, 1 not validated"));
    // One for each line, also an empty one and a comment, and one for Ctrl-D.
    assert_eq!(shown.matches(">>> ").count(), 6, "{shown}");
    assert!(shown.contains("exit 1"), "{shown}");
}

#[test]
fn the_bar_and_the_log_share_the_terminal() {
    for columns in [80, 20] {
        let all = content(60);
        let server = Server::start(move |request| {
            // Slow enough for the bar to be drawn several times.
            std::thread::sleep(Duration::from_millis(10));
            answer(&all, request)
        });
        let dir = Dir::new();
        let list: String = (0..60)
            .map(|number| format!("team/x{number} team/x{number} 1\n"))
            .collect();
        dir.write("list.txt", list);
        let command = format!(
            "-f list.txt --color never -s {0} -d {1}",
            server.name(),
            server.alias()
        );
        let shown = on_terminal(&dir, columns, &command).run().stdout;
        for number in 0..60 {
            let line = format!(
                "[M_ID:{}] PASS [{}/team/x{number}:1] == [{}/team/x{number}:1]\r\n",
                number + 1,
                server.name(),
                server.alias()
            );
            assert!(
                shown.contains(&line),
                "{line:?} is not whole in:\n{shown:?}"
            );
        }
        assert!(shown.contains("/60 "), "{shown:?}");
        assert!(columns == 20 || shown.contains("passed "), "{shown:?}");
        // Nothing of the bar is left below the summary.
        let end = &shown[shown.find("60 images: 60 passed").expect("the summary")..];
        assert!(!end.contains("/60"), "{end:?}");
        assert!(shown.contains("exit 0"), "{shown:?}");
    }
}

#[test]
fn control_c_leaves_the_terminal_sane() {
    let server = Server::start(|request| match request.path.as_str() {
        "/v2/" => Reply::new(200),
        _ => Reply::new(200).how(How::Stall),
    });
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n".repeat(3));
    let mut running = on_terminal(
        &dir,
        80,
        &format!("-f list.txt -s {0} -d {1}", server.name(), server.alias()),
    )
    .start();
    wait_until("the stall", || server.count("GET", "team/x") == 1);
    running.type_in("\u{3}");
    running.wait_for("interrupted by SIGINT");
    let shown = running.end().stdout;
    assert!(
        shown.contains("interrupted by SIGINT: 3 images: 0 passed, 0 failed, 3 not validated"),
        "{shown}"
    );
    assert!(shown.contains("exit 130"), "{shown}");
    assert!(shown.contains(" icanon"), "{shown}");
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        "team/x team/x 1\n".repeat(3)
    );
}

#[test]
fn colours_on_a_terminal_unless_no_color_is_set() {
    let server = Server::of(content(1));
    let dir = Dir::new();
    dir.write("list.txt", "team/x0 team/x0 1\n");
    let command = format!(
        "-f list.txt --progress never -s {0} -d {1}",
        server.name(),
        server.alias()
    );
    assert!(
        on_terminal(&dir, 80, &command)
            .run()
            .stdout
            .contains("\u{1b}[32m[INFO]\u{1b}[0m")
    );
}

#[test]
fn control_c_at_the_prompt_ends_with_the_summary_on_its_own_line() {
    let server = Server::of(content(1));
    let dir = Dir::new();
    let mut running = on_terminal(
        &dir,
        200,
        &format!("--color never -s {0} -d {1}", server.name(), server.alias()),
    )
    .start();
    running.type_in("team/x0 team/x0 1\n");
    running.wait_for("[M_ID:1] PASS");
    running.type_in("\u{3}");
    // The end of standard input would be another reason to end.
    running.wait_for("interrupted by SIGINT");
    let shown = running.end().stdout;
    let summary = shown
        .lines()
        .find(|line| line.contains("interrupted by SIGINT: 1 image: 1 passed"))
        .expect("the summary");
    assert!(
        summary.as_bytes()[2] == b':' && summary.contains("[INFO]"),
        "{shown:?}"
    );
    assert!(shown.contains("exit 130"), "{shown}");
}

#[test]
fn the_bar_tells_how_much_of_the_blobs_was_read() {
    let all = content(30);
    let server = Server::start(move |request| {
        std::thread::sleep(Duration::from_millis(10));
        answer(&all, request)
    });
    let dir = Dir::new();
    let list: String = (0..30)
        .map(|number| format!("team/x{number} team/x{number} 1\n"))
        .collect();
    dir.write("list.txt", list);
    let command = format!(
        "-f list.txt --deep=full -s {0} -d {1}",
        server.name(),
        server.alias()
    );
    let shown = on_terminal(&dir, 100, &command).run().stdout;
    assert!(shown.contains(" KiB read"), "{shown:?}");
    assert!(shown.contains(" KiB of blob data read in "), "{shown:?}");
}

/// A run of 20 images, slow enough for the bar to be drawn.
fn twenty(dir: &Dir) -> (Server, String) {
    let all = content(20);
    let server = Server::start(move |request| {
        std::thread::sleep(Duration::from_millis(10));
        answer(&all, request)
    });
    let list: String = (0..20)
        .map(|number| format!("team/x{number} team/x{number} 1\n"))
        .collect();
    dir.write("list.txt", list);
    let flags = format!("-f list.txt -s {0} -d {1}", server.name(), server.alias());
    (server, flags)
}

#[test]
fn no_bar_is_drawn_over_a_pager() {
    let dir = Dir::new();
    let (_server, flags) = twenty(&dir);
    for (more, is_shown) in [
        ("", true),
        ("| cat", false),
        ("--progress always | cat", true),
        (">log.txt", true),
        ("2>errors.txt", false),
        ("--progress never", false),
    ] {
        let shown = on_terminal(&dir, 80, &format!("{flags} {more}"))
            .run()
            .stdout;
        assert_eq!(
            shown.contains("/20 failed 0, not validated 0"),
            is_shown,
            "{more}: {shown:?}"
        );
    }
    assert_eq!(dir.read("errors.txt"), "");
}

#[test]
fn off_a_terminal_progress_is_plain_lines() {
    let dir = Dir::new();
    let (_server, flags) = twenty(&dir);
    let run = dir
        .validate()
        .args(&flags)
        .args("-q --progress always")
        .run();
    run.code(0);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(
        lines
            .iter()
            .all(|line| crate::support::dir::starts_with_time(line)),
        "{lines:?}"
    );
    // At the beginning and at the end; the next one would come after ten seconds.
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("/20 failed 0, not validated 0"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains(" [INFO] 20/20 failed 0, not validated 0")
            && lines[1].contains("passed 20"),
        "{lines:?}"
    );
    assert!(!run.stderr.contains(['\r', '\x1b']), "{lines:?}");
    for progress in ["auto", "never"] {
        dir.validate()
            .args(&flags)
            .args("--progress")
            .arg(progress)
            .run()
            .code(0)
            .error("");
    }
}

#[test]
fn the_bar_names_the_host_that_is_waited_for() {
    let all = content(3);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let is_first = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        if request.path.contains("/manifests/") && is_first() {
            return Reply::error(429, "TOOMANYREQUESTS", "later").header("retry-after", "2");
        }
        answer(&all, request)
    });
    let dir = Dir::new();
    dir.write("list.txt", "team/x0 team/x0 1\nteam/x1 team/x1 1\n");
    let flags = format!("-f list.txt -s {0} -d {1}", server.name(), server.alias());
    for columns in [80, 200] {
        let shown = on_terminal(&dir, columns, &flags).run().stdout;
        let is_first = columns == 80;
        let waiting = format!("waiting for {}, attempt 2", server.name());
        assert_eq!(shown.contains(&waiting), is_first, "{shown:?}");
        assert!(shown.contains("exit 0"), "{shown:?}");
    }
}

/// The source's manifest is sent only after the destination's was requested.
#[test]
fn a_typed_image_is_requested_from_both_registries_at_once() {
    let requested = Gate::default();
    let all = content(1);
    let source = Server::start({
        let (all, requested) = (all.clone(), requested.clone());
        move |request| {
            if request.path.ends_with("/manifests/1") {
                requested.pass();
            }
            answer(&all, request)
        }
    });
    let destination = Server::start(move |request| {
        if request.path.ends_with("/manifests/1") {
            requested.open();
        }
        answer(&all, request)
    });
    let (source, destination) = (source.name(), destination.name());
    let typed = |lines: &str| {
        let flags = format!("--timeout 10s --retries 0 -s {source} -d {destination}");
        Dir::new().validate().args(&flags).stdin(lines).run()
    };
    typed("team/x0 team/x0 1\n").code(0).has("1 passed");
    // What is wrong with the source is the verdict, whatever the destination says.
    let both_missing = typed("team/gone team/gone 1\n");
    both_missing.code(3).has("source manifest does not exist");
    both_missing.has_not("destination manifest does not exists");
}
