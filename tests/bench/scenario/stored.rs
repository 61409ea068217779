//! Debian's `docker-registry`: against a bare loop, and against skopeo, which image-tools 1.3.0 ran once
//! per manifest.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Scenario;
use crate::floor::{Floor, Get};
use crate::program::{Program, assert_passed};
use crate::row::{Cost, Row};
use crate::support::{Dir, Registry};
use crate::workload::Workload;

pub fn scenarios() -> Vec<Scenario> {
    let registry = [1, 4, 20].map(|jobs| {
        Scenario::new(format!("docker-registry/j{jobs}"), move || {
            let measured = validate(&Workload::stored_pairs(500), jobs, |requests| {
                // The first loop warms the caches of the registries.
                Floor::plain(jobs).replay(requests);
                Ok(Floor::plain(jobs).replay(requests))
            });
            measured.map(|(cost, floor)| Row::new(500, jobs, cost).floor("loop", floor))
        })
    });
    let skopeo = [1, 4, 20].map(|jobs| {
        Scenario::new(format!("skopeo/j{jobs}"), move || {
            let measured = validate(&Workload::stored_pairs(100), jobs, |requests| {
                inspect(requests, jobs)
            });
            measured.map(|(cost, skopeo)| Row::new(100, jobs, cost).floor("skopeo", skopeo))
        })
    });
    registry.into_iter().chain(skopeo).collect()
}

/// Runs another client with the same requests first, and then the program.
fn validate(
    workload: &Workload,
    jobs: usize,
    other: impl Fn(&[Vec<Get>]) -> Result<Duration, String>,
) -> Result<(Cost, Duration), String> {
    let source = Registry::of(&workload.content);
    let destination = Registry::of(&workload.content);
    let other = other(&workload.requests(&source.name(), &destination.name()))?;
    let dir = Dir::new();
    let args = format!("-j {jobs} -s {} -d {}", source.name(), destination.name());
    let cost = Program::release().validate(&dir, &workload.list(), &args);
    assert_passed(&dir, workload.images);
    Ok((cost, other))
}

/// The time of `skopeo inspect --raw` for each manifest.
fn inspect(requests: &[Vec<Get>], jobs: usize) -> Result<Duration, String> {
    let mut version = Command::new("skopeo");
    version.arg("--version").stdout(Stdio::null());
    if !version.status().is_ok_and(|status| status.success()) {
        return Err("skopeo is not installed".to_owned());
    }
    let names: String = requests
        .iter()
        .flatten()
        .map(|Get { registry, path }| {
            let path = path.strip_prefix("/v2/").unwrap();
            let (repository, reference) = path.split_once("/manifests/").unwrap();
            let separator = if reference.contains(':') { '@' } else { ':' };
            format!("docker://{registry}/{repository}{separator}{reference}\n")
        })
        .collect();
    let dir = Dir::new();
    dir.write("names", names);
    let script = format!(
        "xargs -P {jobs} -n 1 skopeo --insecure-policy inspect --tls-verify=false --raw <names >raw"
    );
    let begun = Instant::now();
    let status = Command::new("sh")
        .args(["-c", &script])
        .current_dir(dir.path())
        .status()
        .unwrap();
    assert!(status.success());
    Ok(begun.elapsed())
}
