//! The grace after a signal: how long the images in progress and the rest of the list may take.
//!
//! Only time spent waiting for events counts, not the time of a slow disk. The rest of a file is
//! read as long as lines keep coming; a pipe that trickles ends the run all the same.

use std::time::Duration;

/// How long the writer waits for events.
const GRACE: Duration = Duration::from_millis(700);

/// How long it waits in all for lines from a pipe.
const IN_ALL: Duration = Duration::from_secs(5);

/// Waits that are shorter belong to a reader at full speed.
const SHORT: Duration = Duration::from_millis(1);

/// The grace of a run that was interrupted.
#[derive(Debug)]
pub struct Grace {
    waited: Duration,
    in_all: Duration,
    is_file: bool,
}

impl Grace {
    /// A full grace; `is_file`: the list is a regular file.
    pub fn new(is_file: bool) -> Self {
        Self {
            waited: Duration::ZERO,
            in_all: Duration::ZERO,
            is_file,
        }
    }

    /// How long to wait for the next event.
    pub fn left(&self) -> Duration {
        GRACE.saturating_sub(self.waited)
    }

    /// Counts a wait; `made_progress`: it ended with a further line of the list.
    pub fn waited(&mut self, time: Duration, made_progress: bool) {
        self.in_all += time;
        if made_progress && self.is_file {
            self.waited = Duration::ZERO;
        } else if !made_progress || time >= SHORT {
            self.waited += time;
        }
    }

    /// Whether it is used up.
    pub fn is_over(&self) -> bool {
        self.waited >= GRACE || !self.is_file && self.in_all >= IN_ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_to_its_end_and_a_trickling_pipe_is_not() {
        let (mut file, mut pipe) = (Grace::new(true), Grace::new(false));
        for _ in 0..100 {
            file.waited(Duration::from_millis(100), true);
            pipe.waited(Duration::from_millis(100), true);
        }
        assert!(!file.is_over());
        assert!(pipe.is_over());
    }

    #[test]
    fn silence_uses_it_up() {
        let mut grace = Grace::new(true);
        grace.waited(grace.left(), false);
        assert!(grace.is_over());
    }

    #[test]
    fn a_fast_pipe_has_more_time_but_not_for_ever() {
        let mut grace = Grace::new(false);
        for _ in 0..4_000 {
            grace.waited(Duration::from_micros(900), true);
        }
        assert!(!grace.is_over());
        for _ in 0..4_000 {
            grace.waited(Duration::from_micros(900), true);
        }
        assert!(grace.is_over());
    }
}
