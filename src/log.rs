//! Levels, and the port through which all code logs.
//!
//! A [`Log`] knows neither files nor terminals: it hands records to whoever the run gave it, and
//! counts what an image costs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The importance of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every request, for finding the cause of a problem.
    Debug,
    /// Progress of the run.
    Info,
    /// A problem that the run can go on with.
    Warn,
    /// An image that did not pass, or a problem that ends the run.
    Error,
}

/// One log line, not yet escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its importance.
    pub level: Level,
    /// The number (`M_ID`) of the image that it is about.
    pub image: Option<u64>,
    /// The text, of one line.
    pub text: String,
}

/// The hosts that requests wait for, in the whole run. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Waits(Arc<Mutex<BTreeMap<String, HostWait>>>);

#[derive(Debug, Default)]
struct HostWait {
    /// Requests that wait for it.
    requests: usize,
    /// The highest number of an attempt.
    attempt: u32,
}

/// A host that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub host: String,
    /// The number of the attempt that comes.
    pub attempt: u32,
    /// Further hosts.
    pub others: usize,
}

/// A request that waits for its host; it ends with its value.
#[derive(Debug)]
pub struct Wait {
    waits: Waits,
    host: String,
}

impl Waits {
    /// The host that most requests wait for.
    pub fn first(&self) -> Option<Waiting> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (host, wait) = hosts.iter().max_by_key(|(_, wait)| wait.requests)?;
        Some(Waiting {
            host: host.clone(),
            attempt: wait.attempt,
            others: hosts.len() - 1,
        })
    }

    fn begin(&self, host: &str, attempt: u32) -> Wait {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = hosts.entry(host.to_owned()).or_default();
        wait.requests += 1;
        wait.attempt = wait.attempt.max(attempt);
        Wait {
            waits: self.clone(),
            host: host.to_owned(),
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut hosts = self.waits.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = hosts.get_mut(&self.host) {
            wait.requests -= 1;
            if wait.requests == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

/// Takes log records and counts the cost of an image; cheap to clone, one for each image.
#[derive(Clone)]
pub struct Log {
    port: Arc<dyn Fn(Record) + Send + Sync>,
    debug: bool,
    image: Option<u64>,
    requests: Arc<AtomicU64>,
    /// Bytes of blobs, in the whole run.
    bytes: Arc<AtomicU64>,
    /// Where an image can be put aside while its registry is down: whether it was.
    aside: Option<Arc<Aside>>,
    waits: Waits,
}

/// Whether an image was put aside, and what it waits for.
#[derive(Default)]
struct Aside {
    is_set: AtomicBool,
    wait: Mutex<Option<Wait>>,
}

impl Log {
    /// A log for what is about no image; `debug`: whether debug records are wanted at all.
    pub fn new(debug: bool, port: impl Fn(Record) + Send + Sync + 'static) -> Self {
        Self {
            port: Arc::new(port),
            debug,
            image: None,
            requests: Arc::default(),
            bytes: Arc::default(),
            aside: None,
            waits: Waits::default(),
        }
    }

    /// A log that drops everything.
    #[cfg(test)]
    pub fn discard() -> Self {
        Self::new(false, |_| ())
    }

    /// The same counters and hosts, with records for another port.
    pub fn with_port(&self, port: impl Fn(Record) + Send + Sync + 'static) -> Self {
        Self {
            port: Arc::new(port),
            ..self.clone()
        }
    }

    /// A log for one image, with no requests counted yet.
    pub fn for_image(&self, image: u64) -> Self {
        Self {
            image: Some(image),
            requests: Arc::default(),
            ..self.clone()
        }
    }

    /// The same for an image that can be put aside: whoever would wait for a registry that is down gives
    /// it back instead ([`Log::put_aside`]).
    pub fn with_aside(self) -> Self {
        Self {
            aside: Some(Arc::default()),
            ..self
        }
    }

    /// The same for work that nothing has to wait for: it does not put the image aside, and does not
    /// keep the port, so that the run can end before it.
    pub fn in_background(&self) -> Self {
        let port = Arc::downgrade(&self.port);
        Self {
            port: Arc::new(move |record| {
                if let Some(port) = port.upgrade() {
                    port(record);
                }
            }),
            aside: None,
            ..self.clone()
        }
    }

    /// Puts the image aside, if that is possible; then its work ends as if it was interrupted. `wait`:
    /// what it waits for, shown as long as this log lives.
    pub fn put_aside(&self, wait: impl FnOnce() -> Option<Wait>) -> bool {
        let Some(aside) = &self.aside else {
            return false;
        };
        aside.is_set.store(true, Ordering::Relaxed);
        *aside.wait.lock().unwrap_or_else(PoisonError::into_inner) = wait();
        true
    }

    /// Whether the image can be put aside.
    pub fn can_put_aside(&self) -> bool {
        self.aside.is_some()
    }

    /// Whether the image was put aside.
    pub fn is_aside(&self) -> bool {
        self.aside
            .as_ref()
            .is_some_and(|aside| aside.is_set.load(Ordering::Relaxed))
    }

    /// Counts a request that is sent for the image.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests that have been sent for the image.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts bytes of blobs that were read.
    pub fn count_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counter of all bytes of blobs that the run reads.
    pub fn bytes(&self) -> Arc<AtomicU64> {
        self.bytes.clone()
    }

    /// Tells that a request waits for this host before its attempt of this number.
    pub fn wait(&self, host: &str, attempt: u32) -> Wait {
        self.waits.begin(host, attempt)
    }

    /// The hosts that requests wait for.
    pub fn waits(&self) -> Waits {
        self.waits.clone()
    }

    /// Logs for debugging; the text is only made if it is wanted.
    pub fn debug(&self, text: impl FnOnce() -> String) {
        if self.debug {
            self.record(Level::Debug, text());
        }
    }

    /// Whether debug records are wanted.
    pub fn wants_debug(&self) -> bool {
        self.debug
    }

    /// Logs a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.record(Level::Warn, text.into());
    }

    fn record(&self, level: Level, text: String) {
        (self.port)(Record {
            level,
            image: self.image,
            text,
        });
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("image", &self.image).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_waited_for_until_the_last_request_is_through() {
        let waits = Waits::default();
        assert_eq!(waits.first(), None);
        let waiting = |host: &str, attempt, others| {
            let host = host.to_owned();
            Some(Waiting {
                host,
                attempt,
                others,
            })
        };
        let one = waits.begin("a.io", 2);
        let other = waits.begin("b.io", 3);
        let third = waits.begin("b.io", 1);
        assert_eq!(waits.first(), waiting("b.io", 3, 1));
        drop(other);
        drop(one);
        assert_eq!(waits.first(), waiting("b.io", 3, 0));
        drop(third);
        assert_eq!(waits.first(), None);
    }
}
