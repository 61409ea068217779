//! The harness: directories, registries, content, and servers that misbehave on purpose.

pub mod content;
pub mod dir;
pub mod gate;
pub mod internet;
pub mod play;
pub mod process;
pub mod registry;
pub mod server;
pub mod shim;
pub mod tls;

pub use content::{Content, INDEX, LIST, OCI, V2, descriptor, digest, entry};
pub use dir::{Dir, Run, TestCommand, skip, wait_until};
pub use gate::Gate;
pub use internet::Internet;
pub use registry::Registry;
pub use server::{How, Reply, Request, Server, answer};
pub use shim::Shim;
