//! A gate that holds back a server's responses until the test opens it.

use std::sync::{Arc, Condvar, Mutex};

use super::dir::PATIENCE;

/// Closed until a test opens it; it never closes again. Clones share one gate.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Opens the gate.
    pub fn open(&self) {
        *self.0.0.lock().expect("the gate") = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open, or until the limit of a test's waits.
    pub fn pass(&self) {
        let open = self.0.0.lock().expect("the gate");
        let _ = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open);
    }
}
