//! Disks with slow syncs, and signals during a sync: no line is lost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::dir::{Running, TestCommand};
use crate::support::{Content, Dir, Reply, Request, Run, Server, Shim, answer, wait_until};

/// A registry with `team/x:1`, also under every name that begins with `team/ok`.
fn registry() -> Server {
    let mut content = Content::default();
    content.multi("team/x", "1", &["linux/amd64"], "a");
    Server::start(move |request| served(&content, request))
}

fn served(content: &Content, request: &Request) -> Reply {
    let mut request = request.clone();
    if let Some((_, rest)) = request.path.split_once("/team/ok") {
        let rest = rest.split_once('/').map_or("", |(_, rest)| rest);
        request.path = format!("/v2/team/x/{rest}");
    }
    answer(content, &request)
}

/// So many lines, each of another image; every fifth passes.
fn lines(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| match number % 5 {
            4 => format!("team/x team/ok{number} 1"),
            _ => format!("team/x team/gone{number} 1"),
        })
        .collect()
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The images that passed, by their number in the list.
fn passed(run: &Run) -> BTreeSet<usize> {
    run.stdout
        .lines()
        .filter(|line| line.contains("] PASS "))
        .map(|line| {
            let number = line.split("[M_ID:").nth(1).unwrap();
            number.split(']').next().unwrap().parse().unwrap()
        })
        .collect()
}

/// Whether a run says that it did not read its list to the end.
fn is_cut(run: &Run) -> bool {
    run.stdout.contains("lines that did not pass until then: ")
        || run.stdout.contains("not read to its end")
}

/// Whether a run says that this file is its failed list.
fn says_failed_list(run: &Run, name: &str) -> bool {
    let note = format!("; failed list: {name}");
    run.stdout
        .split(&note)
        .skip(1)
        .any(|rest| rest.starts_with([';', '\n']))
}

/// `-f list.txt -o list.txt` on a disk of so many milliseconds.
fn on_slow_disk(dir: &Dir, shim: &Shim, milliseconds: u64, registry: &Server) -> TestCommand {
    let flags = format!(
        "-f list.txt -o list.txt -j 8 -s {0} -d {1}",
        registry.name(),
        registry.alias()
    );
    shim.in_front_of(dir.validate().args(&flags))
        .env("SLOW_DISK_MS", milliseconds.to_string())
}

/// When a signal comes.
type Moment = fn(&mut Running, &Server);

#[test]
fn a_signal_on_a_slow_disk_leaves_the_whole_list_or_the_old_file() {
    let shim = Shim::slow_disk();
    let moments: [(&str, i32, Moment); 4] = [
        // With nothing on disk yet.
        ("INT", 130, |_, registry| {
            wait_until("a request", || registry.count("GET", "/v2/team/") > 0);
        }),
        // During the second sync.
        ("INT", 130, |running, _| {
            running.wait_for("[M_ID:1] FAILED");
        }),
        // During a later one.
        ("INT", 130, |running, _| {
            running.wait_for("[M_ID:250] PASS");
        }),
        ("TERM", 143, |running, _| {
            running.wait_for("[M_ID:100] PASS");
        }),
    ];
    std::thread::scope(|scope| {
        for (number, (signal, code, moment)) in moments.into_iter().enumerate() {
            let shim = &shim;
            std::thread::Builder::new()
                .name(format!("slow_disk::signal_{number}"))
                .spawn_scoped(scope, move || interrupted(shim, signal, code, moment))
                .expect("a thread");
        }
    });
}

fn interrupted(shim: &Shim, signal: &str, code: i32, moment: Moment) {
    let registry = registry();
    let dir = Dir::new();
    let lines = lines(20_000);
    let old = list(&lines);
    dir.write("list.txt", &old);
    let mut running = on_slow_disk(&dir, shim, 1000, &registry).start();
    moment(&mut running, &registry);
    running.signal(signal);
    let run = running.end();
    run.code(code).has(&format!("interrupted by SIG{signal}: "));
    let found = dir.read("list.txt");
    let passed = passed(&run);
    if found == old {
        if is_cut(&run) {
            assert!(dir.has("list.txt.partial"));
            return;
        }
        // The whole list, and the same as the old file, because nothing passed.
        if !passed.is_empty() || !says_failed_list(&run, "list.txt") {
            run.fail("a word about the list that was not read to its end");
        }
    }
    let left: Vec<String> = (1..)
        .zip(&lines)
        .filter(|(number, _)| !passed.contains(number))
        .map(|(_, line)| line.clone())
        .collect();
    if found != list(&left) {
        run.fail(&format!(
            "{} lines or the old file in list.txt, not {} lines",
            left.len(),
            found.lines().count()
        ));
    }
    assert!(!dir.has("list.txt.partial"));
}

#[test]
fn a_slow_disk_slows_a_run_down_and_nothing_else() {
    let (shim, registry) = (Shim::slow_disk(), registry());
    let dir = Dir::new();
    let lines = lines(100);
    dir.write("list.txt", list(&lines));
    let begun = Instant::now();
    let run = on_slow_disk(&dir, &shim, 300, &registry).run();
    // Without that, the tests of this file would test nothing.
    assert!(begun.elapsed() > Duration::from_millis(300));
    run.code(1).has("100 images: 20 passed, 80 failed");
    let left: Vec<String> = lines
        .into_iter()
        .filter(|line| line.contains("gone"))
        .collect();
    assert_eq!(dir.read("list.txt"), list(&left));
}

