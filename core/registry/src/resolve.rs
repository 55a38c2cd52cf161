//! From a reference to a checked manifest for one platform.

use crate::{
    Descriptor, Document, Error, ErrorKind, Index, MANIFEST_LIMIT, Operation, Platform, Registry, Session,
    access::Access,
    body, digester,
    document::{self, ImageManifest, Shape},
    endpoint::Target,
    exchange::Call,
    trust,
};
use davit_model::{auth::ManifestView, digest::Digest, reference::Reference};
use reqwest::header::{ACCEPT, CONTENT_TYPE};

/// What a reference stands for at the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the top document (the index where there is one): what `RepoDigests` shows.
    pub digest: Digest,
    /// The image's manifest.
    pub document: Document,
    /// The image's manifest, read.
    pub manifest: ImageManifest,
    /// The index that it was picked from.
    pub index: Option<Document>,
    /// The entry of the index that was picked.
    pub picked: Option<Descriptor>,
}

impl Registry {
    /// Finds the manifest of `reference` for `platform` (this machine's where none is given), and asks the session's
    /// policy whether it is trusted.
    pub async fn resolve(
        &self,
        session: &Session,
        reference: &Reference,
        platform: Option<&Platform>,
    ) -> Result<Resolved, Error> {
        let found = self.resolve_at_any(session, reference, platform).await;
        found.map_err(|kind| Error::new(Operation::Pull, reference.familiar(), kind))
    }

    async fn resolve_at_any(
        &self,
        session: &Session,
        reference: &Reference,
        platform: Option<&Platform>,
    ) -> Result<Resolved, ErrorKind> {
        let mut last = None;
        let mut places = self.places(session, reference).await?;
        while let Some(target) = places.next().await? {
            match self.resolve_at(session, &target, reference, platform).await {
                Err(kind) if elsewhere(&kind) => {
                    tracing::debug!(endpoint = target.origin().as_str(), error = %kind, "the next endpoint is asked");
                    last = Some(kind);
                }
                outcome => return outcome,
            }
        }
        Err(last.unwrap_or_else(|| ErrorKind::NotFound("manifest unknown".to_owned())))
    }

    async fn resolve_at(
        &self,
        session: &Session,
        target: &Target,
        reference: &Reference,
        platform: Option<&Platform>,
    ) -> Result<Resolved, ErrorKind> {
        let (top, shape) = self.document(session, target, &reference.manifest_key(), reference.digest()).await?;
        let view = ManifestView {
            reference: reference.to_string(),
            digest: top.digest.clone(),
            media_type: top.media_type.clone(),
        };
        let reader = trust::Reader::new(self, session, target, &view);
        session.auth.verify(&view, &reader).await.map_err(ErrorKind::Policy)?;
        let digest = top.digest.clone();
        if shape == Shape::Manifest {
            return Ok(Resolved { digest, manifest: top.manifest()?, document: top, index: None, picked: None });
        }
        let picked = pick(&top.index()?, platform.unwrap_or(&Platform::host()))?;
        let key = picked.digest.to_string();
        let (document, shape) = self.document(session, target, &key, Some(&picked.digest)).await?;
        if shape != Shape::Manifest {
            return Err(ErrorKind::Manifest("the index leads to another index".to_owned()));
        }
        if document.bytes.len() as u64 != picked.size {
            let received = document.bytes.len() as u64;
            return Err(ErrorKind::SizeMismatch { expected: picked.size, received });
        }
        if document.media_type != picked.media_type {
            let (said, is) = (&picked.media_type, &document.media_type);
            return Err(ErrorKind::Manifest(format!("the index says {said}, the registry serves {is}")));
        }
        Ok(Resolved { digest, manifest: document.manifest()?, document, index: Some(top), picked: Some(picked) })
    }

    /// A manifest or index by tag or digest, checked against `expected` and the registry's own header.
    pub(crate) async fn document(
        &self,
        session: &Session,
        target: &Target,
        key: &str,
        expected: Option<&Digest>,
    ) -> Result<(Document, Shape), ErrorKind> {
        let access = Access::to(&target.repository, &["pull"]);
        let url = target.url(&["manifests", key])?;
        let call = Call::get(target, &access, url).header(ACCEPT, &document::ACCEPT.join(", "))?;
        let answered = self.success(self.send(session, call).await?, "manifest").await?;
        let header = |name: &str| answered.response.headers().get(name).and_then(|v| v.to_str().ok());
        let content_type = header(CONTENT_TYPE.as_str()).map(str::to_owned);
        let told: Option<Digest> = match header("docker-content-digest") {
            Some(text) => {
                Some(text.parse().map_err(|e| ErrorKind::Protocol(format!("its Docker-Content-Digest: {e}")))?)
            }
            None => None,
        };
        let bytes = body::read_all(answered, MANIFEST_LIMIT, self.inner.options.timeouts.stall).await?;
        for claim in expected.into_iter().chain(&told) {
            digester::check(&bytes, claim)
                .map_err(|received| ErrorKind::DigestMismatch { expected: claim.clone(), received })?;
        }
        let (shape, media_type) = document::inspect(&bytes, content_type.as_deref())?;
        let digest = expected.cloned().or(told).unwrap_or_else(|| digester::sha256(&bytes));
        Ok((Document { bytes, media_type, digest }, shape))
    }
}

/// Whether another endpoint may do better than one that failed so.
pub(crate) fn elsewhere(kind: &ErrorKind) -> bool {
    !matches!(kind, ErrorKind::Policy(_) | ErrorKind::NoPlatform { .. } | ErrorKind::Sink(_) | ErrorKind::Refused(_))
}

fn pick(index: &Index, wanted: &Platform) -> Result<Descriptor, ErrorKind> {
    let entries = &index.manifests;
    let by_platform = wanted.best(entries.iter().map(|d| d.platform.as_ref()));
    // A list of one that says nothing of platforms is for any.
    let only = (entries.len() == 1 && entries.iter().all(|d| d.platform.is_none())).then_some(0);
    by_platform.or(only).and_then(|place| entries.get(place)).cloned().ok_or_else(|| {
        let mut available: Vec<String> = entries
            .iter()
            .filter_map(|d| d.platform.as_ref())
            .filter(|p| p.os != "unknown")
            .map(ToString::to_string)
            .collect();
        available.sort();
        available.dedup();
        ErrorKind::NoPlatform { wanted: wanted.to_string(), available }
    })
}
