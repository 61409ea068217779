//! The interrupt of a run, which ends every wait in the program.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

/// Set once, by a signal. It is a channel that closes, so that threads can wait for it together with
/// others.
#[derive(Debug)]
pub struct Interrupt {
    open: Mutex<Option<Sender<Infallible>>>,
    closed: Receiver<Infallible>,
}

impl Interrupt {
    pub fn new() -> Self {
        let (open, closed) = bounded(0);
        Self {
            open: Mutex::new(Some(open)),
            closed,
        }
    }

    /// Sets it; it cannot be reset.
    pub fn set(&self) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    pub fn is_set(&self) -> bool {
        self.closed.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Sleeps; returns true if interrupted.
    pub fn sleep(&self, time: Duration) -> bool {
        !time.is_zero() && self.closed.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }

    /// Disconnected once it is set, for `select!`.
    pub fn receiver(&self) -> &Receiver<Infallible> {
        &self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_it_is_set() {
        let interrupt = Interrupt::new();
        assert!(!interrupt.is_set());
        assert!(!interrupt.sleep(Duration::from_millis(1)));
        interrupt.set();
        assert!(interrupt.is_set());
        assert!(interrupt.sleep(Duration::from_secs(3600)));
    }
}
