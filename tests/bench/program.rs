//! The program that is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

use crate::row::Cost;
use crate::support::Dir;

/// A build of the program.
pub struct Program(PathBuf);

impl Program {
    /// The build of `cargo build --release`.
    pub fn release() -> Self {
        Self(PathBuf::from(env!("CARGO_BIN_EXE_image-tools")))
    }

    /// The file of `make static`, if `$IMAGE_TOOLS_STATIC` names it.
    pub fn static_file() -> Option<Self> {
        let path = PathBuf::from(std::env::var_os("IMAGE_TOOLS_STATIC")?);
        path.is_file().then_some(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Validates a list in this directory and leaves the log in its file `log`.
    pub fn validate(&self, dir: &Dir, list: &str, args: &str) -> Cost {
        dir.write("list.txt", list);
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let begun = Instant::now();
        let mut child = Command::new(&self.0)
            .args(["mirror-validate", "-f", "list.txt"])
            .args(args.split_whitespace())
            .current_dir(dir.path())
            .env_clear()
            .env("HOME", dir.path())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let peak = watch_memory(child.id());
        let usage = child.wait4().unwrap().rusage;
        let wall = begun.elapsed();
        Cost {
            wall,
            cpu: Some(usage.utime + usage.stime),
            peak_kib: peak.join().unwrap(),
        }
    }
}

/// Panics unless the log of the last run says that so many images passed, and no other outcome.
pub fn assert_passed(dir: &Dir, count: usize) {
    let log = dir.read("log");
    let images = if count == 1 { "image" } else { "images" };
    assert!(
        log.contains(&format!("{count} {images}: {count} passed")),
        "{log}"
    );
}

/// The peak memory of a process in KiB, polled every few milliseconds: the peak that `wait4` returns
/// includes the memory of this program at the fork.
fn watch_memory(process: u32) -> JoinHandle<Option<u64>> {
    std::thread::spawn(move || {
        let mut peak = None;
        // The line is absent once the process has ended.
        while let Some(kib) = fs::read_to_string(format!("/proc/{process}/status"))
            .ok()
            .and_then(|status| {
                let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
                line.split_whitespace().nth(1)?.parse().ok()
            })
        {
            peak = Some(kib);
            std::thread::sleep(Duration::from_millis(5));
        }
        peak
    })
}
