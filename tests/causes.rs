//! The summary of causes at the end of a run: what failed, how often, and on which lines.

use crate::support::{Content, Dir, INDEX, OCI, Reply, Server, V2, answer, entry};

/// The last lines of a log, from the first that names a reason.
fn summary(log: &[String]) -> Vec<&str> {
    let begins = |line: &&String| {
        let words = line.strip_prefix("[INFO] ").unwrap_or_default();
        let mut words = words.split(' ');
        words.next().is_some_and(|word| word.parse::<u64>().is_ok())
            && words.next().is_some_and(|word| !word.starts_with("image"))
    };
    let first = log.iter().position(|line| begins(&line));
    let first = first.unwrap_or_else(|| panic!("no summary in {log:#?}"));
    log[first..].iter().map(String::as_str).collect()
}

#[test]
fn the_summary_names_each_reason_and_each_registry_that_is_down() {
    let mut source = Content::default();
    let a = source.image("team/x", OCI, "linux/amd64", "a");
    let b = source.image("team/x", OCI, "linux/amd64", "b");
    let mut destination = source.clone();
    source.index("team/x", Some("good"), INDEX, &[entry(&a, "linux/amd64")]);
    destination.index("team/x", Some("good"), INDEX, &[entry(&a, "linux/amd64")]);
    source.index("team/x", Some("bad"), INDEX, &[entry(&a, "linux/amd64")]);
    destination.index("team/x", Some("bad"), INDEX, &[entry(&b, "linux/amd64")]);
    source.index("team/x", Some("gone"), INDEX, &[entry(&a, "linux/amd64")]);
    let (source, destination) = (Server::of(source), Server::of(destination));
    // Nobody listens on port 1.
    let mut list = String::from("# a comment\nnonsense\n");
    for tag in ["gone", "good", "bad"] {
        list += &format!(
            "{}/team/x {}/team/x {tag}\n",
            source.name(),
            destination.name()
        );
    }
    for number in 0..12 {
        list += &format!("{}/team/x 127.0.0.1:1/team/x{number} good\n", source.name());
    }
    let dir = Dir::new();
    dir.write("list.txt", &list);
    for quiet in ["", "-q"] {
        let run = dir
            .validate()
            .args(&format!(
                "-f list.txt --retries 0 --patience 0s -j 4 {quiet}"
            ))
            .run();
        run.code(1);
        let log = run.log();
        let summary = summary(&log);
        assert_eq!(
            summary[..4],
            [
                "[INFO] 1 destination-missing: 1",
                "[INFO] 1 index-differs (other 1): 3",
                "[INFO] 12 unreachable: 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 …",
                "[INFO] 1 invalid-line: list.txt:2",
            ],
            "{summary:#?}"
        );
        assert!(
            summary[4].starts_with("[INFO] unreachable for 12 images: 127.0.0.1:1: "),
            "{summary:#?}"
        );
        assert!(summary[4].contains("refused"), "{summary:#?}");
        let times = summary[5];
        assert!(
            times.starts_with(concat!(
                "[INFO] image-tools ",
                env!("CARGO_PKG_VERSION"),
                ": started 20"
            )),
            "{times}"
        );
        assert!(
            times.contains(", ended 20") && times.ends_with(" +00:00"),
            "{times}"
        );
        // The last line is what it always was.
        assert_eq!(summary.len(), 7, "{summary:#?}");
        assert!(
            summary[6].starts_with("[INFO] 16 images: 1 passed, 2 failed, 13 not validated in "),
            "{summary:#?}"
        );
        // Both sides in full are for the report.
        assert_eq!(run.stdout.contains("srcSpec"), quiet.is_empty());
        run.has("linux/amd64: other digest: source sha256:");
    }
}

#[test]
fn a_run_in_which_all_passes_stays_short() {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    let server = Server::of(content);
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!(
            "-a amd64 -s {} -d {}",
            server.name(),
            server.alias()
        ))
        .stdin("team/x team/x 1\n")
        .run();
    run.code(0);
    assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
}

#[test]
fn a_hint_is_printed_once_for_each_registry_and_cause() {
    let mut source = Content::default();
    let mut destination = Content::default();
    for number in 0..5 {
        for name in ["denied", "differs", "bare"] {
            let name = format!("team/{name}{number}");
            let right = source.image(&name, V2, "linux/amd64", "a");
            source.index(&name, Some("1"), INDEX, &[entry(&right, "linux/amd64")]);
            let wrong = destination.image(&name, V2, "linux/amd64", "b");
            destination.index(&name, Some("1"), INDEX, &[entry(&wrong, "linux/amd64")]);
            if name.contains("bare") {
                destination.tag(&name, "1", &wrong);
            }
        }
    }
    let source = Server::of(source);
    let destination = Server::start(move |request| match request.path.as_str() {
        path if path.starts_with("/v2/team/denied") => Reply::error(403, "DENIED", "not for you"),
        _ => answer(&destination, request),
    });
    let dir = Dir::new();
    let list: String = ["denied", "differs", "bare"]
        .iter()
        .flat_map(|name| {
            (0..5).map(move |number| format!("team/{name}{number} team/{name}{number} 1\n"))
        })
        .collect();
    dir.write("list.txt", &list);
    let run = dir
        .validate()
        .args(&format!(
            "-f list.txt --report r.json -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .run();
    run.code(1);
    let report: serde_json::Value = serde_json::from_str(&dir.read("r.json")).unwrap();
    let reported = report["lines"].to_string();
    for (cause, hint) in [
        ("not for you", "no credentials were found for"),
        ("other digest: source", "other: mirror the image again"),
        ("MIME type unknow", "use --allow-single to accept it"),
    ] {
        // The report has both for every image.
        for (text, printed) in [(cause, 5), (hint, 1)] {
            assert_eq!(
                run.stdout.matches(text).count(),
                printed,
                "{text}: {}",
                run.stdout
            );
            assert_eq!(reported.matches(text).count(), 5, "{text}: {reported}");
        }
    }
}
