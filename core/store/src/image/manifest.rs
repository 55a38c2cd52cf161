//! Image manifests: OCI image-spec "Image Manifest", and Docker's schema 2. Pure.

use crate::error::{Result, StoreError};
use davit_model::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// OCI's manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Docker's schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Points at content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// A manifest that was checked.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its own digest.
    pub digest: Digest,
    /// Its media type, as content and transport agree on it.
    pub media_type: String,
    /// The configuration: its digest is the image's id.
    pub config: Descriptor,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
    /// The bytes as they came.
    pub raw: Vec<u8>,
}

/// Whether a media type is that of an index (a list of manifests by platform).
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_LIST)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

impl Manifest {
    /// Reads and checks. `media_type` is what the transport said; the document must not say otherwise, and must not
    /// be an index as well (CVE-2021-41190: another reader could see other content under the same digest).
    pub fn parse(media_type: Option<&str>, raw: Vec<u8>) -> Result<Self> {
        let digest = Digest::sha256(&Sha256::digest(&raw).into());
        let fail = |why: String| StoreError::Document { what: format!("manifest {digest}"), why };
        let value: Value = serde_json::from_slice(&raw).map_err(|e| fail(format!("not JSON: {e}")))?;
        let has = |key: &str| value.get(key).is_some();
        if has("manifests") && (has("layers") || has("config")) {
            return Err(fail("it is both a manifest and an index (CVE-2021-41190)".into()));
        }
        if has("manifests") {
            return Err(fail("it is an index, a manifest was expected".into()));
        }
        if has("fsLayers") {
            return Err(fail("Docker's schema 1 is not supported; push the image again with a current tool".into()));
        }
        let document: Document = serde_json::from_value(value).map_err(|e| fail(e.to_string()))?;
        if document.schema_version != 2 {
            return Err(fail(format!("schemaVersion is {}, expected 2", document.schema_version)));
        }
        let said = media_type.filter(|m| !m.is_empty());
        let media_type = match (said, document.media_type.as_deref()) {
            (Some(said), Some(own)) if said != own => {
                return Err(fail(format!("it came as {said:?} and says it is {own:?}")));
            }
            (_, Some(own)) => own.to_owned(),
            (Some(said), None) => said.to_owned(),
            (None, None) => OCI_MANIFEST.to_owned(),
        };
        if media_type != OCI_MANIFEST && media_type != DOCKER_MANIFEST {
            return Err(fail(format!("its media type {media_type:?} is not a manifest's")));
        }
        for layer in &document.layers {
            // Refused before anything is fetched.
            crate::archive::input::Compression::by_media_type(&layer.media_type)
                .map_err(|_| fail(format!("layer media type {:?} is unknown", layer.media_type)))?;
        }
        Ok(Self { digest, media_type, config: document.config, layers: document.layers, raw })
    }
}
