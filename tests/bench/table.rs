//! The table: plain text, one row per scenario, printed as soon as it is measured.

use std::fmt::Write as _;

use crate::program::Program;
use crate::row::{Measured, Row};

/// Widths of the columns after the name, with their names and units.
const COLUMNS: [(usize, &str, &str); 12] = [
    (8, "images", ""),
    (3, "-j", ""),
    (7, "time", "s"),
    (8, "speed", "images/s"),
    (6, "GET", "/image"),
    (6, "HEAD", "/image"),
    (5, "conns", "/host"),
    (8, "CPU", "ms/image"),
    (6, "peak", "MiB"),
    (6, "floor", "kind"),
    (8, "floor", "images/s"),
    (6, "ratio", ""),
];

const LEGEND: &str = "\
Time includes the start of the program. GET and HEAD: requests for manifests and blobs. conns: connections to
the registry that has the most. CPU: user and system time. Ratio: time of the program to time of the floor.
Floor loop: the same requests in a bare loop on -j threads. skopeo: one process per manifest. lines: the same
images as a list of lines. -: not measured.";

/// A table that is being printed.
pub struct Table {
    name_width: usize,
    notes: Vec<String>,
    /// Limits that were exceeded.
    failures: Vec<String>,
}

impl Table {
    /// Prints the header of a table with rows of these names.
    pub fn begin<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let name_width = names.map(str::len).max().unwrap_or_default().max(8);
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        println!(
            "benchmark of image-tools {}, {}, {} {}, {cores} cores, registries on the same machine",
            env!("CARGO_PKG_VERSION"),
            chrono::Local::now().format("%Y-%m-%d"),
            std::env::consts::OS,
            std::env::consts::ARCH,
        );
        println!("build: {}\n", build());
        for line in [
            columns(
                "scenario",
                &COLUMNS.map(|(_, name, _)| name.to_owned()),
                name_width,
            ),
            columns("", &COLUMNS.map(|(_, _, unit)| unit.to_owned()), name_width),
        ] {
            println!("{line}");
        }
        Self {
            name_width,
            notes: Vec::new(),
            failures: Vec::new(),
        }
    }

    pub fn add(&mut self, name: &str, measured: Measured) {
        let row = match measured {
            Ok(row) => row,
            Err(why) => {
                println!("{name:<width$} skipped: {why}", width = self.name_width);
                return;
            }
        };
        println!("{}", columns(name, &cells(&row), self.name_width));
        self.notes
            .extend(row.note.map(|note| format!("{name}: {note}")));
        if let (Some(limit), Some(peak)) = (row.limit_mib, row.cost.peak_kib)
            && peak > limit * 1024
        {
            let peak = peak / 1024;
            self.failures.push(format!(
                "{name}: the peak of memory is {peak} MiB, the limit is {limit} MiB"
            ));
        }
    }

    /// Prints legend and notes; false: a limit was exceeded.
    pub fn end(self) -> bool {
        println!("\n{LEGEND}");
        for note in self.notes {
            println!("{note}");
        }
        for failure in &self.failures {
            eprintln!("error: {failure}");
        }
        self.failures.is_empty()
    }
}

/// The builds that are measured, with the settings of this environment that make them differ.
fn build() -> String {
    let mut build = "cargo build --release".to_owned();
    for (name, value) in std::env::vars() {
        if name.starts_with("CARGO_PROFILE_BENCH_") {
            build += &format!(" {name}={value}");
        }
    }
    if Program::static_file().is_some() {
        build += "; static/*: the file of make static";
    }
    build
}

fn columns(name: &str, cells: &[String; COLUMNS.len()], name_width: usize) -> String {
    let mut line = format!("{name:<name_width$}");
    for (cell, (width, _, _)) in cells.iter().zip(COLUMNS) {
        let _ = write!(line, " {cell:>width$}");
    }
    line.trim_end().to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let images = row.images as f64;
    let wall = row.cost.wall.as_secs_f64();
    let requests = row.requests.as_ref();
    let floor = row.floor.as_ref();
    let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    let per_image = |number: usize| format!("{:.2}", number as f64 / images);
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    [
        row.images.to_string(),
        row.jobs.to_string(),
        format!("{wall:.2}"),
        rate(images / wall),
        or_dash(requests.map(|requests| per_image(requests.gets))),
        or_dash(requests.map(|requests| per_image(requests.heads))),
        or_dash(requests.map(|requests| requests.connections.to_string())),
        or_dash(
            row.cost
                .cpu
                .map(|cpu| format!("{:.3}", milliseconds(cpu) / images)),
        ),
        or_dash(
            row.cost
                .peak_kib
                .map(|kib| format!("{:.1}", kib as f64 / 1024.0)),
        ),
        or_dash(floor.map(|floor| floor.kind.to_owned())),
        or_dash(floor.map(|floor| rate(images / floor.wall.as_secs_f64()))),
        or_dash(floor.map(|floor| format!("{:.2}", wall / floor.wall.as_secs_f64()))),
    ]
}

/// With three digits or more.
fn rate(per_second: f64) -> String {
    let decimals = match per_second {
        rate if rate < 10.0 => 2,
        rate if rate < 100.0 => 1,
        _ => 0,
    };
    format!("{per_second:.decimals$}")
}
