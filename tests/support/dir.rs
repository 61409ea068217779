//! A fresh directory for each test, and the real binary run in it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Nothing that a test waits for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A directory that is removed with its value.
pub struct Dir(PathBuf);

impl Dir {
    /// A new, empty directory.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("image-tools-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// `image-tools` in this directory.
    pub fn program(&self) -> TestCommand {
        self.command(env!("CARGO_BIN_EXE_image-tools"))
    }

    /// Any program in this directory, without anything of the developer's environment.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> TestCommand {
        let mut command = Command::new(program);
        command
            .current_dir(&self.0)
            .env_clear()
            .env("HOME", &self.0)
            .env("TZ", "UTC");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        TestCommand {
            command,
            stdin: Vec::new(),
        }
    }

    /// `image-tools mirror-validate` in this directory.
    pub fn validate(&self) -> TestCommand {
        self.program().arg("mirror-validate")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A program that is about to be run.
pub struct TestCommand {
    command: Command,
    stdin: Vec<u8>,
}

impl TestCommand {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments, separated by blanks.
    pub fn args(mut self, args: &str) -> Self {
        self.command.args(args.split_whitespace());
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads on standard input.
    pub fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = text.as_ref().to_vec();
        self
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Run {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let shown = format!("{:?}", self.command);
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        let mut stdin = child.stdin.take().expect("standard input");
        let text = std::mem::take(&mut self.stdin);
        let feeder = std::thread::spawn(move || {
            // The program may end without reading all of it.
            let _ = stdin.write_all(&text);
        });
        let output = child.wait_with_output().expect("its output");
        feeder.join().expect("standard input");
        Run {
            shown,
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts it, to be watched and signalled.
    pub fn start(mut self) -> Running {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let shown = format!("{:?}", self.command);
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        let out = BufReader::new(child.stdout.take().expect("standard output"));
        Running {
            shown,
            child,
            out,
            seen: String::new(),
        }
    }
}

/// A program that runs.
pub struct Running {
    shown: String,
    /// The process.
    pub child: Child,
    out: BufReader<std::process::ChildStdout>,
    seen: String,
}

impl Running {
    /// Reads standard output up to a line that has this text.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.out.read_line(&mut line).expect("standard output");
            assert!(
                read > 0,
                "{} ended without {text:?}; it printed:\n{}",
                self.shown,
                self.seen
            );
            self.seen += &line;
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .expect("kill");
        assert!(status.success());
    }

    /// Writes to standard input.
    pub fn type_in(&mut self, text: &str) {
        self.child
            .stdin
            .as_mut()
            .expect("standard input")
            .write_all(text.as_bytes())
            .expect("to be read");
    }

    /// Closes standard input and waits for the end.
    pub fn end(mut self) -> Run {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.out, &mut rest).expect("standard output");
        let output = self.child.wait_with_output().expect("its end");
        Run {
            shown: self.shown,
            status: output.status,
            stdout: self.seen + &rest,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What a program did.
pub struct Run {
    shown: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// It ended with this code.
    #[track_caller]
    pub fn code(&self, expected: i32) -> &Self {
        if self.status.code() != Some(expected) {
            self.fail(&format!("exit code {expected}"));
        }
        self
    }

    /// It printed this text on standard output.
    #[track_caller]
    pub fn has(&self, text: &str) -> &Self {
        if !self.stdout.contains(text) {
            self.fail(&format!("on standard output: {text}"));
        }
        self
    }

    /// It did not print this text on standard output.
    #[track_caller]
    pub fn has_not(&self, text: &str) -> &Self {
        if self.stdout.contains(text) {
            self.fail(&format!("not on standard output: {text}"));
        }
        self
    }

    /// It printed exactly this on standard error.
    #[track_caller]
    pub fn error(&self, text: &str) -> &Self {
        if self.stderr != text {
            self.fail(&format!("on standard error: {text}"));
        }
        self
    }

    /// It printed one line on standard error, with this text in it.
    #[track_caller]
    pub fn one_error(&self, text: &str) -> &Self {
        if self.stderr.lines().count() != 1 || !self.stderr.contains(text) {
            self.fail(&format!("one line on standard error, with: {text}"));
        }
        self
    }

    /// The lines of standard output without their times.
    pub fn log(&self) -> Vec<String> {
        self.stdout
            .lines()
            .map(|line| {
                if starts_with_time(line) {
                    line[9..].to_owned()
                } else {
                    line.to_owned()
                }
            })
            .collect()
    }

    /// Everything that is known, with what was expected.
    #[track_caller]
    pub fn fail(&self, expected: &str) -> ! {
        let rule = "=".repeat(79);
        panic!(
            "\n{rule}\n{}\n{rule}\nexpected: {expected}\n{rule}\nstatus: {}\n{rule}\nstandard output:\n{}{rule}\nstandard error:\n{}{rule}\n",
            self.shown, self.status, self.stdout, self.stderr
        )
    }
}

/// Whether a line begins with `HH:MM:SS `.
pub fn starts_with_time(line: &str) -> bool {
    line.len() > 9
        && line
            .bytes()
            .take(9)
            .enumerate()
            .all(|(index, byte)| match index {
                2 | 5 => byte == b':',
                8 => byte == b' ',
                _ => byte.is_ascii_digit(),
            })
}

/// Waits for a condition.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
