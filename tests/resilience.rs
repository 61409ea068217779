//! Registries with temporary errors: every verdict is right all the same. Registries that go down: the run ends.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Content, Dir, How, Reply, Request, Server, answer};

/// `count` images; of every ten one is not at the destination, and one differs there.
fn images(count: usize) -> (Content, Content, String, String) {
    let (mut source, mut destination) = (Content::default(), Content::default());
    let (mut list, mut failed) = (String::new(), String::new());
    for number in 0..count {
        let repository = format!("team/x{number}");
        let line = format!("{repository} {repository} 1\n");
        list += &line;
        source.multi(&repository, "1", &["linux/amd64", "linux/arm64"], "a");
        match number % 10 {
            3 => failed += &line,
            7 => {
                destination.multi(&repository, "1", &["linux/amd64", "linux/arm64"], "other");
                failed += &line;
            }
            _ => {
                destination.multi(&repository, "1", &["linux/amd64", "linux/arm64"], "a");
            }
        }
    }
    (source, destination, list, failed)
}

/// Stumbles on its way: drops every tenth request, cuts every seventeenth answer, asks for
/// patience for a while, and is not available for another while. Nothing is refused more than twice:
/// whether a request is given up must not depend on how many others there are at the time.
fn stumbling(content: Content) -> Server {
    let seen = AtomicUsize::new(0);
    let refused: Mutex<HashMap<String, usize>> = Mutex::default();
    let refuses = move |request: &Request| {
        let asked = format!("{} {}", request.method, request.path);
        let mut refused = refused.lock().unwrap();
        let times = refused.entry(asked).or_default();
        *times += 1;
        *times <= 2
    };
    Server::start(move |request| {
        let number = seen.fetch_add(1, Ordering::SeqCst);
        let reply = answer(&content, request);
        match number {
            0..=1 => reply,
            100..=140 if refuses(request) => {
                Reply::error(429, "TOOMANYREQUESTS", "slow down").header("retry-after", "1")
            }
            300..=340 if refuses(request) => Reply::new(503),
            _ if number.is_multiple_of(20) => Reply::new(200).how(How::Reset),
            _ if number % 20 == 10 => Reply::new(200).how(How::Close),
            _ if number.is_multiple_of(17) => {
                let length = reply.body.len() / 2;
                reply.how(How::Cut(length))
            }
            _ => reply,
        }
    })
}

