//! Hints that were printed: the log says each once for a host and a cause, and only the cause
//! afterwards. Reports have all of them.

use std::collections::HashSet;

use crate::verdict::Code;

/// The most hints that are remembered; about 500 bytes each. Beyond it hints are printed again.
const MOST: usize = 1000;

/// The hints that were printed.
#[derive(Debug, Default)]
pub struct Hints(HashSet<(String, Code, String)>);

impl Hints {
    /// Whether a hint is printed for the first time. `host`: the registry that it is about.
    pub fn is_new(&mut self, host: &str, code: Code, hint: &str) -> bool {
        if self.0.len() == MOST {
            self.0.clear();
        }
        self.0.insert((host.to_owned(), code, hint.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_new_once_for_each_host_and_cause() {
        let mut hints = Hints::default();
        assert!(hints.is_new("a.io", Code::Denied, "log in"));
        assert!(!hints.is_new("a.io", Code::Denied, "log in"));
        assert!(hints.is_new("b.io", Code::Denied, "log in"));
        assert!(hints.is_new("a.io", Code::SourceMissing, "log in"));
        assert!(hints.is_new("a.io", Code::Denied, "ask for access"));
        assert!(!hints.is_new("a.io", Code::Denied, "log in"));
    }

    #[test]
    fn memory_is_bounded() {
        let mut hints = Hints::default();
        for number in 0..MOST * 3 {
            assert!(hints.is_new("a.io", Code::Denied, &number.to_string()));
            assert!(hints.0.len() <= MOST);
        }
    }
}
