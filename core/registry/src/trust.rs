//! What policy may read to decide on trust: what refers to a manifest, and blobs beside it.

use crate::{
    Descriptor, ErrorKind, Index, MANIFEST_LIMIT, Registry, Session,
    access::Access,
    body, digester, document,
    endpoint::Target,
    exchange::{Answered, Call},
    registry::next_page,
};
use async_trait::async_trait;
use bytes::Bytes;
use davit_model::{
    auth::{ManifestReader, ManifestView},
    digest::Digest,
    error::PolicyError,
};
use reqwest::{Url, header::ACCEPT};

/// The artifact type of cosign's signatures. It writes them to a tag of its own, `sha256-….sig`, unless it is told to make
/// referrers of them; what is there is a manifest of the same content.
const COSIGN_SIGNATURES: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// How many pages of a list are read.
const PAGES: usize = 16;

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

    /// What refers to the subject with this artifact type (distribution-spec, "Listing Referrers"): from the API, else
    /// from the list at the fallback tag; and cosign's own tag, which it writes to registries of either sort.
    async fn referring(&self, artifact_type: &str) -> Result<Vec<Digest>, ErrorKind> {
        let listed = match self.pages(artifact_type).await? {
            Some(listed) => listed,
            None => self.fallback().await?,
        };
        // The registry may ignore the filter, and the fallback tag has none.
        let wanted = |d: &Descriptor| d.artifact_type.as_deref() == Some(artifact_type);
        let mut found: Vec<Digest> = listed.into_iter().filter(wanted).map(|d| d.digest).collect();
        if artifact_type == COSIGN_SIGNATURES {
            let tagged = self.cosign_tag().await?;
            found.extend(tagged.filter(|digest| !found.contains(digest)));
        }
        Ok(found)
    }

    /// All pages of the API; none where the registry does not have it.
    async fn pages(&self, artifact_type: &str) -> Result<Option<Vec<Descriptor>>, ErrorKind> {
        let mut first = self.target.url(&["referrers", &self.subject.to_string()])?;
        first.query_pairs_mut().append_pair("artifactType", artifact_type);
        let Some(answered) = there(self.ask(first.clone(), document::ACCEPT).await)? else { return Ok(None) };
        let (mut page, mut answered) = (first, answered);
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let next = next_page(&page, &answered.response);
            found.extend(list(&self.whole(answered).await?)?);
            let Some(next) = next else { return Ok(Some(found)) };
            answered = self.ask(next.clone(), document::ACCEPT).await?;
            page = next;
        }
        Err(ErrorKind::Protocol(format!("the list of referrers has more than {PAGES} pages")))
    }

    /// The list that clients keep at a tag where the API is not ("Unavailable Referrers API").
    async fn fallback(&self) -> Result<Vec<Descriptor>, ErrorKind> {
        let url = self.target.url(&["manifests", &self.tag("")])?;
        match there(self.ask(url, document::ACCEPT).await)? {
            Some(answered) => list(&self.whole(answered).await?),
            None => Ok(Vec::new()),
        }
    }

    /// The manifest of signatures at cosign's tag. It says itself what it holds, and is read by its digest as the others.
    async fn cosign_tag(&self) -> Result<Option<Digest>, ErrorKind> {
        let url = self.target.url(&["manifests", &self.tag(".sig")])?;
        match there(self.ask(url, document::ACCEPT).await)? {
            Some(answered) => Ok(Some(digester::sha256(&self.whole(answered).await?))),
            None => Ok(None),
        }
    }

    /// A tag made of the subject's digest, as long as a tag may be.
    fn tag(&self, end: &str) -> String {
        let hex: String = self.subject.hex().chars().take(64).collect();
        format!("{}-{hex}{end}", self.subject.algorithm().as_str())
    }

    async fn content(&self, digest: &Digest) -> Result<Bytes, ErrorKind> {
        let key = digest.to_string();
        let answered = match self.ask(self.target.url(&["blobs", &key])?, &["*/*"]).await {
            Err(ErrorKind::NotFound(_)) => self.ask(self.target.url(&["manifests", &key])?, document::ACCEPT).await?,
            other => other?,
        };
        let bytes = self.whole(answered).await?;
        let wrong = |received| ErrorKind::DigestMismatch { expected: digest.clone(), received };
        digester::check(&bytes, digest).map_err(wrong)?;
        Ok(bytes)
    }

    async fn ask(&self, url: Url, accept: &[&str]) -> Result<Answered, ErrorKind> {
        let access = Access::to(&self.target.repository, &["pull"]);
        let call = Call::get(self.target, &access, url).header(ACCEPT, &accept.join(", "))?;
        self.registry.success(self.registry.send(self.session, call).await?, "content").await
    }

    async fn whole(&self, answered: Answered) -> Result<Bytes, ErrorKind> {
        body::read_all(answered, MANIFEST_LIMIT, self.registry.inner.options.timeouts.stall).await
    }
}

/// What is there; none where the registry does not have it, or does not know of such things.
fn there(asked: Result<Answered, ErrorKind>) -> Result<Option<Answered>, ErrorKind> {
    match asked {
        Err(ErrorKind::NotFound(_) | ErrorKind::Status { status: 400 | 405 | 501, .. }) => Ok(None),
        other => other.map(Some),
    }
}

fn list(bytes: &[u8]) -> Result<Vec<Descriptor>, ErrorKind> {
    let list: Index = serde_json::from_slice(bytes)
        .map_err(|e| ErrorKind::Protocol(format!("the list of referrers cannot be read: {e}")))?;
    Ok(list.manifests)
}

#[async_trait]
impl ManifestReader for Reader<'_> {
    async fn referrers(&self, artifact_type: &str) -> Result<Vec<Digest>, PolicyError> {
        self.referring(artifact_type).await.map_err(for_policy)
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
