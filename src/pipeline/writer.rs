//! The writer: takes events in batches, prints the log, and hands every finding to the sinks.
//!
//! Within a batch, every failure is written to disk before its log line is printed. Users rely on this
//! order.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::attempts::{Attempts, NextAttempt, Pauses, is_unchanged};
use super::event::Event;
use super::grace::Grace;
use super::places::{Load, Places};
use super::printer::Printer;
use super::signals::Signals;
use super::{Input, LogForm};
use crate::list::{Line, NumberedImage};
use crate::log::{Level, Record};
use crate::manifest::Digest;
use crate::output::{
    Causes, LineResult, ListEnd, OutcomeLog, OutputError, Progress, RunEnd, Sink, Totals, duration,
};
use crate::task::{Task, TaskWording};
use crate::verdict::{Finding, Reason};

/// Limit of the events that share one write to disk and one to standard output.
const BATCH: usize = 1024;

/// Time between two redraws of the bar without events.
const TICK: Duration = Duration::from_millis(500);

/// Wait for a signal that may have arrived together with the end of terminal input.
const LATE_SIGNAL: Duration = Duration::from_millis(50);

/// The writer's state.
pub struct Writer {
    task: Arc<dyn Task>,
    words: &'static TaskWording,
    may_be_empty: bool,
    sinks: Vec<Box<dyn Sink>>,
    printer: Printer,
    input: Input,
    places: Arc<Places>,
    begun: Instant,
    totals: Totals,
    causes: Causes,
    outcomes: OutcomeLog,
    /// Lines in progress, by number.
    in_flight: HashMap<u64, (Line, NumberedImage, Load)>,
    /// Findings of lines that waited for another one with the same image, and of which the reader has
    /// not told yet: a thread of the pool may be quicker.
    early: HashMap<u64, Box<Finding>>,
    /// With `--wait`.
    attempts: Option<(Attempts, Pauses)>,
    /// The list is being read for the first time.
    is_first_attempt: bool,
    /// Places that the current batch gives back.
    freed: Load,
    /// Images whose source and destination differ.
    true_mirrors: u64,
    own_mirrors: u64,
    /// `None`: the reader is running.
    list_end: Option<ListEnd>,
    /// The digest of the list, as soon as it is known.
    list_digest: Option<Digest>,
}

/// The end of a run.
pub struct Ended {
    pub totals: Totals,
    /// Write error of standard output; a closed pipe is no error.
    pub stdout_error: Option<io::Error>,
}

impl Writer {
    pub fn new(
        task: Arc<dyn Task>,
        may_be_empty: bool,
        sinks: Vec<Box<dyn Sink>>,
        progress: Progress,
        form: LogForm,
        input: Input,
        places: Arc<Places>,
    ) -> Self {
        let words = task.words();
        Self {
            words,
            task,
            may_be_empty,
            sinks,
            printer: Printer::new(form, progress),
            input,
            places,
            begun: Instant::now(),
            totals: Totals::default(),
            causes: Causes::new(),
            outcomes: OutcomeLog::new(words, form.level > Level::Info),
            in_flight: HashMap::new(),
            early: HashMap::new(),
            attempts: None,
            is_first_attempt: true,
            freed: Load::default(),
            true_mirrors: 0,
            own_mirrors: 0,
            list_end: None,
            list_digest: None,
        }
    }

    /// Sets the digest of the list, if it is known before the list is read.
    pub fn of_list(self, list_digest: Option<Digest>) -> Self {
        Self {
            list_digest,
            ..self
        }
    }

    /// With attempts until this time is over.
    pub fn with_attempts(self, time: Option<Duration>) -> Self {
        let attempts = time.map(|time| (Attempts::default(), Pauses::new(time, self.begun)));
        Self { attempts, ..self }
    }

