//! `images`, `image inspect`, `history`, `rmi`: what the store holds, in the words of the API.

use davit_model::digest::Digest;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// An image in a list.
#[derive(Clone, Debug)]
pub struct ImageSummary {
    /// Its id.
    pub id: Digest,
    /// Its tags, as people write them: `busybox:1.36`.
    pub tags: Vec<String>,
    /// Its digests: `busybox@sha256:…`.
    pub digests: Vec<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Bytes of its layers, unpacked.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Containers that use it.
    pub containers: usize,
}

/// An image, for `inspect`.
#[derive(Clone, Debug)]
pub struct ImageDetails {
    /// As in a list.
    pub summary: ImageSummary,
    /// The image's own configuration, as the registry has it (OCI image-spec, config.md).
    pub config: serde_json::Value,
    /// Diff ids, base first.
    pub layers: Vec<Digest>,
    /// `amd64`, ….
    pub architecture: String,
    /// `linux`.
    pub os: String,
    /// Of the architecture.
    pub variant: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// The storage driver that keeps its layers.
    pub driver: String,
    /// The digest of its manifest.
    pub manifest: Option<Digest>,
}

/// A step of an image's history, newest first.
#[derive(Clone, Debug)]
pub struct HistoryItem {
    /// The image's id on the newest step that a tag names, else `<missing>`.
    pub id: String,
    /// When.
    pub created: Option<Timestamp>,
    /// What was run.
    pub created_by: String,
    /// Bytes of its layer.
    pub size: u64,
    /// A remark.
    pub comment: String,
    /// Tags.
    pub tags: Vec<String>,
}

/// What `rmi` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A name went.
    Untagged(String),
    /// An image or a layer went.
    Deleted(String),
}
