//! Blobs on their way from a registry into the store.

use crate::{Engine, EngineError, images::store_error, pull::registry_error};
use async_trait::async_trait;
use bytes::Bytes;
use davit_model::reference::Reference;
use davit_registry::{BlobSink, Descriptor, Session};
use davit_store::{BlobWriter, Lease, StoreError};
use std::{io, time::Duration};

/// Between two looks at a blob that another pull is writing.
const ANOTHER_LOOK: Duration = Duration::from_millis(100);

/// Fetches from one repository for one caller.
#[derive(Clone, Copy)]
pub(crate) struct Fetcher<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) session: &'a Session,
    pub(crate) reference: &'a Reference,
}

impl Fetcher<'_> {
    /// Brings a small blob whole; `told` is told how many bytes there are.
    pub(crate) async fn bring(
        &self,
        lease: &Lease,
        descriptor: &Descriptor,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), EngineError> {
        match self.writer(lease, descriptor).await? {
            Some(writer) => self.fetch(writer, descriptor, told).await,
            None => Ok(()),
        }
    }

    /// The blob's writer; none where the blob is there. Another pull's writer is waited for.
    async fn writer(&self, lease: &Lease, descriptor: &Descriptor) -> Result<Option<BlobWriter>, EngineError> {
        loop {
            match self.engine.inner.store.write_blob(lease, &descriptor.digest, Some(descriptor.size)).await {
                Err(StoreError::Busy(_)) => tokio::time::sleep(ANOTHER_LOOK).await,
                other => return other.map_err(store_error),
            }
        }
    }

    /// Fetches into a writer, from its offset on.
    pub(crate) async fn fetch(
        &self,
        writer: BlobWriter,
        descriptor: &Descriptor,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), EngineError> {
        let mut sink = Sink(writer);
        let registry = &self.engine.inner.registry;
        let fetched = registry.fetch_blob(self.session, self.reference, descriptor, &mut sink, told).await;
        fetched.map_err(registry_error)?;
        let finished = tokio::task::spawn_blocking(move || sink.0.finish()).await;
        finished.map_err(|e| EngineError::internal("finishing a blob", e))?.map_err(store_error)?;
        Ok(())
    }
}

/// A blob's writer as the registry's sink.
struct Sink(BlobWriter);

#[async_trait]
impl BlobSink for Sink {
    fn offset(&self) -> u64 {
        self.0.offset()
    }

    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.0.write(&bytes).map_err(sink_error)
    }

    async fn reset(&mut self) -> io::Result<()> {
        self.0.restart().map_err(sink_error)
    }
}

/// A full disk can be told from other errors on its way through the registry's client.
fn sink_error(e: StoreError) -> io::Error {
    let kind = if e.is_no_space() { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
    io::Error::new(kind, e)
}