    /// Works until all senders are gone, or until the grace after a signal is used up.
    pub fn run(&mut self, events: &Receiver<Event>, signals: &Signals) {
        let mut may_go_on = !self.is_first_attempt || self.each_sink(|sink| sink.begin());
        let mut grace: Option<Grace> = None;
        while may_go_on {
            let wait = grace.as_ref().map_or(TICK, Grace::left);
            let waiting = Instant::now();
            let mut made_progress = false;
            select! {
                recv(events) -> event => {
                    let waited = waiting.elapsed();
                    let Ok(event) = event else { break };
                    made_progress |= self.handle(event);
                    for event in events.try_iter().take(BATCH) {
                        made_progress |= self.handle(event);
                    }
                    if let Some(grace) = &mut grace {
                        grace.waited(waited, made_progress);
                    }
                    may_go_on = self.flush();
                    self.print();
                }
                recv(signals.receiver) -> signal => if let Ok(signal) = signal {
                    self.totals.signal = Some(signal);
                    grace = Some(Grace::new(matches!(self.input, Input::List { is_file: true })));
                    if self.input == Input::Terminal && self.in_flight.is_empty() {
                        break;
                    }
                },
                default(wait) => if let Some(grace) = &mut grace {
                    grace.waited(waiting.elapsed(), false);
                },
            }
            if grace.as_ref().is_some_and(Grace::is_over) {
                break;
            }
            self.printer.progress.update(&self.totals);
        }
        self.note_late_signal(signals);
        self.settle_rest();
    }

    /// Settles the lines without an outcome: images in progress when a signal arrived, and lines for which
    /// the outcome of the previous attempt stands.
    fn settle_rest(&mut self) {
        for (_, (line, image, _)) in std::mem::take(&mut self.in_flight) {
            self.ended(&line, Some(&image), &Reason::interrupted().into());
        }
        let attempts = self.attempts.as_ref();
        let rest = attempts.map_or_else(Vec::new, |(attempts, _)| attempts.rest());
        for (line, image) in rest {
            self.ended(&line, image.as_ref(), &Reason::interrupted().into());
        }
    }

    /// Ends a run whose next attempt cannot begin: the outcomes of the previous attempt stand.
    pub fn give_up(&mut self, error: &dyn std::fmt::Display) {
        self.warn(&format!("no further attempt: {error}"));
        self.settle_rest();
    }

    /// Ends an attempt, and waits for the next one; `None`: there is none.
    pub fn next_attempt(&mut self, signals: &Signals) -> Option<NextAttempt> {
        let may_go_on = self.totals.signal.is_none()
            && !self.totals.broke
            && self.list_end == Some(ListEnd::Whole)
            && self.true_mirrors > 0;
        let (attempts, pauses) = self.attempts.as_mut().filter(|_| may_go_on)?;
        let images = attempts.images();
        if images == 0 {
            return None;
        }
        let pause = pauses.next(Instant::now())?;
        let again = attempts.begin();
        self.printer.progress.update(&self.totals);
        let may_go_on = self.restart_sinks();
        let s = if images == 1 { "" } else { "s" };
        let text = format!(
            "{images} image{s} did not pass; the next attempt begins in {}",
            duration(pause)
        );
        if may_go_on {
            self.printer.log(Level::Info, None, &text);
            self.print();
            self.totals.signal = self.pause(pause, signals);
        }
        self.totals.forget_unsettled();
        self.causes.restart();
        self.is_first_attempt = false;
        if !may_go_on {
            self.settle_rest();
            return None;
        }
        Some(again)
    }

