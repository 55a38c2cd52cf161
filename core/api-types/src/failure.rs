//! The body of every answer outside 2xx.

use serde::{Deserialize, Serialize};

/// `{"message": "…"}`: one line for people. Docker's field, with nothing added, since clients compare whole bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong: what, where, and what to do next.
    pub message: String,
}

impl Failure {
    /// A body that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
