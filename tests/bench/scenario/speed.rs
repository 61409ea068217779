//! Images of two architectures: no latency, the latency of a distant registry, lists of any length.

use std::time::Duration;

use super::{Scenario, against_floor, plain};
use crate::fast_registry::Behaviour;
use crate::floor::Floor;
use crate::program::Program;
use crate::support::Dir;
use crate::workload::Workload;

pub fn scenarios() -> Vec<Scenario> {
    let no_latency = [1, 4, 20].map(|jobs| {
        Scenario::new(format!("no-latency/j{jobs}"), move || {
            plain(&Workload::pairs(500), &Behaviour::default(), jobs)
        })
    });
    let of_static = [(1, 500), (4, 500), (20, 500), (20, 20_000)].map(|(jobs, images)| {
        Scenario::new(format!("static/j{jobs}-{images}"), move || {
            let program = Program::static_file().ok_or("$IMAGE_TOOLS_STATIC names no file")?;
            against_floor(
                &program,
                &Workload::pairs(images),
                &Behaviour::default(),
                &Floor::plain(jobs),
                &Dir::new(),
                "",
            )
        })
    });
    let latency = [(1, 20), (4, 100), (20, 500)].map(|(jobs, images)| {
        Scenario::new(format!("latency-50ms/j{jobs}"), move || {
            let behaviour = Behaviour {
                latency: Duration::from_millis(50),
                ..Behaviour::default()
            };
            plain(&Workload::pairs(images), &behaviour, jobs)
        })
    });
    let length = [100, 1_000, 5_000, 20_000].map(|images| {
        Scenario::new(format!("length/{images}"), move || {
            plain(&Workload::pairs(images), &Behaviour::default(), 4)
        })
    });
    [
        no_latency.into_iter().collect::<Vec<_>>(),
        of_static.into(),
        latency.into(),
        length.into(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
