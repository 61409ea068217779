//! `make bench`: speed, requests and memory of `mirror-validate`, as one table for the documentation.
//!
//! Registries run on loopback. Every row is a scenario: `cargo bench --bench validate -- list` prints the
//! names, `cargo bench --bench validate -- tls wide` measures those that contain one of the words.

#![allow(clippy::unwrap_used)]

mod fast_registry;
mod floor;
mod link;
mod program;
mod responses;
mod row;
mod scenario;
mod table;
mod workload;

#[allow(
    dead_code,
    unused_imports,
    reason = "the harness has more than the benchmark needs"
)]
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use scenario::Scenario;
use table::Table;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let all = scenario::all();
    if words.iter().any(|word| word == "list") {
        for scenario in &all {
            println!("{}", scenario.name);
        }
        return ExitCode::SUCCESS;
    }
    let is_selected = |scenario: &&Scenario| {
        words.is_empty() || words.iter().any(|word| scenario.name.contains(word))
    };
    let selected: Vec<&Scenario> = all.iter().filter(is_selected).collect();
    if selected.is_empty() {
        eprintln!("error: no scenario matches {}", words.join(" "));
        eprintln!("hint: cargo bench --bench validate -- list");
        return ExitCode::from(2);
    }
    let names = selected.iter().map(|scenario| scenario.name.as_str());
    let mut table = Table::begin(names);
    for scenario in selected {
        table.add(&scenario.name, (scenario.measure)());
    }
    if table.end() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
