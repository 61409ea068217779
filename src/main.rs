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

use std::io::Write as _;
use std::process::ExitCode;

use cli::Command;
use exit::Exit;

/// musl's own allocator makes threads wait for each other.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    nss::pin();
    match answer() {
        Ok(exit) => exit.into(),
        Err(error) => {
            cli::print_error(&format!("{error:#}"));
            Exit::Usage.into()
        }
    }
}

fn answer() -> anyhow::Result<Exit> {
    match cli::command(std::env::args_os())? {
        Command::Print(text) => {
            // `| head` closes standard output early: no error.
            let _ = std::io::stdout().write_all(text.as_bytes());
            Ok(Exit::Passed)
        }
        Command::Validate(options) => Ok(cli::run(*options)?),
    }
}
