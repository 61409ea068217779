//! The wish to end the run, which every wait in the program listens to.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

/// Set once, by a signal; a channel that closes, so that it can be waited for together with others.
#[derive(Debug)]
pub struct Interrupt {
    open: Mutex<Option<Sender<Infallible>>>,
    closed: Receiver<Infallible>,
}

impl Interrupt {
    /// One that is not set.
    pub fn new() -> Self {
        let (open, closed) = bounded(0);
        Self {
            open: Mutex::new(Some(open)),
            closed,
        }
    }

    /// Sets it, for good.
    pub fn set(&self) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.closed.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits; true if the wait was interrupted.
    pub fn sleep(&self, time: Duration) -> bool {
        !time.is_zero() && self.closed.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }

    /// Disconnected when it is set, for `select!`.
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
