//! [`Lifecycle`] over a component. A hook that the component does not export answers as if it had nothing to say.

use crate::{
    call::{Callee, Outcome},
    context::{Context, Lent, Sink},
    contract::v0_1::{
        bindings::exports::davit::lifecycle::{admit, after_exit, before_start, mutate, observe},
        lifecycle::{Adjustments, HeldAdjustment, HeldEvent, HeldOperation},
    },
};
use async_trait::async_trait;
use davit_model::{
    error::{PolicyError, PortError},
    lifecycle::{Adjustment, Event, Hooks, Lifecycle, Operation},
};
use std::{fmt, sync::Arc};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};

/// Lifecycle policy in a component.
#[derive(Clone)]
pub(crate) struct LifecyclePort {
    pub(crate) callee: Callee,
    pub(crate) mutate: Option<mutate::GuestIndices>,
    pub(crate) admit: Option<Admit>,
    pub(crate) before_start: Option<before_start::GuestIndices>,
    pub(crate) after_exit: Option<after_exit::GuestIndices>,
    pub(crate) observe: Option<observe::GuestIndices>,
}

/// The hook `admit`, in the version of the contract that the component was built for.
#[derive(Clone)]
pub(crate) enum Admit {
    /// 0.1.
    V0_1(admit::GuestIndices),
    /// The pretended next one.
    #[cfg(feature = "pretended-next")]
    Next(crate::contract::pretended::admit::GuestIndices),
}

impl Admit {
    /// The newest that the component exports.
    pub(crate) fn probe(pre: &InstancePre<Context>) -> Option<Self> {
        #[cfg(feature = "pretended-next")]
        if let Ok(next) = crate::contract::pretended::admit::GuestIndices::new(pre) {
            return Some(Self::Next(next));
        }
        admit::GuestIndices::new(pre).ok().map(Self::V0_1)
    }

    async fn call(
        self,
        store: &mut Store<Context>,
        instance: &Instance,
        of: HeldOperation,
    ) -> Outcome<(), PolicyError> {
        match self {
            Self::V0_1(indices) => {
                let guest = indices.load(&mut *store, instance)?;
                let operation = store.data_mut().table().push(of)?;
                Ok(guest.call_admit(store, operation).await?.map_err(Into::into))
            }
            #[cfg(feature = "pretended-next")]
            Self::Next(indices) => {
                let guest = indices.load(&mut *store, instance)?;
                let operation = store.data_mut().table().push(of)?;
                Ok(crate::contract::pretended::verdict(guest.call_admit(store, operation).await?))
            }
        }
    }
}

impl fmt::Debug for LifecyclePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LifecyclePort").field("plugin", &self.callee.identity.label).finish_non_exhaustive()
    }
}

#[async_trait]
impl Lifecycle for LifecyclePort {
    fn name(&self) -> &str {
        &self.callee.identity.site_name
    }

    fn hooks(&self) -> Hooks {
        Hooks {
            mutate: self.mutate.is_some(),
            admit: self.admit.is_some(),
            before_start: self.before_start.is_some(),
            after_exit: self.after_exit.is_some(),
            observe: self.observe.is_some(),
        }
    }

    async fn mutate(&self, operation: &Operation) -> Result<Vec<Adjustment>, PortError> {
        let Some(indices) = self.mutate.clone() else { return Ok(Vec::new()) };
        let operation = Arc::new(operation.clone());
        let all = Sink::<Adjustments>::default();
        let all_for = all.clone();
        let deadline = self.callee.limits.plan_deadline;
        self.callee
            .call("mutate", deadline, Lent::default(), move |store, instance| {
                // What an earlier try has said is forgotten.
                drop(all_for.take());
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let operation = store.data_mut().table().push(HeldOperation(operation))?;
                    let adjustment = store.data_mut().table().push(HeldAdjustment(all_for))?;
                    guest.call_mutate(store, operation, adjustment).await
                })
            })
            .await?;
        Ok(all.take().list)
    }

    async fn admit(&self, operation: &Operation) -> Result<(), PortError> {
        let Some(admit) = self.admit.clone() else { return Ok(()) };
        let operation = HeldOperation(Arc::new(operation.clone()));
        let deadline = self.callee.limits.plan_deadline;
        self.callee
            .call("admit", deadline, Lent::default(), move |store, instance| {
                Box::pin(admit.call(store, instance, operation))
            })
            .await
    }

    async fn before_start(&self, operation: &Operation) -> Result<(), PortError> {
        let Some(indices) = self.before_start.clone() else { return Ok(()) };
        let operation = Arc::new(operation.clone());
        let deadline = self.callee.limits.plan_deadline;
        self.callee
            .call("before-start", deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let operation = store.data_mut().table().push(HeldOperation(operation))?;
                    guest.call_before_start(store, operation).await
                })
            })
            .await
    }

    async fn after_exit(&self, operation: &Operation, status: i32) -> Result<(), PortError> {
        let Some(indices) = self.after_exit.clone() else { return Ok(()) };
        let operation = Arc::new(operation.clone());
        let deadline = self.callee.limits.plan_deadline;
        self.callee
            .call("after-exit", deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let operation = store.data_mut().table().push(HeldOperation(operation))?;
                    guest.call_after_exit(store, operation, status).await
                })
            })
            .await
    }

    async fn observe(&self, event: &Event) -> Result<(), PortError> {
        let Some(indices) = self.observe.clone() else { return Ok(()) };
        let event = event.clone();
        let deadline = self.callee.limits.observe_deadline;
        self.callee
            .call("observe", deadline, Lent::default(), move |store, instance| {
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let event = store.data_mut().table().push(HeldEvent(event))?;
                    guest.call_observe(store, event).await
                })
            })
            .await
    }
}
