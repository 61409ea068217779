//! Indexes with many children: idle threads help with one image, and must not delay others.

use std::time::Duration;

use super::{Scenario, plain};
use crate::fast_registry::{Behaviour, FastRegistry};
use crate::floor::{Floor, Get};
use crate::program::{Program, assert_passed};
use crate::row::{Measured, Row};
use crate::support::Dir;
use crate::workload::Workload;

/// Children of an index.
const CHILDREN: usize = 40;

/// Bytes of a child's manifest, as of an image with twenty layers.
const CHILD_BYTES: usize = 2_000;

/// Of each side, in bytes per second.
const BANDWIDTH: u32 = 1_000_000;

pub fn scenarios() -> Vec<Scenario> {
    let no_latency = [4, 20].map(|jobs| {
        Scenario::new(format!("wide/j{jobs}"), move || {
            let workload = Workload::wide(200, CHILDREN, CHILD_BYTES);
            plain(&workload, &Behaviour::default(), jobs)
        })
    });
    let latency = [(4, 10), (20, 50)].map(|(jobs, images)| {
        Scenario::new(format!("wide-50ms/j{jobs}"), move || {
            let behaviour = Behaviour {
                latency: Duration::from_millis(50),
                ..Behaviour::default()
            };
            plain(
                &Workload::wide(images, CHILDREN, CHILD_BYTES),
                &behaviour,
                jobs,
            )
        })
    });
    let bandwidth = [("", CHILD_BYTES), ("small-children-", 0)]
        .into_iter()
        .flat_map(|(children, bytes)| {
            [4, 20].map(|jobs| {
                Scenario::new(format!("bandwidth-1MBps/{children}j{jobs}"), move || {
                    let behaviour = Behaviour {
                        bytes_per_second: Some(BANDWIDTH),
                        ..Behaviour::default()
                    };
                    plain(&Workload::wide(40, CHILDREN, bytes), &behaviour, jobs)
                })
            })
        });
    let one = Scenario::new("wide-50ms/one-of-200", one_index);
    no_latency
        .into_iter()
        .chain(latency)
        .chain([one])
        .chain(bandwidth)
        .collect()
}

/// The only image of a list has 200 children. The floor reads the two indexes, and then the children on
/// all threads.
fn one_index() -> Measured {
    const JOBS: usize = 20;
    let workload = Workload::wide(1, 200, 0);
    let behaviour = Behaviour {
        latency: Duration::from_millis(50),
        ..Behaviour::default()
    };
    let (source, destination) = FastRegistry::pair(&workload.content, &behaviour);
    let requests = workload.requests(&source.name(), &destination.name());
    let (indexes, children) = requests[0].split_at(2);
    let children: Vec<Vec<Get>> = children.iter().map(|child| vec![child.clone()]).collect();
    let floor = Floor::plain(1).replay(&[indexes.to_vec()]) + Floor::plain(JOBS).replay(&children);
    source.take();
    destination.take();
    let dir = Dir::new();
    let args = format!("-j {JOBS} -s {} -d {}", source.name(), destination.name());
    let cost = Program::release().validate(&dir, &workload.list(), &args);
    assert_passed(&dir, 1);
    Ok(Row::new(1, JOBS, cost)
        .requests(source.take().and(destination.take()))
        .floor("loop", floor))
}
