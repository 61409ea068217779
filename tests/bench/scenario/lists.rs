//! Other lists: a regsync.yaml of the size of Rancher's, a recording of the sources.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::Scenario;
use crate::fast_registry::{Behaviour, FastRegistry};
use crate::program::{Program, assert_passed};
use crate::row::{Cost, Measured, Row};
use crate::support::Dir;
use crate::workload::{Workload, list};

/// Images and distinct sources of Rancher's own mirror, which is a regsync.yaml.
const IMAGES: usize = 7_526;
const SOURCES: usize = 2_390;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("yaml/validated", validated),
        Scenario::new("yaml/parsed", parsed),
        Scenario::new("recorded/j4", recorded),
    ]
}

/// The same images as a regsync.yaml, with anchors, defaults and platforms, and as lines.
fn regsync(source: &str, destination: &str) -> (String, String) {
    let mut yaml = "version: 1\ndefaults:\n  parallel: 2\n  platforms: &both\n    - linux/amd64\n    - linux/arm64\n\
                    x-entry: &entry\n  type: image\n  platforms: *both\nsync:\n"
        .to_owned();
    let mut lines = String::new();
    for number in 0..IMAGES {
        let from = format!("{source}/team/x{}", number % SOURCES);
        let to = format!(
            "{destination}/mirror{}/x{}",
            number / SOURCES,
            number % SOURCES
        );
        let rest = match number % 3 {
            0 => "type: image",
            1 => "type: image\n    platforms: [linux/amd64, linux/arm64]",
            _ => "<<: *entry",
        };
        yaml += &format!("  - source: {from}:1\n    target: {to}:1\n    {rest}\n");
        lines += &format!("{from} {to} 1 linux/amd64,linux/arm64\n");
    }
    (yaml, lines)
}

/// A YAML list and the same lines in turn, the fastest of each.
fn validated() -> Measured {
    const JOBS: usize = 20;
    let (source, destination) =
        FastRegistry::pair(&Workload::pairs(1).content, &Behaviour::default());
    let (yaml, lines) = regsync(&source.name(), &destination.alias());
    let dir = Dir::new();
    let run = |list: &str| {
        let cost = Program::release().validate(&dir, list, &format!("-j {JOBS}"));
        assert_passed(&dir, IMAGES);
        cost
    };
    let runs: Vec<(Cost, Cost)> = (0..3).map(|_| (run(&yaml), run(&lines))).collect();
    let fastest = |costs: &mut dyn Iterator<Item = Cost>| {
        costs.min_by_key(|cost| cost.wall).unwrap_or_default()
    };
    let of_yaml = fastest(&mut runs.iter().map(|(of_yaml, _)| *of_yaml));
    let of_lines = fastest(&mut runs.iter().map(|(_, of_lines)| *of_lines));
    Ok(Row::new(IMAGES, JOBS, of_yaml).floor("lines", of_lines.wall))
}

/// Reads a YAML list and sends no request; the fastest of five.
fn parsed() -> Measured {
    let dir = Dir::new();
    let (yaml, _) = regsync("127.0.0.1:1", "localhost:1");
    dir.write("list.txt", yaml);
    let times = (0..5).map(|_| {
        let begun = Instant::now();
        let status = Command::new(Program::release().path())
            // The program reads the list before it opens the recording.
            .args("mirror-validate -f list.txt --recorded nowhere".split(' '))
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(2));
        begun.elapsed()
    });
    let cost = Cost {
        wall: times.min().unwrap_or_default(),
        ..Cost::default()
    };
    Ok(Row::new(IMAGES, 1, cost))
}

/// The sources are in a recording; only the destination receives requests.
fn recorded() -> Measured {
    const COUNT: usize = 5_000;
    let registry = FastRegistry::start(&Workload::pairs(1).content, Behaviour::default());
    let (program, dir, list) = (Program::release(), Dir::new(), list(COUNT));
    let record = format!("-j 4 -s {} --record sources.json", registry.name());
    program.validate(&dir, &list, &record);
    registry.take();
    let (source, destination) = (registry.name(), registry.alias());
    let args = format!("-j 4 -s {source} -d {destination} --recorded sources.json");
    let cost = program.validate(&dir, &list, &args);
    assert_passed(&dir, COUNT);
    Ok(Row::new(COUNT, 4, cost).requests(registry.take()))
}
