//! The error that every call answers with.

pub use crate::imported::types::{Error, Unavailability};

/// A result with the contract's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What an error says, without the name of its case.
#[must_use]
pub fn said(error: &Error) -> &str {
    match error {
        Error::Unavailable(unavailability) => &unavailability.message,
        Error::Invalid(text)
        | Error::NotFound(text)
        | Error::Conflict(text)
        | Error::Denied(text)
        | Error::Unsupported(text)
        | Error::Internal(text)
        | Error::Other(text) => text,
    }
}
