//! Errors of requests to a registry, in the classes that callers distinguish.
//!
//! Only [`Error::Missing`] means that an object does not exist. The class follows from the HTTP status,
//! because error codes (OCI distribution-spec, "Error Codes") vary between registries.

use std::fmt;

use crate::escape::escape;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The registry reports that the object does not exist.
    #[error("{0}")]
    Missing(Diagnostic),
    /// The registry or its token server denied access: the repository is private, or it does not exist.
    #[error("{0}")]
    Denied(Diagnostic),
    /// No response, or a temporary error.
    #[error("{0}")]
    Unreachable(Diagnostic),
    /// A response that no registry sends, or not the requested content.
    #[error("{0}")]
    Invalid(Diagnostic),
    /// The run was interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether repeating the request in this run may succeed.
    pub fn is_temporary(&self) -> bool {
        match self {
            // Permanent errors have a hint.
            Self::Unreachable(diagnostic) => diagnostic.hint.is_none(),
            Self::Interrupted => true,
            Self::Missing(_) | Self::Denied(_) | Self::Invalid(_) => false,
        }
    }
}

/// One line for the operator: host, request, cause and hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The registry, as the user names it.
    pub host: String,
    /// Method and path.
    pub request: String,
    pub cause: String,
    pub hint: Option<String>,
}

impl Diagnostic {
    pub fn new(host: &str, request: &str, cause: impl Into<String>) -> Self {
        Self {
            host: host.to_owned(),
            request: request.to_owned(),
            cause: cause.into(),
            hint: None,
        }
    }

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

/// The escaped text of a library's error, for a message.
pub fn shown(error: &impl fmt::Display) -> String {
    escape(&error.to_string()).into_owned()
}
