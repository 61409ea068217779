//! `make bench`: what validating costs, against the floor of the same requests in a bare loop.
//!
//! Starts its own registries on loopback, runs the release binary, prints one table. Figures in
//! the README are copied from here.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the harness has more than the benchmark needs")]
#[path = "../support/content.rs"]
mod content;
#[allow(dead_code, reason = "the harness has more than the benchmark needs")]
#[path = "../support/dir.rs"]
mod dir;
mod floor;
#[allow(dead_code, reason = "the harness has more than the benchmark needs")]
#[path = "../support/registry.rs"]
mod registry;
mod server;
mod shapes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

use content::{Content, LIST, V2, entry};
use dir::Dir;
use floor::Asked;
use registry::Registry;
use server::FastServer;

/// What one run of the program cost.
pub struct Cost {
    wall: Duration,
    cpu: Duration,
    peak_kib: Option<u64>,
}

/// Everything, or with the argument `memory` only what bounds the memory, with `yaml` only a YAML list, with `shapes` lists and
/// registries of other shapes.
fn main() {
    let content = images(1);
    let only = |what: &str| std::env::args().any(|arg| arg == what);
    println!(
        "{:<34} {:>6} {:>3} {:>9} {:>6} {:>6} {:>6} {:>8} {:>8} {:>9} {:>7}",
        "setting",
        "images",
        "-j",
        "images/s",
        "GET",
        "HEAD",
        "conns",
        "cpu ms",
        "peak MB",
        "floor/s",
        "ratio"
    );
    let at_once = || FastServer::start(&content, Duration::ZERO);
    if only("yaml") {
        return yaml(&at_once(), &at_once());
    }
    if only("shapes") {
        return shapes::all();
    }
    if only("memory") {
        million_lines(&at_once());
        return long_lines();
    }
    let slow = || FastServer::start(&content, Duration::from_millis(50));
    for (jobs, count) in [(1, 500), (4, 500), (20, 500)] {
        fast("answers at once", &at_once(), &at_once(), jobs, count);
    }
    match static_program() {
        Some(program) => {
            for (jobs, count) in [(1, 500), (4, 500), (20, 500), (20, 20_000)] {
                let (source, destination) = (at_once(), at_once());
                fast_with(
                    &program,
                    "answers at once, static file",
                    &source,
                    &destination,
                    jobs,
                    count,
                );
            }
        }
        None => println!("no static file in $IMAGE_TOOLS_STATIC: not measured"),
    }
    for (jobs, count) in [(1, 20), (4, 100), (20, 500)] {
        fast("answers after 50 ms", &slow(), &slow(), jobs, count);
    }
    for (jobs, count) in [(1, 500), (4, 500), (20, 500)] {
        real(jobs, count);
    }
    large_index();
    for count in [100, 1_000, 5_000, 20_000] {
        fast(
            "flat in the list's length",
            &at_once(),
            &at_once(),
            4,
            count,
        );
    }
    yaml(&at_once(), &at_once());
    shapes::all();
    recorded(&at_once(), 5_000);
    deep(&at_once(), 1_000);
    million_lines(&at_once());
    long_lines();
    skopeo();
    full();
}

/// A list of two architectures under the tag `1`, in the repository `team/x0` and so on.
pub fn images(count: usize) -> Content {
    let mut content = Content::default();
    for number in 0..count {
        content.multi(
            &format!("team/x{number}"),
            "1",
            &["linux/amd64", "linux/arm64"],
            &number.to_string(),
        );
    }
    content
}

/// The requests that each of these images needs: GETs of the list on both sides, and of its
/// two images at the destination.
fn needed(content: &Content, count: usize, source: &str, destination: &str) -> Vec<Vec<Asked>> {
    let children: Vec<&str> = content
        .manifests
        .iter()
        .map(|(_, name, _)| name.as_str())
        .filter(|name| name.starts_with("sha256:"))
        .collect();
    (0..count)
        .map(|number| {
            let manifest = |reference: &str| format!("/v2/team/x{number}/manifests/{reference}");
            let pair = &children[(2 * number) % children.len()..][..2];
            vec![
                (source.to_owned(), "GET", manifest("1")),
                (destination.to_owned(), "GET", manifest("1")),
                (destination.to_owned(), "GET", manifest(pair[0])),
                (destination.to_owned(), "GET", manifest(pair[1])),
            ]
        })
        .collect()
}

pub fn list(count: usize) -> String {
    (0..count)
        .map(|number| format!("team/x{number} team/x{number} 1\n"))
        .collect()
}

/// The program as `cargo build --release` makes it.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_image-tools"))
}

/// The file of `make static`, which users have.
fn static_program() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("IMAGE_TOOLS_STATIC")?);
    path.is_file().then_some(path)
}

