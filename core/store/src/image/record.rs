//! Records of images and references, each change one transaction.

use super::{Config, Descriptor, Manifest};
use crate::{
    db::{DbError, Durability},
    error::{Result, StoreError},
    layer::chain_ids,
    store::Store,
};
use davit_model::{digest::Digest, reference::Reference};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of an image without reading its blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The configuration's digest.
    pub id: Digest,
    /// Manifests that lead to it; one image can come compressed in several ways. Never empty.
    pub manifests: Vec<ManifestRecord>,
    /// Digests of the layers' uncompressed archives, base first.
    pub diff_ids: Vec<Digest>,
    /// Chain ids of the layers, base first.
    pub chain_ids: Vec<Digest>,
    /// Bytes of configuration and (compressed) layers.
    pub size: u64,
    /// RFC 3339, as the configuration says.
    pub created: Option<String>,
    /// Architecture, in Go's words.
    pub architecture: String,
    /// Operating system, in Go's words.
    pub os: String,
    /// Variant of the architecture.
    pub variant: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// One manifest of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// The layers' blobs.
    pub layers: Vec<Descriptor>,
}

/// An image with its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The record.
    pub record: ImageRecord,
    /// Its tags.
    pub references: Vec<Reference>,
    /// `repository@digest`, as pulled or pushed.
    pub repo_digests: Vec<Reference>,
}

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// References that are gone.
    pub untagged: Vec<Reference>,
    /// Images that are gone.
    pub deleted: Vec<Digest>,
}

pub(super) fn repository(reference: &Reference) -> String {
    format!("{}/{}", reference.registry(), reference.repository())
}

/// The key of a tag in the table; none for a reference that has no tag.
pub(super) fn tag_key(reference: &Reference) -> Option<String> {
    reference.tag().map(|tag| format!("{}:{tag}", repository(reference)))
}

fn damaged(object: &str, why: impl ToString) -> StoreError {
    StoreError::Record { object: object.to_owned(), why: why.to_string() }
}

pub(super) fn load(c: &Connection, id: &str) -> Result<Option<ImageRecord>> {
    let text: Option<String> =
        c.prepare_cached("SELECT record FROM image WHERE id = ?1")?.query_row([id], |r| r.get(0)).optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(|e| damaged(id, e))).transpose()
}

pub(super) fn with_names(c: &Connection, record: ImageRecord) -> Result<Image> {
    let id = record.id.to_string();
    let mut names = c.prepare_cached("SELECT name FROM reference WHERE image = ?1 ORDER BY name")?;
    let names = names.query_map([&id], |r| r.get::<_, String>(0))?;
    let mut references = Vec::new();
    for name in names {
        references.push(name?.parse().map_err(|e| damaged(&id, e))?);
    }
    let mut digests = c.prepare_cached(
        "SELECT repository || '@' || digest FROM repo_digest WHERE image = ?1 ORDER BY repository, digest",
    )?;
    let digests = digests.query_map([&id], |r| r.get::<_, String>(0))?;
    let mut repo_digests = Vec::new();
    for name in digests {
        repo_digests.push(name?.parse().map_err(|e| damaged(&id, e))?);
    }
    Ok(Image { record, references, repo_digests })
}

fn save(c: &Connection, record: &ImageRecord) -> Result<()> {
    let text = serde_json::to_string(record).map_err(|e| damaged(&record.id.to_string(), e))?;
    c.execute(
        "INSERT INTO image VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
        params![record.id.to_string(), text],
    )?;
    Ok(())
}

pub(super) fn point(c: &Connection, reference: &Reference, id: &Digest) -> Result<()> {
    if let Some(key) = tag_key(reference) {
        c.execute(
            "INSERT INTO reference VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET image = excluded.image",
            params![key, id.to_string()],
        )?;
    }
    Ok(())
}

fn describe(manifest: &Manifest, config: &Config) -> ImageRecord {
    let layers = manifest.layers.iter().map(|l| l.size).fold(manifest.config.size, u64::saturating_add);
    let labels = config.spec.config().as_ref().and_then(|c| c.labels().clone()).unwrap_or_default();
    ImageRecord {
        id: config.digest.clone(),
        manifests: vec![ManifestRecord {
            digest: manifest.digest.clone(),
            media_type: manifest.media_type.clone(),
            layers: manifest.layers.clone(),
        }],
        chain_ids: chain_ids(&config.diff_ids),
        diff_ids: config.diff_ids.clone(),
        size: layers,
        created: config.spec.created().clone(),
        architecture: config.spec.architecture().to_string(),
        os: config.spec.os().to_string(),
        variant: config.spec.variant().clone(),
        labels: labels.into_iter().collect(),
    }
}

