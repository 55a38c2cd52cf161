//! What policy may read to decide on trust: what refers to a manifest, and blobs beside it.

use crate::{
    ErrorKind, Index, MANIFEST_LIMIT, Registry, Session, access::Access, body, digester, document, endpoint::Target,
    exchange::Call,
};
use async_trait::async_trait;
use davit_model::{
    auth::{ManifestReader, ManifestView},
    digest::Digest,
    error::PolicyError,
};
use reqwest::{Url, header::ACCEPT};

/// Reads beside one manifest at one endpoint.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    registry: &'a Registry,
    session: &'a Session,
    target: &'a Target,
    subject: Digest,
}

impl<'a> Reader<'a> {
    /// A reader beside the manifest of `view`.
    pub(crate) fn new(registry: &'a Registry, session: &'a Session, target: &'a Target, view: &ManifestView) -> Self {
        Self { registry, session, target, subject: view.digest.clone() }
    }

    /// The list of referrers: from the API, else from the fallback tag (distribution-spec, "Listing Referrers").
    async fn list(&self, artifact_type: &str) -> Result<Index, ErrorKind> {
        let mut url = self.target.url(&["referrers", &self.subject.to_string()])?;
        url.query_pairs_mut().append_pair("artifactType", artifact_type);
        let fallback = format!("{}-{}", self.subject.algorithm().as_str(), self.subject.hex());
        for url in [url, self.target.url(&["manifests", &fallback])?] {
            match self.read(url, &document::ACCEPT.join(", ")).await {
                Err(ErrorKind::NotFound(_)) => {}
                // A registry without the API may also not know the method or the path.
                Err(ErrorKind::Status { status: 400 | 405 | 501, .. }) => {}
                other => {
                    return serde_json::from_slice(&other?)
                        .map_err(|e| ErrorKind::Protocol(format!("the list of referrers cannot be read: {e}")));
                }
            }
        }
        Ok(Index { manifests: Vec::new() })
    }

    async fn content(&self, digest: &Digest) -> Result<bytes::Bytes, ErrorKind> {
        let key = digest.to_string();
        let blob = self.read(self.target.url(&["blobs", &key])?, "*/*").await;
        let bytes = match blob {
            Err(ErrorKind::NotFound(_)) => {
                self.read(self.target.url(&["manifests", &key])?, &document::ACCEPT.join(", ")).await?
            }
            other => other?,
        };
        let wrong = |received| ErrorKind::DigestMismatch { expected: digest.clone(), received };
        digester::check(&bytes, digest).map_err(wrong)?;
        Ok(bytes)
    }

    async fn read(&self, url: Url, accept: &str) -> Result<bytes::Bytes, ErrorKind> {
        let access = Access::to(&self.target.repository, &["pull"]);
        let call = Call::get(self.target, &access, url).header(ACCEPT, accept)?;
        let answered = self.registry.success(self.registry.send(self.session, call).await?, "content").await?;
        body::read_all(answered, MANIFEST_LIMIT, self.registry.inner.options.timeouts.stall).await
    }
}

#[async_trait]
impl ManifestReader for Reader<'_> {
    async fn referrers(&self, artifact_type: &str) -> Result<Vec<Digest>, PolicyError> {
        let list = self.list(artifact_type).await.map_err(for_policy)?;
        // The registry may ignore the filter, and the fallback tag has none.
        let wanted = |t: &Option<String>| t.as_deref() == Some(artifact_type);
        Ok(list.manifests.into_iter().filter(|d| wanted(&d.artifact_type)).map(|d| d.digest).collect())
    }

    async fn blob(&self, digest: &Digest) -> Result<Vec<u8>, PolicyError> {
        Ok(self.content(digest).await.map_err(for_policy)?.to_vec())
    }
}

fn for_policy(kind: ErrorKind) -> PolicyError {
    let text = kind.to_string();
    match kind {
        ErrorKind::NotFound(_) => PolicyError::NotFound(text),
        ErrorKind::Unauthorized(_) | ErrorKind::Denied(_) | ErrorKind::Refused(_) => PolicyError::Denied(text),
        ErrorKind::Policy(e) => e.error,
        ErrorKind::Down { .. } | ErrorKind::Timeout { .. } | ErrorKind::Broken { .. } => {
            PolicyError::Unavailable { retry_ms: 0, message: text }
        }
        ErrorKind::RateLimited { retry_after } => {
            let retry_ms = retry_after.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
            PolicyError::Unavailable { retry_ms, message: text }
        }
        _ => PolicyError::Other(text),
    }
}
