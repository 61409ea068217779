//! Progress on standard error: a bar that shares the terminal with the log, or plain lines without a
//! terminal.

mod layout;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Totals, line};
use crate::log::{Level, Waits};
use crate::task::TaskWording;
use layout::ProgressState;

/// No rate is shown before this time.
const SETTLED: Duration = Duration::from_secs(2);

/// Time between two plain lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Columns of a terminal whose width is unknown.
const COLUMNS: u16 = 80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    Bar,
    /// A line every [`INTERVAL`].
    Lines,
    Nothing,
}

pub struct Progress {
    display: Display,
    bar: ProgressBar,
    lines: Schedule,
    begun: Instant,
    total: Option<u64>,
    words: &'static TaskWording,
    /// Blob bytes read; other threads count them.
    bytes: Arc<AtomicU64>,
    waits: Waits,
    /// Until the next attempt of `--wait`.
    pause: Option<Duration>,
}

impl Progress {
    /// `total`: images of the list; `None`: unknown.
    pub fn new(
        display: Display,
        total: Option<u64>,
        words: &'static TaskWording,
        bytes: Arc<AtomicU64>,
        waits: Waits,
    ) -> Self {
        let target = match display {
            Display::Bar => ProgressDrawTarget::stderr_with_hz(10),
            Display::Lines | Display::Nothing => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target);
        // `wide_msg` cuts the text if the terminal becomes narrower meanwhile: a wrapped line could not be
        // erased. The template is valid.
        let style = ProgressStyle::with_template("{wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            display,
            bar,
            lines: Schedule::default(),
            begun: Instant::now(),
            total,
            words,
            bytes,
            waits,
            pause: None,
        }
    }

    /// Blob bytes read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Redraws the bar, or prints a line if one is due.
    pub fn update(&mut self, totals: &Totals) {
        match self.display {
            Display::Bar => {
                let columns = Term::stderr().size_checked();
                let columns = columns.map_or(COLUMNS, |(_, columns)| columns);
                let text = layout::bar(usize::from(columns), &self.facts(totals));
                self.bar.set_message(text);
            }
            Display::Lines => {
                if self.lines.is_due(self.begun.elapsed()) {
                    self.print(totals);
                }
            }
            Display::Nothing => {}
        }
    }

    /// Shows that the next attempt begins after this time.
    pub fn pause(&mut self, totals: &Totals, left: Duration) {
        self.pause = Some(left);
        self.update(totals);
        self.pause = None;
    }

    fn facts(&self, totals: &Totals) -> ProgressState {
        let elapsed = self.begun.elapsed();
        let is_settled = elapsed >= SETTLED;
        let done = totals.images();
        let bytes = self.bytes();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (is_settled && done > 0).then(|| done as f64 / elapsed.as_secs_f64());
        // With --deep the number of images says little about the time left.
        let left = self.total.map(|total| total.saturating_sub(done));
        #[expect(clippy::cast_precision_loss, reason = "a time for people")]
        let left = left
            .zip(rate)
            .filter(|_| bytes == 0)
            .map(|(left, rate)| Duration::from_secs_f64(left as f64 / rate));
        ProgressState {
            words: self.words,
            counts: totals.counts,
            done,
            total: self.total,
            left,
            rate,
            bytes,
            elapsed: is_settled.then_some(elapsed),
            waiting: self.waits.first(),
            pause: self.pause,
        }
    }

    fn print(&self, totals: &Totals) {
        let text = line::one_line(&layout::plain(&self.facts(totals)));
        let mut out = String::new();
        line::append(&mut out, false, Level::Info, None, &text);
        // Nobody reads a closed standard error.
        let _ = io::stderr().write_all(out.as_bytes());
    }

    /// Hides the bar during a write to the terminal.
    pub fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Removes the bar, or prints the last line.
    pub fn finish(&self, totals: &Totals) {
        match self.display {
            Display::Lines => self.print(totals),
            Display::Bar | Display::Nothing => self.bar.finish_and_clear(),
        }
    }
}

/// Plain lines are due at once, and then at each multiple of [`INTERVAL`].
#[derive(Debug, Default)]
struct Schedule {
    /// Time since the start of the run.
    next: Duration,
}

impl Schedule {
    /// `elapsed`: since the start of the run.
    fn is_due(&mut self, elapsed: Duration) -> bool {
        let is_due = elapsed >= self.next;
        while self.next <= elapsed {
            self.next += INTERVAL;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_is_due_every_ten_seconds() {
        let mut schedule = Schedule::default();
        let times = [
            0, 1, 500, 9_999, 10_000, 10_500, 19_000, 47_000, 49_000, 50_001,
        ];
        let due = times.map(|time| schedule.is_due(Duration::from_millis(time)));
        assert_eq!(
            due,
            [
                true, false, false, false, true, false, false, true, false, true
            ]
        );
    }
}
