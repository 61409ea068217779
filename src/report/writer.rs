//! The writer: takes events, in batches, and makes of them what people and scripts read.
//!
//! The order within a batch is the promise that users rely on: first every failure is put on
//! disk, then its log line is printed.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};

use super::code::Code;
use super::event::{Event, Finding, Level, Numbered, Outcome};
use super::failed::FailedList;
use super::json::Report;
use super::line;
use super::metrics::Metrics;
use super::output::OutputError;
use super::progress::Progress;
use super::recording::RecordingFile;
use super::summary::{Counts, Totals, Work};
use crate::list::Line;

/// The most events that share one write to the disk and one to standard output.
const BATCH: usize = 1024;

/// How long after a signal the images in flight may still come to an end.
const GRACE: Duration = Duration::from_millis(700);

/// The writer's state.
pub struct Writer {
    /// What the run does, in words.
    pub work: Work,
    /// Where the failures go.
    pub failed: FailedList,
    /// What became of each line, for programs.
    pub report: Option<Report>,
    /// The totals, for Prometheus.
    pub metrics: Option<Metrics>,
    /// What the sources are.
    pub recording: Option<RecordingFile>,
    /// The bar.
    pub progress: Progress,
    /// The least level that is printed.
    pub level: Level,
    /// Whether levels are coloured.
    pub color: bool,
    /// A person types the images in: after a signal there is no rest of the list to wait for.
    pub is_typed: bool,
    /// Gives back the place of each line that has come to an end.
    pub places: Sender<()>,
}

/// What a run has come to so far.
struct State {
    writer: Writer,
    begun: Instant,
    totals: Totals,
    /// Lines that are being validated, by number.
    in_flight: HashMap<u64, (Line, Numbered)>,
    /// What the current batch prints.
    out: String,
    /// Standard output is closed: nothing is printed any more.
    closed: bool,
    /// Places that the current batch gives back.
    freed: usize,
    /// The failed list could not be written.
    list_broke: bool,
    /// The list was not read to its end: its failed list is not whole, and replaces nothing.
    is_cut: bool,
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
            is_cut: false,
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
                    let is_idle = state.writer.is_typed && state.in_flight.is_empty();
                    let grace = if is_idle { Duration::ZERO } else { GRACE };
                    state.deadline = Some(Instant::now() + grace);
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
        // The images that a signal gave up may have come to their end before the signal was seen.
        state.totals.signal = state.totals.signal.or_else(|| signals.try_recv().ok());
        state.end()
    }
}

impl State {
    fn handle(&mut self, event: Event) {
        match event {
            Event::Log { level, image, text } => self.log(level, image, &line::one_line(&text)),
            Event::Begun(line, image) => {
                self.in_flight.insert(line.number, (line, image));
            }
            Event::Ended { line, finding } => {
                self.freed += 1;
                if let Some((line, image)) = self.in_flight.remove(&line) {
                    self.ended(&line, &image, &finding);
                }
            }
            Event::NotAnImage { line, message } => {
                self.freed += 1;
                let message = line::one_line(&message);
                self.log(Level::Error, None, &message);
                self.not_an_image(&line, Code::InvalidLine, &message);
            }
            Event::NotBegun(line, image) => {
                match image {
                    Some(image) => self.ended(&line, &image, &Outcome::Interrupted.into()),
                    None => {
                        self.not_an_image(&line, Code::Interrupted, "the run was interrupted");
                    }
                }
                // The rest of the list is being read, quickly: wait for all of it.
                self.deadline = self.deadline.map(|_| Instant::now() + GRACE);
            }
            Event::ListBroke(message) => {
                self.totals.broke = true;
                self.is_cut = true;
                self.log(Level::Error, None, &line::one_line(&message));
            }
            Event::Prompt(text) => {
                self.at_prompt = !text.ends_with('\n');
                self.out.push_str(text);
            }
        }
    }

