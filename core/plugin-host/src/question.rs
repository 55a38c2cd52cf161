//! One call of a plugin as a value, and what it answered as a value: for tools that call a plugin by a file, for the
//! conformance suite, and for a host in a process of its own. What a caller lends (leases, a manifest's neighbours)
//! stays beside it.

use crate::plugin::Plugin;
use davit_model::{
    auth::{self, Challenge, ManifestReader, ManifestView},
    error::{PolicyError, PortError},
    id::ContainerId,
    lifecycle::{Adjustment, Event, Operation},
    network::{EndpointPlan, EndpointRequest, Leases, NetworkPlan, NetworkRequest},
    state::Planned,
    storage::{CommitPlan, Facts, LayerChain, LayerPlan, Place, RootPlan, StorageStep},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A call, `{"kind": "storage", "call": "prepare-layer", "chain": […]}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Question {
    /// To a storage driver.
    Storage(StorageCall),
    /// To a network driver.
    Network(NetworkCall),
    /// To registry authentication.
    RegistryAuth(AuthCall),
    /// To lifecycle policy.
    Lifecycle(LifecycleCall),
}

/// Calls of `davit:storage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum StorageCall {
    /// Whether it can work here.
    Probe {
        /// What is known of this place.
        facts: Facts,
    },
    /// How the last layer is written.
    PrepareLayer {
        /// Base first.
        chain: LayerChain,
    },
    /// How the last layer, unpacked, is made final.
    CommitLayer {
        /// Base first.
        chain: LayerChain,
    },
    /// What a container's root is made of.
    PrepareRoot {
        /// The container.
        container: ContainerId,
        /// The image's layers; none for an empty image.
        #[serde(default)]
        top: Option<LayerChain>,
        /// What the caller wants of it.
        #[serde(default)]
        settings: BTreeMap<String, String>,
    },
    /// How a container's changes become a layer.
    Promote {
        /// The container.
        container: ContainerId,
        /// The chain with the new layer at its end.
        chain: LayerChain,
    },
    /// How the last layer is removed.
    RemoveLayer {
        /// Base first.
        chain: LayerChain,
    },
    /// How much the last layer takes.
    Usage {
        /// Base first.
        chain: LayerChain,
    },
    /// What of the unknown must stay.
    Reconcile {
        /// Names in the area that no record mentions.
        unknown: Vec<Place>,
    },
    /// Something is gone for good.
    Released {
        /// `layer` or `root`.
        what: String,
        /// Its id.
        id: String,
    },
}

/// Calls of `davit:network`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum NetworkCall {
    /// What a network is made of.
    PlanNetwork {
        /// What is asked for.
        request: NetworkRequest,
    },
    /// What an endpoint is made of.
    PlanEndpoint {
        /// What is asked for.
        request: EndpointRequest,
        /// The network that it is to hang on.
        network: NetworkPlan,
    },
    /// Something is gone for good.
    Released {
        /// `network` or `endpoint`.
        what: String,
        /// Its id.
        id: String,
    },
}

/// Calls of `davit:registry-auth`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum AuthCall {
    /// How a challenge is answered.
    Authenticate {
        /// The challenge.
        challenge: Challenge,
    },
    /// Who serves instead.
    Resolve {
        /// `host[:port]`.
        registry: String,
        /// The repository.
        repository: String,
    },
    /// Whether a manifest is trusted.
    Verify {
        /// The manifest.
        manifest: ManifestView,
    },
}

/// Calls of `davit:lifecycle`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum LifecycleCall {
    /// What is to be changed.
    Mutate {
        /// What is asked.
        operation: Operation,
    },
    /// Whether it may be done.
    Admit {
        /// What is asked.
        operation: Operation,
    },
    /// A container is about to start.
    BeforeStart {
        /// Its start.
        operation: Operation,
    },
    /// A container ended.
    AfterExit {
        /// Its end.
        operation: Operation,
        /// With which status.
        status: i32,
    },
    /// Something happened.
    Observe {
        /// What.
        event: Event,
    },
}

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Yes, with nothing to add.
    Done,
    /// How a layer is written.
    Layer(LayerPlan),
    /// How something becomes a layer.
    Commit(CommitPlan),
    /// What a root is made of.
    Root(RootPlan),
    /// Steps.
    Steps(Vec<StorageStep>),
    /// Bytes; none: not known to the driver.
    Usage(Option<u64>),
    /// What must stay.
    Keep(Vec<Place>),
    /// What a network is made of.
    Network(NetworkPlan),
    /// What an endpoint is made of.
    Endpoint(EndpointPlan),
    /// How a challenge is answered.
    Answer(auth::Answer),
    /// Who serves instead.
    Mirrors(Vec<auth::Endpoint>),
    /// What is to be changed.
    Adjustments(Vec<Adjustment>),
}

/// What a caller lends to a call.
#[derive(Clone, Copy, Debug)]
pub struct Lending<'a> {
    /// Where a network driver leases.
    pub leases: &'a dyn Leases,
    /// Where a verifier reads.
    pub manifests: &'a dyn ManifestReader,
}

