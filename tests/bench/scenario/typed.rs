//! A person types one image after the other; the registries are 200 ms away.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Scenario;
use crate::fast_registry::{Behaviour, FastRegistry};
use crate::program::Program;
use crate::row::{Cost, Row};
use crate::support::Dir;
use crate::workload::{Workload, list};

pub fn scenarios() -> Vec<Scenario> {
    let row = |wall: Duration| {
        let cost = Cost {
            wall,
            ..Cost::default()
        };
        Row::new(1, 1, cost)
    };
    vec![
        Scenario::new("typed-200ms/first", move || Ok(row(time(1)))),
        Scenario::new("typed-200ms/next", move || {
            Ok(row(time(11).saturating_sub(time(1)) / 10))
        }),
    ]
}

/// The time for so many images on standard input.
fn time(images: usize) -> Duration {
    let behaviour = Behaviour {
        latency: Duration::from_millis(200),
        ..Behaviour::default()
    };
    let (source, destination) = FastRegistry::pair(&Workload::pairs(1).content, &behaviour);
    let dir = Dir::new();
    let begun = Instant::now();
    let mut child = Command::new(Program::release().path())
        .arg("mirror-validate")
        .args(["-s", &source.name(), "-d", &destination.name()])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program");
    let mut input = child.stdin.take().expect("standard input");
    input
        .write_all(list(images).as_bytes())
        .expect("a program that reads");
    drop(input);
    assert!(child.wait().expect("its end").success());
    begun.elapsed()
}
