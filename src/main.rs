//! image-tools: tells whether each image of a list was mirrored correctly from its source registry
//! to its destination registry.

mod cli;
mod escape;
mod exit;
mod list;
mod log;
mod manifest;
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod nss;
mod output;
mod pipeline;
mod reference;
mod registry;
mod sync;
mod task;
mod verdict;

use std::io::{ErrorKind, Write as _, stderr};
use std::process::ExitCode;

use exit::Exit;

/// musl's own allocator makes threads wait for each other.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    nss::pin();
    let exit = match cli::run(std::env::args_os()) {
        Ok(exit) => exit,
        // `| head` closes standard output early: no error.
        Err(cli::Error::StandardOutput(error)) if error.kind() == ErrorKind::BrokenPipe => {
            Exit::Passed
        }
        Err(error) => {
            let text = escape::escape(&error.to_string()).into_owned();
            // If standard error is closed there is nobody to tell; the exit code remains.
            let _ = writeln!(stderr(), "{}: {text}", cli::PROGRAM);
            Exit::Usage
        }
    };
    exit.into()
}
