//! Manifests and indexes as bytes, and what stands in them. A document's media type is checked against its content:
//! one that can be read both ways is refused (CVE-2021-41190).

use crate::{Descriptor, ErrorKind};
use bytes::Bytes;
use davit_model::digest::Digest;
use serde::Deserialize;

/// The largest manifest or index that is read (distribution-spec, "Pushing Manifests": registries take 4 MiB).
pub const MANIFEST_LIMIT: u64 = 4 << 20;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What a registry is asked for, best first.
pub(crate) const ACCEPT: &[&str] = &[OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/// A manifest or index: its exact bytes, with their media type and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The bytes, as the registry holds them.
    pub bytes: Bytes,
    /// The media type.
    pub media_type: String,
    /// The digest of the bytes.
    pub digest: Digest,
}

/// An image manifest's content.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImageManifest {
    /// The image's configuration.
    pub config: Descriptor,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
}

/// An image index's or manifest list's content.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Index {
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

/// Which of both a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Manifest,
    Index,
}

/// The fields that tell the shapes apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    schema_version: Option<u32>,
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// A document made here; its digest is its sha256.
    pub fn new(media_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = crate::digester::sha256(&bytes);
        Self { bytes, media_type: media_type.into(), digest }
    }

    /// What points at it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest.clone(), self.bytes.len() as u64)
    }

    /// Its content, where it is an image manifest.
    pub(crate) fn manifest(&self) -> Result<ImageManifest, ErrorKind> {
        serde_json::from_slice(&self.bytes).map_err(|e| ErrorKind::Manifest(format!("not an image manifest: {e}")))
    }

    /// Its content, where it is an index.
    pub(crate) fn index(&self) -> Result<Index, ErrorKind> {
        serde_json::from_slice(&self.bytes).map_err(|e| ErrorKind::Manifest(format!("not an image index: {e}")))
    }
}

/// The shape and media type of `bytes` that came with `content_type`, where both agree.
pub(crate) fn inspect(bytes: &[u8], content_type: Option<&str>) -> Result<(Shape, String), ErrorKind> {
    let bad = |why: String| Err(ErrorKind::Manifest(why));
    let fields: Fields = match serde_json::from_slice(bytes) {
        Ok(fields) => fields,
        Err(e) => return bad(format!("not a JSON document: {e}")),
    };
    if fields.schema_version == Some(1) || fields.fs_layers.is_some() {
        return bad("schema 1, which Docker retired; push the image again with a current tool".to_owned());
    }
    let parts = (fields.config.is_some() || fields.layers.is_some(), fields.manifests.is_some());
    let shape = match parts {
        (true, false) => Shape::Manifest,
        (false, true) => Shape::Index,
        (true, true) => return bad("the document is a manifest and an index at once".to_owned()),
        (false, false) => return bad("the document is neither a manifest nor an index".to_owned()),
    };
    let served = content_type.map(|t| t.split(';').next().unwrap_or(t).trim().to_ascii_lowercase());
    let served =
        served.filter(|t| !matches!(t.as_str(), "" | "application/json" | "text/plain" | "application/octet-stream"));
    for claim in served.iter().chain(&fields.media_type) {
        match shape_of(claim) {
            Some(claimed) if claimed == shape => {}
            Some(_) => return bad(format!("the media type {claim} does not fit the content")),
            None => return bad(format!("the media type {claim:?} is not that of an image manifest or index")),
        }
    }
    if let (Some(served), Some(claimed)) = (&served, &fields.media_type)
        && served != claimed
    {
        return bad(format!("served as {served}, but it says of itself {claimed}"));
    }
    let default = if shape == Shape::Index { OCI_INDEX } else { OCI_MANIFEST };
    Ok((shape, served.or(fields.media_type).unwrap_or_else(|| default.to_owned())))
}

fn shape_of(media_type: &str) -> Option<Shape> {
    match media_type {
        OCI_MANIFEST | DOCKER_MANIFEST => Some(Shape::Manifest),
        OCI_INDEX | DOCKER_LIST => Some(Shape::Index),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_two_shapes_is_refused() {
        let both = br#"{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}"#;
        assert!(inspect(both, Some(OCI_INDEX)).is_err());
        assert!(inspect(both, Some(OCI_MANIFEST)).is_err());
    }

    #[test]
    fn the_served_type_must_fit_the_content_and_its_own_claim() {
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(inspect(index, Some(OCI_MANIFEST)).is_err());
        assert_eq!(inspect(index, Some(OCI_INDEX)).unwrap(), (Shape::Index, OCI_INDEX.to_owned()));
        assert_eq!(inspect(index, Some("application/json; charset=utf-8")).unwrap().1, OCI_INDEX);
        let claims = format!(r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}","config":{{}},"layers":[]}}"#);
        assert!(inspect(claims.as_bytes(), Some(OCI_MANIFEST)).is_err());
        assert_eq!(inspect(claims.as_bytes(), None).unwrap().1, DOCKER_MANIFEST);
    }

    #[test]
    fn what_is_no_image_says_so() {
        for bad in [&b"{}"[..], b"[]", b"", b"{\"schemaVersion\":1,\"fsLayers\":[]}", b"<html>"] {
            assert!(inspect(bad, Some("application/json")).is_err());
        }
        assert!(inspect(br#"{"config":{},"layers":[]}"#, Some("text/html")).is_err());
    }
}
