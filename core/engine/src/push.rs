//! `push`: an image's blobs as far as the registry lacks them, then its manifest under the reference's tag.

use crate::{
    Engine, EngineError,
    images::store_error,
    lifecycle::image_operation,
    progress::{Board, ProgressStream},
    pull::registry_error,
};
use async_trait::async_trait;
use bytes::Bytes;
use davit_model::{auth::Credential, id::Caller, reference::Reference};
use davit_registry::{BlobReader, BlobSource, Descriptor, Document, PushBlob, PushState, Session};
use davit_store::Store;
use std::{collections::BTreeMap, io, io::SeekFrom};
use tokio::io::AsyncSeekExt as _;

impl Engine {
    /// Pushes the image that `reference` names. Dropping the stream stops the push.
    pub async fn push(
        &self,
        caller: &Caller,
        reference: &Reference,
        credential: Option<Credential>,
    ) -> Result<ProgressStream, EngineError> {
        let image = self.inner.store.resolve(&reference.to_string()).await.map_err(|e| {
            let e = store_error(e);
            if e.kind() == crate::Kind::NotFound {
                let name = reference.familiar_name();
                return EngineError::not_found(format!("An image does not exist locally with the tag: {name}"));
            }
            e
        })?;
        let manifest = image.record.manifests.first().cloned();
        let manifest = manifest.ok_or_else(|| EngineError::internal("pushing", "the image has no manifest"))?;
        let digest = Some(manifest.digest.clone());
        self.admit(&image_operation("image.push", caller, &reference.familiar(), digest)).await?;
        let session = Session::new(self.inner.policy().auth(reference)?, caller.clone(), credential);
        let manifest = self.inner.store.image_manifest(&manifest).await.map_err(store_error)?;
        let board = Board::new();
        board.head("", format!("The push refers to repository [{}/{}]", reference.registry(), reference.repository()));
        let (engine, reference, id) = (self.clone(), reference.clone(), image.record.id.clone());
        let work_board = board.clone();
        let work = async move {
            let board = work_board;
            let pushed = engine.send(&session, &reference, &manifest, &board).await?;
            let noted = engine.inner.store.add_repo_digest(&reference, &pushed, &id).await;
            noted.map_err(store_error)?;
            let tag = reference.tag().unwrap_or(davit_model::reference::DEFAULT_TAG);
            board.foot(format!("{tag}: digest: {pushed} size: {}", manifest.raw.len()));
            let attributes = BTreeMap::from([("name".to_owned(), reference.familiar())]);
            engine.publish("image.push", &reference.familiar(), attributes);
            Ok(())
        };
        Ok(board.run(&self.inner.tasks, work))
    }

    async fn send(
        &self,
        session: &Session,
        reference: &Reference,
        manifest: &davit_store::image::Manifest,
        board: &Board,
    ) -> Result<davit_model::digest::Digest, EngineError> {
        let blobs: Vec<PushBlob> = manifest
            .layers
            .iter()
            .chain([&manifest.config])
            .map(|d| PushBlob {
                descriptor: Descriptor::new(d.media_type.clone(), d.digest.clone(), d.size),
                mount_from: Vec::new(),
            })
            .collect();
        let document = Document::new(manifest.media_type.clone(), manifest.raw.clone());
        let told = |descriptor: &Descriptor, state: PushState| {
            if descriptor.digest == manifest.config.digest {
                return;
            }
            let (status, bytes) = shown(state, descriptor.size);
            board.line(descriptor.digest.short(), status, bytes);
        };
        let source = Blobs(self.inner.store.clone());
        // Boxed: the compiler cannot prove the nested stream Send for every lifetime otherwise.
        let push: futures_util::future::BoxFuture<'_, _> =
            Box::pin(self.inner.registry.push(session, reference, &document, &blobs, &source, &told));
        push.await.map_err(registry_error)
    }
}

/// How far a blob of `size` bytes is, in Docker's words.
pub(crate) fn shown(state: PushState, size: u64) -> (&'static str, Option<(u64, u64)>) {
    match state {
        PushState::Waiting => ("Preparing", None),
        PushState::Exists => ("Layer already exists", None),
        PushState::Mounted(_) => ("Mounted", None),
        PushState::Uploading(sent) => ("Pushing", Some((sent, size))),
        PushState::Pushed => ("Pushed", None),
    }
}

/// The store as a source of blobs.
#[derive(Debug)]
pub(crate) struct Blobs(pub(crate) Store);

#[async_trait]
impl BlobSource for Blobs {
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> io::Result<BlobReader> {
        let file = self.0.blobs().read(&descriptor.digest).map_err(io::Error::other)?;
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(offset)).await?;
        let pieces = futures_util::stream::unfold(file, |mut file| async move {
            use tokio::io::AsyncReadExt as _;
            let mut piece = bytes::BytesMut::with_capacity(128 * 1024);
            match file.read_buf(&mut piece).await {
                Ok(0) => None,
                Ok(_) => Some((Ok::<Bytes, io::Error>(piece.freeze()), file)),
                Err(e) => Some((Err(e), file)),
            }
        });
        Ok(Box::pin(pieces))
    }
}
