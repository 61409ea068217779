//! Lists that must not take memory: a million lines, and the longest lines that are kept.

use super::Scenario;
use crate::fast_registry::{Behaviour, FastRegistry};
use crate::program::Program;
use crate::row::{Measured, Row};
use crate::support::Dir;
use crate::support::registry::free_port;
use crate::workload::Workload;

const JOBS: usize = 20;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("memory/million-lines", million_lines),
        Scenario::new("memory/long-lines", long_lines),
    ]
}

/// A hundred images of a registry that is up, 500,000 of one that is down, and comments.
fn million_lines() -> Measured {
    const LINES: usize = 1_000_000;
    let registry = FastRegistry::start(&Workload::pairs(1).content, Behaviour::default());
    let (up, up_mirror) = (registry.name(), registry.alias());
    let port = free_port();
    let (down, down_mirror) = (format!("127.0.0.1:{port}"), format!("localhost:{port}"));
    let mut list = String::new();
    for number in 0..LINES {
        let repository = format!("team/x{number}");
        list += &match number {
            _ if number % 10_000 == 0 => format!("{up}/{repository} {up_mirror}/{repository} 1\n"),
            _ if number % 2 == 0 => format!("# {number}\n"),
            _ => format!("{down}/{repository} {down_mirror}/{repository} 1\n"),
        };
    }
    let dir = Dir::new();
    let cost = Program::release().validate(&dir, &list, &format!("-j {JOBS}"));
    let log = dir.read("log");
    assert!(
        log.contains("100 passed, 0 failed, 500000 not validated"),
        "{}",
        &log[log.len().saturating_sub(300)..]
    );
    let note = format!("{LINES} lines, half of them comments; one of two registries is down");
    Ok(Row::new(500_100, JOBS, cost)
        .requests(registry.take())
        .limit(60)
        .note(note))
}

/// Lines of 16 MiB, none of them an image.
fn long_lines() -> Measured {
    const COUNT: usize = 32;
    let line = "x".repeat(16 * 1024 * 1024 - 1) + "\n";
    let dir = Dir::new();
    let cost = Program::release().validate(&dir, &line.repeat(COUNT), &format!("-j {JOBS}"));
    let log = dir.read("log");
    assert!(log.contains(&format!("{COUNT} not validated")), "{log}");
    Ok(Row::new(COUNT, JOBS, cost).limit(192))
}
