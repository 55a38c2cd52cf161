//! The port: what a build asks of whoever keeps images. The engine fills it; a test fills it with a map.

use async_trait::async_trait;
use davit_model::{digest::Digest, reference::Reference};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
};

/// What went wrong on the other side of the port, for people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A layer: its content and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the archive that is not compressed.
    pub diff_id: Digest,
    /// The blob.
    pub descriptor: Descriptor,
}

/// Points at a blob (OCI image-spec, descriptor.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// An image that a stage begins with or copies from.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its id, the digest of its configuration.
    pub id: Digest,
    /// Its configuration, as the registry has it.
    pub config: Vec<u8>,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// A layer that was put.
#[derive(Clone, Debug)]
pub struct Put {
    /// Its blob.
    pub descriptor: Descriptor,
    /// Whether it was there already.
    pub known: bool,
}

/// An image that is complete.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The configuration; its digest is the image's id.
    pub config: Vec<u8>,
    /// The manifest (OCI image-spec, manifest.md), which names configuration and layers.
    pub manifest: Vec<u8>,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
    /// The names that it gets.
    pub tags: Vec<Reference>,
}

/// What a build says while it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Text for people, with its line end.
    Text(String),
    /// The image that was made.
    Image(Digest),
}

/// Whoever keeps images. Every method may be called from several stages at once.
#[async_trait]
pub trait Images: fmt::Debug + Send + Sync {
    /// An image by reference, fetched where it is not there, or always where `pull` says.
    async fn base(&self, reference: &Reference, pull: bool) -> Result<Base, Failure>;

    /// Reads a layer's blob from its beginning, compressed or not. Blocking; called where that is allowed.
    fn open_layer(&self, layer: &Layer) -> io::Result<Box<dyn Read + Send>>;

    /// An empty file without a name, with room for a layer. Blocking.
    fn scratch(&self) -> io::Result<File>;

    /// Takes a layer: its archive, not compressed, in `file` from its beginning, with its digest and size.
    async fn put_layer(&self, file: File, diff_id: &Digest, size: u64) -> Result<Put, Failure>;

    /// The configuration of the image that has this name now; none where there is none.
    async fn tagged(&self, reference: &Reference) -> Result<Option<Vec<u8>>, Failure>;

    /// Makes the image exist, with its names. Answers its id.
    async fn commit(&self, image: Finished) -> Result<Digest, Failure>;

    /// Tells the client.
    fn progress(&self, line: Line);
}
