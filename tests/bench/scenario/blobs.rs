//! `--deep`: a request per blob, and `--deep=full`: every byte of one large blob.

use std::time::Instant;

use super::Scenario;
use crate::fast_registry::{Behaviour, FastRegistry};
use crate::program::{Program, assert_passed};
use crate::row::{Measured, Row};
use crate::support::{Content, Dir, LIST, V2, digest, entry};
use crate::workload::{Workload, list};

const MIB: usize = 1024 * 1024;

/// Bytes of the large blob.
const SIZE: usize = 32 * MIB;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("deep/j4", deep),
        Scenario::new("deep-full/j1", || full(1)),
        Scenario::new("deep-full/j4", || full(4)),
    ]
}

fn deep() -> Measured {
    const COUNT: usize = 1_000;
    let registry = FastRegistry::start(&Workload::pairs(1).content, Behaviour::default());
    let dir = Dir::new();
    let (source, destination) = (registry.name(), registry.alias());
    let args = format!("-j 4 --deep -s {source} -d {destination}");
    let cost = Program::release().validate(&dir, &list(COUNT), &args);
    assert_passed(&dir, COUNT);
    Ok(Row::new(COUNT, 4, cost).requests(registry.take()))
}

/// Images with one large blob each; a note has the rate of bytes.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn full(jobs: usize) -> Measured {
    const COUNT: usize = 32;
    let mut content = Content::default();
    let bytes: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    let begun = Instant::now();
    let layer = content.blob("team/x0", bytes);
    let hashing = (SIZE / MIB) as f64 / begun.elapsed().as_secs_f64();
    let config = r#"{"architecture":"amd64","os":"linux"}"#;
    let config_digest = content.blob("team/x0", config);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{V2}","config":{{"size":{},"digest":"{config_digest}"}},"layers":[{{"size":{SIZE},"digest":"{layer}"}}]}}"#,
        config.len()
    );
    let image = content.put("team/x0", &digest(&manifest), V2, manifest);
    content.index("team/x0", Some("1"), LIST, &[entry(&image, "linux/amd64")]);
    let registry = FastRegistry::start(&content, Behaviour::default());
    let dir = Dir::new();
    let (source, destination) = (registry.name(), registry.alias());
    let args = format!("-j {jobs} --deep=full -s {source} -d {destination}");
    let cost = Program::release().validate(&dir, &list(COUNT), &args);
    assert_passed(&dir, COUNT);
    let mib = (SIZE / MIB * COUNT) as f64;
    let cpu = cost.cpu.unwrap_or_default().as_secs_f64() * 1000.0;
    let note = format!(
        "{mib:.0} MiB, {:.0} MiB/s, CPU {:.2} ms/MiB (SHA-256 alone: {hashing:.0} MiB/s)",
        mib / cost.wall.as_secs_f64(),
        cpu / mib,
    );
    Ok(Row::new(COUNT, jobs, cost)
        .requests(registry.take())
        .note(note))
}
