//! Sends an image: its blobs as far as the registry lacks them, then its manifest.

use crate::{
    Descriptor, Document, Error, ErrorKind, Operation, Registry, Session,
    access::Access,
    digester,
    endpoint::Target,
    exchange::{Call, Payload},
};
use async_trait::async_trait;
use bytes::Bytes;
use davit_model::{digest::Digest, reference::Reference};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use reqwest::{Method, header::CONTENT_TYPE};
use std::{collections::BTreeSet, fmt, io, pin::Pin};

/// A blob's bytes.
pub type BlobReader = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Where a blob's bytes come from.
#[async_trait]
pub trait BlobSource: Send + Sync + fmt::Debug {
    /// The bytes of `descriptor`'s blob from `offset` on; opened again for each try.
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> io::Result<BlobReader>;
}

/// A blob of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushBlob {
    /// The blob.
    pub descriptor: Descriptor,
    /// Repositories of the same registry that are known to have it; the first is mounted from.
    pub mount_from: Vec<String>,
}

/// How far a blob is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushState {
    /// Its turn has not come.
    Waiting,
    /// The registry has it already.
    Exists,
    /// The registry took it from this repository of its own.
    Mounted(String),
    /// This many bytes are sent.
    Uploading(u64),
    /// The registry has all of it.
    Pushed,
}

/// How many blobs of one image are sent at once.
const AT_ONCE: usize = 3;

impl Registry {
    /// Pushes `document` to `reference` after its blobs, and gives the digest under which the registry holds it.
    ///
    /// An index is pushed likewise, without blobs, after each of its manifests was pushed to
    /// [`Reference::with_digest`].
    pub async fn push(
        &self,
        session: &Session,
        reference: &Reference,
        document: &Document,
        blobs: &[PushBlob],
        source: &dyn BlobSource,
        progress: &(dyn Fn(&Descriptor, PushState) + Send + Sync),
    ) -> Result<Digest, Error> {
        let pushed = async {
            let access = Access::to(reference.repository(), &["pull", "push"]);
            let target = self.registry_itself(session, reference.registry(), reference.repository(), &access).await?;
            let mut seen = BTreeSet::new();
            let blobs: Vec<_> = blobs.iter().filter(|b| seen.insert(b.descriptor.digest.clone())).collect();
            for blob in &blobs {
                progress(&blob.descriptor, PushState::Waiting);
            }
            let target = &target;
            // Boxed one by one: a closure over borrowed blobs is not general enough for callers that spawn this.
            let mut work: Vec<BoxFuture<'_, Result<(), ErrorKind>>> = Vec::new();
            for blob in blobs {
                work.push(Box::pin(self.push_blob(session, target, blob, source, progress)));
            }
            stream::iter(work).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            self.put_document(session, target, reference, document).await
        };
        pushed.await.map_err(|kind| Error::new(Operation::Push, reference.familiar(), kind))
    }

    async fn put_document(
        &self,
        session: &Session,
        target: &Target,
        reference: &Reference,
        document: &Document,
    ) -> Result<Digest, ErrorKind> {
        let wrong = |received| ErrorKind::DigestMismatch { expected: document.digest.clone(), received };
        digester::check(&document.bytes, reference.digest().unwrap_or(&document.digest)).map_err(wrong)?;
        let access = Access::to(&target.repository, &["pull", "push"]);
        // A reference with both is pushed by its tag; the digest was checked above.
        let key = reference.tag().map_or_else(|| document.digest.to_string(), str::to_owned);
        let call = Call::new(Method::PUT, target, &access, target.url(&["manifests", &key])?)
            .header(CONTENT_TYPE, &document.media_type)?
            .payload(Payload::Bytes(document.bytes.clone()));
        let answered = self.success(self.send(session, call).await?, "repository").await?;
        let told = answered.response.headers().get("docker-content-digest").and_then(|v| v.to_str().ok());
        match told.map(str::parse::<Digest>) {
            Some(Ok(told)) if told != document.digest => {
                Err(ErrorKind::DigestMismatch { expected: document.digest.clone(), received: told })
            }
            _ => Ok(document.digest.clone()),
        }
    }
}
