//! What became of each image of the run, so that one that the list names twice costs once.
//!
//! Kept small, for lists of millions: an image is a hash, a pass is a mark. What could not be
//! validated is not kept: asking again may have another answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use crate::fingerprint::Fingerprints;
use crate::image::Image;
use crate::report::Outcome;

/// So many explanations of failures are kept.
const MOST_FAILURES: usize = 10_000;

/// What a line has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Validate, and say so with [`Memo::end`].
    Validate,
    /// Nothing: whoever validates it answers for this line as well.
    Wait,
    /// Nothing: this is the outcome; none: it passed.
    Known {
        /// The line for which it was found.
        line: u64,
        /// What was found.
        failed: Option<Outcome>,
    },
}

#[derive(Debug)]
struct State {
    /// The line for which the image is, or was, validated.
    line: u64,
    result: Ending,
}

#[derive(Debug)]
enum Ending {
    /// Not there yet; these lines wait for it.
    Awaited(Vec<u64>),
    Passed,
    Failed(Arc<Outcome>),
}

/// Shared by the reader of the list and the threads of the pool.
#[derive(Debug, Default)]
pub struct Memo {
    fingerprints: Fingerprints,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    images: HashMap<u128, State>,
    failures: usize,
}

impl Memo {
    /// What this line has to do for its image.
    pub fn begin(&self, image: &Image, line: u64) -> Turn {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.images.entry(self.fingerprints.of(image)) {
            Entry::Vacant(entry) => {
                entry.insert(State {
                    line,
                    result: Ending::Awaited(Vec::new()),
                });
                Turn::Validate
            }
            Entry::Occupied(mut entry) => {
                let State {
                    line: first,
                    result,
                } = entry.get_mut();
                let failed = match result {
                    Ending::Awaited(lines) => {
                        lines.push(line);
                        return Turn::Wait;
                    }
                    Ending::Passed => None,
                    Ending::Failed(outcome) => Some(Outcome::clone(outcome)),
                };
                Turn::Known {
                    line: *first,
                    failed,
                }
            }
        }
    }

    /// Keeps the outcome, and returns the lines that waited for it.
    pub fn end(&self, image: &Image, line: u64, outcome: &Outcome) -> Vec<u64> {
        let key = self.fingerprints.of(image);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match outcome {
            Outcome::Passed | Outcome::Recorded(_) => Some(Ending::Passed),
            Outcome::Failed { .. } if inner.failures < MOST_FAILURES => {
                inner.failures += 1;
                Some(Ending::Failed(Arc::new(outcome.clone())))
            }
            _ => None,
        };
        let before = match kept {
            Some(result) => inner.images.insert(key, State { line, result }),
            None => inner.images.remove(&key),
        };
        match before {
            Some(State {
                result: Ending::Awaited(lines),
                ..
            }) => lines,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::report::Code;

    fn image(name: &str) -> Image {
        Image {
            source: reference::source(name, None).expect("a name"),
            destination: reference::destination(name, None, "library").expect("a name"),
            reference: "1".parse().expect("a tag"),
        }
    }

    #[test]
    fn the_second_waits_for_the_first_and_the_third_knows() {
        let memo = Memo::default();
        let (a, b) = (image("a"), image("b"));
        assert_eq!(memo.begin(&a, 1), Turn::Validate);
        assert_eq!(memo.begin(&b, 2), Turn::Validate);
        assert_eq!(memo.begin(&a, 3), Turn::Wait);
        let failed = Outcome::Failed {
            code: Code::ImageMissing,
            sides: vec![],
            details: vec![],
            reason: "x".to_owned(),
        };
        assert_eq!(memo.end(&a, 1, &failed), [3]);
        let known = Turn::Known {
            line: 1,
            failed: Some(failed),
        };
        assert_eq!(memo.begin(&a, 4), known);
        assert!(memo.end(&b, 2, &Outcome::Passed).is_empty());
        let known = Turn::Known {
            line: 2,
            failed: None,
        };
        assert_eq!(memo.begin(&b, 5), known);
    }

    #[test]
    fn what_could_not_be_validated_is_asked_again() {
        let memo = Memo::default();
        let a = image("a");
        assert_eq!(memo.begin(&a, 1), Turn::Validate);
        memo.end(
            &a,
            1,
            &Outcome::NotValidated {
                code: Code::Unreachable,
                cause: "x".to_owned(),
            },
        );
        assert_eq!(memo.begin(&a, 2), Turn::Validate);
    }
}