    /// Lets this time pass; the signal that ends it.
    fn pause(&mut self, time: Duration, signals: &Signals) -> Option<i32> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            self.printer.progress.pause(&self.totals, left);
            match signals.receiver.recv_timeout(left.min(TICK)) {
                Ok(signal) => return Some(signal),
                Err(_) if left <= TICK => return None,
                Err(_) => {}
            }
        }
    }

    /// Puts all files in their places as of now. False: a vital one cannot be written.
    fn restart_sinks(&mut self) -> bool {
        let totals = Totals {
            bytes: self.printer.progress.bytes(),
            ..self.totals.clone()
        };
        let (elapsed, list_digest) = (self.begun.elapsed(), self.list_digest.clone());
        let end = RunEnd {
            totals: &totals,
            elapsed,
            list: ListEnd::Whole,
            list_digest: list_digest.as_ref(),
        };
        self.each_sink(|sink| sink.restart(&end))
    }

    /// Prints a warning between two attempts.
    pub fn warn(&mut self, text: &str) {
        self.printer.log(Level::Warn, None, text);
        self.print();
    }

    /// A signal may arrive together with the end of the input.
    fn note_late_signal(&mut self, signals: &Signals) {
        if self.totals.signal.is_none() {
            let late = match self.input {
                Input::Terminal => signals.receiver.recv_timeout(LATE_SIGNAL).ok(),
                Input::List { .. } | Input::Lines => None,
            };
            self.totals.signal = late.or_else(|| signals.arrived());
        }
    }

    /// Returns true if the reader has made progress in the list.
    fn handle(&mut self, event: Event) -> bool {
        match event {
            Event::Log(Record { level, image, text }) => {
                self.printer.log(level, image, &text);
            }
            Event::Begun { line, image, load } => match self.early.remove(&line.number) {
                Some(finding) => {
                    self.freed += load;
                    self.ended(&line, Some(&image), &finding);
                }
                None => {
                    self.in_flight.insert(line.number, (line, image, load));
                }
            },
            Event::PutAside { line } => {
                if let Some((_, _, load)) = self.in_flight.get_mut(&line) {
                    self.freed += load.put_aside();
                }
            }
            Event::Ended { line, finding } => match self.in_flight.remove(&line) {
                Some((line, image, load)) => {
                    self.freed += load;
                    self.ended(&line, Some(&image), &finding);
                }
                None => {
                    self.early.insert(line, finding);
                }
            },
            Event::NotBegun {
                line,
                image,
                reason,
                load,
            } => {
                self.freed += load;
                self.ended(&line, image.as_ref(), &Finding::from(reason));
                return true;
            }
            Event::ListEnded(Ok(digest)) => {
                self.list_end = Some(match self.input {
                    Input::List { .. } => {
                        self.list_digest = digest;
                        ListEnd::Whole
                    }
                    Input::Lines | Input::Terminal => ListEnd::Typed,
                });
            }
            Event::ListEnded(Err(message)) => {
                self.list_end = Some(ListEnd::Cut);
                self.list_digest = None;
                self.totals.broke = true;
                self.printer.log(Level::Error, None, &message);
            }
            Event::Prompt(text) => {
                self.printer.prompt(text);
            }
        }
        false
    }

    fn ended(&mut self, line: &Line, image: Option<&NumberedImage>, finding: &Finding) {
        self.totals.requests += finding.requests;
        let before = self.attempts.as_mut();
        let before = before.and_then(|(attempts, _)| attempts.before(line));
        // If a signal interrupted this attempt, the outcome of the earlier attempt counts.
        let standing = match &before {
            Some(before) if finding.outcome.is_interrupted() => Some(Finding::from(before.clone())),
            _ => None,
        };
        let finding = standing.as_ref().unwrap_or(finding);
        if let Some((attempts, _)) = &mut self.attempts {
            attempts.add(line, image, finding);
        }
        self.totals.counts.add(&finding.outcome);
        let lacks = u64::from(!finding.absent.is_empty());
        self.totals.lacking += lacks;
        if finding.outcome.has_passed() {
            self.totals.lacking_passed += lacks;
        }
        if self.is_first_attempt {
            self.note_own_mirror(image);
        }
        let entry = LineResult {
            line,
            image,
            finding,
        };
        for sink in &mut self.sinks {
            sink.take(&entry);
        }
        self.causes.add(&entry);
        if before.is_some_and(|before| is_unchanged(&before, &finding.outcome)) {
            return;
        }
        let number = image.map(|image| image.number);
        self.printer.log_lines(number, self.outcomes.lines(&entry));
    }

    /// Warns of an image that is compared with itself, which always passes.
    fn note_own_mirror(&mut self, image: Option<&NumberedImage>) {
        let Some(image) = image else { return };
        if !self.task.compares_registries() || !image.image.is_its_own_mirror() {
            self.true_mirrors += 1;
        } else {
            self.own_mirrors += 1;
            let text = format!(
                "[{}]: source and destination are the same image; use -d for the mirror's registry",
                image.image.source_name()
            );
            self.printer.log(Level::Warn, Some(image.number), &text);
        }
    }

    /// Ends a batch. False: a vital sink cannot be written, and nothing may go on.
    fn flush(&mut self) -> bool {
        let may_go_on = self.each_sink(|sink| sink.flush());
        self.places.give_back(std::mem::take(&mut self.freed));
        may_go_on
    }

    /// Does something with every sink; those that cannot be written are dropped. False: a vital one.
    fn each_sink(&mut self, mut act: impl FnMut(&mut dyn Sink) -> Result<(), OutputError>) -> bool {
        let mut may_go_on = true;
        let mut errors = Vec::new();
        self.sinks.retain_mut(|sink| match act(&mut **sink) {
            Ok(()) => true,
            Err(error) => {
                may_go_on &= !sink.is_vital();
                errors.push(error);
                false
            }
        });
        if !may_go_on {
            // Results that are not on disk are not printed.
            self.printer.discard();
        }
        for error in errors {
            self.broke(&error);
        }
        may_go_on
    }

    fn broke(&mut self, error: &OutputError) {
        self.totals.broke = true;
        self.printer.log(Level::Error, None, &error.to_string());
    }

    /// Prints the batch's log.
    fn print(&mut self) {
        self.totals.broke |= !self.printer.print();
    }

    /// Ends the run: the files are put in their places, and the summary is printed.
    pub fn end(mut self) -> Ended {
        self.printer.progress.finish(&self.totals);
        if self.totals.signal.is_some() {
            self.printer.leave_prompt();
        }
        if self.totals.signal.is_none() && !self.totals.broke {
            self.close();
        }
        self.totals.bytes = self.printer.progress.bytes();
        let elapsed = self.begun.elapsed();
        let notes = self.finish_sinks(elapsed);
        let mut summary = self.causes.lines(chrono::Local::now());
        summary.push(self.totals.summary(self.words, elapsed, &notes));
        for text in summary {
            self.printer.summary(&text);
        }
        self.print();
        Ended {
            totals: self.totals,
            stdout_error: self.printer.into_error(),
        }
    }

    /// Logs warnings and errors on the whole run.
    fn close(&mut self) {
        let images = self.totals.images();
        let error = if self.input == Input::Terminal {
            return;
        } else if images == 0 && !self.may_be_empty {
            "the list has no images; use --allow-empty if this is expected"
        } else if self.own_mirrors > 0 && self.true_mirrors == 0 {
            "source and destination are the same image in every line; use -d for the mirror's registry"
        } else {
            for warning in self.task.closing_warnings() {
                self.printer.log(Level::Warn, None, &warning);
            }
            return;
        };
        self.totals.broke = true;
        self.printer.log(Level::Error, None, error);
    }

    /// Puts all files in their places; the notes for the summary.
    fn finish_sinks(&mut self, elapsed: Duration) -> Vec<String> {
        let list = match (self.list_end, self.input) {
            // The typed images end when the person says so.
            (None, Input::Terminal) => ListEnd::Typed,
            (None, Input::List { .. } | Input::Lines) => ListEnd::Cut,
            (Some(end), _) => end,
        };
        let mut notes = Vec::new();
        for sink in std::mem::take(&mut self.sinks) {
            let end = RunEnd {
                totals: &self.totals,
                elapsed,
                list,
                list_digest: self.list_digest.as_ref(),
            };
            match sink.finish(&end) {
                Ok(found) => notes.extend(found),
                Err(error) => self.broke(&error),
            }
        }
        notes
    }
}
