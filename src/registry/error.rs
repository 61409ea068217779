//! Why a registry did not give what was requested, in the classes that callers tell apart.
//!
//! Only [`Error::Missing`] says that something is not there. Error codes: OCI distribution-spec,
//! "Error Codes"; the decision is made by the HTTP status, because the codes vary.

use std::fmt;

use crate::escape::escape;

/// Why a registry did not give what was requested.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The registry answered that there is no such thing.
    #[error("{0}")]
    Missing(Diagnostic),
    /// The registry, or its token server, refused: private, or missing and not said so.
    #[error("{0}")]
    Denied(Diagnostic),
    /// No response, or one that says to come back later.
    #[error("{0}")]
    Unreachable(Diagnostic),
    /// A response that cannot be a registry's, or cannot be what was requested.
    #[error("{0}")]
    Invalid(Diagnostic),
    /// The run was interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether the same request, in the same run, may have another result.
    pub fn is_temporary(&self) -> bool {
        match self {
            // What is wrong for good says what to do about it.
            Self::Unreachable(diagnostic) => diagnostic.hint.is_none(),
            Self::Interrupted => true,
            Self::Missing(_) | Self::Denied(_) | Self::Invalid(_) => false,
        }
    }
}

/// One line for the operator: on which host, for which request, what went wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The registry, as the user names it.
    pub host: String,
    /// Method and path.
    pub request: String,
    /// What went wrong.
    pub cause: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without a hint.
    pub fn new(host: &str, request: &str, cause: impl Into<String>) -> Self {
        Self {
            host: host.to_owned(),
            request: request.to_owned(),
            cause: cause.into(),
            hint: None,
        }
    }

    /// The same with a hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.host, self.request, self.cause)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Text of an error that is not ours, for a message.
pub fn shown(error: &impl fmt::Display) -> String {
    escape(&error.to_string()).into_owned()
}
