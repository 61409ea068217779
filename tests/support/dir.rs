//! A new directory for each test, and runs of the real binary in it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Limit of every wait in a test: for a condition, for a line, for a whole run.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory that is removed on drop, unless the test failed.
pub struct Dir(PathBuf);

impl Dir {
    /// A new, empty directory with the test's name.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("thread").replace("::", ".");
        let name = format!("image-tools-{}-{number}-{test}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Whether a file exists.
    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .expect("the directory")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// `image-tools` in this directory.
    pub fn program(&self) -> TestCommand {
        self.command(env!("CARGO_BIN_EXE_image-tools"))
    }

    /// Any program in this directory, with an empty environment but PATH, HOME and TZ.
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

/// A program to run.
pub struct TestCommand {
    command: Command,
    stdin: Vec<u8>,
}

impl TestCommand {
    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments, separated by spaces.
    pub fn args(mut self, args: &str) -> Self {
        self.command.args(args.split_whitespace());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Its standard input.
    pub fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = text.as_ref().to_vec();
        self
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Run {
        let text = std::mem::take(&mut self.stdin);
        let mut running = self.start();
        let mut stdin = running.child.stdin.take().expect("standard input");
        std::thread::spawn(move || {
            // The program may end without reading all input.
            let _ = stdin.write_all(&text);
        });
        running.end()
    }

    /// Starts it; the test reads its output and sends signals.
    pub fn start(mut self) -> Running {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own process group, so that its children end with it.
            .process_group(0);
        let shown = format!("{:?}", self.command);
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        let lines = read_lines(child.stdout.take().expect("standard output"));
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let errors = read_into(child.stderr.take().expect("standard error"), stderr.clone());
        Running {
            shown,
            child,
            lines,
            seen: String::new(),
            stderr,
            errors,
        }
    }
}

/// The lines of a pipe, each with its line feed, as they arrive.
fn read_lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (out, lines) = channel();
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // The test may have ended before the program.
            let _ = out.send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
    lines
}

/// Reads all of a pipe; the channel closes at its end.
fn read_into(mut pipe: impl Read + Send + 'static, all: Arc<Mutex<Vec<u8>>>) -> Receiver<()> {
    let (out, end) = channel();
    std::thread::spawn(move || {
        let _out = out;
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            all.lock()
                .expect("a buffer")
                .extend_from_slice(&buffer[..read]);
        }
    });
    end
}

/// A running program; killed on drop.
pub struct Running {
    shown: String,
    pub child: Child,
    lines: Receiver<String>,
    seen: String,
    stderr: Arc<Mutex<Vec<u8>>>,
    errors: Receiver<()>,
}

impl Running {
    /// Reads standard output up to a line with this text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.line_before(deadline) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(problem) => self.give_up(&format!("{text:?}, not {problem}")),
            }
        }
    }

    /// The next line of standard output; `None` at its end.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<String> {
        match self.line_before(Instant::now() + PATIENCE) {
            Err(problem @ RecvTimeoutError::Timeout) => {
                self.give_up(&format!("a line, not {problem}"))
            }
            line => line.ok(),
        }
    }

    fn line_before(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let line = self.lines.recv_timeout(left(deadline))?;
        self.seen += &line;
        Ok(line)
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .expect("kill");
        assert!(status.success());
    }

    pub fn type_in(&mut self, text: &str) {
        self.child
            .stdin
            .as_mut()
            .expect("standard input")
            .write_all(text.as_bytes())
            .expect("to be read");
    }

    /// Closes standard input and waits for the end.
    #[track_caller]
    pub fn end(mut self) -> Run {
        drop(self.child.stdin.take());
        self.wait()
    }

    #[track_caller]
    fn wait(&mut self) -> Run {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.line_before(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.give_up(&format!("its end within {PATIENCE:?}"))
                }
            }
        }
        if self.errors.recv_timeout(left(deadline)) == Err(RecvTimeoutError::Timeout) {
            self.give_up(&format!("the end of standard error within {PATIENCE:?}"));
        }
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                break status;
            }
            if left(deadline).is_zero() {
                self.give_up(&format!("its end within {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        Run {
            shown: self.shown.clone(),
            status,
            stdout: std::mem::take(&mut self.seen),
            stderr: self.errors_so_far(),
        }
    }

    fn errors_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().expect("a buffer")).into_owned()
    }

    /// Kills it, and fails the test with its output.
    #[track_caller]
    fn give_up(&mut self, expected: &str) -> ! {
        self.kill_group();
        let status = self.child.wait().expect("its end");
        self.seen.extend(self.lines.try_iter());
        Run {
            shown: self.shown.clone(),
            status,
            stdout: std::mem::take(&mut self.seen),
            stderr: self.errors_so_far(),
        }
        .fail(expected)
    }

    fn kill_group(&self) {
        let _ = Command::new("kill")
            .args(["-s", "KILL", "--", &format!("-{}", self.child.id())])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill_group();
            let _ = self.child.wait();
        }
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Reports that a check is skipped on this host; fails if every check is required (`CI=true`).
#[track_caller]
pub fn skip(reason: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "skipped, and CI=true: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// The result of a run.
pub struct Run {
    shown: String,
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Asserts the exit code.
    #[track_caller]
    pub fn code(&self, expected: i32) -> &Self {
        if self.status.code() != Some(expected) {
            self.fail(&format!("exit code {expected}"));
        }
        self
    }

    /// Asserts that standard output has this text.
    #[track_caller]
    pub fn has(&self, text: &str) -> &Self {
        if !self.stdout.contains(text) {
            self.fail(&format!("on standard output: {text}"));
        }
        self
    }

    /// Asserts that standard output does not have this text.
    #[track_caller]
    pub fn has_not(&self, text: &str) -> &Self {
        if self.stdout.contains(text) {
            self.fail(&format!("not on standard output: {text}"));
        }
        self
    }

    /// Asserts the whole of standard error.
    #[track_caller]
    pub fn error(&self, text: &str) -> &Self {
        if self.stderr != text {
            self.fail(&format!("on standard error: {text}"));
        }
        self
    }

    /// Asserts that standard error is one line with this text.
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

    /// The run and the expectation, for the message of a failed assertion.
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
