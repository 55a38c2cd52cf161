//! The error that every call answers with.

pub use crate::imported::types::{Error, Unavailability};

/// A result with the contract's error.
pub type Result<T> = std::result::Result<T, Error>;
