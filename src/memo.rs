//! What became of each image of the run, so that one that the list names twice costs once.
//!
//! Kept small, for lists of millions: an image is a hash, a pass is a mark. What could not be
//! validated is not kept: asking again may have another answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use crate::report::Outcome;
use crate::validate::Image;

/// So many explanations of failures are kept.
const MOST_FAILURES: usize = 10_000;

/// A line that waits for what another one finds out: its number, and the image's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The line's number in the list.
    pub number: u64,
    /// The image's number among the images.
    pub image: u64,
}

/// What a line has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Validate, and say so with [`Memo::end`].
    Validate,
    /// Nothing: whoever validates it answers for this line as well.
    Wait,
    /// Nothing: this is the outcome.
    Known(Outcome),
}

#[derive(Debug)]
enum State {
    Running(Vec<Waiter>),
    Passed,
    Failed(Arc<Outcome>),
}

/// Shared by the reader of the list and the threads of the pool.
#[derive(Debug, Default)]
pub struct Memo {
    hashers: [RandomState; 2],
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    images: HashMap<u128, State>,
    failures: usize,
}

impl Memo {
    /// Whose turn it is to validate this image.
    pub fn begin(&self, image: &Image, waiter: Waiter) -> Turn {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.images.entry(self.key(image)) {
            Entry::Vacant(entry) => {
                entry.insert(State::Running(Vec::new()));
                Turn::Validate
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                State::Running(waiters) => {
                    waiters.push(waiter);
                    Turn::Wait
                }
                State::Passed => Turn::Known(Outcome::Passed {
                    compared: image.compared(),
                }),
                State::Failed(outcome) => Turn::Known(Outcome::clone(outcome)),
            },
        }
    }

    /// Keeps the outcome, and returns the lines that waited for it.
    pub fn end(&self, image: &Image, outcome: &Outcome) -> Vec<Waiter> {
        let key = self.key(image);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match outcome {
            Outcome::Passed { .. } => Some(State::Passed),
            Outcome::Failed { .. } if inner.failures < MOST_FAILURES => {
                inner.failures += 1;
                Some(State::Failed(Arc::new(outcome.clone())))
            }
            _ => None,
        };
        let before = match kept {
            Some(state) => inner.images.insert(key, state),
            None => inner.images.remove(&key),
        };
        match before {
            Some(State::Running(waiters)) => waiters,
            _ => Vec::new(),
        }
    }

    /// 128 bits: no two images of a run share them.
    fn key(&self, image: &Image) -> u128 {
        let [high, low] = self
            .hashers
            .each_ref()
            .map(|hasher| u128::from(hasher.hash_one(image)));
        high << 64 | low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    fn image(name: &str) -> Image {
        Image {
            source: reference::source(name, None).expect("a name"),
            destination: reference::destination(name, None, "library").expect("a name"),
            reference: "1".parse().expect("a tag"),
        }
    }

    fn waiter(number: u64) -> Waiter {
        Waiter {
            number,
            image: number,
        }
    }

    #[test]
    fn the_second_waits_for_the_first_and_the_third_knows() {
        let memo = Memo::default();
        let (a, b) = (image("a"), image("b"));
        assert_eq!(memo.begin(&a, waiter(1)), Turn::Validate);
        assert_eq!(memo.begin(&b, waiter(2)), Turn::Validate);
        assert_eq!(memo.begin(&a, waiter(3)), Turn::Wait);
        let failed = Outcome::Failed {
            details: vec![],
            reason: "x".to_owned(),
        };
        assert_eq!(memo.end(&a, &failed), [waiter(3)]);
        assert_eq!(memo.begin(&a, waiter(4)), Turn::Known(failed));
        let passed = Outcome::Passed {
            compared: b.compared(),
        };
        assert_eq!(memo.end(&b, &passed), []);
        assert_eq!(memo.begin(&b, waiter(5)), Turn::Known(passed));
    }

    #[test]
    fn what_could_not_be_validated_is_asked_again() {
        let memo = Memo::default();
        let a = image("a");
        assert_eq!(memo.begin(&a, waiter(1)), Turn::Validate);
        memo.end(
            &a,
            &Outcome::NotValidated {
                cause: "x".to_owned(),
            },
        );
        assert_eq!(memo.begin(&a, waiter(2)), Turn::Validate);
    }
}
