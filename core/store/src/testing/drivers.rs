//! Two native drivers: one that stacks folders, one that copies trees.

use async_trait::async_trait;
use davit_model::{
    error::{PolicyError, PortError},
    id::ContainerId,
    state::Planned,
    storage::{
        CommitPlan, Facts, LayerChain, LayerPlan, Place, RootMount, RootPlan, StorageDriver, StorageStep, WhiteoutStyle,
    },
};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug)]
struct Overlaying;

#[derive(Debug)]
struct Copying;

/// Layers as folders beside each other; unpacked in parallel.
pub(crate) fn overlaying() -> Arc<dyn StorageDriver> {
    Arc::new(Overlaying)
}

/// Each layer a full tree, copied from its parent.
pub(crate) fn copying() -> Arc<dyn StorageDriver> {
    Arc::new(Copying)
}

pub(super) fn place(prefix: &str, id: &str) -> Place {
    format!("{prefix}-{id}").parse().unwrap()
}

pub(super) fn id(chain: &LayerChain) -> &str {
    &chain.0.last().unwrap().chain_id
}

pub(super) fn promote_is_not_here(driver: &str) -> PortError {
    PortError::new(driver, "promote", PolicyError::Unsupported("in this test".into()))
}

#[async_trait]
impl StorageDriver for Overlaying {
    fn name(&self) -> &str {
        "overlaying"
    }
    async fn probe(&self, _: &Facts) -> Result<(), PortError> {
        Ok(())
    }
    async fn prepare_layer(&self, chain: &LayerChain) -> Result<Planned<LayerPlan>, PortError> {
        let into = place("new", id(chain));
        Ok(LayerPlan {
            steps: vec![StorageStep::MakeDir { at: into.clone() }],
            into,
            needs_parent_first: false,
            whiteouts: WhiteoutStyle::Overlay,
        }
        .into())
    }
    async fn commit_layer(&self, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        let (src, dst) = (place("new", id(chain)), place("layer", id(chain)));
        Ok(CommitPlan { steps: vec![StorageStep::Rename { src, dst: dst.clone() }], place: dst }.into())
    }
    async fn prepare_root(
        &self,
        id: &ContainerId,
        top: Option<&LayerChain>,
        _: &BTreeMap<String, String>,
    ) -> Result<Planned<RootPlan>, PortError> {
        let (upper, work) = (place("upper", id.short()), place("work", id.short()));
        let lower = top.map(|t| t.0.iter().filter_map(|l| l.place.clone()).collect()).unwrap_or_default();
        Ok(RootPlan {
            steps: vec![StorageStep::MakeDir { at: upper.clone() }, StorageStep::MakeDir { at: work.clone() }],
            changes: Some((upper.clone(), WhiteoutStyle::Overlay)),
            mount: RootMount::Overlay { lower, upper: Some(upper), work: Some(work) },
        }
        .into())
    }
    async fn promote(&self, _: &ContainerId, _: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        Err(promote_is_not_here("overlaying"))
    }
    async fn remove_layer(&self, chain: &LayerChain) -> Result<Planned<Vec<StorageStep>>, PortError> {
        Ok(vec![StorageStep::Discard { at: place("layer", id(chain)) }].into())
    }
}

fn clone_or_new(parent: Option<&Place>, at: Place) -> StorageStep {
    match parent {
        Some(src) => StorageStep::CloneTree { src: src.clone(), dst: at },
        None => StorageStep::MakeDir { at },
    }
}

#[async_trait]
impl StorageDriver for Copying {
    fn name(&self) -> &str {
        "copying"
    }
    async fn probe(&self, _: &Facts) -> Result<(), PortError> {
        Ok(())
    }
    async fn prepare_layer(&self, chain: &LayerChain) -> Result<Planned<LayerPlan>, PortError> {
        let into = place("tree", id(chain));
        let parent = chain.0.iter().rev().nth(1).and_then(|p| p.place.as_ref());
        Ok(LayerPlan {
            steps: vec![clone_or_new(parent, into.clone())],
            into,
            needs_parent_first: chain.0.len() > 1,
            whiteouts: WhiteoutStyle::Apply,
        }
        .into())
    }
    async fn commit_layer(&self, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        Ok(CommitPlan { steps: Vec::new(), place: place("tree", id(chain)) }.into())
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
            steps: vec![clone_or_new(parent, at.clone())],
            mount: RootMount::Tree { at, writable: true },
            changes: None,
        }
        .into())
    }
    async fn promote(&self, _: &ContainerId, _: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        Err(promote_is_not_here("copying"))
    }
    async fn remove_layer(&self, chain: &LayerChain) -> Result<Planned<Vec<StorageStep>>, PortError> {
        Ok(vec![StorageStep::Discard { at: place("tree", id(chain)) }].into())
    }
}
