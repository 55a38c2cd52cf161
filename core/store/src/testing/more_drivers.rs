//! Three native drivers for what not every file system has: one of snapshots, one of images, one with limits.

use super::drivers::{id, overlaying, place, promote_is_not_here};
use async_trait::async_trait;
use davit_model::{
    error::PortError,
    id::ContainerId,
    state::Planned,
    storage::{
        CommitPlan, Facts, LayerChain, LayerPlan, Place, RootMount, RootPlan, StorageDriver, StorageStep, WhiteoutStyle,
    },
};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug)]
struct Snapshotting;

#[derive(Debug)]
struct Imaging;

#[derive(Debug)]
struct Limiting;

/// Each layer a btrfs snapshot of its parent.
pub(crate) fn snapshotting() -> Arc<dyn StorageDriver> {
    Arc::new(Snapshotting)
}

/// Each layer an erofs image; unpacked in parallel.
pub(crate) fn imaging() -> Arc<dyn StorageDriver> {
    Arc::new(Imaging)
}

/// Each layer a folder, and each container's changes limited to a MiB.
pub(crate) fn limiting() -> Arc<dyn StorageDriver> {
    Arc::new(Limiting)
}

fn snapshot_or_new(parent: Option<&Place>, at: Place) -> StorageStep {
    match parent {
        Some(src) => StorageStep::Snapshot { src: src.clone(), dst: at },
        None => StorageStep::Subvolume { at },
    }
}

#[async_trait]
impl StorageDriver for Snapshotting {
    fn name(&self) -> &str {
        "snapshotting"
    }
    async fn probe(&self, _: &Facts) -> Result<(), PortError> {
        Ok(())
    }
    async fn prepare_layer(&self, chain: &LayerChain) -> Result<Planned<LayerPlan>, PortError> {
        let into = place("new", id(chain));
        let parent = chain.0.iter().rev().nth(1).and_then(|p| p.place.as_ref());
        Ok(LayerPlan {
            steps: vec![snapshot_or_new(parent, into.clone())],
            into,
            needs_parent_first: chain.0.len() > 1,
            whiteouts: WhiteoutStyle::Apply,
        }
        .into())
    }
    async fn commit_layer(&self, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        let (src, dst) = (place("new", id(chain)), place("tree", id(chain)));
        Ok(CommitPlan { steps: vec![StorageStep::Rename { src, dst: dst.clone() }], place: dst }.into())
    }
    async fn prepare_root(
        &self,
        id: &ContainerId,
        top: Option<&LayerChain>,
        _: &BTreeMap<String, String>,
    ) -> Result<Planned<RootPlan>, PortError> {
        let at = place("root", id.short());
        let parent = top.and_then(|t| t.0.last()).and_then(|l| l.place.as_ref());
        Ok(RootPlan {
            steps: vec![snapshot_or_new(parent, at.clone())],
            mount: RootMount::Tree { at, writable: true },
            changes: None,
        }
        .into())
    }
    async fn promote(&self, _: &ContainerId, _: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        Err(promote_is_not_here("snapshotting"))
    }
    async fn remove_layer(&self, chain: &LayerChain) -> Result<Planned<Vec<StorageStep>>, PortError> {
        Ok(vec![StorageStep::Discard { at: place("tree", id(chain)) }].into())
    }
}

#[async_trait]
impl StorageDriver for Imaging {
    fn name(&self) -> &str {
        "imaging"
    }
    async fn probe(&self, _: &Facts) -> Result<(), PortError> {
        Ok(())
    }
    async fn prepare_layer(&self, chain: &LayerChain) -> Result<Planned<LayerPlan>, PortError> {
        overlaying().prepare_layer(chain).await
    }
    async fn commit_layer(&self, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        let (src, dst) = (place("new", id(chain)), place("image", id(chain)));
        let make = StorageStep::MakeImage { src: src.clone(), dst: dst.clone(), format: "erofs".into() };
        Ok(CommitPlan { steps: vec![make, StorageStep::Discard { at: src }], place: dst }.into())
    }
    async fn prepare_root(
        &self,
        id: &ContainerId,
        top: Option<&LayerChain>,
        settings: &BTreeMap<String, String>,
    ) -> Result<Planned<RootPlan>, PortError> {
        overlaying().prepare_root(id, top, settings).await
    }
    async fn promote(&self, _: &ContainerId, _: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        Err(promote_is_not_here("imaging"))
    }
    async fn remove_layer(&self, chain: &LayerChain) -> Result<Planned<Vec<StorageStep>>, PortError> {
        Ok(vec![StorageStep::Discard { at: place("image", id(chain)) }].into())
    }
}

#[async_trait]
impl StorageDriver for Limiting {
    fn name(&self) -> &str {
        "limiting"
    }
    async fn probe(&self, _: &Facts) -> Result<(), PortError> {
        Ok(())
    }
    async fn prepare_layer(&self, chain: &LayerChain) -> Result<Planned<LayerPlan>, PortError> {
        overlaying().prepare_layer(chain).await
    }
    async fn commit_layer(&self, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        overlaying().commit_layer(chain).await
    }
    async fn prepare_root(
        &self,
        id: &ContainerId,
        top: Option<&LayerChain>,
        settings: &BTreeMap<String, String>,
    ) -> Result<Planned<RootPlan>, PortError> {
        let mut root = overlaying().prepare_root(id, top, settings).await?;
        for at in [place("upper", id.short()), place("work", id.short())] {
            root.plan.steps.push(StorageStep::Quota { at, bytes: 1 << 20 });
        }
        Ok(root)
    }
    async fn promote(&self, _: &ContainerId, _: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        Err(promote_is_not_here("limiting"))
    }
    async fn remove_layer(&self, chain: &LayerChain) -> Result<Planned<Vec<StorageStep>>, PortError> {
        overlaying().remove_layer(chain).await
    }
}
