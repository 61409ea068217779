//! Limits the lines of the list that are in progress.
//!
//! Lines that are read and not yet reported are the pipeline's memory, so two things are counted:
//! images that a thread works on or will (a place each), and the bytes of all lines in progress,
//! also of those that wait for another line with the same image. Whatever the list's length, a run
//! holds at most [`BYTES`] of lines, or one line that is longer.

use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::sync::Interrupt;

/// Limit of the bytes of all lines in progress.
const BYTES: usize = 16 * 1024 * 1024;

/// Memory of a line in progress besides its bytes, as measured with a million lines of a registry that is
/// down: names, map entries, the waiting image, its finding.
const OVERHEAD: usize = 1536;

/// Memory and place that one line occupies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    places: usize,
    bytes: usize,
}

impl Load {
    /// A line of this many bytes with an image for a thread.
    pub fn image(bytes: usize) -> Self {
        Self {
            places: 1,
            ..Self::line(bytes)
        }
    }

    /// A line of this many bytes that needs no thread.
    pub fn line(bytes: usize) -> Self {
        Self {
            places: 0,
            bytes: bytes + OVERHEAD,
        }
    }
}

impl Load {
    /// Takes the place of an image that is put aside; its bytes still count.
    pub fn put_aside(&mut self) -> Self {
        Self {
            places: std::mem::take(&mut self.places),
            bytes: 0,
        }
    }
}

impl std::ops::AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        self.places += other.places;
        self.bytes += other.bytes;
    }
}

/// The places of a run: the reader takes them, and the writer releases them.
#[derive(Debug)]
pub struct Places {
    used: Mutex<Load>,
    most: usize,
    changed: (Sender<()>, Receiver<()>),
}

impl Places {
    pub fn new(most: usize) -> Self {
        Self {
            used: Mutex::default(),
            most,
            changed: bounded(1),
        }
    }

    /// Waits until there is room for a line; false if the run is interrupted.
    pub fn take(&self, load: Load, interrupt: &Interrupt) -> bool {
        loop {
            if interrupt.is_set() {
                return false;
            }
            if self.try_take(load) {
                return true;
            }
            select! {
                recv(self.changed.1) -> _ => {}
                recv(interrupt.receiver()) -> _ => return false,
            }
        }
    }

    fn try_take(&self, load: Load) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let has_place = load.places == 0 || used.places + load.places <= self.most;
        let has_room = used.bytes == 0 || used.bytes + load.bytes <= BYTES;
        if has_place && has_room {
            *used += load;
        }
        has_place && has_room
    }

    /// Releases a load.
    pub fn give_back(&self, load: Load) {
        if load == Load::default() {
            return;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.places = used.places.saturating_sub(load.places);
        used.bytes = used.bytes.saturating_sub(load.bytes);
        drop(used);
        // A message that is there already says the same.
        let _ = self.changed.0.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_thread_needs_no_place() {
        let (places, interrupt) = (Places::new(1), Interrupt::new());
        assert!(places.take(Load::image(10), &interrupt));
        assert!(!places.try_take(Load::image(10)));
        assert!(places.take(Load::line(10), &interrupt));
        places.give_back(Load::image(10));
        assert!(places.take(Load::image(10), &interrupt));
    }

    #[test]
    fn a_line_longer_than_the_bound_goes_alone() {
        let (places, interrupt) = (Places::new(9), Interrupt::new());
        assert!(places.take(Load::line(2 * BYTES), &interrupt));
        assert!(!places.try_take(Load::line(1)));
        places.give_back(Load::line(2 * BYTES));
        assert!(places.take(Load::line(1), &interrupt));
        assert!(!places.try_take(Load::line(BYTES)));
    }

    #[test]
    fn a_wait_ends_when_a_place_is_free_or_the_run_is_interrupted() {
        let (places, interrupt) = (Places::new(1), Interrupt::new());
        assert!(places.take(Load::image(1), &interrupt));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| places.take(Load::image(1), &interrupt));
            places.give_back(Load::image(1));
            assert!(waiting.join().expect("no panic"));
            let waiting = scope.spawn(|| places.take(Load::image(1), &interrupt));
            interrupt.set();
            assert!(!waiting.join().expect("no panic"));
        });
    }
}
