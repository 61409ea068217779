//! Images that were put aside because a registry of theirs is down: they hold no thread and no place,
//! and go back to the pool when the registry takes requests again, or when the patience with it is
//! used up.
//!
//! While a registry is down, one image at a time goes back to try it.

use std::collections::{HashSet, VecDeque};
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
    waiting: VecDeque<(Instant, Job)>,
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
            jobs.waiting.push_back((Instant::now() + rest, job));
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
            let mut tried = HashSet::new();
            for (not_before, job) in std::mem::take(&mut jobs.waiting) {
                let may_go = now >= not_before
                    && match job.gate() {
                        Gate::Open => true,
                        Gate::Trial => tried.insert(job.registries()),
                        Gate::Closed => false,
                    };
                if may_go {
                    ready.push(job);
                } else {
                    jobs.waiting.push_back((not_before, job));
                }
            }
            jobs.is_watched = !jobs.waiting.is_empty();
            jobs.is_watched
        };
        for job in ready {
            begin(job);
        }
        goes_on
    }
}
