//! [`NetworkDriver`] over a component. While the guest plans, its questions for leases are answered here, by what the
//! caller lent.

use crate::{
    call::Callee,
    context::{Lent, Sink},
    contract::v0_1::{
        bindings::exports::davit::network::{driver, released},
        network::{HeldEndpointPlan, HeldEndpointRequest, HeldNetworkPlan, HeldNetworkRequest, HeldNetworkView},
    },
    leases::LeaseAsk,
};
use async_trait::async_trait;
use davit_model::{
    error::PortError,
    network::{EndpointPlan, EndpointRequest, Leases, NetworkDriver, NetworkPlan, NetworkRequest},
    state::Planned,
};
use std::{fmt, pin::pin, sync::Arc};
use tokio::sync::mpsc;

/// A network driver in a component.
#[derive(Clone)]
pub(crate) struct NetworkPort {
    pub(crate) callee: Callee,
    pub(crate) driver: driver::GuestIndices,
    pub(crate) released: Option<released::GuestIndices>,
}

impl fmt::Debug for NetworkPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkPort").field("plugin", &self.callee.identity.label).finish_non_exhaustive()
    }
}

/// Waits for a call's end and answers its questions meanwhile.
async fn serving<T>(call: impl Future<Output = T>, mut asks: mpsc::Receiver<LeaseAsk>, leases: &dyn Leases) -> T {
    let mut call = pin!(call);
    loop {
        let ask = tokio::select! {
            outcome = &mut call => return outcome,
            Some(ask) = asks.recv() => ask,
        };
        // The call goes on being watched: its deadline must hold while a lease is waited for.
        tokio::select! {
            outcome = &mut call => return outcome,
            () = ask.answer(leases) => {}
        }
    }
}

#[async_trait]
impl NetworkDriver for NetworkPort {
    fn name(&self) -> &str {
        &self.callee.identity.site_name
    }

    async fn plan_network(
        &self,
        request: &NetworkRequest,
        leases: &dyn Leases,
    ) -> Result<Planned<NetworkPlan>, PortError> {
        let (indices, request) = (self.driver.clone(), request.clone());
        let plan = Sink::<NetworkPlan>::default();
        let plan_for = plan.clone();
        let (to, asks) = mpsc::channel(1);
        let lent = Lent { leases: Some(to), ..Lent::default() };
        let deadline = self.callee.limits.plan_deadline;
        let call = self.callee.plan("plan-network", deadline, lent, move |store, instance| {
            Box::pin(async move {
                let guest = indices.load(&mut *store, instance)?;
                let request = store.data_mut().table().push(HeldNetworkRequest(request))?;
                let plan = store.data_mut().table().push(HeldNetworkPlan(plan_for))?;
                guest.call_plan_network(store, request, plan).await
            })
        });
        Ok(serving(call, asks, leases).await?.with(plan.take()))
    }

    async fn plan_endpoint(
        &self,
        request: &EndpointRequest,
        network: &NetworkPlan,
        leases: &dyn Leases,
    ) -> Result<Planned<EndpointPlan>, PortError> {
        let (indices, request, network) = (self.driver.clone(), request.clone(), Arc::new(network.clone()));
        let plan = Sink::<EndpointPlan>::default();
        let plan_for = plan.clone();
        let (to, asks) = mpsc::channel(1);
        let lent = Lent { leases: Some(to), ..Lent::default() };
        let deadline = self.callee.limits.plan_deadline;
        let call = self.callee.plan("plan-endpoint", deadline, lent, move |store, instance| {
            Box::pin(async move {
                let guest = indices.load(&mut *store, instance)?;
                let request = store.data_mut().table().push(HeldEndpointRequest(request))?;
                let view = store.data_mut().table().push(HeldNetworkView(network))?;
                let plan = store.data_mut().table().push(HeldEndpointPlan(plan_for))?;
                guest.call_plan_endpoint(store, request, view, plan).await
            })
        });
        Ok(serving(call, asks, leases).await?.with(plan.take()))
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
