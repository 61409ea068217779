//! The progress bar on standard error, which shares the terminal with the log on standard output.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Totals;
use crate::task::Words;

/// Rates measured over less than this are noise.
const SETTLED: Duration = Duration::from_secs(2);

/// Terminals of fewer columns have no room for a bar beside its numbers.
const NARROW: u16 = 60;

/// The bar; it may be hidden.
pub struct Progress {
    bar: ProgressBar,
    begun: Instant,
    total: Option<u64>,
    words: &'static Words,
    /// Bytes of blobs that have been read; other threads count them.
    bytes: Arc<AtomicU64>,
}

impl Progress {
    /// A bar over this many images, or over an unknown number of them.
    pub fn new(
        shown: bool,
        total: Option<u64>,
        words: &'static Words,
        bytes: Arc<AtomicU64>,
    ) -> Self {
        let target = if shown {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let position = if total.is_some() {
            "{pos}/{len}"
        } else {
            "{pos}"
        };
        // The message is cut to what is left of the line: a line that wraps cannot be taken away.
        let is_narrow = Term::stderr()
            .size_checked()
            .is_some_and(|(_, columns)| columns < NARROW);
        let template = match (is_narrow, total) {
            (true, _) => format!("{position} {{wide_msg}}"),
            (false, Some(_)) => format!("[{{bar:16}}] {position} {{wide_msg}}"),
            (false, None) => format!("{{spinner}} {position} {{wide_msg}}"),
        };
        // The template is ours and well formed; the default one would serve as well.
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        Self {
            bar,
            begun: Instant::now(),
            total,
            words,
            bytes,
        }
    }

    /// How many bytes of blobs have been read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Shows where the run stands.
    pub fn update(&self, totals: &Totals) {
        if self.bar.is_hidden() {
            return;
        }
        let mut message = totals.describe(self.words);
        let elapsed = self.begun.elapsed();
        let done = totals.images();
        let bytes = self.bytes();
        if bytes > 0 {
            message += &format!(", {} read", HumanBytes(bytes));
            if elapsed >= SETTLED {
                let rate = u128::from(bytes) * 1000 / elapsed.as_millis().max(1);
                let rate = u64::try_from(rate).unwrap_or(u64::MAX);
                message += &format!(" ({}/s)", HumanBytes(rate));
            }
        }
        if elapsed >= SETTLED && done > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = done as f64 / elapsed.as_secs_f64();
            message += &format!(", {rate:.1}/s");
            // Where blobs are read, images say little of the time that is left.
            let left = self.total.map(|total| total.saturating_sub(done));
            if let Some(left) = left.filter(|_| bytes == 0) {
                #[expect(clippy::cast_precision_loss, reason = "a time for people")]
                let left = Duration::from_secs_f64(left as f64 / rate);
                message += &format!(", {} left", super::summary::duration(left));
            }
        }
        self.bar.set_message(message);
        self.bar.set_position(done);
    }

    /// Takes the bar away while something is written to the terminal.
    pub fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Takes the bar away for good.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
