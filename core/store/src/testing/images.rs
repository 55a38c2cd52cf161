//! A small image of any layers, and its pull as the engine does it.

use super::digest;
use crate::{
    LayerSource, Store,
    error::Result,
    image::{Config, Image, ImageRecord, Manifest, OCI_MANIFEST},
};
use davit_model::{digest::Digest, id::ContainerId, storage::StorageDriver};
use serde_json::json;
use std::{io::Write, sync::Arc};

/// Layers, configuration and manifest in memory.
#[derive(Clone)]
pub(crate) struct TestImage {
    pub(crate) diff_ids: Vec<Digest>,
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) config: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

impl TestImage {
    pub(crate) fn new(archives: &[Vec<u8>]) -> Self {
        let gzip = |bytes: &Vec<u8>| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let diff_ids: Vec<Digest> = archives.iter().map(|a| digest(a)).collect();
        let layers: Vec<Vec<u8>> = archives.iter().map(gzip).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
            "config": {
                "Env": ["PATH=/bin"], "Cmd": ["/bin/true"], "Labels": {"a": "b"}, "Entrypoint": null,
                "ExposedPorts": {"80/tcp": {}}, "Volumes": null,
                "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}, "OnBuild": null, "Shell": ["/bin/sh", "-c"],
            },
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created_by": "test"}],
        });
        let config = config.to_string().into_bytes();
        let descriptor = |kind: &str, bytes: &[u8]| {
            json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest(bytes),
                "size": bytes.len()})
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("config.v1+json", &config),
            "layers": layers.iter().map(|l| descriptor("layer.v1.tar+gzip", l)).collect::<Vec<_>>(),
        });
        Self { diff_ids, layers, config, manifest: manifest.to_string().into_bytes() }
    }

    pub(crate) fn id(&self) -> Digest {
        digest(&self.config)
    }
}

/// As the engine pulls: manifest, configuration, then all layers with unpacking running along, then the record.
pub(crate) async fn pull(
    store: &Store,
    driver: &Arc<dyn StorageDriver>,
    image: &TestImage,
    reference: &str,
) -> Result<ImageRecord> {
    let lease = store.lease("pull").await?;
    let manifest = Manifest::parse(Some(OCI_MANIFEST), image.manifest.clone())?;
    store.put_blob(&lease, image.config.clone()).await?;
    let config = Config::parse(store.blob_bytes(&manifest.config.digest).await?)?;
    let (mut sources, mut downloads) = (Vec::new(), Vec::new());
    for ((layer, diff_id), bytes) in manifest.layers.iter().zip(&config.diff_ids).zip(&image.layers) {
        let (diff_id, media_type) = (diff_id.clone(), layer.media_type.clone());
        match store.write_blob(&lease, &layer.digest, Some(layer.size)).await? {
            None => sources.push(LayerSource::blob(store, diff_id, media_type, layer.digest.clone())),
            Some(mut writer) => {
                sources.push(LayerSource::follow(diff_id, media_type, writer.follow()?));
                let bytes = bytes.clone();
                downloads.push(tokio::task::spawn_blocking(move || {
                    let rest = bytes.get(usize::try_from(writer.offset()).unwrap_or(0)..).unwrap_or_default();
                    for chunk in rest.chunks(1 << 16) {
                        writer.write(chunk)?;
                    }
                    writer.finish()
                }));
            }
        }
    }
    store.ensure_layers(driver, &lease, sources).await?;
    for download in downloads {
        download.await.unwrap()?;
    }
    let record = store.put_image(&manifest, &[reference.parse().unwrap()], true, None).await?;
    lease.release().await?;
    Ok(record)
}

pub(crate) fn container(n: u8) -> ContainerId {
    ContainerId::from_bytes(&[n; 32])
}

/// Its tags as people write them.
impl Image {
    pub(crate) fn tags(&self) -> Vec<String> {
        self.references.iter().map(|r| r.familiar()).collect()
    }
}
