//! `prune`: removes what nothing uses, and counts the bytes that this frees. What cannot be removed is in use again, and
//! stays.

use crate::{
    Engine, EngineError, ImageFilter, ListFilter, RemoveOptions, Removed, images::store_error, labels::PruneFilter,
};
use davit_model::id::Caller;
use std::{collections::BTreeMap, os::fd::AsFd as _};

/// What a prune did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned<T> {
    /// What is gone.
    pub gone: Vec<T>,
    /// Bytes of file content that went with it.
    pub bytes: u64,
}

impl<T> Default for Pruned<T> {
    fn default() -> Self {
        Self { gone: Vec::new(), bytes: 0 }
    }
}

impl Engine {
    /// Removes the containers that do not run.
    pub async fn containers_prune(&self, caller: &Caller, filter: &PruneFilter) -> Result<Pruned<String>, EngineError> {
        let status = ["created", "exited", "dead"].map(str::to_owned).to_vec();
        let mut pruned = Pruned::default();
        for container in self.list(&ListFilter { status, ..ListFilter::default() }).await? {
            if !filter.takes(&container.labels, Some(container.created)) {
                continue;
            }
            let bytes = self.inner.store.root_usage(&container.id).await.map_err(store_error)?;
            if self.remove(caller, container.id.as_str(), RemoveOptions::default()).await.is_ok() {
                pruned.gone.push(container.id.to_string());
                pruned.bytes += bytes;
            }
        }
        self.publish_prune("container.prune", pruned.bytes);
        Ok(pruned)
    }

    /// Removes images: those without a name, or with `all` every one that no container uses; and what pulls that were
    /// interrupted have kept for their next try.
    pub async fn images_prune(
        &self,
        caller: &Caller,
        all: bool,
        filter: &PruneFilter,
    ) -> Result<Pruned<Removed>, EngineError> {
        let wanted = ImageFilter { dangling: (!all).then_some(true), ..ImageFilter::default() };
        let mut pruned = Pruned::default();
        for image in self.images(&wanted).await?.into_iter().filter(|i| i.containers == 0) {
            if !filter.takes(&image.labels, image.created) {
                continue;
            }
            let names = if image.tags.is_empty() { vec![image.id.to_string()] } else { image.tags };
            for name in names {
                if let Ok((gone, bytes)) = self.remove_image(caller, &name, false).await {
                    pruned.gone.extend(gone);
                    pruned.bytes += bytes;
                }
            }
        }
        self.inner.store.end_abandoned_leases().await.map_err(store_error)?;
        pruned.bytes += self.collect().await;
        self.publish_prune("image.prune", pruned.bytes);
        Ok(pruned)
    }

    /// Removes volumes that no container uses: the anonymous ones, or with `all` those with a name too.
    pub async fn volumes_prune(
        &self,
        caller: &Caller,
        all: bool,
        filter: &PruneFilter,
    ) -> Result<Pruned<String>, EngineError> {
        let mut pruned = Pruned::default();
        for volume in self.volumes().await?.into_iter().filter(|v| v.users.is_empty()) {
            let record = volume.record;
            if !(all || record.anonymous) || !filter.takes(&record.labels, Some(record.created)) {
                continue;
            }
            let bytes = self.volume_usage(&record.name).await?;
            if self.volume_remove(caller, &record.name, false).await.is_ok() {
                pruned.gone.push(record.name);
                pruned.bytes += bytes;
            }
        }
        self.publish_prune("volume.prune", pruned.bytes);
        Ok(pruned)
    }

    /// Bytes of file content in a volume.
    pub async fn volume_usage(&self, name: &str) -> Result<u64, EngineError> {
        let path = self.volume_path(name);
        let look = move || davit_store::usage(crate::launch::open_dir(&path)?.as_fd()).map_err(store_error);
        tokio::task::spawn_blocking(look).await.map_err(|e| EngineError::internal("looking at a volume", e))?
    }

    /// Bytes of file content that a container has for itself, and those of its image.
    pub async fn container_usage(&self, name: &str) -> Result<(u64, u64), EngineError> {
        let container = self.inner.containers.find(name)?;
        let own = self.inner.store.root_usage(&container.id).await.map_err(store_error)?;
        // An image that was removed by force under its containers has no size any more.
        let image = container.read(|r| r.image.to_string());
        let image = self.image_inspect(&image).await.map_or(0, |details| details.summary.size);
        Ok((own, image))
    }

    fn publish_prune(&self, kind: &str, bytes: u64) {
        self.publish(kind, "", BTreeMap::from([("reclaimed".to_owned(), bytes.to_string())]));
    }
}
