//! The ports of `core/model`, each filled over a component.

pub(crate) mod lifecycle;
pub(crate) mod network;
pub(crate) mod registry_auth;
pub(crate) mod storage;

use crate::call::Callee;
use davit_model::error::{PolicyError, PortError};

/// A plan that lacks what it must have.
fn incomplete(callee: &Callee, call: &str, what: &str) -> PortError {
    PortError::new(
        callee.identity.label.as_str(),
        call,
        PolicyError::Internal(format!("its plan says nothing of {what}")),
    )
}
