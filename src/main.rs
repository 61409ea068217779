//! image-tools: tells whether each image of a list was mirrored correctly from its source registry
//! to its destination registry.

mod cli;
mod escape;
mod exit;
mod fingerprint;
mod flight;
mod image;
mod interrupt;
mod list;
mod manifest;
mod memo;
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod nss;
mod recording;
mod reference;
mod registry;
mod report;
mod run;
mod setup;
mod shard;
mod validate;

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
            let text = escape::escape(&format!("{error:#}")).into_owned();
            // If standard error is closed there is nobody to tell; the exit code remains.
            let _ = writeln!(std::io::stderr(), "{}: {text}", cli::PROGRAM);
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
        Command::Validate(options) => Ok(run::run(*options)?),
    }
}
