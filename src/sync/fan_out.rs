//! Fan-out: the parts of one image, worked on by every thread of the pool that is idle.
//!
//! The owner claims parts by a shared index and works on them itself; helpers that the pool may or
//! may not run claim from the same index. The owner waits only for parts that a helper has already
//! claimed, and it waits outside of rayon, which would give it another image to run meanwhile.
//!
//! Rayon runs helpers before images that wait ([`Backlog`]). The owner therefore calls helpers only while
//! none waits, and a helper leaves when one does.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::backlog::Backlog;

type Caught<R> = Result<R, Box<dyn Any + Send>>;

struct Shared<T, F, R> {
    items: Vec<T>,
    work: F,
    /// The next unclaimed item.
    next: AtomicUsize,
    /// Helpers that were called and have not left.
    helpers: AtomicUsize,
    most_helpers: usize,
    done: Mutex<Done<R>>,
    all_done: Condvar,
}

struct Done<R> {
    results: Vec<Option<Caught<R>>>,
    missing: usize,
}

impl<T, F, R> Shared<T, F, R>
where
    T: Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(&T) -> R + Send + Sync + 'static,
{
    /// The owner works until every item is claimed.
    fn own(self: &Arc<Self>) {
        while let Some(claimed) = self.claim() {
            if !Backlog::waits_here() {
                self.call_helpers();
            }
            self.work_on(claimed);
        }
    }

    fn call_helpers(self: &Arc<Self>) {
        let unclaimed = self
            .items
            .len()
            .saturating_sub(self.next.load(Ordering::Relaxed));
        let wanted = self.most_helpers.min(unclaimed);
        for _ in self.helpers.load(Ordering::Relaxed)..wanted {
            self.helpers.fetch_add(1, Ordering::Relaxed);
            let shared = self.clone();
            rayon::spawn(move || shared.help());
        }
    }

    /// A helper works until every item is claimed or an image waits.
    fn help(&self) {
        while !Backlog::waits_here()
            && let Some(claimed) = self.claim()
        {
            self.work_on(claimed);
        }
        self.helpers.fetch_sub(1, Ordering::Relaxed);
    }

    fn work_on(&self, (index, item): (usize, &T)) {
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(item)));
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.results[index] = Some(result);
        done.missing -= 1;
        if done.missing == 0 {
            self.all_done.notify_all();
        }
    }

    fn claim(&self) -> Option<(usize, &T)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        Some((index, self.items.get(index)?))
    }

    fn wait(&self) -> Vec<Option<Caught<R>>> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        while done.missing > 0 {
            done = self
                .all_done
                .wait(done)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut done.results)
    }
}

/// Works on every item, on this thread and on idle threads of its pool; the results are in the
/// order of the items.
///
/// # Panics
/// With the panic of the first item that panicked, after all items have ended.
pub fn fan_out<T, R, F>(items: Vec<T>, work: F) -> Vec<R>
where
    T: Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(&T) -> R + Send + Sync + 'static,
{
    let is_in_pool = rayon::current_thread_index().is_some();
    if items.len() < 2 || !is_in_pool || rayon::current_num_threads() < 2 {
        return items.iter().map(work).collect();
    }
    let count = items.len();
    let shared = Arc::new(Shared {
        items,
        work,
        next: AtomicUsize::new(0),
        helpers: AtomicUsize::new(0),
        most_helpers: rayon::current_num_threads() - 1,
        done: Mutex::new(Done {
            results: (0..count).map(|_| None).collect(),
            missing: count,
        }),
        all_done: Condvar::new(),
    });
    shared.own();
    let results = shared.wait().into_iter().flatten();
    results
        .map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool")
    }

    #[test]
    fn results_are_in_the_order_of_the_items_on_any_pool() {
        let expected: Vec<u64> = (0..100).map(|item| item * item).collect();
        for threads in [1, 2, 8] {
            let squares =
                pool(threads).install(|| fan_out((0..100_u64).collect(), |item| item * item));
            assert_eq!(squares, expected, "{threads} threads");
        }
        assert_eq!(fan_out(vec![1, 2], |item| item + 1), [2, 3], "no pool");
        assert!(fan_out(Vec::<u8>::new(), |_| ()).is_empty());
    }

    #[test]
    fn idle_threads_help() {
        // Would wait for ever if one thread had to do all items.
        let together = Arc::new(Barrier::new(4));
        pool(4).install(|| fan_out(vec![(); 4], move |()| together.wait().is_leader()));
    }

    #[test]
    fn a_thread_that_waits_runs_nothing_else() {
        let pool = pool(2);
        let both_in_a_part = Arc::new(Barrier::new(2));
        let (stranger_is_queued, release) = crossbeam_channel::bounded::<()>(0);
        let (thread_of_stranger, stranger) = crossbeam_channel::bounded(1);
        let (thread_of_owner, owner) = crossbeam_channel::bounded(1);
        pool.spawn_fifo(move || {
            let owner = rayon::current_thread_index();
            // Both threads have a part. The owner's ends at once, the helper's when the test says so.
            fan_out(vec![(); 2], move |()| {
                both_in_a_part.wait();
                if rayon::current_thread_index() != owner {
                    let _ = release.recv();
                    // Long enough for a waiting owner to take the stranger, if it would.
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            });
            let _ = thread_of_owner.send(std::time::Instant::now());
        });
        pool.spawn_fifo(move || {
            let _ = thread_of_stranger.send(std::time::Instant::now());
        });
        stranger_is_queued.send(()).expect("the helper listens");
        let owner_ended = owner.recv().expect("an end");
        let stranger_ran = stranger.recv().expect("a run");
        assert!(stranger_ran + std::time::Duration::from_millis(25) > owner_ended);
    }

    #[test]
    fn helpers_come_when_the_last_image_has_begun_and_leave_when_one_waits() {
        let backlog = Arc::new(Backlog::default());
        let pool = {
            let backlog = backlog.clone();
            rayon::ThreadPoolBuilder::new()
                .num_threads(2)
                .start_handler(move |_| backlog.clone().serve())
                .build()
                .expect("a pool")
        };
        backlog.add();
        let together = Arc::new(Barrier::new(2));
        let threads = pool.install({
            let backlog = backlog.clone();
            move || {
                fan_out((0..6).collect(), move |item: &i32| {
                    match item {
                        // The image begins: the next two items need both threads.
                        1 => backlog.take(),
                        2 => {
                            together.wait();
                            backlog.add();
                            together.wait();
                        }
                        3 => {
                            together.wait();
                            together.wait();
                        }
                        _ => {}
                    }
                    rayon::current_thread_index()
                })
            }
        });
        let [first, second, third, fourth, fifth, sixth] = threads[..] else {
            panic!("{threads:?}");
        };
        assert_eq!(first, second, "an image waits");
        assert_ne!(third, fourth, "no image waits");
        assert_eq!([fifth, sixth], [first; 2], "an image waits again");
    }

    #[test]
    fn a_panic_reaches_the_owner_after_all_items_have_ended() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let panicked = pool(3).install(|| {
            catch_unwind(AssertUnwindSafe(|| {
                fan_out((0..20).collect(), move |item: &i32| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    assert_ne!(*item, 7, "on purpose");
                })
            }))
        });
        assert!(panicked.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 20);
    }
}
