//! Time limit after a signal for the images in progress and the rest of the list.
//!
//! Only the time spent waiting for events counts, not the time of a slow disk. The rest of a regular file
//! is read as long as lines arrive; a slow pipe does not extend the limit.

use std::time::Duration;

/// Limit of waits for events.
const GRACE: Duration = Duration::from_millis(700);

/// Limit of all waits for lines from a pipe.
const IN_ALL: Duration = Duration::from_secs(5);

/// Shorter waits do not count: the reader runs at full speed.
const SHORT: Duration = Duration::from_millis(1);

/// The time left of an interrupted run.
#[derive(Debug)]
pub struct Grace {
    waited: Duration,
    in_all: Duration,
    is_file: bool,
}

impl Grace {
    /// `is_file`: the list is a regular file.
    pub fn new(is_file: bool) -> Self {
        Self {
            waited: Duration::ZERO,
            in_all: Duration::ZERO,
            is_file,
        }
    }

    /// Limit of the next wait.
    pub fn left(&self) -> Duration {
        GRACE.saturating_sub(self.waited)
    }

    /// Counts a wait; `made_progress`: it ended with another line of the list.
    pub fn waited(&mut self, time: Duration, made_progress: bool) {
        self.in_all += time;
        if made_progress && self.is_file {
            self.waited = Duration::ZERO;
        } else if !made_progress || time >= SHORT {
            self.waited += time;
        }
    }

    /// Whether no time is left.
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
