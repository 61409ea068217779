//! Signals: the first interrupts the run, the second ends the program at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Listener;
use signal_hook::low_level::emulate_default_handler;

use crate::sync::Interrupt;

/// The signals of a run.
pub struct Signals {
    /// Gets the first signal after the interrupt is set.
    pub receiver: Receiver<i32>,
    /// Written by the signal handler, before the listening thread wakes up.
    noted: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts a listening thread; `shutdown` aborts all requests.
    ///
    /// # Errors
    /// Where the system refuses handlers or the thread.
    pub fn listen(
        interrupt: Arc<Interrupt>,
        shutdown: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (out, receiver) = bounded(1);
        let noted = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, noted.clone(), number)?;
        }
        let mut listener = Listener::new([SIGINT, SIGTERM, SIGHUP])?;
        let listen = move || {
            let mut is_first = true;
            for signal in listener.forever() {
                if is_first {
                    is_first = false;
                    interrupt.set();
                    // The writer is gone only when the program ends.
                    let _ = out.send(signal);
                    shutdown();
                } else {
                    let _ = emulate_default_handler(signal);
                }
            }
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(listen)?;
        Ok(Self { receiver, noted })
    }

    /// The signal that has arrived, even before the receiver gets it.
    pub fn arrived(&self) -> Option<i32> {
        match self.noted.load(Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }
}
