//! Single flight: one of several threads computes a value, and the others wait for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A value that is computed once, on first use. No lock is held during the computation.
#[derive(Debug)]
pub struct Flight<T> {
    state: Mutex<State<T>>,
    landed: Condvar,
}

#[derive(Debug)]
enum State<T> {
    Empty,
    /// Since this time.
    Flying(Instant),
    Landed(T),
}

impl<T: Clone> Flight<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State::Empty),
            landed: Condvar::new(),
        }
    }

    /// The cached value if `keep` accepts it, else a new one. Errors are not cached: each waiting thread
    /// tries in turn.
    pub fn get<E>(
        &self,
        keep: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut state = self.lock();
        loop {
            match &*state {
                State::Landed(value) if keep(value) => return Ok(value.clone()),
                State::Flying(_) => {
                    state = self
                        .landed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                State::Landed(_) | State::Empty => break,
            }
        }
        *state = State::Flying(Instant::now());
        drop(state);
        // If `make` panics, the next thread tries.
        let mut landing = Landing {
            flight: self,
            value: None,
        };
        let value = make()?;
        landing.value = Some(value.clone());
        Ok(value)
    }

    /// As [`Flight::get`], but `None` if another thread has been computing the value for longer than
    /// this.
    pub fn get_within<E>(
        &self,
        time: Duration,
        keep: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let state = self.lock();
        let passed = match &*state {
            State::Flying(since) => since.elapsed(),
            State::Empty | State::Landed(_) => Duration::ZERO,
        };
        let (state, _) = self
            .landed
            .wait_timeout_while(state, time.saturating_sub(passed), |state| {
                matches!(state, State::Flying(_))
            })
            .unwrap_or_else(PoisonError::into_inner);
        if matches!(&*state, State::Flying(_)) {
            return None;
        }
        drop(state);
        Some(self.get(keep, make))
    }

    /// Claims the computation, if no thread runs it and `keep` rejects the cached value. Until the claim
    /// ends, [`Flight::get`] waits for it.
    pub fn claim(self: &Arc<Self>, keep: impl Fn(&T) -> bool) -> Option<Claim<T>> {
        let mut state = self.lock();
        match &*state {
            State::Flying(_) => return None,
            State::Landed(value) if keep(value) => return None,
            State::Landed(_) | State::Empty => {}
        }
        *state = State::Flying(Instant::now());
        drop(state);
        Some(Claim {
            flight: self.clone(),
            value: None,
        })
    }

    /// Whether the value is being computed, or cached and accepted by `keep`.
    pub fn is_wanted(&self, keep: impl Fn(&T) -> bool) -> bool {
        match &*self.lock() {
            State::Flying(_) => true,
            State::Landed(value) => keep(value),
            State::Empty => false,
        }
    }

    /// Whether the value is being computed.
    pub fn is_flying(&self) -> bool {
        matches!(&*self.lock(), State::Flying(_))
    }

    /// Whether there is a cached value that `keep` accepts.
    pub fn has(&self, keep: impl Fn(&T) -> bool) -> bool {
        matches!(&*self.lock(), State::Landed(value) if keep(value))
    }

    /// Changes the cached value, if there is one.
    pub fn update(&self, change: impl FnOnce(&mut T)) {
        if let State::Landed(value) = &mut *self.lock() {
            change(value);
        }
    }

    /// Removes the cached value if `unwanted` returns true.
    pub fn forget(&self, unwanted: impl Fn(&T) -> bool) {
        let mut state = self.lock();
        if matches!(&*state, State::Landed(value) if unwanted(value)) {
            *state = State::Empty;
        }
    }

    fn end(&self, value: Option<T>) {
        *self.lock() = value.map_or(State::Empty, State::Landed);
        self.landed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to compute a value; if dropped without one, the next thread computes it.
pub struct Claim<T: Clone> {
    flight: Arc<Flight<T>>,
    value: Option<T>,
}

impl<T: Clone> Claim<T> {
    pub fn land(mut self, value: T) {
        self.value = Some(value);
    }
}

impl<T: Clone> Drop for Claim<T> {
    fn drop(&mut self) {
        self.flight.end(self.value.take());
    }
}

struct Landing<'a, T: Clone> {
    flight: &'a Flight<T>,
    value: Option<T>,
}

impl<T: Clone> Drop for Landing<'_, T> {
    fn drop(&mut self) {
        self.flight.end(self.value.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn many_threads_make_it_once() {
        let flight = Arc::new(Flight::new());
        let made = Arc::new(AtomicUsize::new(0));
        let start = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (flight, made, start) = (flight.clone(), made.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    flight.get(
                        |_| true,
                        || Ok::<_, ()>(made.fetch_add(1, Ordering::SeqCst)),
                    )
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), Ok(0));
        }
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn others_wait_for_a_claim() {
        let flight = Arc::new(Flight::new());
        let claim = flight.claim(|_: &i32| true).expect("nobody makes it");
        assert!(flight.claim(|_| true).is_none());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| flight.get(|_| true, || Err("not waited for")));
            claim.land(1);
            assert_eq!(waiting.join().expect("no panic"), Ok(1));
        });
        assert!(flight.claim(|_| true).is_none());
        flight.update(|value| *value = 2);
        drop(flight.claim(|value| *value == 1).expect("not liked"));
        assert_eq!(flight.get(|_| true, || Ok::<_, ()>(3)), Ok(3));
    }

    #[test]
    fn an_error_or_a_panic_leaves_it_to_the_next() {
        let flight = Flight::new();
        assert_eq!(flight.get(|_: &i32| true, || Err("no")), Err("no"));
        let panicked = thread::scope(|scope| {
            scope
                .spawn(|| flight.get(|_| true, || -> Result<i32, ()> { panic!("on purpose") }))
                .join()
        });
        assert!(panicked.is_err());
        assert_eq!(flight.get(|_| true, || Ok::<_, ()>(1)), Ok(1));
        assert_eq!(flight.get(|value| *value > 1, || Ok::<_, ()>(2)), Ok(2));
        flight.forget(|value| *value == 2);
        assert_eq!(flight.get(|_| true, || Ok::<_, ()>(3)), Ok(3));
    }
}
