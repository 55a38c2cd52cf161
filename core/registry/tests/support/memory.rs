//! Sinks and sources in memory.

use async_trait::async_trait;
use bytes::Bytes;
use davit_model::digest::Digest;
use davit_registry::{BlobReader, BlobSink, BlobSource, Descriptor, Document};
use std::{collections::HashMap, io, sync::Mutex};

/// A sink that keeps everything, and counts its resets.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    pub(crate) resets: usize,
}

#[async_trait]
impl BlobSink for Kept {
    fn offset(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn reset(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.resets += 1;
        Ok(())
    }
}

/// Blobs by digest.
#[derive(Debug, Default)]
pub(crate) struct Blobs(Mutex<HashMap<Digest, Bytes>>);

impl Blobs {
    /// Adds a blob.
    pub(crate) fn add(&self, media_type: &str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Document::new(media_type, bytes.clone()).descriptor();
        self.0.lock().unwrap().insert(descriptor.digest.clone(), bytes.into());
        descriptor
    }

    /// The bytes of a blob.
    pub(crate) fn bytes(&self, digest: &Digest) -> Bytes {
        self.0.lock().unwrap()[digest].clone()
    }
}

#[async_trait]
impl BlobSource for Blobs {
    async fn open(&self, descriptor: &Descriptor, offset: u64) -> io::Result<BlobReader> {
        let all = self.bytes(&descriptor.digest).slice(usize::try_from(offset).unwrap()..);
        let pieces: Vec<_> = all.chunks(64 << 10).map(|c| io::Result::Ok(Bytes::copy_from_slice(c))).collect();
        Ok(Box::pin(futures_util::stream::iter(pieces)))
    }
}
