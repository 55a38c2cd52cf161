//! [`StorageDriver`] over a component.

use super::incomplete;
use crate::{
    call::Callee,
    context::{Context, Lent, Sink},
    contract::v0_1::{
        bindings::exports::davit::storage::{driver, reconcile, released, usage},
        storage::{HeldFacts, HeldLayer, HeldRoot, HeldSteps, HeldUnpack, RootSaid, UnpackSaid},
    },
};
use async_trait::async_trait;
use davit_model::{
    error::{PolicyError, PortError},
    id::ContainerId,
    state::Planned,
    storage::{CommitPlan, Facts, LayerChain, LayerPlan, Place, RootPlan, StorageDriver, StorageStep},
};
use std::{collections::BTreeMap, fmt};
use wasmtime::{Store, component::Resource};

/// A storage driver in a component.
#[derive(Clone)]
pub(crate) struct StoragePort {
    pub(crate) callee: Callee,
    pub(crate) driver: driver::GuestIndices,
    pub(crate) usage: Option<usage::GuestIndices>,
    pub(crate) reconcile: Option<reconcile::GuestIndices>,
    pub(crate) released: Option<released::GuestIndices>,
}

impl fmt::Debug for StoragePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoragePort").field("plugin", &self.callee.identity.label).finish_non_exhaustive()
    }
}

fn push<T: Send + 'static>(store: &mut Store<Context>, value: T) -> wasmtime::Result<Resource<T>> {
    Ok(store.data_mut().table().push(value)?)
}

impl StoragePort {
    fn last(&self, call: &str, chain: &LayerChain) -> Result<HeldLayer, PortError> {
        HeldLayer::last(chain.clone()).ok_or_else(|| {
            let error = PolicyError::Invalid("a chain without layers".to_owned());
            PortError::new(self.callee.identity.label.as_str(), call, error)
        })
    }

    fn place(&self, call: &str, text: &str) -> Result<Place, PortError> {
        text.parse().map_err(|e: davit_model::storage::PlaceError| {
            PortError::new(self.callee.identity.label.as_str(), call, PolicyError::Internal(e.to_string()))
        })
    }
}

#[async_trait]
impl StorageDriver for StoragePort {
    fn name(&self) -> &str {
        &self.callee.identity.site_name
    }

