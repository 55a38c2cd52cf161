//! Images: documents checked, records kept, names resolved. Knows no registry: bytes come through the blobs.

mod config;
mod manifest;
mod names;
mod record;

pub use config::{Config, DockerConfig};
pub use manifest::{DOCKER_MANIFEST, Descriptor, Manifest, OCI_MANIFEST, is_index};
pub use record::{Image, ImageRecord, ManifestRecord, Removed};

#[cfg(test)]
mod tests;