#[test]
fn every_verdict_is_right_on_registries_that_stumble() {
    let (source, destination, list, failed) = images(500);
    let (source, destination) = (stumbling(source), stumbling(destination));
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!(
            "-f - -j 20 -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .stdin(list)
        .run();
    run.code(1)
        .has("500 images: 400 passed, 100 failed, 0 not validated");
    assert_eq!(dir.read("mirror-validate-failed.txt"), failed);
}

#[test]
fn a_registry_that_is_down_for_a_while_costs_no_verdict() {
    for jobs in [1, 20] {
        let (source, destination, list, failed) = images(200);
        let (source, seen) = (Server::of(source), AtomicUsize::new(0));
        let down_since: Mutex<Option<Instant>> = Mutex::default();
        let destination = Server::start(move |request| {
            let number = seen.fetch_add(1, Ordering::SeqCst);
            let mut down_since = down_since.lock().unwrap();
            if number >= 100 {
                let since = *down_since.get_or_insert_with(Instant::now);
                if since.elapsed() < Duration::from_secs(4) {
                    return Reply::new(200).how(How::Close);
                }
            }
            answer(&destination, request)
        });
        let dir = Dir::new();
        let flags = format!(
            "-f - -j {jobs} --retries 1 -s {} -d {}",
            source.name(),
            destination.name()
        );
        let run = dir.validate().args(&flags).stdin(list).run();
        run.code(1)
            .has("200 images: 160 passed, 40 failed, 0 not validated")
            .has("[WARN] ")
            .has("; its images wait up to 120 s");
        assert_eq!(dir.read("mirror-validate-failed.txt"), failed);
        let refused = destination.requests().len() - 100;
        assert!(refused < 900, "it is left alone meanwhile: {refused}");
    }
}

#[test]
fn damaged_images_in_a_row_do_not_take_the_others_with_them() {
    let is_damaged = |path: &str| {
        ["x4", "x5", "x6"]
            .iter()
            .any(|name| path.contains(&format!("/{name}/")))
    };
    for (jobs, again) in [(1, false), (1, true), (4, false)] {
        let (source, destination, list, _) = images(40);
        let source = Server::of(source);
        let destination = Server::start(move |request| match &request.path {
            path if is_damaged(path) => Reply::new(500),
            _ => answer(&destination, request),
        });
        let dir = Dir::new();
        let flags = format!(
            "-f - -j {jobs} --retries 1 -s {} -d {}",
            source.name(),
            destination.name()
        );
        // What an earlier run would leave: the damaged first.
        let list = match again {
            true => list
                .lines()
                .skip(4)
                .chain(list.lines().take(4))
                .fold(String::new(), |list, line| list + line + "\n"),
            false => list,
        };
        let run = dir.validate().args(&flags).stdin(list).run();
        run.code(1)
            .has("40 images: 29 passed, 8 failed, 3 not validated")
            .has("500 Internal Server Error (2 attempts)")
            .has_not("skipped");
    }
}

#[test]
fn a_server_that_asks_for_patience_is_left_alone_by_all_threads() {
    let (source, destination, list, _) = images(40);
    let (source, seen) = (Server::of(source), AtomicUsize::new(0));
    let refused: std::sync::Arc<std::sync::Mutex<Vec<Instant>>> = std::sync::Arc::default();
    let times = refused.clone();
    let destination = Server::start(move |request| {
        let reply = answer(&destination, request);
        // The second request is the first manifest.
        if seen.fetch_add(1, Ordering::SeqCst) == 1 {
            times.lock().unwrap().push(Instant::now());
            let date = chrono::Utc::now() + Duration::from_secs(3);
            return Reply::new(429).header(
                "retry-after",
                date.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            );
        }
        times.lock().unwrap().push(Instant::now());
        // Slow, so that few requests are on their way when the answer comes.
        std::thread::sleep(Duration::from_millis(200));
        reply
    });
    let dir = Dir::new();
    let run = dir
        .validate()
        .args(&format!(
            "-f - -j 8 -s {} -d {}",
            source.name(),
            destination.name()
        ))
        .stdin(list)
        .run();
    run.code(1).has("32 passed, 8 failed, 0 not validated");
    let times = refused.lock().unwrap().clone();
    // Eight threads that do not know of each other would have sent more than fifty by then.
    let early = times
        .iter()
        .filter(|time| **time < times[0] + Duration::from_millis(1500))
        .count();
    assert!(early <= 20, "{early}");
}

#[test]
fn retry_after_seconds_are_obeyed() {
    let (source, destination, _, _) = images(1);
    let (source, seen) = (Server::of(source), AtomicUsize::new(0));
    let destination = Server::start(move |request| {
        let is_first =
            request.path.ends_with("/manifests/1") && seen.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first {
            Reply::new(503).header("retry-after", "2")
        } else {
            answer(&destination, request)
        }
    });
    let dir = Dir::new();
    let begun = Instant::now();
    let run = dir
        .validate()
        .args(&format!("-s {} -d {}", source.name(), destination.name()))
        .stdin("team/x0 team/x0 1\n")
        .run();
    run.code(0).has("PASS");
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[test]
fn a_kept_connection_that_the_server_has_closed_costs_no_retry() {
    let (source, destination, list, _) = images(30);
    let source = Server::of(source);
    // Answers, and closes without saying so.
    let destination = Server::start(move |request| {
        let reply = answer(&destination, request);
        let length = reply.body.len();
        let how = if request.method == "GET" {
            How::Cut(length)
        } else {
            How::Whole
        };
        reply.how(how)
    });
    let dir = Dir::new();
    let flags = format!(
        "-f - -j 4 --retries 0 -s {} -d {}",
        source.name(),
        destination.name()
    );
    dir.validate()
        .args(&flags)
        .stdin(list)
        .run()
        .code(1)
        .has("24 passed, 6 failed, 0 not validated");
}

#[test]
fn one_image_that_always_fails_does_not_take_the_others_with_it() {
    let (source, destination, list, _) = images(20);
    let source = Server::of(source);
    let destination = Server::start(move |request| match &request.path {
        path if path.contains("/team/x2/manifests/1") => Reply::new(500),
        _ => answer(&destination, request),
    });
    let dir = Dir::new();
    let flags = format!(
        "-f - -j 1 --retries 4 -s {} -d {}",
        source.name(),
        destination.name()
    );
    let run = dir.validate().args(&flags).stdin(list).run();
    run.code(1)
        .has("20 images: 15 passed, 4 failed, 1 not validated")
        .has("(5 attempts)");
}
