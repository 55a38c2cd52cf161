//! What a policy answers when the answer is no. The cases are those of `davit:types/types.error` in `wit/`.

use serde::{Deserialize, Serialize};

/// Why a policy refused or failed. Each text is for people: lowercase, no final period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyError {
    /// The request makes no sense to this policy.
    #[error("invalid: {0}")]
    Invalid(String),
    /// Something the request names does not exist.
    #[error("not found: {0}")]
    NotFound(String),
    /// The request collides with what is there: an address, a name, a port.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Policy says no, or a grant is missing.
    #[error("denied: {0}")]
    Denied(String),
    /// The policy, or this kernel, cannot do it.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// Try again later; the number is milliseconds.
    #[error("unavailable: {message}")]
    Unavailable {
        /// How long to wait before the next try, in milliseconds; 0 where unknown.
        retry_ms: u64,
        /// What was not there.
        message: String,
    },
    /// The policy, or its host, is broken: a trap, a limit, a plan that cannot be.
    #[error("internal: {0}")]
    Internal(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// A [`PolicyError`] with the name of who said it and in which call.
///
/// Shown as `plugin site-auth@1.2.0, authenticate: denied: …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("plugin {plugin}, {call}: {error}")]
pub struct PortError {
    /// Name and version of the plugin, `name@version`; for native parts of the core, the part's name.
    pub plugin: String,
    /// The function that was called, as WIT spells it.
    pub call: String,
    /// What it answered.
    #[source]
    pub error: PolicyError,
}

impl PortError {
    /// An error of `call` in `plugin`.
    pub fn new(plugin: impl Into<String>, call: impl Into<String>, error: PolicyError) -> Self {
        Self { plugin: plugin.into(), call: call.into(), error }
    }
}
