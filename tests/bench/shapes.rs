//! Lists and registries of other shapes: token servers, hosts that are down, slow requests, sources
//! with several destinations, a person who types.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::dir::Dir;
use crate::server::{FastServer, Shape};
use crate::{images, list, passed, program, row, run};

/// Every shape.
pub fn all() {
    token_server(1_000);
    several_destinations(1_000);
    slow_requests(2_000);
    typed();
    down("a mute host of five", false);
    down("a host of five drops SYNs", true);
}

/// Each repository needs a token; the servers answer after 20 ms.
fn token_server(count: usize) {
    let start = || {
        let shape = Shape {
            delay: Duration::from_millis(20),
            wants_tokens: true,
            ..Shape::default()
        };
        FastServer::with(&images(1), shape)
    };
    let (source, destination) = (start(), start());
    let dir = Dir::new();
    let args = format!("-j 20 -s {} -d {}", source.name(), destination.name());
    let cost = run(&dir, &list(count), &args);
    passed(&dir, count);
    let (one, other) = (source.take(), destination.take());
    let requests = (one.0 + other.0, one.1 + other.1, one.2.max(other.2));
    row(
        "token server, 20 ms",
        count,
        20,
        &cost,
        Some(requests),
        None,
    );
}

/// One source for three destinations, as in a list for three regions.
fn several_destinations(sources: usize) {
    let source = FastServer::start(&images(1), Duration::ZERO);
    let destinations: Vec<FastServer> = (0..3)
        .map(|_| FastServer::start(&images(1), Duration::ZERO))
        .collect();
    let lines: String = (0..sources)
        .flat_map(|number| {
            let name = source.name();
            destinations.iter().map(move |destination| {
                format!(
                    "{name}/team/x{number} {}/team/x{number} 1\n",
                    destination.name()
                )
            })
        })
        .collect();
    let dir = Dir::new();
    let cost = run(&dir, &lines, "-j 4");
    passed(&dir, 3 * sources);
    let one = source.take();
    let all: Vec<_> = destinations.iter().map(FastServer::take).collect();
    let gets = one.0 + all.iter().map(|counts| counts.0).sum::<usize>();
    row(
        "one source, three destinations",
        3 * sources,
        4,
        &cost,
        Some((gets, 0, one.2)),
        None,
    );
}

/// One request in a hundred takes 5 s: the others must not wait for it.
fn slow_requests(count: usize) {
    let shape = Shape {
        slow_every: 100,
        ..Shape::default()
    };
    let (source, destination) = (
        FastServer::with(&images(1), Shape::default()),
        FastServer::with(&images(1), shape),
    );
    let dir = Dir::new();
    let args = format!("-j 20 -s {} -d {}", source.name(), destination.name());
    let cost = run(&dir, &list(count), &args);
    passed(&dir, count);
    row("1 % of requests take 5 s", count, 20, &cost, None, None);
}

/// A person types one image after the other; the servers are 200 ms away.
fn typed() {
    let far = || FastServer::start(&images(1), Duration::from_millis(200));
    let (source, destination) = (far(), far());
    let time = |lines: &str| {
        let dir = Dir::new();
        let begun = Instant::now();
        let mut child = Command::new(program())
            .arg("mirror-validate")
            .args(["-s", &source.name(), "-d", &destination.name()])
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program");
        let mut input = child.stdin.take().expect("standard input");
        input.write_all(lines.as_bytes()).expect("to be read");
        drop(input);
        assert!(child.wait().expect("its end").success());
        begun.elapsed()
    };
    let first = time(&list(1));
    let next = (time(&list(11)) - first) / 10;
    println!(
        "typed, 200 ms away: the first answer after {first:.2?}, each further one after {next:.2?}"
    );
}

/// One of five destinations is down: it takes no connection, or never answers.
fn down(what: &str, drops: bool) {
    const PER_HOST: usize = 100;
    let source = FastServer::start(&images(1), Duration::ZERO);
    let healthy: Vec<FastServer> = (0..4)
        .map(|_| FastServer::start(&images(1), Duration::ZERO))
        .collect();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    // A full backlog drops SYNs; otherwise the system accepts, and nobody answers.
    let backlog: Vec<_> = (0..if drops { 8_000 } else { 0 })
        .map_while(|_| {
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()
        })
        .collect();
    let dead = address.to_string();
    let names: Vec<String> = healthy.iter().map(FastServer::name).chain([dead]).collect();
    let lines: String = (0..PER_HOST)
        .flat_map(|number| {
            let source = source.name();
            names
                .iter()
                .map(move |name| format!("{source}/team/x{number} {name}/team/x{number} 1\n"))
        })
        .collect();
    let dir = Dir::new();
    let cost = run(&dir, &lines, "-j 20");
    drop(backlog);
    let log = dir.read("log");
    assert_eq!(log.matches(" PASS ").count(), 4 * PER_HOST);
    println!("{what}: 500 images in {:.1} s", cost.wall.as_secs_f64());
}
