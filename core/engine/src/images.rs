//! `images`, `image inspect`, `history`, `rmi`: what the store holds, in the words of the API.

use crate::{Engine, EngineError, Kind, labels::has_label, lifecycle::image_operation};
use davit_model::{digest::Digest, id::Caller, reference::Reference};
use davit_store::{StoreError, image::Image};
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
    /// Bytes of its layers, unpacked; as they travel, where they are not unpacked.
    pub size: u64,
    /// Bytes of the layers that other images have as well.
    pub shared: u64,
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

/// Which images a list wants.
#[derive(Clone, Debug, Default)]
pub struct ImageFilter {
    /// References: `busybox`, `busybox:1.36`, with `*`.
    pub reference: Vec<String>,
    /// `key` or `key=value`; all must match.
    pub label: Vec<String>,
    /// Without a tag, or with one.
    pub dangling: Option<bool>,
}

impl ImageFilter {
    fn wants(&self, image: &ImageSummary) -> bool {
        let named = |wanted: &String| {
            image.tags.iter().any(|tag| {
                let bare = tag.rsplit_once(':').map_or(tag.as_str(), |(name, _)| name);
                let pattern = crate::policy::Pattern::new(wanted.clone());
                tag == wanted
                    || bare == wanted
                    || (wanted.contains('*') && (pattern.matches(tag) || pattern.matches(bare)))
            })
        };
        self.label.iter().all(|l| has_label(&image.labels, l))
            && (self.reference.is_empty() || self.reference.iter().any(named))
            && self.dangling.is_none_or(|d| d == image.tags.is_empty())
    }
}

impl Engine {
    /// The images that are there, newest first.
    pub async fn images(&self, filter: &ImageFilter) -> Result<Vec<ImageSummary>, EngineError> {
        let images = self.inner.store.images().await.map_err(store_error)?;
        let sizes = self.layer_sizes(&images).await?;
        let mut list: Vec<ImageSummary> = images.iter().map(|i| self.summary(i, &sizes)).collect();
        list.retain(|i| filter.wants(i));
        list.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(list)
    }

    /// Bytes of all layers that are there, each counted once.
    pub async fn layers_size(&self) -> Result<u64, EngineError> {
        Ok(self.inner.store.layer_sizes().await.map_err(store_error)?.values().sum())
    }

    /// An image by reference, digest, id or prefix of its id.
    pub async fn image_inspect(&self, name: &str) -> Result<ImageDetails, EngineError> {
        let image = self.inner.store.resolve(name).await.map_err(store_error)?;
        let config = self.inner.store.image_config(&image.record).await.map_err(store_error)?;
        Ok(ImageDetails {
            summary: self.summary(&image, &self.layer_sizes(std::slice::from_ref(&image)).await?),
            config: serde_json::from_slice(&config.raw).unwrap_or_default(),
            layers: image.record.diff_ids.clone(),
            architecture: image.record.architecture.clone(),
            os: image.record.os.clone(),
            variant: image.record.variant.clone(),
            author: config.spec.author().clone(),
            driver: self.inner.policy().default_storage.clone(),
            manifest: image.record.manifests.first().map(|m| m.digest.clone()),
        })
    }

    /// How an image came to be, newest step first.
    pub async fn history(&self, name: &str) -> Result<Vec<HistoryItem>, EngineError> {
        let image = self.inner.store.resolve(name).await.map_err(store_error)?;
        let config = self.inner.store.image_config(&image.record).await.map_err(store_error)?;
        let blobs = image.record.manifests.first().map(|m| m.layers.clone()).unwrap_or_default();
        let unpacked = self.inner.store.layer_sizes().await.map_err(store_error)?;
        let layers = image.record.chain_ids.iter().zip(&blobs);
        let mut sizes = layers.map(|(id, blob)| unpacked.get(id).copied().unwrap_or(blob.size));
        let mut items: Vec<HistoryItem> = config
            .spec
            .history()
            .iter()
            .flatten()
            .map(|step| HistoryItem {
                id: "<missing>".to_owned(),
                created: step.created().as_deref().and_then(|t| t.parse().ok()),
                created_by: step.created_by().clone().unwrap_or_default(),
                size: if step.empty_layer().unwrap_or(false) { 0 } else { sizes.next().unwrap_or(0) },
                comment: step.comment().clone().unwrap_or_default(),
                tags: Vec::new(),
            })
            .collect();
        items.reverse();
        if let Some(newest) = items.first_mut() {
            newest.id = image.record.id.to_string();
            newest.tags = image.references.iter().map(Reference::familiar).collect();
        }
        Ok(items)
    }

    /// Gives an image another name.
    pub async fn tag(&self, caller: &Caller, name: &str, target: &Reference) -> Result<(), EngineError> {
        self.admit(&image_operation("image.tag", caller, &target.familiar(), None)).await?;
        let image = self.inner.store.resolve(name).await.map_err(store_error)?;
        self.inner.store.tag(&image.record.id, target).await.map_err(store_error)?;
        let attributes = BTreeMap::from([("name".to_owned(), target.familiar())]);
        self.publish("image.tag", &image.record.id.to_string(), attributes);
        Ok(())
    }

    /// Removes a name, and the image with its last one.
    pub async fn image_remove(&self, caller: &Caller, name: &str, force: bool) -> Result<Vec<Removed>, EngineError> {
        Ok(self.remove_image(caller, name, force).await?.0)
    }

