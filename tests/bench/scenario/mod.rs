//! Scenarios: each measures one row of the table.

mod blobs;
mod hosts;
mod lists;
mod memory;
mod speed;
mod stored;
mod tls;
mod typed;
mod wide;

use crate::fast_registry::{Behaviour, FastRegistry};
use crate::floor::Floor;
use crate::program::{Program, assert_passed};
use crate::row::{Measured, Row};
use crate::support::Dir;
use crate::workload::Workload;

pub struct Scenario {
    /// `TOPIC/CASE`.
    pub name: String,
    pub measure: Box<dyn Fn() -> Measured>,
}

impl Scenario {
    fn new(name: impl Into<String>, measure: impl Fn() -> Measured + 'static) -> Self {
        Self {
            name: name.into(),
            measure: Box::new(measure),
        }
    }
}

/// All scenarios, in the table's order.
pub fn all() -> Vec<Scenario> {
    [
        speed::scenarios(),
        stored::scenarios(),
        tls::scenarios(),
        wide::scenarios(),
        lists::scenarios(),
        hosts::scenarios(),
        typed::scenarios(),
        blobs::scenarios(),
        memory::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Validates a workload whose source and mirror behave in this way, after the same requests in a bare loop.
fn against_floor(
    program: &Program,
    workload: &Workload,
    behaviour: &Behaviour,
    floor: &Floor,
    dir: &Dir,
    args: &str,
) -> Measured {
    let (source, destination) = FastRegistry::pair(&workload.content, behaviour);
    let wall = floor.replay(&workload.requests(&source.name(), &destination.name()));
    source.take();
    destination.take();
    let jobs = floor.threads;
    let args = format!(
        "-j {jobs} -s {} -d {} {args}",
        source.name(),
        destination.name()
    );
    let cost = program.validate(dir, &workload.list(), &args);
    assert_passed(dir, workload.images);
    Ok(Row::new(workload.images, jobs, cost)
        .requests(source.take().and(destination.take()))
        .floor("loop", wall))
}

/// As [`against_floor`], with the release build and over plain HTTP.
fn plain(workload: &Workload, behaviour: &Behaviour, jobs: usize) -> Measured {
    against_floor(
        &Program::release(),
        workload,
        behaviour,
        &Floor::plain(jobs),
        &Dir::new(),
        "",
    )
}
