//! The printer: writes the log of a batch to the terminal or pipe.

use std::io::{self, Write};

use super::LogForm;
use crate::log::Level;
use crate::output::{Progress, line};

/// Prints whole lines, above the progress bar.
pub struct Printer {
    form: LogForm,
    pub progress: Progress,
    /// The current batch.
    out: String,
    /// The stream is closed or failed: nothing is printed any more.
    is_closed: bool,
    /// Why standard output could not be written; a closed pipe is no error.
    error: Option<io::Error>,
    /// The last line on the terminal is a prompt.
    at_prompt: bool,
}

impl Printer {
    pub fn new(form: LogForm, progress: Progress) -> Self {
        Self {
            form,
            progress,
            out: String::new(),
            is_closed: false,
            error: None,
            at_prompt: false,
        }
    }

    /// Adds an entry to the batch; `text` is not escaped.
    pub fn log(&mut self, level: Level, image: Option<u64>, text: &str) {
        if level >= self.form.level {
            self.add(level, image, text);
        }
    }

    /// As above, for an entry of the summary, which is printed at every level.
    pub fn summary(&mut self, text: &str) {
        self.add(Level::Info, None, text);
    }

    fn add(&mut self, level: Level, image: Option<u64>, text: &str) {
        let text = line::one_line(text);
        line::append(&mut self.out, self.form.color, level, image, &text);
    }

    /// Adds escaped lines of an image's log.
    pub fn log_lines(&mut self, image: Option<u64>, lines: Vec<(Level, String)>) {
        for (level, text) in lines {
            if level >= self.form.level {
                line::append(&mut self.out, self.form.color, level, image, &text);
            }
        }
    }

    /// Adds text for the user at the terminal, unchanged.
    pub fn prompt(&mut self, text: &str) {
        self.at_prompt = !text.ends_with('\n');
        self.out.push_str(text);
    }

    /// Ends the line of a prompt after which the terminal shows `^C`.
    pub fn leave_prompt(&mut self) {
        if self.at_prompt {
            self.out.push('\n');
        }
    }

    /// Drops the batch, because its results are not on disk.
    pub fn discard(&mut self) {
        self.out.clear();
    }

    /// Prints the batch; false after a write error other than a closed pipe.
    pub fn print(&mut self) -> bool {
        let out = std::mem::take(&mut self.out);
        if out.is_empty() || self.is_closed {
            return true;
        }
        let mut result = Ok(());
        self.progress.suspend(|| {
            let mut stream: Box<dyn Write> = if self.form.to_stderr {
                Box::new(io::stderr().lock())
            } else {
                Box::new(io::stdout().lock())
            };
            result = stream
                .write_all(out.as_bytes())
                .and_then(|()| stream.flush());
        });
        let Err(error) = result else { return true };
        self.is_closed = true;
        // `| head` closes standard output early: no error.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return true;
        }
        // An error of standard error cannot be reported on standard error.
        self.error = Some(error).filter(|_| !self.form.to_stderr);
        false
    }

    /// Why standard output could not be written.
    pub fn into_error(self) -> Option<io::Error> {
        self.error
    }
}