impl Question {
    /// The function's name, as WIT spells it.
    pub fn call(&self) -> &'static str {
        match self {
            Self::Storage(StorageCall::Probe { .. }) => "probe",
            Self::Storage(StorageCall::PrepareLayer { .. }) => "prepare-layer",
            Self::Storage(StorageCall::CommitLayer { .. }) => "commit-layer",
            Self::Storage(StorageCall::PrepareRoot { .. }) => "prepare-root",
            Self::Storage(StorageCall::Promote { .. }) => "promote",
            Self::Storage(StorageCall::RemoveLayer { .. }) => "remove-layer",
            Self::Storage(StorageCall::Usage { .. }) => "usage",
            Self::Storage(StorageCall::Reconcile { .. }) => "reconcile",
            Self::Storage(StorageCall::Released { .. }) | Self::Network(NetworkCall::Released { .. }) => "released",
            Self::Network(NetworkCall::PlanNetwork { .. }) => "plan-network",
            Self::Network(NetworkCall::PlanEndpoint { .. }) => "plan-endpoint",
            Self::RegistryAuth(AuthCall::Authenticate { .. }) => "authenticate",
            Self::RegistryAuth(AuthCall::Resolve { .. }) => "resolve",
            Self::RegistryAuth(AuthCall::Verify { .. }) => "verify",
            Self::Lifecycle(LifecycleCall::Mutate { .. }) => "mutate",
            Self::Lifecycle(LifecycleCall::Admit { .. }) => "admit",
            Self::Lifecycle(LifecycleCall::BeforeStart { .. }) => "before-start",
            Self::Lifecycle(LifecycleCall::AfterExit { .. }) => "after-exit",
            Self::Lifecycle(LifecycleCall::Observe { .. }) => "observe",
        }
    }
}

impl Plugin {
    /// Makes one call; what the plugin wants to keep comes with the answer. A kind that it is not of is `unsupported`.
    ///
    /// # Errors
    /// What the plugin answered, or the host's verdict on how it ended.
    pub async fn reply(&self, question: &Question, lending: Lending<'_>) -> Result<Planned<Reply>, PortError> {
        let call = question.call();
        match question {
            Question::Storage(ask) => ask.put(&*self.of_kind("storage", call, self.storage.as_ref())?).await,
            Question::Network(ask) => {
                ask.put(&*self.of_kind("network", call, self.network.as_ref())?, lending.leases).await
            }
            Question::RegistryAuth(ask) => {
                ask.put(&*self.of_kind("registry-auth", call, self.auth.as_ref())?, lending.manifests).await
            }
            Question::Lifecycle(ask) => ask.put(&*self.of_kind("lifecycle", call, self.lifecycle.as_ref())?).await,
        }
    }

    fn of_kind<T: Clone>(&self, kind: &str, call: &str, port: Option<&T>) -> Result<T, PortError> {
        port.cloned().ok_or_else(|| {
            let said = format!("it is not of kind {kind}: it exports {}", self.info().exports.join(", "));
            PortError::new(self.label(), call, PolicyError::Unsupported(said))
        })
    }
}

fn planned<T>(reply: fn(T) -> Reply, planned: Planned<T>) -> Planned<Reply> {
    Planned { plan: reply(planned.plan), state: planned.state }
}

impl StorageCall {
    async fn put(&self, to: &dyn davit_model::storage::StorageDriver) -> Result<Planned<Reply>, PortError> {
        Ok(match self {
            Self::Probe { facts } => to.probe(facts).await.map(|()| Reply::Done.into())?,
            Self::PrepareLayer { chain } => planned(Reply::Layer, to.prepare_layer(chain).await?),
            Self::CommitLayer { chain } => planned(Reply::Commit, to.commit_layer(chain).await?),
            Self::PrepareRoot { container, top, settings } => {
                planned(Reply::Root, to.prepare_root(container, top.as_ref(), settings).await?)
            }
            Self::Promote { container, chain } => planned(Reply::Commit, to.promote(container, chain).await?),
            Self::RemoveLayer { chain } => planned(Reply::Steps, to.remove_layer(chain).await?),
            Self::Usage { chain } => Reply::Usage(to.usage(chain).await?).into(),
            Self::Reconcile { unknown } => Reply::Keep(to.reconcile(unknown).await?).into(),
            Self::Released { what, id } => to.released(what, id).await.map(|()| Reply::Done.into())?,
        })
    }
}

impl NetworkCall {
    async fn put(
        &self,
        to: &dyn davit_model::network::NetworkDriver,
        leases: &dyn Leases,
    ) -> Result<Planned<Reply>, PortError> {
        Ok(match self {
            Self::PlanNetwork { request } => planned(Reply::Network, to.plan_network(request, leases).await?),
            Self::PlanEndpoint { request, network } => {
                planned(Reply::Endpoint, to.plan_endpoint(request, network, leases).await?)
            }
            Self::Released { what, id } => to.released(what, id).await.map(|()| Reply::Done.into())?,
        })
    }
}

impl AuthCall {
    async fn put(
        &self,
        to: &dyn auth::RegistryAuth,
        manifests: &dyn ManifestReader,
    ) -> Result<Planned<Reply>, PortError> {
        Ok(match self {
            Self::Authenticate { challenge } => Reply::Answer(to.authenticate(challenge).await?).into(),
            Self::Resolve { registry, repository } => Reply::Mirrors(to.resolve(registry, repository).await?).into(),
            Self::Verify { manifest } => to.verify(manifest, manifests).await.map(|()| Reply::Done.into())?,
        })
    }
}

impl LifecycleCall {
    async fn put(&self, to: &dyn davit_model::lifecycle::Lifecycle) -> Result<Planned<Reply>, PortError> {
        Ok(match self {
            Self::Mutate { operation } => Reply::Adjustments(to.mutate(operation).await?).into(),
            Self::Admit { operation } => to.admit(operation).await.map(|()| Reply::Done.into())?,
            Self::BeforeStart { operation } => to.before_start(operation).await.map(|()| Reply::Done.into())?,
            Self::AfterExit { operation, status } => {
                to.after_exit(operation, *status).await.map(|()| Reply::Done.into())?
            }
            Self::Observe { event } => to.observe(event).await.map(|()| Reply::Done.into())?,
        })
    }
}
