//! Outcomes of the images of a run, so that an image on several lines is validated once.
//!
//! Memory is bounded for lists of millions: an image is a 128-bit hash, and a failure is its code and
//! message. At most [`MOST_IMAGES`] and [`MOST_FAILURES`] are kept; further images are validated each
//! time. Images that could not be validated are not kept, because another attempt may succeed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use crate::list::Image;
use crate::sync::Fingerprints;
use crate::verdict::{Class, Finding, Outcome, Reason};

/// Outcomes kept; about 50 bytes each.
const MOST_IMAGES: usize = 200_000;

/// Failures kept.
const MOST_FAILURES: usize = 10_000;

/// Limit of the message of a failure, in bytes.
const LONGEST: usize = 4096;

/// Where the finding of a line comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum MemoLookup {
    /// The line validates the image, and reports it with [`Memo::end`].
    Validate,
    /// Another line is validating the image.
    Wait,
    /// The outcome is known.
    Known {
        /// The line that validated the image.
        line: u64,
        /// `None`: the image passed.
        failed: Option<Arc<Reason>>,
        /// Accepted differences of an image that passed.
        accepted: Vec<Class>,
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
    /// In progress; these lines wait for the outcome.
    Awaited(Vec<u64>),
    /// Passed with accepted differences of these classes.
    Passed(Vec<Class>),
    Failed(Arc<Reason>),
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
    /// Decides where the finding of a line comes from.
    pub fn begin(&self, image: &Image, line: u64) -> MemoLookup {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.images.entry(self.fingerprints.of(image)) {
            Entry::Vacant(entry) => {
                entry.insert(State {
                    line,
                    result: Ending::Awaited(Vec::new()),
                });
                MemoLookup::Validate
            }
            Entry::Occupied(mut entry) => {
                let State {
                    line: first,
                    result,
                } = entry.get_mut();
                let (failed, accepted) = match result {
                    Ending::Awaited(lines) => {
                        lines.push(line);
                        return MemoLookup::Wait;
                    }
                    Ending::Passed(accepted) => (None, accepted.clone()),
                    Ending::Failed(reason) => (Some(reason.clone()), Vec::new()),
                };
                MemoLookup::Known {
                    line: *first,
                    failed,
                    accepted,
                }
            }
        }
    }

    /// Stores the outcome, and returns the lines that wait for it.
    pub fn end(&self, image: &Image, line: u64, finding: &Finding) -> Vec<u64> {
        let key = self.fingerprints.of(image);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = inner.images.len() <= MOST_IMAGES;
        let kept = match &finding.outcome {
            Outcome::Passed if has_room => Some(Ending::Passed(finding.accepted.clone())),
            Outcome::Failed(reason)
                if has_room
                    && inner.failures < MOST_FAILURES
                    && reason.message.len() <= LONGEST =>
            {
                inner.failures += 1;
                Some(Ending::Failed(Arc::new(in_short(reason))))
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

/// The reason for another line with the same image, without the details of the first.
pub fn in_short(reason: &Reason) -> Reason {
    Reason {
        host_failure: reason.host_failure.clone(),
        ..Reason::new(reason.code, reason.message.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::names;
    use crate::verdict::Code;

    fn image(name: &str) -> Image {
        Image {
            source: names::source(name, None).expect("a name"),
            destination: names::destination(name, None, "library").expect("a name"),
            source_reference: "1".parse().expect("a tag"),
            destination_reference: "1".parse().expect("a tag"),
            platforms: None,
        }
    }

    #[test]
    fn the_second_waits_for_the_first_and_the_third_knows() {
        let memo = Memo::default();
        let (a, b) = (image("a"), image("b"));
        assert_eq!(memo.begin(&a, 1), MemoLookup::Validate);
        assert_eq!(memo.begin(&b, 2), MemoLookup::Validate);
        assert_eq!(memo.begin(&a, 3), MemoLookup::Wait);
        let reason = Reason {
            details: vec!["x".to_owned()],
            ..Reason::new(Code::ImageMissing, "missing")
        };
        let failed = Outcome::Failed(reason.clone());
        assert_eq!(memo.end(&a, 1, &failed.into()), [3]);
        let known = MemoLookup::Known {
            line: 1,
            failed: Some(Arc::new(in_short(&reason))),
            accepted: Vec::new(),
        };
        assert_eq!(memo.begin(&a, 4), known);
        let accepted = vec![Class::Converted];
        let passed = Finding {
            accepted: accepted.clone(),
            ..Finding::from(Outcome::Passed)
        };
        assert!(memo.end(&b, 2, &passed).is_empty());
        let known = MemoLookup::Known {
            line: 2,
            failed: None,
            accepted,
        };
        assert_eq!(memo.begin(&b, 5), known);
    }

    #[test]
    fn an_image_that_could_not_be_validated_is_validated_again() {
        let memo = Memo::default();
        let a = image("a");
        assert_eq!(memo.begin(&a, 1), MemoLookup::Validate);
        let outcome = Outcome::from(Reason::new(Code::Unreachable, "x"));
        memo.end(&a, 1, &outcome.into());
        assert_eq!(memo.begin(&a, 2), MemoLookup::Validate);
    }
}
