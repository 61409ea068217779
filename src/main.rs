//! image-tools: checks whether each image of a list was mirrored correctly from its source registry to
//! its destination registry.

mod cli;
mod escape;
mod exit;
mod list;
mod log;
mod manifest;
mod merge;
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod nss;
mod output;
mod pipeline;
mod reference;
mod registry;
mod remedy;
mod report_reading;
mod sync;
mod task;
mod verdict;

use std::io::{ErrorKind, Write as _, stderr};
use std::process::ExitCode;
use std::sync::Arc;

use exit::Exit;
use signal_hook::consts::SIGXFSZ;
use signal_hook::flag;

/// The allocator of musl is slow with several threads, because they share one lock.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    nss::pin();
    // With a handler for SIGXFSZ, a write beyond the file size limit returns an error instead of killing the
    // program.
    if let Err(error) = flag::register(SIGXFSZ, Arc::default()) {
        let _ = writeln!(stderr(), "{}: cannot start: {error}", cli::PROGRAM);
        return Exit::Usage.into();
    }
    let exit = match cli::run(std::env::args_os()) {
        Ok(exit) => exit,
        // `| head` closes standard output early: no error.
        Err(cli::Error::StandardOutput(error)) if error.kind() == ErrorKind::BrokenPipe => {
            Exit::Passed
        }
        Err(error) => {
            let text = escape::escape(&error.to_string()).into_owned();
            // Nobody reads a closed standard error; the exit code remains.
            let _ = writeln!(stderr(), "{}: {text}", cli::PROGRAM);
            Exit::Usage
        }
    };
    exit.into()
}
