//! Preloaded libraries that replace functions of the C library: slow disks, changed clocks,
//! no threads.

use std::path::{Path, PathBuf};

use super::dir::{Dir, TestCommand};

/// A compiled library; removed on drop.
pub struct Shim {
    /// Has only the library.
    _dir: Dir,
    library: PathBuf,
}

impl Shim {
    /// Every `fsync` and `fdatasync` takes `$SLOW_DISK_MS`.
    pub fn slow_disk() -> Self {
        Self::compile("slow_disk")
    }

    /// The wall clock is a day ahead as soon as the file `$CLOCK_STEP` exists.
    pub fn clock() -> Self {
        Self::compile("clock")
    }

    /// The system refuses threads as soon as the file `$NO_THREADS` exists.
    pub fn no_threads() -> Self {
        Self::compile("no_threads")
    }

    /// Compiles with `cc`, which Rust needs for linking anyway.
    fn compile(name: &str) -> Self {
        let dir = Dir::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/support/{name}.c"));
        let library = dir.path().join(format!("{name}.so"));
        dir.command("cc")
            .args("-shared -fPIC -Wall -Werror -o")
            .arg(&library)
            .arg(source)
            .run()
            .code(0);
        Self { _dir: dir, library }
    }

    /// A command with this library; the program must be linked dynamically.
    pub fn in_front_of(&self, command: TestCommand) -> TestCommand {
        command.env("LD_PRELOAD", &self.library)
    }
}