/// Runs the program on a list.
pub fn run(dir: &Dir, list: &str, args: &str) -> Cost {
    run_with(program(), dir, list, args)
}

/// Runs a build of the program on a list; its output goes to files.
fn run_with(program: &Path, dir: &Dir, list: &str, args: &str) -> Cost {
    dir.write("list.txt", list);
    let log = fs::File::create(dir.path().join("log")).unwrap();
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args(["mirror-validate", "-f", "list.txt"])
        .args(args.split_whitespace())
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let peak = watch_memory(child.id());
    let usage = child.wait4().unwrap().rusage;
    let wall = begun.elapsed();
    Cost {
        wall,
        cpu: usage.utime + usage.stime,
        peak_kib: peak.join().unwrap(),
    }
}

/// The peak of a process's memory, in KiB, from its own account every few milliseconds: the one that
/// `wait4` gives counts also this program's memory at the fork.
fn watch_memory(process: u32) -> JoinHandle<Option<u64>> {
    std::thread::spawn(move || {
        let mut peak = None;
        // A process that has ended has no such line.
        while let Some(kib) = fs::read_to_string(format!("/proc/{process}/status"))
            .ok()
            .and_then(|status| {
                let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
                line.split_whitespace().nth(1)?.parse().ok()
            })
        {
            peak = Some(kib);
            std::thread::sleep(Duration::from_millis(5));
        }
        peak
    })
}

