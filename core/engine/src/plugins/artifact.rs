//! A component as an OCI artifact (CNCF's "Wasm OCI Artifact layout"): configuration `application/vnd.wasm.config.v0+json`,
//! one layer `application/wasm`. The same component makes the same bytes, so that its manifest has one digest everywhere.

use crate::{EngineError, policy::Inspected};
use davit_model::digest::Digest;
use davit_registry::{Descriptor, Document, ImageManifest};
use serde_json::json;

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The time in the configuration, which the layout wants: nobody needs one, and it would make another digest each time.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The documents of an artifact.
pub(super) struct Artifact {
    pub(super) manifest: Document,
    pub(super) config: Vec<u8>,
}

/// The artifact of a component that came without one.
pub(super) fn make(component: &Digest, size: u64, inspected: &Inspected) -> Result<Artifact, EngineError> {
    let failed = |e| EngineError::internal("making an artifact", e);
    let config = json!({
        "created": CREATED,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [component],
        "component": { "exports": inspected.exports, "imports": inspected.imports, "target": null },
    });
    let config = serde_json::to_vec(&config).map_err(failed)?;
    let of_config = Document::new(CONFIG, config.clone());
    let descriptor = |media_type: &str, digest: &Digest, size: u64| json!({ "mediaType": media_type, "digest": digest, "size": size });
    let mut layer = descriptor(LAYER, component, size);
    // `oras pull` writes layers to files of this name, and leaves out those that have none.
    layer["annotations"] = json!({ "org.opencontainers.image.title": format!("{}.wasm", inspected.name) });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &of_config.digest, config.len() as u64),
        "layers": [layer],
        "annotations": {
            "org.opencontainers.image.title": inspected.name,
            "org.opencontainers.image.version": inspected.version,
        },
    });
    Ok(Artifact { manifest: Document::new(MANIFEST, serde_json::to_vec(&manifest).map_err(failed)?), config })
}

/// Configuration and component of an artifact; `what` names it in errors.
pub(super) fn read(what: &str, manifest: &ImageManifest) -> Result<(Descriptor, Descriptor), EngineError> {
    if manifest.config.media_type != CONFIG {
        return Err(EngineError::invalid(format!(
            "{what} is no plugin: its configuration is {}, that of a plugin {CONFIG}",
            manifest.config.media_type
        )));
    }
    match manifest.layers.as_slice() {
        [layer] if layer.media_type == LAYER && layer.size <= super::LARGEST_COMPONENT => {
            Ok((manifest.config.clone(), layer.clone()))
        }
        [layer] if layer.media_type == LAYER => Err(EngineError::invalid(format!(
            "{what} has a component of {} bytes; {} are taken at most",
            layer.size,
            super::LARGEST_COMPONENT
        ))),
        layers => Err(EngineError::invalid(format!(
            "{what} is no plugin: it has {} layers, where a plugin has one of {LAYER}",
            layers.len()
        ))),
    }
}

/// Whether a manifest's configuration says that it is a plugin's.
pub(crate) fn is_one(manifest: &ImageManifest) -> bool {
    manifest.config.media_type == CONFIG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_can_be_read_and_is_the_same_each_time() {
        let component = Document::new(LAYER, b"bytes".to_vec());
        let inspected = Inspected { name: "vault".into(), version: "1.2".into(), ..Inspected::default() };
        let made = make(&component.digest, 5, &inspected).unwrap();
        let again = make(&component.digest, 5, &inspected).unwrap();
        assert_eq!(made.manifest, again.manifest);
        let manifest: ImageManifest = serde_json::from_slice(&made.manifest.bytes).unwrap();
        assert!(is_one(&manifest));
        let (config, layer) = read("it", &manifest).unwrap();
        assert_eq!((config.size, layer.digest), (made.config.len() as u64, component.digest));
    }

    #[test]
    fn an_image_and_two_layers_are_no_plugin() {
        let component = Document::new(LAYER, b"bytes".to_vec());
        let made = make(&component.digest, 5, &Inspected::default()).unwrap();
        let mut manifest: ImageManifest = serde_json::from_slice(&made.manifest.bytes).unwrap();
        manifest.layers.push(manifest.layers[0].clone());
        assert!(read("it", &manifest).unwrap_err().message().contains("2 layers"));
        manifest.layers.pop();
        manifest.layers[0].size = super::super::LARGEST_COMPONENT + 1;
        assert!(read("it", &manifest).unwrap_err().message().contains("at most"));
        manifest.config.media_type = "application/vnd.oci.image.config.v1+json".into();
        assert!(read("it", &manifest).unwrap_err().message().contains("is no plugin"));
    }
}
