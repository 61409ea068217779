//! Decides whether a registry's tokens are requested for several repositories at once.
//!
//! The specification allows it, but servers differ: some reject such requests, some grant only the first
//! scope. The first batch is small and sent alone; larger ones follow after the registry has accepted
//! its token for a repository that was not the first scope. After a failure, tokens of this registry are
//! requested one by one for the rest of the run.
//!
//! Specification: distribution, "Token Authentication" (docs/spec/auth/token.md): `scope` "should be
//! specified multiple times if there is more than one scope entry".

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number of scopes of the first batch.
const FIRST: usize = 4;

/// The maximum number of scopes of a batch.
const MOST: usize = 32;

/// The maximum size in bytes of a batch's URL or form.
pub const LONGEST_REQUEST: usize = 4096;

/// Batches grow up to this size of their token in bytes. Servers accept header lines of 8 KiB (nginx,
/// Apache httpd), some of 4 KiB.
const GOOD_LENGTH: usize = 4096;

/// The maximum size in bytes of a batch's token.
const LONGEST_TOKEN: usize = 7 * 1024;

/// The maximum number of doubts: refusals that a single token got, too, and failed requests. Each costs
/// one more request.
const MOST_DOUBTS: u32 = 4;

/// After this many single tokens, a first batch without proof is tried again: its images may have failed
/// for other reasons.
const MOST_WAITING: u32 = 32;

#[derive(Debug)]
pub struct Batching(Mutex<BatchState>);

#[derive(Debug)]
struct BatchState {
    stage: BatchStage,
    most: usize,
    doubts: u32,
    /// Tokens requested one by one during the trial.
    waiting: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchStage {
    Untried,
    /// The first batch was sent, and its token has not been accepted yet.
    Trial,
    Proven,
    Over,
}

impl Default for Batching {
    fn default() -> Self {
        Self(Mutex::new(BatchState {
            stage: BatchStage::Untried,
            most: FIRST,
            doubts: 0,
            waiting: 0,
        }))
    }
}

impl Batching {
    /// The maximum number of scopes for a batch that may begin now; `None`: request a single token.
    pub fn begin(&self) -> Option<usize> {
        let mut state = self.lock();
        match state.stage {
            BatchStage::Proven => Some(state.most),
            BatchStage::Untried => {
                state.stage = BatchStage::Trial;
                state.waiting = 0;
                Some(state.most)
            }
            BatchStage::Trial => {
                state.waiting += 1;
                if state.waiting > MOST_WAITING {
                    state.stage = BatchStage::Untried;
                }
                None
            }
            BatchStage::Over => None,
        }
    }

    /// The batch will not be sent.
    pub fn cancel(&self) {
        self.lock().end_trial();
    }

    /// Records the size of the token for this many scopes; returns whether it is usable.
    pub fn granted(&self, scopes: usize, length: usize) -> bool {
        let mut state = self.lock();
        let is_usable = length <= LONGEST_TOKEN;
        // The size of a token is assumed to be proportional to its scopes.
        let fitting = (scopes * GOOD_LENGTH / length.max(1)).min(MOST);
        state.most = if is_usable {
            fitting
        } else {
            fitting.min(scopes / 2)
        };
        if state.most < 2 {
            state.stage = BatchStage::Over;
        } else if !is_usable {
            state.end_trial();
        }
        is_usable
    }

    /// The registry has accepted a batch's token for a repository that was not the first scope.
    pub fn prove(&self) {
        let mut state = self.lock();
        if state.stage == BatchStage::Trial {
            state.stage = BatchStage::Proven;
        }
    }

    /// A batch failed or its token was refused, and it is unknown whether a single token succeeds.
    pub fn doubt(&self) {
        let mut state = self.lock();
        state.doubts += 1;
        if state.doubts >= MOST_DOUBTS {
            state.stage = BatchStage::Over;
        }
        state.end_trial();
    }

    /// Batches do not work with this registry.
    pub fn give_up(&self) {
        self.lock().stage = BatchStage::Over;
    }

    /// Whether batches are disabled: tokens of earlier ones are not used any more.
    pub fn is_over(&self) -> bool {
        self.lock().stage == BatchStage::Over
    }

    fn lock(&self) -> MutexGuard<'_, BatchState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BatchState {
    fn end_trial(&mut self) {
        if self.stage == BatchStage::Trial {
            self.stage = BatchStage::Untried;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_batch_is_small_and_alone_until_its_token_is_accepted() {
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
    fn an_inconclusive_trial_is_repeated() {
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
    fn several_doubts_disable_batches() {
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
