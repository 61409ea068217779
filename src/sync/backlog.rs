//! Backlog: the images that wait for a thread of the pool.
//!
//! A thread of the pool knows the backlog of its pool, so that it begins an image before it helps with the
//! parts of another thread's image.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static OF_THIS_POOL: OnceCell<Arc<Backlog>> = const { OnceCell::new() };
}

/// The number of images that wait.
#[derive(Default)]
pub struct Backlog(AtomicUsize);

impl Backlog {
    /// Makes this the backlog of the calling thread's pool.
    pub fn serve(self: Arc<Self>) {
        OF_THIS_POOL.with(|backlog| {
            let _ = backlog.set(self);
        });
    }

    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Call once per [`Backlog::add`], when the image begins.
    pub fn take(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the pool of the calling thread has images that wait; false in a pool without a backlog.
    pub fn waits_here() -> bool {
        OF_THIS_POOL.with(|backlog| {
            backlog
                .get()
                .is_some_and(|backlog| backlog.0.load(Ordering::Relaxed) > 0)
        })
    }
}