/// Numbers that are the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("a small number")
    }
}

/// A line of a list: an image that passes, one that does not, none, one that stood there before, or a
/// comment.
fn any_line(random: &mut Random, before: &[String]) -> String {
    let number = before.len();
    match random.below(10) {
        0 => format!("nonsense {number}"),
        1 => format!("# comment {number}"),
        2 if number > 0 => before[random.below(number)].clone(),
        // Another source each: by it, a line belongs to a shard.
        3..=6 => format!("team/ok{number}  team/gone{number} 1"),
        _ => format!("team/ok{number}\tteam/ok{number} 1"),
    }
}

/// Where the lines of a run went to.
#[derive(Debug, Default)]
struct Places {
    passed: Vec<String>,
    failed: Vec<String>,
    partial: Vec<String>,
    /// The list was not read to its end: lines may be in none of the places.
    is_cut: bool,
}

/// One run on a part of the list, or on all of it, with a signal or without.
fn any_run(
    dir: &Dir,
    shim: &Shim,
    registry: &Server,
    lines: &[String],
    shard: Option<&str>,
    random: &mut Random,
) -> Places {
    let old = list(lines);
    dir.write("list.txt", &old);
    let output = match shard {
        None if random.below(2) == 0 => "list.txt",
        _ => "failed.txt",
    };
    let signal = ["INT", "TERM", "HUP", ""][random.below(4)];
    // Slower than the time that a run has left after a signal; a whole run would take minutes.
    let slow = match signal {
        "" => 0,
        _ => [0, 0, 50, 800][random.below(4)],
    };
    let jobs = 1 + random.below(8);
    let mut flags = format!(
        "-f list.txt -o {output} -j {jobs} -s {0} -d {1}",
        registry.name(),
        registry.alias()
    );
    if let Some(shard) = shard {
        flags += &format!(" --shard {shard}");
    }
    let asked = registry.requests().len();
    let mut running = shim
        .in_front_of(dir.validate().args(&flags))
        .env("SLOW_DISK_MS", slow.to_string())
        .start();
    if !signal.is_empty() {
        let mut has_ended = false;
        wait_until("a request, or the end", || {
            has_ended = running.child.try_wait().unwrap().is_some();
            has_ended || registry.requests().len() > asked
        });
        for _ in 0..random.below(if slow == 0 { lines.len() } else { 200 }) {
            if running.next_line().is_none() {
                break;
            }
        }
        if !has_ended {
            running.signal(signal);
        }
    }
    let run = running.end();
    let images: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("team/"))
        .collect();
    let read = |name: &str| match dir.has(name) {
        true => dir.read(name).lines().map(str::to_owned).collect(),
        false => Vec::new(),
    };
    let mut places = Places {
        passed: passed(&run)
            .into_iter()
            .map(|number| images[number - 1].clone())
            .collect(),
        partial: read(&format!("{output}.partial")),
        is_cut: is_cut(&run),
        ..Places::default()
    };
    if output == "list.txt" && places.is_cut {
        assert_eq!(
            dir.read("list.txt"),
            old,
            "a run that is cut replaces nothing"
        );
    } else {
        places.failed = read(output);
        if !places.failed.is_empty() && !says_failed_list(&run, output) {
            run.fail(&format!("a word about the failed list {output}"));
        }
    }
    if !places.is_cut {
        run.has(&format!(" {} passed, ", places.passed.len()));
    }
    let mut rest = lines.iter();
    assert!(
        places
            .failed
            .iter()
            .all(|line| rest.any(|other| other == line)),
        "not in the list's order: {:#?}",
        places.failed
    );
    places
}

#[test]
fn every_line_is_always_in_exactly_one_list() {
    let shim = Shim::slow_disk();
    // Three at a time: they wait for the disk most of the time.
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let shim = &shim;
            std::thread::Builder::new()
                .name(format!("slow_disk::seeds_{worker}"))
                .spawn_scoped(scope, move || {
                    for seed in (1 + worker..=18).step_by(3) {
                        any_runs(shim, seed);
                    }
                })
                .expect("a thread");
        }
    });
}

fn any_runs(shim: &Shim, seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut lines = Vec::new();
    for _ in 0..20 + random.below(3000) {
        lines.push(any_line(&mut random, &lines));
    }
    let shards: &[Option<&str>] = match random.below(3) {
        0 => &[Some("0/2"), Some("1/2")],
        _ => &[None],
    };
    // One for all shards: which of them a line belongs to depends on its source's whole name.
    let registry = registry();
    let runs: Vec<Places> = shards
        .iter()
        .map(|shard| any_run(&Dir::new(), shim, &registry, &lines, *shard, &mut random))
        .collect();
    let is_cut = runs.iter().any(|places| places.is_cut);
    let mut missing: Vec<&String> = lines.iter().filter(|line| !line.starts_with('#')).collect();
    let mut extra = Vec::new();
    let places = runs
        .iter()
        .flat_map(|places| [&places.passed, &places.failed, &places.partial]);
    for line in places.flatten() {
        match missing.iter().position(|other| *other == line) {
            Some(index) => {
                missing.swap_remove(index);
            }
            None => extra.push(line),
        }
    }
    assert!(
        extra.is_empty() && (is_cut || missing.is_empty()),
        "seed {seed}: {} of {} lines nowhere, twice: {extra:?}",
        missing.len(),
        lines.len()
    );
}
