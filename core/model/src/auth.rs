//! The port to registry authentication: how a challenge is answered, which mirrors serve, whether a manifest is
//! trusted. The core does the HTTP and binds each answer to the origin, scope and caller it was made for.

use crate::{digest::Digest, error::PortError, id::Caller, secret::Secret};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

/// What kind of secret a credential holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// User name and password.
    Password,
    /// An OAuth2 refresh token that the token server knows.
    IdentityToken,
    /// A ready bearer token.
    RegistryToken,
}

/// A credential, as a caller sent it or a granted file holds it. Bound to `server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The registry's `host[:port]` that it is for.
    pub server: String,
    /// The user; none for tokens.
    pub user: Option<String>,
    /// What the secret is.
    pub kind: CredentialKind,
    /// The secret.
    pub secret: Secret,
}

/// The scheme that a registry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The first request, before any challenge.
    None,
    /// RFC 7617.
    Basic,
    /// RFC 6750, with the parameters of the distribution project's token specification.
    Bearer,
}

/// A registry's challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// `host[:port]` of the registry.
    pub registry: String,
    /// What it asks for.
    pub scheme: Scheme,
    /// Parameters of `WWW-Authenticate`: `realm`, `service`, `scope`, `error`.
    pub params: BTreeMap<String, String>,
    /// The repository at hand.
    pub repository: Option<String>,
    /// `pull`, `push`, `delete`.
    pub actions: Vec<String>,
    /// What the caller sent with the request.
    pub offered: Option<Credential>,
    /// Who the caller is.
    pub caller: Caller,
    /// 1 for the first try; counts answers that the registry refused.
    pub attempt: u32,
}

/// How to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Without credentials.
    Anonymous,
    /// RFC 7617.
    Basic {
        /// User name; must not contain a colon.
        user: String,
        /// Password.
        password: Secret,
    },
    /// RFC 6750.
    Bearer {
        /// The token.
        token: Secret,
        /// How long it may be cached, for this registry, scope and caller.
        valid: Duration,
    },
}

/// A place that serves a repository's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `https://host[:port]`.
    pub origin: String,
    /// What stands before the repository's name there; may be empty.
    pub prefix: String,
}

/// A manifest whose trust is in question. The host fetches referrers and blobs through [`ManifestReader`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestView {
    /// The reference that was asked for.
    pub reference: String,
    /// The manifest's digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
}

/// Reads what hangs on a manifest: filled by `core/registry`.
#[async_trait]
pub trait ManifestReader: Send + Sync + fmt::Debug {
    /// Digests of the manifests of this artifact type that refer to it.
    async fn referrers(&self, artifact_type: &str) -> Result<Vec<Digest>, crate::error::PolicyError>;
    /// A blob or manifest of the same repository, at most 4 MiB.
    async fn blob(&self, digest: &Digest) -> Result<Vec<u8>, crate::error::PolicyError>;
}

/// Answers how a registry is spoken to. Implemented by the plugin host over a component, and by fakes in tests.
#[async_trait]
pub trait RegistryAuth: Send + Sync + fmt::Debug {
    /// The plugin's name in the site's file.
    fn name(&self) -> &str;
    /// How to answer `challenge`.
    async fn authenticate(&self, challenge: &Challenge) -> Result<Answer, PortError>;
    /// Mirrors for a repository, best first; empty: the registry itself. Optional.
    async fn resolve(&self, _registry: &str, _repository: &str) -> Result<Vec<Endpoint>, PortError> {
        Ok(Vec::new())
    }
    /// Ok is trust; `denied` is not. Optional: without it everything is trusted.
    async fn verify(&self, _manifest: &ManifestView, _reader: &dyn ManifestReader) -> Result<(), PortError> {
        Ok(())
    }
}
