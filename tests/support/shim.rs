//! Libraries that come between the program and the C library: slow disks, clocks that are set.

use std::path::{Path, PathBuf};

use super::dir::{Dir, TestCommand};

/// A compiled library; it is removed with its value.
pub struct Shim {
    /// Holds nothing but the library.
    _dir: Dir,
    library: PathBuf,
}

impl Shim {
    /// Every `fsync` and `fdatasync` takes `$SLOW_DISK_MS`.
    pub fn slow_disk() -> Self {
        Self::compile("slow_disk")
    }

    /// The wall clock is a day ahead as soon as the file `$CLOCK_STEP` is there.
    pub fn clock() -> Self {
        Self::compile("clock")
    }

    /// With `cc`, by which Rust links on Linux.
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

    /// A command with this library; the program has to be one that is linked dynamically.
    pub fn in_front_of(&self, command: TestCommand) -> TestCommand {
        command.env("LD_PRELOAD", &self.library)
    }
}
