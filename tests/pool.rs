//! How images share the threads: no image waits for another without need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Content, Dir, Gate, Reply, Request, Server, answer};

/// Serves `team/x` under every name of the form `team/xN`; and N.
fn of_any_number(content: &Content, request: &Request) -> (Option<usize>, Reply) {
    let mut request = request.clone();
    let Some((_, rest)) = request.path.split_once("/team/x") else {
        return (None, answer(content, &request));
    };
    let (number, rest) = rest.split_once('/').unwrap_or_default();
    let number = number.parse().ok();
    request.path = format!("/v2/team/x/{rest}");
    (number, answer(content, &request))
}

/// `team/x:1`, a list of two images.
fn content() -> Content {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64", "linux/arm64"], "a");
    content
}

#[test]
fn repeated_lines_do_not_delay_other_images() {
    let (gate, content) = (Gate::default(), content());
    let closed = gate.clone();
    let server = Server::start(move |request| {
        let (number, reply) = of_any_number(&content, request);
        if number == Some(0) {
            closed.pass();
        }
        reply
    });
    let dir = Dir::new();
    let others: String = (1..=50)
        .map(|number| format!("team/x{number} team/x{number} 1\n"))
        .collect();
    dir.write("list.txt", "team/x0 team/x0 1\n".repeat(2000) + &others);
    let flags = format!(
        "-f list.txt -j 4 -s {0} -d {1}",
        server.name(),
        server.alias()
    );
    let mut running = dir.validate().args(&flags).start();
    for _ in 0..50 {
        let line = running.wait_for("] PASS [");
        assert!(!line.contains("/team/x0:"), "{line}");
    }
    gate.open();
    running
        .end()
        .code(0)
        .has("2050 images: 2050 passed, 0 failed, 0 not validated");
    let mut hosts: Vec<String> = server
        .requests()
        .iter()
        .filter(|request| request.path == "/v2/team/x0/manifests/1")
        .map(|request| {
            assert_eq!(request.method, "GET");
            request.header("host").unwrap().to_owned()
        })
        .collect();
    hosts.sort_unstable();
    assert_eq!(hosts, [server.name(), server.alias()], "once on each side");
}

#[test]
fn images_begin_before_the_children_of_another_image() {
    const OTHERS: usize = 200;
    let (gate, content) = (Gate::default(), content());
    let closed = gate.clone();
    let server = Server::start(move |request| {
        let (number, reply) = of_any_number(&content, request);
        if number == Some(0) && request.path.contains("/manifests/sha256:") {
            closed.pass();
        }
        reply
    });
    let dir = Dir::new();
    let list: String = (0..=OTHERS)
        .map(|number| format!("team/x{number} team/x{number} 1\n"))
        .collect();
    dir.write("list.txt", list);
    let flags = format!(
        "-f list.txt -j 2 -s {0} -d {1}",
        server.name(),
        server.alias()
    );
    let mut running = dir.validate().args(&flags).start();
    // A thread that helped with the first image would wait for the gate, as that image's own thread does.
    for _ in 0..OTHERS {
        let line = running.wait_for("] PASS [");
        assert!(!line.contains("/team/x0:"), "{line}");
    }
    gate.open();
    running.end().code(0).has("201 images: 201 passed");
}

#[test]
fn a_verdict_waits_for_no_other_image() {
    const SLOW: Duration = Duration::from_millis(400);
    // Less than a slow image takes: two requests and one for both of its images.
    const LATE: Duration = Duration::from_secs(1);
    let last: Arc<Mutex<HashMap<usize, Instant>>> = Arc::default();
    let serve = || {
        let (content, last) = (content(), last.clone());
        Server::start(move |request| {
            let (number, reply) = of_any_number(&content, request);
            if let Some(number) = number {
                if number % 10 == 0 {
                    std::thread::sleep(SLOW);
                }
                last.lock().unwrap().insert(number, Instant::now());
            }
            reply
        })
    };
    let (source, destination) = (serve(), serve());
    let dir = Dir::new();
    let list: String = (1..=400)
        .map(|number| format!("team/x{number} team/x{number} 1\n"))
        .collect();
    dir.write("list.txt", list);
    let flags = format!(
        "-f list.txt -j 8 -s {} -d {}",
        source.name(),
        destination.name()
    );
    let mut running = dir.validate().args(&flags).start();
    let mut late = Vec::new();
    for _ in 0..400 {
        let line = running.wait_for("] PASS [");
        let logged = Instant::now();
        let number = line
            .split("[M_ID:")
            .nth(1)
            .unwrap()
            .split(']')
            .next()
            .unwrap();
        let number: usize = number.parse().unwrap();
        let waited = logged - last.lock().unwrap()[&number];
        if waited > LATE {
            late.push((number, waited));
        }
    }
    running.end().code(0).has("400 images: 400 passed");
    assert!(
        late.is_empty(),
        "{} verdicts came late: {late:?}",
        late.len()
    );
}
