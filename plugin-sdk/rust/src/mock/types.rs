//! The error that every call answers with. On WebAssembly it is generated from `wit/types`; here it can be compared.

use std::fmt;

/// Something that is not there at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailability {
    /// How long to wait before the next try, in milliseconds; 0 where unknown.
    pub retry_ms: u64,
    /// What was not there, for people.
    pub message: String,
}

/// Why a call was refused or failed. The contract's prose says when each is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The request makes no sense.
    Invalid(String),
    /// Something that the request names does not exist.
    NotFound(String),
    /// The request collides with what is there.
    Conflict(String),
    /// Policy says no.
    Denied(String),
    /// This policy, or this kernel, cannot do it.
    Unsupported(String),
    /// Try again later.
    Unavailable(Unavailability),
    /// The policy, or its host, is broken.
    Internal(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Error {}
