//! What a server waits for before it answers.

use std::sync::{Arc, Condvar, Mutex};

use super::dir::PATIENCE;

/// Closed until a test opens it, for good. Clones are the same gate.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everybody through.
    pub fn open(&self) {
        *self.0.0.lock().expect("the gate") = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open, or until the test must have failed.
    pub fn pass(&self) {
        let open = self.0.0.lock().expect("the gate");
        let _ = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open);
    }
}
