//! The port back: what a plugin may ask of the host. Grants are checked by the plugin host before it asks here, and
//! secrets cross this port only towards the host's own side: a guest sees handles.

use crate::{auth::Credential, error::PolicyError, secret::Secret, state::StateWrites};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For the author.
    Debug,
    /// For the operator.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// An HTTP request, complete: credentials are filled in already, on the host's side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// `GET`, `POST`, ….
    pub method: String,
    /// An absolute URL, http or https.
    pub url: String,
    /// Header fields that are no secret.
    pub headers: Vec<(String, String)>,
    /// The `Authorization` header's value.
    pub authorization: Option<Secret>,
    /// The body; secret, because forms carry passwords.
    pub body: Option<Secret>,
    /// The content type of the body.
    pub content_type: Option<String>,
    /// Where the answer is cut, in bytes.
    pub max_body: u64,
    /// When to give up, in milliseconds.
    pub timeout_ms: u64,
    /// Whether link-local addresses may be spoken to.
    pub allow_link_local: bool,
}

/// An HTTP answer. Redirects are not followed: a credential is bound to its origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the host does for plugins. `plugin` is the plugin's name in the site's file.
#[async_trait]
pub trait HostServices: Send + Sync + fmt::Debug {
    /// A line for the plugin's log.
    fn log(&self, plugin: &str, level: LogLevel, message: &str);
    /// The plugin's own section of the site's file.
    async fn config(&self, plugin: &str) -> Result<serde_json::Value, PolicyError>;
    /// A value of the plugin's durable state.
    async fn state_get(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, PolicyError>;
    /// Makes all changes of a call that planned nothing, or none of them: `conflict` where a value is no longer as
    /// expected. Those of a call that planned travel with its plan instead.
    async fn state_commit(&self, writes: &StateWrites) -> Result<(), PolicyError>;
    /// Keys of the plugin's state that start with `prefix`, sorted.
    async fn state_keys(&self, plugin: &str, prefix: &str) -> Result<Vec<String>, PolicyError>;
    /// A named secret of the site.
    async fn secret(&self, plugin: &str, name: &str) -> Result<Secret, PolicyError>;
    /// A credential from the credential file that the site granted to this plugin.
    async fn stored_credential(&self, plugin: &str, server: &str) -> Result<Option<Credential>, PolicyError>;
    /// Sends a request and waits for its answer.
    async fn http(&self, plugin: &str, request: HttpRequest) -> Result<HttpResponse, PolicyError>;
    /// What tells a secret that is kept elsewhere from others; none: whoever asks has it, and makes it himself.
    async fn fingerprint(&self, _secret: &Secret) -> Result<Option<String>, PolicyError> {
        Ok(None)
    }
    /// HMAC-SHA256 of `data` with a secret that is kept elsewhere; none: as above.
    async fn hmac_sha256(&self, _secret: &Secret, _data: &[u8]) -> Result<Option<Vec<u8>>, PolicyError> {
        Ok(None)
    }
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
}
