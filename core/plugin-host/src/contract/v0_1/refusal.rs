//! How a host function says no: a refusal that the guest sees, or a trap that ends it.

use super::{GuestError, bindings::davit::types::types};
use crate::context::Context;
use davit_model::{error::PolicyError, plain};
use wasmtime::component::ResourceTableError;

/// Why a host function does not answer.
#[derive(Debug)]
pub enum Refusal {
    /// The guest gets this error.
    Policy(PolicyError),
    /// The guest ends.
    Trap(wasmtime::Error),
}

/// What a host function answers.
pub(crate) type Answer<T> = Result<T, Refusal>;

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl From<wasmtime::Error> for Refusal {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl From<ResourceTableError> for Refusal {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl types::Host for Context {
    fn convert_error(&mut self, refusal: Refusal) -> wasmtime::Result<GuestError> {
        match refusal {
            Refusal::Policy(error) => Ok(guest_error(error)),
            Refusal::Trap(error) => Err(error),
        }
    }
}

fn guest_error(error: PolicyError) -> GuestError {
    match error {
        PolicyError::Invalid(text) => GuestError::Invalid(text),
        PolicyError::NotFound(text) => GuestError::NotFound(text),
        PolicyError::Conflict(text) => GuestError::Conflict(text),
        PolicyError::Denied(text) => GuestError::Denied(text),
        PolicyError::Unsupported(text) => GuestError::Unsupported(text),
        PolicyError::Unavailable { retry_ms, message } => {
            GuestError::Unavailable(types::Unavailability { retry_ms, message })
        }
        PolicyError::Internal(text) => GuestError::Internal(text),
        PolicyError::Other(text) => GuestError::Other(text),
    }
}

const MAX_TEXT: usize = 4096;

/// A guest's error in the model's words, its text cut and without control characters.
impl From<GuestError> for PolicyError {
    fn from(error: GuestError) -> Self {
        match error {
            GuestError::Invalid(text) => Self::Invalid(shown(&text)),
            GuestError::NotFound(text) => Self::NotFound(shown(&text)),
            GuestError::Conflict(text) => Self::Conflict(shown(&text)),
            GuestError::Denied(text) => Self::Denied(shown(&text)),
            GuestError::Unsupported(text) => Self::Unsupported(shown(&text)),
            GuestError::Unavailable(what) => {
                Self::Unavailable { retry_ms: what.retry_ms, message: shown(&what.message) }
            }
            GuestError::Internal(text) => Self::Internal(shown(&text)),
            GuestError::Other(text) => Self::Other(shown(&text)),
        }
    }
}

/// A guest's text as it may be shown: cut at 4 KiB, what is not seen replaced.
pub(crate) fn shown(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > MAX_TEXT {
            kept.push('…');
            break;
        }
        kept.push(if plain::is_hidden(c) { ' ' } else { c });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_text_is_cut_and_cannot_drive_a_terminal() {
        assert_eq!(shown("a\x1b[31mb\n\u{202e}c"), "a [31mb  c");
        assert!(shown(&"é".repeat(10_000)).len() <= MAX_TEXT + 3);
    }
}
