//! What the engine answers when it cannot. The kind decides what a client gets (an HTTP status, an exit code); the
//! message says what, where and what to do, in Docker's words where clients look for them.

use davit_model::error::{PolicyError, PortError};
use std::fmt;

/// The sort of an error, as clients tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing of that name.
    NotFound,
    /// Taken, in use, or not possible in the present state.
    Conflict,
    /// The request makes no sense.
    Invalid,
    /// Already as asked.
    NotModified,
    /// Policy says no.
    Forbidden,
    /// Credentials are missing or wrong.
    Unauthorized,
    /// Something outside is not there: try again later.
    Unavailable,
    /// Not built, or not possible on this machine.
    Unsupported,
    /// The caller gave up.
    Canceled,
    /// The disk is full.
    NoSpace,
    /// The engine, or the machine under it, failed.
    Internal,
}

/// An error with its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    kind: Kind,
    message: String,
    exit_code: Option<i64>,
}

impl EngineError {
    /// An error of `kind`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), exit_code: None }
    }

    /// [`Kind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// [`Kind::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// [`Kind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// [`Kind::Internal`], for a failed operation on an object.
    pub fn internal(operation: &str, source: impl fmt::Display) -> Self {
        Self::new(Kind::Internal, format!("{operation}: {source}"))
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error, with the exit status that a client's `run` ends with: 127 not found, 126 not executable.
    #[must_use]
    pub fn with_exit_code(self, code: i64) -> Self {
        Self { exit_code: Some(code), ..self }
    }

    /// The exit status that belongs to it, where it has one.
    pub fn exit_code(&self) -> Option<i64> {
        self.exit_code
    }

    /// The same error with words in front.
    pub fn context(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// The same error, with what went wrong when what had been done until then was undone. The journal keeps it.
    #[must_use]
    pub(crate) fn undone(self, undone: Result<(), Self>) -> Self {
        match undone {
            Ok(()) => self,
            Err(e) => Self {
                message: format!("{}; undoing it failed too: {e}; the next start of davitd tries again", self.message),
                ..self
            },
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {}

impl From<PortError> for EngineError {
    fn from(e: PortError) -> Self {
        Self::new(policy_kind(&e.error), e.to_string())
    }
}

impl From<PolicyError> for EngineError {
    fn from(e: PolicyError) -> Self {
        Self::new(policy_kind(&e), e.to_string())
    }
}

fn policy_kind(e: &PolicyError) -> Kind {
    match e {
        PolicyError::Invalid(_) => Kind::Invalid,
        PolicyError::NotFound(_) => Kind::NotFound,
        PolicyError::Conflict(_) => Kind::Conflict,
        PolicyError::Denied(_) => Kind::Forbidden,
        PolicyError::Unsupported(_) => Kind::Unsupported,
        PolicyError::Unavailable { .. } => Kind::Unavailable,
        PolicyError::Internal(_) | PolicyError::Other(_) => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_undone_is_said_after_what_went_wrong() {
        let failed = || EngineError::conflict("port 80 is taken");
        assert_eq!(failed().undone(Ok(())).to_string(), "port 80 is taken");
        let both = failed().undone(Err(EngineError::internal("disconnecting a container", "busy")));
        assert_eq!(both.kind(), Kind::Conflict);
        let text = both.to_string();
        assert!(text.starts_with("port 80 is taken; undoing it failed too: disconnecting a container: busy"), "{text}");
    }
}
