//! Images that wait for a registry that is down. They occupy no thread and no place, and return to the
//! pool when the registry accepts requests again, or when `--patience` is over.
//!
//! While a registry is down, one image at a time returns to probe it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::workers::Job;
use crate::registry::Gate;
use crate::sync::Interrupt;

/// Time between two checks of the registries.
const TICK: Duration = Duration::from_millis(50);

/// Limit of the pause of an image that is put aside repeatedly.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// The waiting images.
pub struct Aside {
    jobs: Mutex<Jobs>,
    interrupt: Arc<Interrupt>,
}

#[derive(Default)]
struct Jobs {
    /// By the names of their registries, in the list's order, with the end of their rest: one look at a
    /// registry is for all of its images.
    waiting: HashMap<(String, String), Vec<(Instant, Job)>>,
    /// Whether a thread checks them.
    is_watched: bool,
}

impl Aside {
    /// The interrupt drops all waiting images: the writer knows which lines are in progress.
    pub fn new(interrupt: Arc<Interrupt>) -> Arc<Self> {
        Arc::new(Self {
            jobs: Mutex::default(),
            interrupt,
        })
    }

    /// Adds an image; `begin` returns it to the pool.
    pub fn put(self: &Arc<Self>, job: Job, begin: fn(Job)) {
        let rest = (TICK * (1 << job.times_aside.min(10))).min(LONGEST_REST);
        let is_watched = {
            let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let group = jobs.waiting.entry(job.registries()).or_default();
            group.push((Instant::now() + rest, job));
            std::mem::replace(&mut jobs.is_watched, true)
        };
        if is_watched {
            return;
        }
        let own = self.clone();
        let watch = thread::Builder::new().name("aside".to_owned());
        if watch.spawn(move || own.watch(begin)).is_err() {
            // If no thread can be started, this one checks: the run continues slowly.
            self.watch(begin);
        }
    }

    fn watch(&self, begin: fn(Job)) {
        while self.look(begin) {
            self.interrupt.sleep(TICK);
        }
    }

    /// Returns images to the pool whose registries accept requests; false if none is left.
    fn look(&self, begin: fn(Job)) -> bool {
        let mut ready = Vec::new();
        let goes_on = {
            let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            if self.interrupt.is_set() {
                jobs.waiting.clear();
            }
            let now = Instant::now();
            for group in jobs.waiting.values_mut() {
                let mut left = match group.first().map(|(_, job)| job.gate()) {
                    Some(Gate::Open) => usize::MAX,
                    Some(Gate::Trial) => 1,
                    Some(Gate::Closed) | None => 0,
                };
                let rested = |(not_before, _): &mut (Instant, Job)| {
                    let may_go = left > 0 && now >= *not_before;
                    left -= usize::from(may_go);
                    may_go
                };
                ready.extend(group.extract_if(.., rested).map(|(_, job)| job));
            }
            jobs.waiting.retain(|_, group| !group.is_empty());
            jobs.is_watched = !jobs.waiting.is_empty();
            jobs.is_watched
        };
        for job in ready {
            begin(job);
        }
        goes_on
    }
}
