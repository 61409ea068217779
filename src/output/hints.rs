//! Hints already printed: the log has each hint once per host and reason code, and then only the
//! cause. Reports have every hint.

use std::collections::HashSet;

use crate::verdict::Code;

/// Hints remembered, about 500 bytes each. When full, the set is cleared and hints are repeated.
const MOST: usize = 1000;

#[derive(Debug, Default)]
pub struct Hints(HashSet<(String, Code, String)>);

impl Hints {
    /// Whether the hint has not been printed for this host and reason code.
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
