//! The one error of this crate: what was being done, to what, and why it failed.
//!
//! Texts that clients of Docker look for stand as Docker writes them: `pull access denied for`, `manifest unknown`,
//! `unauthorized: authentication required`.

use davit_model::{digest::Digest, error::PortError};
use std::{fmt, io, time::Duration};

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reading a manifest, or a blob.
    Pull,
    /// Writing blobs and manifests.
    Push,
    /// Removing a manifest.
    Delete,
    /// Listing tags.
    ListTags,
    /// Checking a credential.
    Login,
    /// Reading what refers to a manifest, to decide on trust.
    Verify,
    /// Making the client.
    Configure,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::ListTags => "list tags of",
            Self::Login => "log in to",
            Self::Verify => "verify",
            Self::Configure => "configure",
        })
    }
}

/// A failed operation.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Error {
    /// What was being done.
    pub operation: Operation,
    /// The reference, as people write it, or the registry's name.
    pub object: String,
    /// Why it failed.
    pub kind: Box<ErrorKind>,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The registry refused every answer, or wants one and there is none (401).
    #[error("unauthorized: {0}")]
    Unauthorized(String),
    /// The registry knows the caller and says no (403).
    #[error("denied: {0}")]
    Denied(String),
    /// The registry does not have it (404). The text names the registry's code, e.g. `manifest unknown`.
    #[error("{0}")]
    NotFound(String),
    /// Nothing answers at that address.
    #[error("cannot reach the registry at {address}: {why}; check the name, the network, and that the registry runs")]
    Down {
        /// `scheme://host[:port]`.
        address: String,
        /// What the system said.
        why: String,
    },
    /// The TLS handshake failed.
    #[error(
        "cannot make a TLS connection to {address}: {why}; add the registry's certificate authority, or list it as insecure"
    )]
    Tls {
        /// `scheme://host[:port]`.
        address: String,
        /// What the handshake said.
        why: String,
    },
    /// A wait went past its deadline.
    #[error("timeout: {address} did not {wanted} within {}", seconds(.after))]
    Timeout {
        /// `scheme://host[:port]`.
        address: String,
        /// What was waited for: `accept a connection`, `answer`, `send data`, `take data`.
        wanted: &'static str,
        /// How long.
        after: Duration,
    },
    /// A connection broke, and again at each retry.
    #[error("the connection to {address} broke: {why}")]
    Broken {
        /// `scheme://host[:port]`.
        address: String,
        /// What the connection said.
        why: String,
    },
    /// Content is not what its digest says.
    #[error("digest mismatch: expected {expected}, received {received}; the registry's copy is corrupt")]
    DigestMismatch {
        /// What was asked for.
        expected: Digest,
        /// What came.
        received: Digest,
    },
    /// Content is longer or shorter than its descriptor says, or than a limit allows.
    #[error("size mismatch: expected {expected} bytes, received {received}")]
    SizeMismatch {
        /// From the descriptor.
        expected: u64,
        /// What came; one more than expected where reading stopped there.
        received: u64,
    },
    /// A manifest that cannot be accepted: its type, shape or size.
    #[error("unacceptable manifest: {0}")]
    Manifest(String),
    /// The index has nothing for the platform.
    #[error("no matching manifest for {wanted} in the manifest list entries: the image has {}", there(.available))]
    NoPlatform {
        /// `os/arch[/variant]`.
        wanted: String,
        /// What the index has.
        available: Vec<String>,
    },
    /// The auth plugin said no or failed.
    #[error("{0}")]
    Policy(#[source] PortError),
    /// 429, and waiting as asked would take longer than the deadline.
    #[error("toomanyrequests: the registry limits the rate{}", retry(.retry_after))]
    RateLimited {
        /// What the registry asked for.
        retry_after: Option<Duration>,
    },
    /// Another status that is no success.
    #[error("the registry answered {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The first error of the body, or the status's name.
        message: String,
    },
    /// The registry broke the protocol.
    #[error("the registry broke the protocol: {0}")]
    Protocol(String),
    /// Something that would send a secret or a request where it must not go.
    #[error("refused: {0}")]
    Refused(String),
    /// The sink could not take the bytes.
    #[error("cannot store the content: {0}")]
    Sink(#[source] io::Error),
    /// The source could not give the bytes.
    #[error("cannot read the content: {0}")]
    Source(#[source] io::Error),
    /// A setting is wrong.
    #[error("{0}")]
    Setting(String),
}

impl Error {
    /// An error of `operation` on `object`.
    pub(crate) fn new(operation: Operation, object: impl Into<String>, kind: ErrorKind) -> Self {
        Self { operation, object: object.into(), kind: Box::new(kind) }
    }

    fn sentence(&self) -> String {
        let (object, kind) = (&self.object, &self.kind);
        let name = object.split('@').next().unwrap_or(object);
        let name = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => name,
            _ => name,
        };
        match (self.operation, kind.as_ref()) {
            (Operation::Pull, ErrorKind::Unauthorized(_) | ErrorKind::Denied(_)) => format!(
                "pull access denied for {name}, repository does not exist or may require 'docker login': {kind}"
            ),
            (Operation::Pull, ErrorKind::NotFound(what)) if what.starts_with("manifest unknown") => {
                format!("manifest for {object} not found: {what}")
            }
            (operation, _) => format!("{operation} {object}: {kind}"),
        }
    }
}

fn seconds(d: &Duration) -> String {
    format!("{:.1} s", d.as_secs_f64())
}

fn there(available: &[String]) -> String {
    if available.is_empty() { "no platform at all".to_owned() } else { available.join(", ") }
}

fn retry(after: &Option<Duration>) -> String {
    after.map(|d| format!("; it asks to wait {} s", d.as_secs())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_pull_reads_as_docker_writes_it() {
        let kind = ErrorKind::Unauthorized("authentication required".into());
        let e = Error::new(Operation::Pull, "127.0.0.1:5000/a/b:1", kind);
        assert_eq!(
            e.to_string(),
            "pull access denied for 127.0.0.1:5000/a/b, repository does not exist or may require 'docker login': \
             unauthorized: authentication required"
        );
    }

    #[test]
    fn a_missing_manifest_names_the_reference_and_the_registrys_code() {
        let e = Error::new(Operation::Pull, "a:1", ErrorKind::NotFound("manifest unknown".into()));
        assert_eq!(e.to_string(), "manifest for a:1 not found: manifest unknown");
    }
}
