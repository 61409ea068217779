//! What threads share: a value that one of them makes for all, work that several claim, the wish
//! to end the run.

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
