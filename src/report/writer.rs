//! The writer: takes events, in batches, and makes of them what people and scripts read.
//!
//! The order within a batch is the promise that users rely on: first every failure is put on
//! disk, then its log line is printed.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};

use super::event::{Event, Level, Outcome};
use super::failed::FailedList;
use super::line;
use super::progress::Progress;
use super::summary::Totals;
use crate::list::Line;

/// The most events that share one write to the disk and one to standard output.
const BATCH: usize = 1024;

/// How long after a signal the images in flight may still come to an end.
const GRACE: Duration = Duration::from_millis(700);

/// The writer's state.
pub struct Writer {
    /// Where the failures go.
    pub failed: FailedList,
    /// The bar.
    pub progress: Progress,
    /// The least level that is printed.
    pub level: Level,
    /// Whether levels are coloured.
    pub color: bool,
    /// Gives back the place of each line that has come to an end.
    pub places: Sender<()>,
}

/// What a run has come to so far.
struct State {
    writer: Writer,
    begun: Instant,
    totals: Totals,
    /// Lines that are being validated, by number.
    in_flight: HashMap<u64, Line>,
    /// What the current batch prints.
    out: String,
    /// Standard output is closed: nothing is printed any more.
    closed: bool,
    /// Places that the current batch gives back.
    freed: usize,
    /// The failed list could not be written.
    list_broke: bool,
    /// The last line on the terminal is a prompt.
    at_prompt: bool,
    /// After a signal: when the images in flight are given up.
    deadline: Option<Instant>,
}

impl Writer {
    /// Works until all senders are gone, or until a signal's time of grace is over.
    pub fn run(self, events: &Receiver<Event>, signals: &Receiver<i32>) -> Totals {
        let mut state = State {
            writer: self,
            begun: Instant::now(),
            totals: Totals::default(),
            in_flight: HashMap::new(),
            out: String::new(),
            closed: false,
            freed: 0,
            deadline: None,
            list_broke: false,
            at_prompt: false,
        };
        loop {
            let wait = match state.deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::from_millis(500),
            };
            select! {
                recv(events) -> event => {
                    let Ok(event) = event else { break };
                    state.handle(event);
                    for event in events.try_iter().take(BATCH) {
                        state.handle(event);
                    }
                    if !state.flush() {
                        break;
                    }
                }
                recv(signals) -> signal => if let Ok(signal) = signal {
                    state.totals.signal = Some(signal);
                    state.deadline = Some(Instant::now() + GRACE);
                },
                default(wait) => {}
            }
            // Events may go on coming: a run that was interrupted ends all the same.
            if state
                .deadline
                .is_some_and(|deadline| deadline <= Instant::now())
            {
                break;
            }
            state.writer.progress.update(&state.totals);
        }
        state.end()
    }
}

impl State {
    fn handle(&mut self, event: Event) {
        match event {
            Event::Log { level, image, text } => self.log(level, image, &line::one_line(&text)),
            Event::Begun(line) => {
                self.in_flight.insert(line.number, line);
            }
            Event::Ended {
                number,
                image,
                source,
                outcome,
            } => {
                self.freed += 1;
                if let Some(line) = self.in_flight.remove(&number) {
                    self.ended(&line, image, &source, outcome);
                }
            }
            Event::NotAnImage { line, message } => {
                self.freed += 1;
                self.log(Level::Error, None, &line::one_line(&message));
                self.not_validated(&line);
            }
            Event::NotBegun(line) => {
                self.not_validated(&line);
                // The rest of the list is being read, quickly: wait for all of it.
                self.deadline = self.deadline.map(|_| Instant::now() + GRACE);
            }
            Event::ListBroke(message) => {
                self.totals.broke = true;
                self.log(Level::Error, None, &line::one_line(&message));
            }
            Event::Prompt(text) => {
                self.at_prompt = !text.ends_with('\n');
                self.out.push_str(text);
            }
        }
    }

    fn ended(&mut self, line: &Line, image: u64, source: &str, outcome: Outcome) {
        let image = Some(image);
        match outcome {
            Outcome::Passed { compared } => {
                self.totals.passed += 1;
                self.log(
                    Level::Info,
                    image,
                    &line::one_line(&format!("PASS {compared}")),
                );
            }
            Outcome::Failed { details, reason } => {
                self.totals.failed += 1;
                self.writer.failed.add(line);
                for detail in details {
                    self.log(Level::Error, image, &line::block(&detail));
                }
                self.log(
                    Level::Error,
                    image,
                    &line::one_line(&format!("FAILED [{source}]")),
                );
                self.log(Level::Error, image, &line::one_line(&reason));
            }
            Outcome::NotValidated { cause } => {
                self.not_validated(line);
                self.log(
                    Level::Error,
                    image,
                    &line::one_line(&format!("NOT VALIDATED [{source}]")),
                );
                self.log(Level::Error, image, &line::one_line(&cause));
            }
            Outcome::Interrupted => self.not_validated(line),
        }
    }

    fn not_validated(&mut self, line: &Line) {
        self.totals.not_validated += 1;
        self.writer.failed.add(line);
    }

    fn log(&mut self, level: Level, image: Option<u64>, text: &str) {
        if level >= self.writer.level {
            line::append(&mut self.out, self.writer.color, level, image, text);
        }
    }

    /// Ends a batch. False: the failed list cannot be written, and nothing may go on.
    fn flush(&mut self) -> bool {
        let synced = self.writer.failed.sync();
        if let Err(error) = &synced {
            // What was to be printed is not on disk: it is not printed either.
            self.out.clear();
            self.list_broke = true;
            self.totals.broke = true;
            self.log(Level::Error, None, &line::one_line(&error.to_string()));
        }
        self.print();
        for _ in 0..std::mem::take(&mut self.freed) {
            // Nobody waits for a place any more once the list has been read.
            let _ = self.writer.places.try_send(());
        }
        synced.is_ok()
    }

    fn print(&mut self) {
        if !self.out.is_empty() && !self.closed {
            let out = self.out.as_bytes();
            let mut result = Ok(());
            self.writer.progress.suspend(|| {
                let mut stdout = io::stdout().lock();
                result = stdout.write_all(out).and_then(|()| stdout.flush());
            });
            self.closed = result.is_err();
        }
        self.out.clear();
    }

    fn end(mut self) -> Totals {
        // After a signal: what is still in flight is not validated.
        for (_, line) in std::mem::take(&mut self.in_flight) {
            self.not_validated(&line);
        }
        self.writer.progress.clear();
        if self.at_prompt && self.totals.signal.is_some() {
            // The terminal shows `^C` behind the prompt.
            self.out.push('\n');
        }
        if self.totals.images() == 0 && self.totals.signal.is_none() && !self.totals.broke {
            self.log(Level::Warn, None, "there is no image in the list");
        }
        let path = if self.list_broke {
            None
        } else {
            self.finish_list()
        };
        let summary = self.totals.summary(self.begun.elapsed(), path.as_deref());
        line::append(
            &mut self.out,
            self.writer.color,
            Level::Info,
            None,
            &line::one_line(&summary),
        );
        self.print();
        self.totals
    }

    fn finish_list(&mut self) -> Option<PathBuf> {
        match self.writer.failed.finish() {
            Ok(path) => path,
            Err(error) => {
                self.totals.broke = true;
                self.log(Level::Error, None, &line::one_line(&error.to_string()));
                None
            }
        }
    }
}