    /// As [`Engine::image_remove`]; answers as well how many bytes that freed.
    pub(crate) async fn remove_image(
        &self,
        caller: &Caller,
        name: &str,
        force: bool,
    ) -> Result<(Vec<Removed>, u64), EngineError> {
        let image = self.inner.store.resolve(name).await.map_err(store_error)?;
        let id = image.record.id.clone();
        self.admit(&image_operation("image.remove", caller, name, None)).await?;
        let named: Option<Reference> = name
            .parse()
            .ok()
            .filter(|r| image.references.contains(r) || (r.digest().is_some() && image.repo_digests.contains(r)));
        let only_name = |r: &Reference| r.digest().is_none() && image.references.len() > 1;
        if let Some(reference) = named.as_ref().filter(|r| only_name(r)) {
            self.inner.store.untag(reference).await.map_err(store_error)?;
            self.publish("image.untag", &id.to_string(), BTreeMap::from([("name".to_owned(), reference.familiar())]));
            return Ok((vec![Removed::Untagged(reference.familiar())], 0));
        }
        if named.is_none() && image.references.len() > 1 && !force {
            return Err(EngineError::conflict(format!(
                "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
                id.short()
            )));
        }
        if let Some((user, running)) = self.image_user(&id) {
            let verb = if running { "cannot be forced" } else { "must be forced" };
            let what = if running { "running container" } else { "stopped container" };
            if running || !force {
                let why = format!("conflict: unable to delete {name} ({verb}) - image is being used by {what} {user}");
                return Err(EngineError::conflict(why));
            }
        }
        let removed = self.inner.store.remove_image(&id, |_| None).await.map_err(store_error)?;
        let freed = self.collect().await;
        self.publish("image.delete", &id.to_string(), BTreeMap::from([("name".to_owned(), id.to_string())]));
        let untagged = removed.untagged.iter().map(|r| Removed::Untagged(r.familiar()));
        let deleted = removed.deleted.iter().map(|d| Removed::Deleted(d.to_string()));
        Ok((untagged.chain(deleted).collect(), freed))
    }

    /// Sweeps what no record and no lease names; answers the bytes that this freed.
    pub(crate) async fn collect(&self) -> u64 {
        let drivers = self.inner.policy().storage.clone();
        match self.inner.store.collect(&drivers.into_values().collect::<Vec<_>>()).await {
            Ok(collected) => collected.bytes,
            // The records are gone; what could not be swept now is swept with the next removal or start.
            Err(e) => {
                tracing::warn!("collecting what nothing names: {e}");
                0
            }
        }
    }

    /// A container of the image, and whether it runs.
    fn image_user(&self, id: &Digest) -> Option<(String, bool)> {
        let all = self.inner.containers.all();
        let mut users: Vec<(String, bool)> = all
            .iter()
            .filter(|c| c.read(|r| r.image == *id))
            .map(|c| (c.id.short().to_owned(), c.read(|r| r.state.status.has_process())))
            .collect();
        users.sort_by_key(|(_, running)| !running);
        users.into_iter().next()
    }

    async fn layer_sizes(&self, images: &[Image]) -> Result<LayerSizes, EngineError> {
        let bytes = self.inner.store.layer_sizes().await.map_err(store_error)?;
        let mut images_of: BTreeMap<Digest, usize> = BTreeMap::new();
        for id in images.iter().flat_map(|i| &i.record.chain_ids) {
            *images_of.entry(id.clone()).or_default() += 1;
        }
        Ok(LayerSizes { bytes, images_of })
    }

    fn summary(&self, image: &Image, sizes: &LayerSizes) -> ImageSummary {
        let containers = self.inner.containers.all().iter().filter(|c| c.read(|r| r.image == image.record.id)).count();
        ImageSummary {
            id: image.record.id.clone(),
            tags: image.references.iter().map(Reference::familiar).collect(),
            digests: image.repo_digests.iter().map(Reference::familiar).collect(),
            created: image.record.created.as_deref().and_then(|t| t.parse().ok()),
            size: sizes.of(image),
            shared: sizes.shared(image),
            labels: image.record.labels.clone(),
            containers,
        }
    }
}

/// What layers hold, and in how many images each is.
struct LayerSizes {
    bytes: BTreeMap<Digest, u64>,
    images_of: BTreeMap<Digest, usize>,
}

impl LayerSizes {
    fn of(&self, image: &Image) -> u64 {
        let sizes = image.record.chain_ids.iter().map(|id| self.bytes.get(id).copied());
        sizes.sum::<Option<u64>>().unwrap_or(image.record.size)
    }

    fn shared(&self, image: &Image) -> u64 {
        let shared = image.record.chain_ids.iter().filter(|id| self.images_of.get(*id).is_some_and(|n| *n > 1));
        shared.filter_map(|id| self.bytes.get(id)).sum()
    }
}

/// The store's errors, in Docker's words where clients look for them.
pub(crate) fn store_error(e: StoreError) -> EngineError {
    match e {
        StoreError::NotFound { kind: "image", name } => {
            let shown = name.parse::<Reference>().map_or(name, |r| r.familiar());
            EngineError::not_found(format!("No such image: {shown}"))
        }
        StoreError::NotFound { .. } => EngineError::not_found(e.to_string()),
        StoreError::Ambiguous(_) | StoreError::Document { .. } | StoreError::Archive(_) => {
            EngineError::invalid(e.to_string())
        }
        StoreError::InUse { .. } | StoreError::Busy(_) | StoreError::Locked(_) => EngineError::conflict(e.to_string()),
        StoreError::Unsupported { .. } => EngineError::new(Kind::Unsupported, e.to_string()),
        StoreError::Cancelled => EngineError::new(Kind::Canceled, e.to_string()),
        StoreError::Driver(port) => port.into(),
        e if e.is_no_space() => EngineError::new(Kind::NoSpace, e.to_string()),
        other => EngineError::new(Kind::Internal, other.to_string()),
    }
}