/// Ends the benchmark where the program took more memory than it may.
fn bounded(cost: &Cost, mib: u64) {
    let peak = cost.peak_kib.expect("a peak");
    assert!(
        peak <= mib * 1024,
        "the peak is {} MiB, more than {mib} MiB",
        peak / 1024
    );
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn row(
    setting: &str,
    count: usize,
    jobs: usize,
    cost: &Cost,
    asked: Option<(usize, usize, usize)>,
    floor: Option<Duration>,
) {
    let images = count as f64;
    let each = |number: usize| format!("{:.2}", number as f64 / images);
    let (gets, heads, connections) = asked.map_or_else(
        || ("-".to_owned(), "-".to_owned(), "-".to_owned()),
        |(gets, heads, connections)| (each(gets), each(heads), connections.to_string()),
    );
    let peak = cost.peak_kib.map_or_else(
        || "-".to_owned(),
        |kib| format!("{:.1}", kib as f64 / 1024.0),
    );
    let (per_second, ratio) = floor.map_or_else(
        || ("-".to_owned(), "-".to_owned()),
        |floor| {
            (
                format!("{:.0}", images / floor.as_secs_f64()),
                format!("{:.2}", cost.wall.as_secs_f64() / floor.as_secs_f64()),
            )
        },
    );
    println!(
        "{setting:<34} {count:>6} {jobs:>3} {:>9.0} {gets:>6} {heads:>6} {connections:>6} {:>8.3} {peak:>8} {per_second:>9} {ratio:>7}",
        images / cost.wall.as_secs_f64(),
        cost.cpu.as_secs_f64() * 1000.0 / images,
    );
}

fn fast(setting: &str, source: &FastServer, destination: &FastServer, jobs: usize, count: usize) {
    fast_with(program(), setting, source, destination, jobs, count);
}

fn fast_with(
    program: &Path,
    setting: &str,
    source: &FastServer,
    destination: &FastServer,
    jobs: usize,
    count: usize,
) {
    let dir = Dir::new();
    let floor = floor::replay(
        &needed(&images(1), count, &source.name(), &destination.name()),
        jobs,
    );
    source.take();
    destination.take();
    let cost = run_with(
        program,
        &dir,
        &list(count),
        &format!("-j {jobs} -s {} -d {}", source.name(), destination.name()),
    );
    passed(&dir, count);
    let (one, other) = (source.take(), destination.take());
    row(
        setting,
        count,
        jobs,
        &cost,
        Some((one.0 + other.0, one.1 + other.1, one.2.max(other.2))),
        Some(floor),
    );
}

/// Pairs and sources of Rancher's own mirror, which is a regsync.yaml.
const PAIRS: usize = 7_526;
const SOURCES: usize = 2_390;

/// The same pairs as a regsync.yaml, with anchors, defaults and platforms, and as lines.
fn regsync(source: &str, destination: &str) -> (String, String) {
    let mut yaml = "version: 1\ndefaults:\n  parallel: 2\n  platforms: &both\n    - linux/amd64\n    - linux/arm64\n\
                    x-entry: &entry\n  type: image\n  platforms: *both\nsync:\n"
        .to_owned();
    let mut lines = String::new();
    for pair in 0..PAIRS {
        let from = format!("{source}/team/x{}", pair % SOURCES);
        let to = format!("{destination}/mirror{}/x{}", pair / SOURCES, pair % SOURCES);
        let rest = match pair % 3 {
            0 => "type: image",
            1 => "type: image\n    platforms: [linux/amd64, linux/arm64]",
            _ => "<<: *entry",
        };
        yaml += &format!("  - source: {from}:1\n    target: {to}:1\n    {rest}\n");
        lines += &format!("{from} {to} 1 linux/amd64,linux/arm64\n");
    }
    (yaml, lines)
}

/// A YAML list costs what its lines cost: the two in turn, the fastest of each.
fn yaml(source: &FastServer, destination: &FastServer) {
    const JOBS: usize = 20;
    let (yaml, lines) = regsync(&source.name(), &destination.alias());
    let dir = Dir::new();
    let mut fastest: [Option<Cost>; 2] = [None, None];
    for _ in 0..3 {
        for (list, fastest) in [&yaml, &lines].into_iter().zip(&mut fastest) {
            let cost = run(&dir, list, &format!("-j {JOBS}"));
            passed(&dir, PAIRS);
            if fastest.as_ref().is_none_or(|known| cost.wall < known.wall) {
                *fastest = Some(cost);
            }
        }
    }
    let [Some(of_yaml), Some(of_lines)] = fastest else {
        return;
    };
    for (setting, cost) in [("regsync.yaml", &of_yaml), ("the same in lines", &of_lines)] {
        row(setting, PAIRS, JOBS, cost, None, None);
    }
    println!(
        "regsync.yaml has {:.3} of the speed of lines",
        of_lines.wall.as_secs_f64() / of_yaml.wall.as_secs_f64()
    );
    dir.write("list.txt", yaml);
    let parsing = (0..5)
        .map(|_| {
            let begun = Instant::now();
            let status = Command::new(program())
                // The recording is opened when the list has been read.
                .args("mirror-validate -f list.txt --recorded nowhere".split(' '))
                .current_dir(dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(2));
            begun.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("regsync.yaml is read in {} ms", parsing.as_millis());
}

fn real(jobs: usize, count: usize) {
    let content = images(count);
    let (source, destination) = (Registry::of(&content), Registry::of(&content));
    let dir = Dir::new();
    let requests = needed(&content, count, &source.name(), &destination.name());
    // Once to warm the registries' caches, once to measure.
    floor::replay(&requests, jobs);
    let floor = floor::replay(&requests, jobs);
    let cost = run(
        &dir,
        &list(count),
        &format!("-j {jobs} -s {} -d {}", source.name(), destination.name()),
    );
    passed(&dir, count);
    row("docker-registry", count, jobs, &cost, None, Some(floor));
}

pub fn passed(dir: &Dir, count: usize) {
    let log = dir.read("log");
    assert!(
        log.contains(&format!("{count} images: {count} passed"))
            || count == 1 && log.contains("1 image: 1 passed"),
        "{log}"
    );
}

/// The last image of a list has 200 children: all threads ask for them.
fn large_index() {
    let mut content = Content::default();
    let entries: Vec<_> = (0..200)
        .map(|number| {
            entry(
                &content.image("team/x0", V2, "linux/amd64", &number.to_string()),
                "linux/amd64",
            )
        })
        .collect();
    content.index("team/x0", Some("1"), LIST, &entries);
    let start = || FastServer::start(&content, Duration::from_millis(50));
    let (source, destination) = (start(), start());
    let dir = Dir::new();
    let cost = run(
        &dir,
        &list(1),
        &format!("-j 20 -s {} -d {}", source.name(), destination.name()),
    );
    passed(&dir, 1);
    // Two probes, two lists, and ten rounds of twenty children.
    row(
        "one index of 200, 50 ms",
        1,
        20,
        &cost,
        Some(destination.take()),
        Some(Duration::from_millis(50 * (2 + 2 + 10))),
    );
}

/// The sources from a recording.
fn recorded(server: &FastServer, count: usize) {
    let dir = Dir::new();
    let recording = format!("-j 4 -s {} --record sources.json", server.name());
    run(&dir, &list(count), &recording);
    server.take();
    let flags = format!("-j 4 -s {0} -d {1}", server.name(), server.alias());
    let cost = run(
        &dir,
        &list(count),
        &format!("{flags} --recorded sources.json"),
    );
    passed(&dir, count);
    row("--recorded", count, 4, &cost, Some(server.take()), None);
}

/// Every blob asked for.
fn deep(server: &FastServer, count: usize) {
    let dir = Dir::new();
    let flags = format!("-j 4 --deep -s {0} -d {1}", server.name(), server.alias());
    let cost = run(&dir, &list(count), &flags);
    passed(&dir, count);
    row("--deep", count, 4, &cost, Some(server.take()), None);
}

/// Every blob read: bytes count, not images.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn full() {
    const SIZE: usize = 32 * 1024 * 1024;
    const COUNT: usize = 32;
    let mut content = Content::default();
    let bytes: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    let begun = Instant::now();
    let layer = content.blob("team/x0", bytes);
    let alone = SIZE as f64 / begun.elapsed().as_secs_f64();
    let config = r#"{"architecture":"amd64","os":"linux"}"#;
    let config_digest = content.blob("team/x0", config);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{V2}","config":{{"size":{},"digest":"{config_digest}"}},"layers":[{{"size":{SIZE},"digest":"{layer}"}}]}}"#,
        config.len()
    );
    let image = content.put("team/x0", &content::digest(&manifest), V2, manifest);
    content.index("team/x0", Some("1"), LIST, &[entry(&image, "linux/amd64")]);
    let server = FastServer::start(&content, Duration::ZERO);
    for jobs in [1, 4] {
        let dir = Dir::new();
        let flags = format!(
            "-j {jobs} --deep=full -s {0} -d {1}",
            server.name(),
            server.alias()
        );
        let cost = run(&dir, &list(COUNT), &flags);
        passed(&dir, COUNT);
        let mib = (SIZE * COUNT) as f64 / 1024.0 / 1024.0;
        println!(
            "--deep=full -j {jobs}: {mib:.0} MiB, {:.0} MiB/s, {:.2} ms cpu a MiB (SHA-256 alone: {:.0} MiB/s)",
            mib / cost.wall.as_secs_f64(),
            cost.cpu.as_secs_f64() * 1000.0 / mib,
            alone / 1024.0 / 1024.0
        );
    }
}

/// A million lines: a hundred images of a registry that runs, images of one that is down, comments.
fn million_lines(server: &FastServer) {
    let (name, mirror) = (server.name(), server.alias());
    let port = registry::free_port();
    let (down, down_mirror) = (format!("127.0.0.1:{port}"), format!("localhost:{port}"));
    let mut list = String::new();
    for number in 0..1_000_000 {
        list += &match number {
            _ if number % 10_000 == 0 => {
                format!("{name}/team/x{number} {mirror}/team/x{number} 1\n")
            }
            _ if number % 2 == 0 => format!("# {number}\n"),
            _ => format!("{down}/team/x{number} {down_mirror}/team/x{number} 1\n"),
        };
    }
    let dir = Dir::new();
    let cost = run(&dir, &list, "-j 20");
    let log = dir.read("log");
    assert!(
        log.contains("100 passed, 0 failed, 500000 not validated"),
        "{}",
        &log[log.len() - 300..]
    );
    row(
        "1,000,000 lines, one registry down",
        1_000_000,
        20,
        &cost,
        Some(server.take()),
        None,
    );
    bounded(&cost, 60);
}

/// The longest lines that are kept, none of them an image.
fn long_lines() {
    const COUNT: usize = 32;
    let line = "x".repeat(16 * 1024 * 1024 - 1) + "\n";
    let dir = Dir::new();
    let cost = run(&dir, &line.repeat(COUNT), "-j 20");
    let log = dir.read("log");
    assert!(log.contains(&format!("{COUNT} not validated")), "{log}");
    row("lines of 16 MiB", COUNT, 20, &cost, None, None);
    bounded(&cost, 192);
}

/// The way of the original: a process of skopeo for each manifest.
fn skopeo() {
    if !Command::new("skopeo")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("skopeo is not installed: not compared with it");
        return;
    }
    let count = 100;
    let content = images(count);
    let (source, destination) = (Registry::of(&content), Registry::of(&content));
    for jobs in [1, 4, 20] {
        let dir = Dir::new();
        let mut names = String::new();
        for requests in needed(&content, count, &source.name(), &destination.name()) {
            for (host, _, path) in requests {
                let (repository, reference) = path
                    .strip_prefix("/v2/")
                    .unwrap()
                    .split_once("/manifests/")
                    .unwrap();
                let separator = if reference.contains(':') { '@' } else { ':' };
                names += &format!("docker://{host}/{repository}{separator}{reference}\n");
            }
        }
        dir.write("names", names);
        let begun = Instant::now();
        let script = format!(
            "xargs -P {jobs} -n 1 skopeo --insecure-policy inspect --tls-verify=false --raw <names >raw"
        );
        let status = Command::new("sh")
            .args(["-c", &script])
            .current_dir(dir.path())
            .status()
            .unwrap();
        assert!(status.success());
        let original = begun.elapsed();
        let args = format!("-j {jobs} -s {} -d {}", source.name(), destination.name());
        let cost = run(&dir, &list(count), &args);
        passed(&dir, count);
        row(
            "docker-registry, against skopeo",
            count,
            jobs,
            &Cost {
                peak_kib: None,
                ..cost
            },
            None,
            Some(original),
        );
    }
}