    async fn probe(&self, facts: &Facts) -> Result<(), PortError> {
        let (indices, facts) = (self.driver.clone(), facts.clone());
        let deadline = self.callee.limits.plan_deadline;
        self.callee
            .call("probe", deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let facts = push(store, HeldFacts(facts))?;
                    guest.call_probe(store, facts).await
                })
            })
            .await
    }

    async fn prepare_layer(&self, chain: &LayerChain) -> Result<Planned<LayerPlan>, PortError> {
        const CALL: &str = "prepare-layer";
        let layer = self.last(CALL, chain)?;
        let indices = self.driver.clone();
        let (steps, unpack) = (Sink::<Vec<StorageStep>>::default(), Sink::<UnpackSaid>::default());
        let (steps_for, unpack_for) = (steps.clone(), unpack.clone());
        let deadline = self.callee.limits.plan_deadline;
        let said = self
            .callee
            .plan(CALL, deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let layer = push(store, layer)?;
                    let steps = push(store, HeldSteps(steps_for))?;
                    let unpack = push(store, HeldUnpack(unpack_for))?;
                    guest.call_prepare_layer(store, layer, steps, unpack).await
                })
            })
            .await?;
        let UnpackSaid { into, needs_parent_first, whiteouts } = unpack.take();
        let into = into.ok_or_else(|| incomplete(&self.callee, CALL, "where to unpack"))?;
        Ok(said.with(LayerPlan { steps: steps.take(), into, needs_parent_first, whiteouts }))
    }

    async fn commit_layer(&self, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        const CALL: &str = "commit-layer";
        let layer = self.last(CALL, chain)?;
        let indices = self.driver.clone();
        let steps = Sink::<Vec<StorageStep>>::default();
        let steps_for = steps.clone();
        let deadline = self.callee.limits.plan_deadline;
        let said = self
            .callee
            .plan(CALL, deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let layer = push(store, layer)?;
                    let steps = push(store, HeldSteps(steps_for))?;
                    guest.call_commit_layer(store, layer, steps).await
                })
            })
            .await?;
        let place = self.place(CALL, &said)?;
        Ok(said.with(CommitPlan { steps: steps.take(), place }))
    }

    async fn prepare_root(
        &self,
        id: &ContainerId,
        top: Option<&LayerChain>,
        settings: &BTreeMap<String, String>,
    ) -> Result<Planned<RootPlan>, PortError> {
        const CALL: &str = "prepare-root";
        let top = top.map(|chain| self.last(CALL, chain)).transpose()?;
        let (indices, id) = (self.driver.clone(), id.to_string());
        let (steps, root) = (Sink::<Vec<StorageStep>>::default(), Sink::<RootSaid>::default());
        let (steps_for, root_for, given) = (steps.clone(), root.clone(), settings.clone());
        let deadline = self.callee.limits.plan_deadline;
        let said = self
            .callee
            .plan(CALL, deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let top = top.map(|layer| push(store, layer)).transpose()?;
                    let steps = push(store, HeldSteps(steps_for))?;
                    let root = push(store, HeldRoot { said: root_for, settings: given })?;
                    guest.call_prepare_root(store, &id, top, steps, root).await
                })
            })
            .await?;
        let RootSaid { mount, changes, asked } = root.take();
        if let Some(unknown) = settings.keys().find(|key| !asked.contains(*key)) {
            let error = PolicyError::Unsupported(format!("the storage driver knows no setting {unknown:?}"));
            return Err(PortError::new(self.callee.identity.label.as_str(), CALL, error));
        }
        let mount = mount.ok_or_else(|| incomplete(&self.callee, CALL, "what the root is"))?;
        Ok(said.with(RootPlan { steps: steps.take(), mount, changes }))
    }

    async fn promote(&self, id: &ContainerId, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        const CALL: &str = "promote";
        let layer = self.last(CALL, chain)?;
        let (indices, id) = (self.driver.clone(), id.to_string());
        let steps = Sink::<Vec<StorageStep>>::default();
        let steps_for = steps.clone();
        let deadline = self.callee.limits.plan_deadline;
        let said = self
            .callee
            .plan(CALL, deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let layer = push(store, layer)?;
                    let steps = push(store, HeldSteps(steps_for))?;
                    guest.call_promote(store, &id, layer, steps).await
                })
            })
            .await?;
        let place = self.place(CALL, &said)?;
        Ok(said.with(CommitPlan { steps: steps.take(), place }))
    }

    async fn remove_layer(&self, chain: &LayerChain) -> Result<Planned<Vec<StorageStep>>, PortError> {
        const CALL: &str = "remove-layer";
        let layer = self.last(CALL, chain)?;
        let indices = self.driver.clone();
        let steps = Sink::<Vec<StorageStep>>::default();
        let steps_for = steps.clone();
        let deadline = self.callee.limits.plan_deadline;
        let said = self
            .callee
            .plan(CALL, deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let layer = push(store, layer)?;
                    let steps = push(store, HeldSteps(steps_for))?;
                    guest.call_remove_layer(store, layer, steps).await
                })
            })
            .await?;
        Ok(said.with(steps.take()))
    }

    async fn usage(&self, chain: &LayerChain) -> Result<Option<u64>, PortError> {
        let Some(indices) = self.usage.clone() else { return Ok(None) };
        let layer = self.last("usage", chain)?;
        let deadline = self.callee.limits.plan_deadline;
        self.callee
            .call("usage", deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let layer = push(store, layer)?;
                    guest.call_usage(store, layer).await
                })
            })
            .await
    }

    async fn reconcile(&self, unknown: &[Place]) -> Result<Vec<Place>, PortError> {
        let Some(indices) = self.reconcile.clone() else { return Ok(Vec::new()) };
        let names: Vec<String> = unknown.iter().map(ToString::to_string).collect();
        let deadline = self.callee.limits.plan_deadline;
        let kept = self
            .callee
            .call("reconcile", deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    guest.call_reconcile(store, &names).await
                })
            })
            .await?;
        kept.iter().map(|name| self.place("reconcile", name)).collect()
    }

    async fn released(&self, kind: &str, id: &str) -> Result<(), PortError> {
        let Some(indices) = self.released.clone() else { return Ok(()) };
        let (kind, id) = (kind.to_owned(), id.to_owned());
        let deadline = self.callee.limits.observe_deadline;
        self.callee
            .call("released", deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    guest.call_released(store, &kind, &id).await
                })
            })
            .await
    }
}
