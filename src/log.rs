//! Log levels, and the [`Log`] that all code logs to.
//! A [`Log`] passes records to the function of the run, and counts requests and bytes per image.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every request, with `-debug`.
    Debug,
    /// Progress of the run.
    Info,
    /// A problem that does not stop the run.
    Warn,
    /// An image that did not pass, or a problem that stops the run.
    Error,
}

/// One log line, not yet escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub level: Level,
    /// `M_ID` of the image.
    pub image: Option<u64>,
    /// One line.
    pub text: String,
}

/// The hosts that requests of the run wait for. Clones share one map.
#[derive(Clone, Debug, Default)]
pub struct Waits(Arc<Mutex<BTreeMap<String, HostWait>>>);

#[derive(Debug, Default)]
struct HostWait {
    /// Waiting requests.
    requests: usize,
    /// The highest attempt number of these requests.
    attempt: u32,
}

/// A host that requests wait for, for the progress bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub host: String,
    /// Number of the next attempt.
    pub attempt: u32,
    /// Number of further hosts.
    pub others: usize,
}

/// Registers a waiting request until it is dropped.
#[derive(Debug)]
pub struct Wait {
    waits: Waits,
    host: String,
}

impl Waits {
    /// The host with the most waiting requests.
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

/// Accepts log records, and counts the requests and bytes of an image. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    port: Arc<dyn Fn(Record) + Send + Sync>,
    debug: bool,
    image: Option<u64>,
    requests: Arc<AtomicU64>,
    /// Blob bytes of the whole run.
    bytes: Arc<AtomicU64>,
    /// Set if the image can be put aside while its registry is down.
    aside: Option<Arc<Aside>>,
    waits: Waits,
}

/// Whether the image was put aside, and the host that it waits for.
#[derive(Default)]
struct Aside {
    is_set: AtomicBool,
    wait: Mutex<Option<Wait>>,
}

impl Log {
    /// A log without an image; `debug`: whether debug records are accepted.
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

    /// A log that drops all records.
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

    /// A log for one image, with its counters at zero.
    pub fn for_image(&self, image: u64) -> Self {
        Self {
            image: Some(image),
            requests: Arc::default(),
            ..self.clone()
        }
    }

    /// For an image that can be put aside: instead of waiting for a registry that is down, code calls
    /// [`Log::put_aside`].
    pub fn with_aside(self) -> Self {
        Self {
            aside: Some(Arc::default()),
            ..self
        }
    }

    /// For background work: it does not put the image aside, and the run can end before it.
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

    /// Puts the image aside if possible; its work then ends as if it was interrupted. `wait`: the host that
    /// it waits for, registered until this log is dropped.
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

    /// Counts a request.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests sent for the image.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts blob bytes.
    pub fn count_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counter of the blob bytes of the run.
    pub fn bytes(&self) -> Arc<AtomicU64> {
        self.bytes.clone()
    }

    /// Registers a request that waits for a host before attempt number `attempt`.
    pub fn wait(&self, host: &str, attempt: u32) -> Wait {
        self.waits.begin(host, attempt)
    }

    pub fn waits(&self) -> Waits {
        self.waits.clone()
    }

    /// Logs a debug record; the text is created only with `-debug`.
    pub fn debug(&self, text: impl FnOnce() -> String) {
        if self.debug {
            self.record(Level::Debug, text());
        }
    }

    /// Whether debug records are accepted.
    pub fn wants_debug(&self) -> bool {
        self.debug
    }

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
