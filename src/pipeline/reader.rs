//! The reader: reads the lines of the list and passes images to the workers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::destinations::Destinations;
use super::event::Event;
use super::places::{Load, Places};
use super::workers::{Workers, describe_panic};
use crate::list::{Image, Line, List, NameRules, NumberedImage, Shard};
use crate::log::{Level, Record};
use crate::sync::Interrupt;
use crate::verdict::{Code, Reason};

/// Reads the list and keeps the workers busy.
pub struct Reader {
    /// The list.
    pub list: List,
    /// How names are resolved.
    pub rules: NameRules,
    /// The part of the list that this run takes; `None`: all of it.
    pub shard: Option<Shard>,
    /// The destinations so far; `None`: there are none.
    pub destinations: Option<Destinations>,
    /// A user types the images at a terminal.
    pub at_terminal: bool,
    /// Limits the lines in progress.
    pub places: Arc<Places>,
    /// Set when the run is to end.
    pub interrupt: Arc<Interrupt>,
    /// The writer.
    pub events: Sender<Event>,
}

impl Reader {
    /// Reads to the end, and always reports to the writer how the list ended.
    pub fn run(mut self, workers: &Workers) {
        let read = catch_unwind(AssertUnwindSafe(|| self.read(workers)));
        let end = read.unwrap_or_else(|panic| Err(describe_panic(panic.as_ref())));
        self.send(Event::ListEnded(end.map(|()| self.list.digest())));
    }

    /// # Errors
    /// Why the list was not read to its end, in words.
    fn read(&mut self, workers: &Workers) -> Result<(), String> {
        let mut images = 0;
        if self.at_terminal {
            self.send(Event::Prompt(
                "Type one image per line: SOURCE DESTINATION TAG, for example: hello-world library/hello-world latest\nPress Ctrl-D to end.\n",
            ));
        }
        while let Some(line) = self.next()? {
            if line.is_comment() {
                continue;
            }
            let image = self.rules.image(&line);
            images += u64::from(image.is_ok());
            if !self.is_ours(&line, image.as_ref().ok()) {
                continue;
            }
            if self.at_terminal && self.interrupt.is_set() {
                // Input after Ctrl-C belongs to the shell.
                break;
            }
            let number = images;
            match image {
                Ok(image) => {
                    self.note_destination(&line, &image);
                    let image = Arc::new(image);
                    self.image(workers, line, NumberedImage { number, image });
                }
                Err(message) => self.not_an_image(line, message),
            }
        }
        if self.at_terminal {
            self.send(Event::Prompt("\n"));
        }
        if self.list.has_changed() {
            return Err(format!(
                "the image list changed while it was being read: {}; run again when the list is complete",
                self.list.name()
            ));
        }
        Ok(())
    }

    fn note_destination(&mut self, line: &Line, image: &Image) {
        let destinations = self.destinations.as_mut();
        if let Some(text) = destinations.and_then(|known| known.add(line, image)) {
            self.send(Event::Log(Record {
                level: Level::Warn,
                image: None,
                text,
            }));
        }
    }

    fn next(&mut self) -> Result<Option<Line>, String> {
        let line = if self.at_terminal {
            self.wait_for_verdict();
            self.send(Event::Prompt(">>> "));
            // An empty line gets a new prompt, too.
            self.list.next_of_any_kind()
        } else {
            self.list.next_line()
        };
        line.map_err(|error| error.to_string())
    }

    /// Waits for the verdict on the last line, so that the next prompt comes after it.
    fn wait_for_verdict(&self) {
        let one = Load::image(0);
        if self.places.take(one, &self.interrupt) {
            self.places.give_back(one);
        }
    }

    /// Whether a line is in this run's part of the list.
    fn is_ours(&self, line: &Line, image: Option<&Image>) -> bool {
        let Some(shard) = self.shard else {
            return true;
        };
        match image {
            Some(image) => shard.has(image.source_name().as_bytes()),
            None => shard.has(&line.bytes),
        }
    }

    fn image(&self, workers: &Workers, line: Line, image: NumberedImage) {
        if let Err(image) = workers.take(line, image, &self.places, &self.interrupt) {
            let (line, image) = *image;
            self.send(Event::NotBegun {
                line,
                image: Some(image),
                reason: Reason::interrupted(),
                load: Load::default(),
            });
        }
    }

    fn not_an_image(&self, line: Line, message: String) {
        let load = Load::line(line.bytes.len());
        let (reason, load) = if self.places.take(load, &self.interrupt) {
            (Reason::new(Code::InvalidLine, message), load)
        } else {
            (Reason::interrupted(), Load::default())
        };
        self.send(Event::NotBegun {
            line,
            image: None,
            reason,
            load,
        });
    }

    fn send(&self, event: Event) {
        // The writer is gone only when the program ends.
        let _ = self.events.send(event);
    }
}
