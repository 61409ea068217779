//! Images that were put aside because a registry of theirs is down: they hold no thread and no place,
//! and go back to the pool when the registry takes requests again, or when the patience with it is
//! used up.
//!
//! While a registry is down, one image at a time goes back to try it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::workers::Job;
use crate::registry::Gate;
use crate::sync::Interrupt;

/// How often it is looked whether a registry is back.
const TICK: Duration = Duration::from_millis(50);

/// The longest rest of an image that is put aside again and again.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// The images that are aside.
pub struct Aside {
    jobs: Mutex<Jobs>,
    interrupt: Arc<Interrupt>,
}

#[derive(Default)]
struct Jobs {
    /// By the names of their registries, in the list's order, with the end of their rest: one look at a
    /// registry is for all of its images.
    waiting: HashMap<(String, String), Vec<(Instant, Job)>>,
    /// Whether a thread looks after them.
    is_watched: bool,
}

impl Aside {
    /// None yet. The interrupt drops them: the writer knows what has not ended.
    pub fn new(interrupt: Arc<Interrupt>) -> Arc<Self> {
        Arc::new(Self {
            jobs: Mutex::default(),
            interrupt,
        })
    }

    /// Takes an image; `begin` gives it back to the pool.
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
            // Without another thread, this one watches: the run goes on, if slowly.
            self.watch(begin);
        }
    }

    fn watch(&self, begin: fn(Job)) {
        while self.look(begin) {
            self.interrupt.sleep(TICK);
        }
    }

    /// Gives back what can go on; false: nothing is aside any more.
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
