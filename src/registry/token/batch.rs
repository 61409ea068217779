//! Whether a registry's tokens are requested for several repositories at once.
//!
//! The specification allows it, and servers differ: some refuse such a request, some grant the first
//! scope only. The first batch is small and goes alone; larger ones follow after the registry has
//! accepted its token for a repository that did not stand first. A registry where that did not work
//! once is asked singly for the rest of the run.
//!
//! Specification: distribution, "Token Authentication" (docs/spec/auth/token.md): `scope` "should be
//! specified multiple times if there is more than one scope entry".

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Scopes of the first batch.
const FIRST: usize = 4;

/// The most scopes of a batch.
const MOST: usize = 32;

/// The longest URL, or form, of a batch, in bytes.
pub const LONGEST_REQUEST: usize = 4096;

/// The length of a token, in bytes, up to which batches grow. Servers read header lines of 8 KiB
/// (nginx, Apache httpd), some of 4 KiB.
const GOOD_LENGTH: usize = 4096;

/// The longest token of a batch that is used, in bytes.
const LONGEST_TOKEN: usize = 7 * 1024;

/// So many refusals that a token for one repository alone met as well, or failed requests, are
/// enough: each costs a request more.
const MOST_DOUBTS: u32 = 4;

/// So many tokens are requested singly while the first batch waits for its proof, which may never
/// come: its images may have failed elsewhere.
const MOST_WAITING: u32 = 32;

/// What is known of a registry and its token server.
#[derive(Debug)]
pub struct Batching(Mutex<State>);

#[derive(Debug)]
struct State {
    stage: Stage,
    most: usize,
    doubts: u32,
    /// Tokens that were requested singly during the trial.
    waiting: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Untried,
    /// A first batch is under way, or its token has not been accepted yet.
    Trial,
    Proven,
    /// Batches do not work.
    Over,
}

impl Default for Batching {
    fn default() -> Self {
        Self(Mutex::new(State {
            stage: Stage::Untried,
            most: FIRST,
            doubts: 0,
            waiting: 0,
        }))
    }
}

impl Batching {
    /// The most scopes of a batch that may begin now; `None`: the token is requested singly.
    pub fn begin(&self) -> Option<usize> {
        let mut state = self.lock();
        match state.stage {
            Stage::Proven => Some(state.most),
            Stage::Untried => {
                state.stage = Stage::Trial;
                state.waiting = 0;
                Some(state.most)
            }
            Stage::Trial => {
                state.waiting += 1;
                if state.waiting > MOST_WAITING {
                    state.stage = Stage::Untried;
                }
                None
            }
            Stage::Over => None,
        }
    }

    /// A batch that has begun is not sent.
    pub fn cancel(&self) {
        self.lock().end_trial();
    }

    /// A token for so many scopes has this length; whether it can be used.
    pub fn granted(&self, scopes: usize, length: usize) -> bool {
        let mut state = self.lock();
        let is_usable = length <= LONGEST_TOKEN;
        // A token is not longer than in proportion to its scopes.
        let fitting = (scopes * GOOD_LENGTH / length.max(1)).min(MOST);
        state.most = if is_usable {
            fitting
        } else {
            fitting.min(scopes / 2)
        };
        if state.most < 2 {
            state.stage = Stage::Over;
        } else if !is_usable {
            state.end_trial();
        }
        is_usable
    }

    /// The registry has accepted the token of a batch for a repository that did not stand first.
    pub fn prove(&self) {
        let mut state = self.lock();
        if state.stage == Stage::Trial {
            state.stage = Stage::Proven;
        }
    }

    /// A batch was of no use, or its token was refused, and it is not known that a token for one
    /// repository alone is better.
    pub fn doubt(&self) {
        let mut state = self.lock();
        state.doubts += 1;
        if state.doubts >= MOST_DOUBTS {
            state.stage = Stage::Over;
        }
        state.end_trial();
    }

    /// Batches do not work here.
    pub fn give_up(&self) {
        self.lock().stage = Stage::Over;
    }

    /// Whether batches do not work here: no token of one is used any more.
    pub fn is_over(&self) -> bool {
        self.lock().stage == Stage::Over
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_trial(&mut self) {
        if self.stage == Stage::Trial {
            self.stage = Stage::Untried;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_batch_is_small_and_alone_until_it_is_proven() {
        let batching = Batching::default();
        assert_eq!(batching.begin(), Some(FIRST));
        assert_eq!(batching.begin(), None);
        assert!(batching.granted(FIRST, 300));
        assert_eq!(batching.begin(), None);
        batching.prove();
        assert_eq!(batching.begin(), Some(MOST));
        assert_eq!(batching.begin(), Some(MOST));
        batching.give_up();
        assert_eq!(batching.begin(), None);
        assert!(batching.is_over());
    }

    #[test]
    fn a_trial_without_an_end_is_repeated() {
        let batching = Batching::default();
        assert_eq!(batching.begin(), Some(FIRST));
        batching.cancel();
        assert_eq!(batching.begin(), Some(FIRST));
        for _ in 0..=MOST_WAITING {
            assert_eq!(batching.begin(), None);
        }
        assert_eq!(batching.begin(), Some(FIRST));
    }

    #[test]
    fn batches_are_as_large_as_their_tokens_allow() {
        for (length, most) in [
            (1000, Some(16)),
            (4096, Some(4)),
            (7000, Some(2)),
            (8000, Some(2)),
        ] {
            let batching = Batching::default();
            batching.begin();
            assert_eq!(batching.granted(FIRST, length), length <= LONGEST_TOKEN);
            batching.prove();
            assert_eq!(batching.begin(), most, "{length}");
        }
        let batching = Batching::default();
        batching.begin();
        assert!(!batching.granted(FIRST, 20_000));
        assert!(batching.is_over());
    }

    #[test]
    fn some_doubts_are_enough() {
        let batching = Batching::default();
        batching.begin();
        batching.prove();
        for _ in 1..MOST_DOUBTS {
            batching.doubt();
        }
        assert!(!batching.is_over());
        batching.doubt();
        assert!(batching.is_over());
    }
}
