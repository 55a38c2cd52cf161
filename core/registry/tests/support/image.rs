//! Images from parts.

use super::Blobs;
use davit_registry::{Descriptor, Document, PushBlob};
use serde_json::json;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image in memory.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) document: Document,
    pub(crate) blobs: Vec<PushBlob>,
    pub(crate) source: Blobs,
}

/// `length` bytes that no two `seed`s share.
pub(crate) fn layer_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

impl Image {
    /// An image of these layers.
    pub(crate) fn of(layers: &[Vec<u8>]) -> Self {
        let source = Blobs::default();
        let config = source.add("application/vnd.oci.image.config.v1+json", br#"{"os":"linux"}"#.to_vec());
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers: Vec<Descriptor> = layers.iter().map(|l| source.add(media_type, l.clone())).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers});
        let document = Document::new(OCI_MANIFEST, manifest.to_string());
        let all = std::iter::once(config).chain(layers);
        let blobs = all.map(|descriptor| PushBlob { descriptor, mount_from: Vec::new() }).collect();
        Self { document, blobs, source }
    }
}
