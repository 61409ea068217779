//! Synchronization between threads: values computed once for all, distributed work, and the interrupt of
//! a run.

mod backlog;
mod fan_out;
mod fingerprint;
mod flight;
mod interrupt;

pub use backlog::Backlog;
pub use fan_out::fan_out;
pub use fingerprint::Fingerprints;
pub use flight::{Claim, Flight};
pub use interrupt::Interrupt;
