//! Standard input that does not end, and standard output that accepts no more data.

use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::support::{Content, Dir, Run, Server};

const FULL: &str =
    "image-tools: cannot write to standard output: No space left on device (os error 28)\n";

/// `team/x` passes; everything else is nowhere.
fn registry() -> Server {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    Server::of(content)
}

/// A run in a shell, with this redirection behind it.
fn redirected(dir: &Dir, args: &str, redirection: &str) -> Run {
    let shell = format!("{} {args} {redirection}", env!("CARGO_BIN_EXE_image-tools"));
    dir.command("sh").arg("-c").arg(shell).run()
}

#[test]
fn a_signal_ends_a_run_whose_input_does_not_end() {
    let registry = registry();
    for (args, pause) in [
        // A line every now and then, and one that never comes.
        ("-f - -j 4", Some(50)),
        ("-f - -j 4", None),
        ("-f -", Some(50)),
        ("", Some(50)),
        ("", Some(5)),
        ("", None),
    ] {
        let dir = Dir::new();
        let flags = format!("{args} -s {0} -d {1}", registry.name(), registry.alias());
        let mut running = dir.validate().args(&flags).start();
        let mut input = running.child.stdin.take().unwrap();
        input.write_all(b"team/x team/x 1\n").unwrap();
        let (ended, end) = channel::<()>();
        let feeder = std::thread::spawn(move || {
            // Ends with the test, or with the program; the pipe stays open until then.
            let pause = Duration::from_millis(pause.unwrap_or(60_000));
            while end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
                && input.write_all(b"team/x team/gone 1\n").is_ok()
            {}
        });
        running.wait_for("[M_ID:1] PASS");
        running.signal("INT");
        let signalled = Instant::now();
        let run = running.end();
        let elapsed = signalled.elapsed();
        drop(ended);
        feeder.join().unwrap();
        run.code(130).has("interrupted by SIGINT: ");
        assert!(
            elapsed < Duration::from_secs(2),
            "{args:?} {pause:?}: {elapsed:?}"
        );
    }
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_and_the_run_goes_on() {
    let registry = registry();
    let list = "team/x team/x 1\nteam/x team/gone 1\n".repeat(500);
    for flags in ["-j 4", "-q", "-debug --report report.json"] {
        let dir = Dir::new();
        dir.write("list.txt", &list);
        let args = format!(
            "mirror-validate -f list.txt {flags} -s {0} -d {1}",
            registry.name(),
            registry.alias()
        );
        redirected(&dir, &args, ">/dev/full").code(2).error(FULL);
        assert_eq!(
            dir.read("mirror-validate-failed.txt"),
            "team/x team/gone 1\n".repeat(500)
        );
        assert!(!dir.has("mirror-validate-failed.txt.partial"));
        assert_eq!(dir.has("report.json"), flags.contains("--report"));
    }
    // A run that has only its summary to say.
    let dir = Dir::new();
    dir.write("list.txt", "team/x team/x 1\n");
    let args = format!(
        "mirror-validate -q -f list.txt -s {0} -d {1}",
        registry.name(),
        registry.alias()
    );
    redirected(&dir, &args, ">/dev/full").code(2).error(FULL);
}

/// What prints a text and nothing else.
const TEXTS: [&str; 8] = [
    "man",
    "help",
    "-h",
    "",
    "version",
    "completion bash",
    "mirror-validate -h",
    "mirror-validate --version",
];

#[test]
fn a_text_that_cannot_be_written_is_an_error() {
    let dir = Dir::new();
    for args in TEXTS {
        redirected(&dir, args, ">/dev/full").code(2).error(FULL);
    }
}

#[test]
fn a_reader_who_has_gone_is_no_error() {
    let registry = registry();
    let dir = Dir::new();
    // A pipe whose reader has gone before the program starts.
    let open = |args: &str| {
        let shell = format!(
            "rm -f pipe; mkfifo pipe; exec 3<>pipe 4>pipe; exec 3<&-; {} {args} >&4",
            env!("CARGO_BIN_EXE_image-tools")
        );
        dir.command("sh").arg("-c").arg(shell).run()
    };
    for args in TEXTS {
        open(args).code(0).error("");
    }
    dir.write("list.txt", "team/x team/x 1\nteam/x team/gone 1\n");
    for (flags, code) in [
        ("-f list.txt", 1),
        ("-f list.txt -o other.txt --report r.json", 1),
    ] {
        let args = format!(
            "mirror-validate {flags} -s {0} -d {1}",
            registry.name(),
            registry.alias()
        );
        open(&args).code(code).error("");
    }
    assert_eq!(
        dir.read("mirror-validate-failed.txt"),
        "team/x team/gone 1\n"
    );
    assert_eq!(dir.read("other.txt"), "team/x team/gone 1\n");
}

#[test]
fn a_usage_error_is_printed_for_any_standard_output() {
    let dir = Dir::new();
    redirected(&dir, "mirror-validate --jbos 3", ">/dev/full")
        .code(2)
        .one_error("--jobs");
}