impl Store {
    /// Makes an image exist: record and references in one transaction that survives a power cut. The configuration's
    /// blob must be there; the manifest's is stored. Where the image was pulled through an index, `pulled` is the
    /// digest that the registry gave for the reference; else the manifest's own counts as repository digest, where
    /// `from_registry` says that there is one at all.
    pub async fn put_image(
        &self,
        manifest: &Manifest,
        references: &[Reference],
        from_registry: bool,
        pulled: Option<&Digest>,
    ) -> Result<ImageRecord> {
        let lease = self.lease("put image").await?;
        lease.add_blob(&manifest.config.digest).await?;
        self.put_blob(&lease, manifest.raw.clone()).await?;
        let config = Config::parse(self.blob_bytes(&manifest.config.digest).await?)?;
        if config.diff_ids.len() != manifest.layers.len() {
            let why =
                format!("it has {} layers, its configuration names {}", manifest.layers.len(), config.diff_ids.len());
            return Err(StoreError::Document { what: format!("manifest {}", manifest.digest), why });
        }
        let mut record = describe(manifest, &config);
        let references = references.to_vec();
        let digest = from_registry.then(|| pulled.unwrap_or(&manifest.digest).to_string());
        let write = move |c: &Connection| {
            if let Some(earlier) = load(c, &record.id.to_string())? {
                let known = |m: &ManifestRecord| record.manifests.iter().any(|own| own.digest == m.digest);
                let others: Vec<_> = earlier.manifests.into_iter().filter(|m| !known(m)).collect();
                record.manifests.extend(others);
            }
            save(c, &record)?;
            for reference in &references {
                point(c, reference, &record.id)?;
                if let Some(digest) = &digest {
                    c.execute(
                        "INSERT OR REPLACE INTO repo_digest VALUES (?1, ?2, ?3)",
                        params![repository(reference), digest, record.id.to_string()],
                    )?;
                }
            }
            Ok(record)
        };
        let record = self.0.db.write::<_, StoreError>(Durability::Full, write).await?;
        lease.release().await?;
        Ok(record)
    }

    /// All images.
    pub async fn images(&self) -> Result<Vec<Image>> {
        self.0
            .db
            .read(|c| {
                let mut rows = c.prepare_cached("SELECT id FROM image ORDER BY id")?;
                let ids = rows.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
                let records = ids.iter().filter_map(|id| load(c, id).transpose());
                records.map(|record| with_names(c, record?)).collect()
            })
            .await
    }

    /// An image's configuration.
    pub async fn image_config(&self, image: &ImageRecord) -> Result<Config> {
        Config::parse(self.blob_bytes(&image.id).await?)
    }

    /// An image's manifest, as it came.
    pub async fn image_manifest(&self, manifest: &ManifestRecord) -> Result<Manifest> {
        Manifest::parse(Some(&manifest.media_type), self.blob_bytes(&manifest.digest).await?)
    }

    /// Removes an image with all its names, unless `in_use` says by whom it is needed. Its layers and blobs go with
    /// the next [`Store::collect`].
    pub async fn remove_image(
        &self,
        id: &Digest,
        in_use: impl FnOnce(&Digest) -> Option<String> + Send + 'static,
    ) -> Result<Removed> {
        let id = id.clone();
        let remove = move |c: &Connection| {
            let Some(record) = load(c, &id.to_string())? else {
                return Err(StoreError::NotFound { kind: "image", name: id.to_string() });
            };
            if let Some(by) = in_use(&id) {
                return Err(StoreError::InUse { object: format!("image {}", id.short()), by });
            }
            let image = with_names(c, record)?;
            c.execute("DELETE FROM image WHERE id = ?1", [id.to_string()])?;
            Ok(Removed { untagged: image.references, deleted: vec![id] })
        };
        self.0.db.write(Durability::Full, remove).await
    }

    /// Notes that a repository holds the image under a digest: after a push.
    pub async fn add_repo_digest(&self, reference: &Reference, digest: &Digest, id: &Digest) -> Result<()> {
        let (repository, digest, id) = (repository(reference), digest.to_string(), id.to_string());
        let write = move |c: &Connection| {
            c.execute("INSERT OR REPLACE INTO repo_digest VALUES (?1, ?2, ?3)", params![repository, digest, id])?;
            Ok::<_, DbError>(())
        };
        Ok(self.0.db.write(Durability::Full, write).await?)
    }
}