    fn ended(&mut self, line: &Line, image: &Numbered, finding: &Finding) {
        let number = Some(image.number);
        let source = image.image.source_name();
        self.totals.requests += finding.requests;
        if let Some(report) = &mut self.writer.report {
            report.add(line, image, finding);
        }
        match &finding.outcome {
            Outcome::Passed => {
                self.count(image, |counts| counts.passed += 1);
                let text = format!("PASS {}", image.image.compared());
                self.log(Level::Info, number, &line::one_line(&text));
            }
            Outcome::Recorded(found) => {
                self.count(image, |counts| counts.passed += 1);
                let mut text = format!("RECORDED [{source}]");
                if let Some(found) = found {
                    text += &format!(": {}", found.digest);
                    if let Some(recording) = &mut self.writer.recording {
                        recording.add(found);
                    }
                }
                self.log(Level::Info, number, &line::one_line(&text));
            }
            Outcome::Failed {
                sides,
                details,
                reason,
                ..
            } => {
                self.count(image, |counts| counts.failed += 1);
                self.writer.failed.add(line);
                for side in sides {
                    self.log(Level::Error, number, &line::block(side));
                }
                for detail in details {
                    self.log(Level::Error, number, &line::one_line(detail));
                }
                let text = format!("FAILED [{source}]");
                self.log(Level::Error, number, &line::one_line(&text));
                self.log(Level::Error, number, &line::one_line(reason));
            }
            Outcome::NotValidated { cause, .. } => {
                self.not_validated(line, image);
                let words = self.writer.work.not_passed().to_uppercase();
                let text = format!("{words} [{source}]");
                self.log(Level::Error, number, &line::one_line(&text));
                self.log(Level::Error, number, &line::one_line(cause));
                if let Some(recording) = &mut self.writer.recording {
                    recording.add_missing(source);
                }
            }
            Outcome::Interrupted => {
                self.not_validated(line, image);
                if let Some(recording) = &mut self.writer.recording {
                    recording.add_unread(source);
                }
            }
        }
    }

    fn not_validated(&mut self, line: &Line, image: &Numbered) {
        self.count(image, |counts| counts.not_validated += 1);
        self.writer.failed.add(line);
    }

    /// Counts an image in the run's totals and in its destination registry's.
    fn count(&mut self, image: &Numbered, count: impl Fn(&mut Counts)) {
        count(&mut self.totals.counts);
        if let Some(metrics) = &mut self.writer.metrics {
            count(metrics.of(&image.image.destination.registry));
        }
    }

    fn not_an_image(&mut self, line: &Line, code: Code, message: &str) {
        self.totals.counts.not_validated += 1;
        self.writer.failed.add(line);
        if let Some(report) = &mut self.writer.report {
            report.add_line(line, code, message);
        }
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
            self.broke(error);
        }
        self.write_files();
        self.print();
        for _ in 0..std::mem::take(&mut self.freed) {
            // Nobody waits for a place any more once the list has been read.
            let _ = self.writer.places.try_send(());
        }
        synced.is_ok()
    }

    /// Puts what the batch found into the other files. One that cannot be written ends as an error; the
    /// images are validated all the same.
    fn write_files(&mut self) {
        if let Some(Err(error)) = self.writer.report.as_mut().map(Report::write) {
            self.writer.report = None;
            self.broke(&error);
        }
        if let Some(Err(error)) = self.writer.recording.as_mut().map(RecordingFile::write) {
            self.writer.recording = None;
            self.broke(&error);
        }
    }

    fn broke(&mut self, error: &OutputError) {
        self.totals.broke = true;
        self.log(Level::Error, None, &line::one_line(&error.to_string()));
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
        for (_, (line, image)) in std::mem::take(&mut self.in_flight) {
            self.ended(&line, &image, &Outcome::Interrupted.into());
        }
        self.writer.progress.clear();
        if self.at_prompt && self.totals.signal.is_some() {
            // The terminal shows `^C` behind the prompt.
            self.out.push('\n');
        }
        if self.totals.images() == 0 && self.totals.signal.is_none() && !self.totals.broke {
            self.log(Level::Warn, None, "there is no image in the list");
        }
        self.totals.bytes = self.writer.progress.bytes();
        let elapsed = self.begun.elapsed();
        let files = self.finish_files(elapsed);
        let summary = self.totals.summary(self.writer.work, elapsed, &files);
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

    /// Puts all files in their places; those that the summary names.
    fn finish_files(&mut self, elapsed: Duration) -> Vec<String> {
        let mut named = Vec::new();
        if self.is_cut && !self.list_broke {
            match self.writer.failed.leave() {
                Ok(name) => named.extend(name.map(|name| format!("found so far: {name}"))),
                Err(error) => self.broke(&error),
            }
        } else if !self.list_broke {
            match self.writer.failed.finish() {
                Ok(path) => {
                    named.extend(path.map(|path| format!("failed list: {}", path.display())));
                }
                Err(error) => self.broke(&error),
            }
        }
        match self.writer.recording.take().map(RecordingFile::finish) {
            Some(Ok(recorded)) => named.push(recorded.to_string()),
            Some(Err(error)) => self.broke(&error),
            None => {}
        }
        let report = self.writer.report.take();
        if let Some(Err(error)) = report.map(|report| report.finish(&self.totals)) {
            self.broke(&error);
        }
        let (metrics, work) = (self.writer.metrics.take(), self.writer.work);
        let finished = metrics.map(|metrics| metrics.finish(&self.totals, work, elapsed));
        if let Some(Err(error)) = finished {
            self.broke(&error);
        }
        named
    }
}
