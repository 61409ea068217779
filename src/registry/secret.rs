//! A password or token that cannot be printed by accident.

use std::fmt;
use std::sync::Arc;

/// `Debug` prints `<redacted>`, and there is no `Display`. Clones share the text: tokens are long and
/// used by many requests.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into().into())
    }

    /// The secret text, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_cannot_be_printed() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("hunter2"))),
            "Some(<redacted>)"
        );
    }
}
