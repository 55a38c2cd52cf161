//! [`RegistryAuth`] over a component.

use super::incomplete;
use crate::{
    call::Callee,
    context::{Lent, Sink},
    contract::v0_1::{
        bindings::exports::davit::registry_auth::{authenticator, resolver, verifier},
        registry_auth::{HeldAnswer, HeldChallenge, HeldEndpoints, HeldManifest},
    },
};
use async_trait::async_trait;
use davit_model::{
    auth::{Answer, Challenge, Endpoint, ManifestReader, ManifestView, RegistryAuth},
    error::PortError,
};
use std::{fmt, pin::pin, sync::Arc};
use tokio::sync::mpsc;

/// Registry authentication in a component.
#[derive(Clone)]
pub(crate) struct AuthPort {
    pub(crate) callee: Callee,
    pub(crate) authenticator: authenticator::GuestIndices,
    pub(crate) resolver: Option<resolver::GuestIndices>,
    pub(crate) verifier: Option<verifier::GuestIndices>,
}

impl fmt::Debug for AuthPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthPort").field("plugin", &self.callee.identity.label).finish_non_exhaustive()
    }
}

#[async_trait]
impl RegistryAuth for AuthPort {
    fn name(&self) -> &str {
        &self.callee.identity.site_name
    }

    async fn authenticate(&self, challenge: &Challenge) -> Result<Answer, PortError> {
        const CALL: &str = "authenticate";
        let (indices, challenge) = (self.authenticator.clone(), Arc::new(challenge.clone()));
        let answer = Sink::<Option<Answer>>::default();
        let answer_for = answer.clone();
        let lent = Lent { challenge: Some(challenge.clone()), ..Lent::default() };
        let deadline = self.callee.limits.auth_deadline;
        self.callee
            .call(CALL, deadline, lent, move |store, instance| {
                // What an earlier try has said is forgotten.
                drop(answer_for.take());
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let challenge = store.data_mut().table().push(HeldChallenge(challenge))?;
                    let answer = store.data_mut().table().push(HeldAnswer(answer_for))?;
                    guest.call_authenticate(store, challenge, answer).await
                })
            })
            .await?;
        answer.take().ok_or_else(|| incomplete(&self.callee, CALL, "how to answer"))
    }

    async fn resolve(&self, registry: &str, repository: &str) -> Result<Vec<Endpoint>, PortError> {
        let Some(indices) = self.resolver.clone() else { return Ok(Vec::new()) };
        let (registry, repository) = (registry.to_owned(), repository.to_owned());
        let endpoints = Sink::<Vec<Endpoint>>::default();
        let endpoints_for = endpoints.clone();
        let deadline = self.callee.limits.auth_deadline;
        self.callee
            .call("resolve", deadline, Lent::default(), move |store, instance| {
                drop(endpoints_for.take());
                Box::pin(async move {
                    let guest = indices.load(&mut *store, instance)?;
                    let endpoints = store.data_mut().table().push(HeldEndpoints(endpoints_for))?;
                    guest.call_resolve(store, &registry, &repository, endpoints).await
                })
            })
            .await?;
        Ok(endpoints.take())
    }

    async fn verify(&self, manifest: &ManifestView, reader: &dyn ManifestReader) -> Result<(), PortError> {
        let Some(indices) = self.verifier.clone() else { return Ok(()) };
        let manifest = manifest.clone();
        let (to, mut asks) = mpsc::channel(1);
        let lent = Lent { manifests: Some(to), ..Lent::default() };
        let deadline = self.callee.limits.auth_deadline;
        let call = self.callee.call("verify", deadline, lent, move |store, instance| {
            Box::pin(async move {
                let guest = indices.load(&mut *store, instance)?;
                let manifest = store.data_mut().table().push(HeldManifest(manifest))?;
                guest.call_verify(store, manifest).await
            })
        });
        let mut call = pin!(call);
        loop {
            let ask = tokio::select! {
                outcome = &mut call => return outcome,
                Some(ask) = asks.recv() => ask,
            };
            tokio::select! {
                outcome = &mut call => return outcome,
                () = ask.answer(reader) => {}
            }
        }
    }
}
