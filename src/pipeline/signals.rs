//! Signals: the first interrupts the run, the second ends the program as if nobody listened.

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
    /// Sends the first signal once the interrupt is set.
    pub receiver: Receiver<i32>,
    /// The signal handler's own note: it is written before the thread that listens has woken up.
    noted: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens on a thread of its own; `shutdown` ends all requests.
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

    /// The signal that has arrived, if one has, whether or not anybody was told yet.
    pub fn arrived(&self) -> Option<i32> {
        match self.noted.load(Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }
}
