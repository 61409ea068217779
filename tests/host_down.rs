//! Images of a registry that is down hold no thread, and do not delay other images.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{Content, Dir, Reply, Server};

const PER_HOST: usize = 100;

fn content() -> Content {
    let mut content = Content::default();
    for number in 0..PER_HOST {
        let name = format!("team/x{number}");
        content.multi(&name, "1", &["linux/amd64", "linux/arm64"], "a");
    }
    content
}

/// A host that takes connections and never answers.
fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    (listener, name)
}

/// When the last image passed, and when the run ended.
fn passed_within(dir: &Dir, args: &str, images: usize) -> (Duration, Duration) {
    let begun = Instant::now();
    let mut run = dir.validate().args(args).start();
    let mut last_pass = Duration::ZERO;
    let mut passed = 0;
    while let Some(line) = run.next_line() {
        if line.contains(" PASS ") {
            passed += 1;
            last_pass = begun.elapsed();
        }
    }
    run.end().code(3);
    assert_eq!(passed, images);
    (last_pass, begun.elapsed())
}

#[test]
fn one_mute_registry_of_five_holds_back_no_other() {
    let source = Server::of(content());
    let healthy: Vec<Server> = (0..4).map(|_| Server::of(content())).collect();
    let (_listener, mute) = mute();
    let mut by_host = Vec::new();
    for name in healthy.iter().map(Server::name).chain([mute.clone()]) {
        by_host.push(
            (0..PER_HOST)
                .map(|number| {
                    format!(
                        "{}/team/x{number}:1 {name}/team/x{number}:1\n",
                        source.alias()
                    )
                })
                .collect::<Vec<_>>(),
        );
    }
    let mixed: String = (0..PER_HOST)
        .flat_map(|number| by_host.iter().map(move |lines| lines[number].clone()))
        .collect();
    // All of the mute one first, more than there are places.
    by_host.rotate_right(1);
    let sorted: String = by_host.concat().concat();
    let dead: String = by_host[0].concat();
    std::thread::scope(|scope| {
        for (list, jobs) in [(&mixed, 20), (&sorted, 20), (&sorted, 2)] {
            let dead = &dead;
            scope.spawn(move || {
                let dir = Dir::new();
                dir.write("list.txt", list);
                let args = format!("-f list.txt -j {jobs} --timeout 2s --patience 3s");
                let (last_pass, end) = passed_within(&dir, &args, 4 * PER_HOST);
                // The mute one costs 4 s to find out, twice.
                assert!(
                    last_pass < end / 2,
                    "{last_pass:?} of {end:?} with -j {jobs}"
                );
                assert_eq!(&dir.read("mirror-validate-failed.txt"), dead);
            });
        }
    });
}

#[test]
fn waiting_images_are_in_the_failed_list_after_a_signal() {
    let server = Server::of(content());
    let (_listener, mute) = mute();
    let dir = Dir::new();
    let lines: String = (0..PER_HOST)
        .map(|number| {
            format!(
                "{}/team/x{number}:1 {mute}/team/x{number}:1\n",
                server.name()
            )
        })
        .collect();
    let last = format!(
        "{0}/team/x0:1 {1}/team/x0:1\n",
        server.name(),
        server.alias()
    );
    dir.write("list.txt", format!("{lines}{last}"));
    let mut run = dir
        .validate()
        .args("-f list.txt -j 4 --timeout 60s")
        .start();
    run.wait_for("PASS");
    run.signal("INT");
    let begun = Instant::now();
    let run = run.end();
    run.code(130).has("100 not validated");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(dir.read("mirror-validate-failed.txt"), lines);
}

#[test]
fn a_registry_that_comes_back_gets_its_images() {
    let source = Server::of(content());
    // The port is free until the server is started on it.
    let (listener, name) = mute();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let dir = Dir::new();
    let lines: String = (0..PER_HOST)
        .map(|number| {
            format!(
                "{}/team/x{number}:1 {name}/team/x{number}:1\n",
                source.alias()
            )
        })
        .collect();
    dir.write("list.txt", lines);
    let mut run = dir.validate().args("-debug -f list.txt -j 4").start();
    run.wait_for("connection refused");
    let _server = Server::at(port, content());
    run.end().code(0).has("100 passed");
}

#[test]
fn a_registry_that_asks_for_patience_for_ever_is_given_up_after_its_retries() {
    let source = Server::of(content());
    let busy =
        Server::start(|_| Reply::error(429, "TOOMANYREQUESTS", "later").header("retry-after", "2"));
    let dir = Dir::new();
    let line = format!("{}/team/x0:1 {}/team/x0:1\n", source.name(), busy.name());
    dir.write("list.txt", &line);
    let run = dir.validate().args("-f list.txt -j 4 --retries 1").run();
    run.code(3).has("429 Too Many Requests");
    assert!(busy.requests().len() < 10, "{}", busy.requests().len());
}

#[test]
fn a_probe_that_nothing_waits_for_does_not_hold_the_run_back() {
    let source = Server::of(content());
    let (_listener, mute) = mute();
    let dir = Dir::new();
    let line = format!("{}/team/none:1 {mute}/team/none:1\n", source.name());
    dir.write("list.txt", &line);
    let begun = Instant::now();
    let run = dir.validate().args("-f list.txt --timeout 8s").run();
    run.code(3).has("source manifest does not exist");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}
