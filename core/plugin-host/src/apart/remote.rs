//! A plugin that is loaded in the host process, as the ports of the model.

use super::{
    asker::Speaker,
    client::{ApartHost, ENDED, Flight, Running},
    wire::{Asks, Deadlines, Load, Loaded, Served, served},
};
use crate::{
    compiled::Compiled,
    counts::{Counter, End},
    manifest::Manifest,
    plugin::PluginInfo,
    question::{AuthCall, Lending, LifecycleCall, NetworkCall, Question, Reply, StorageCall},
};
use async_trait::async_trait;
use davit_model::{
    auth::{Answer, Challenge, Endpoint, ManifestReader, ManifestView, RegistryAuth},
    error::{PolicyError, PortError},
    id::ContainerId,
    lifecycle::{Adjustment, Event, Hooks, Lifecycle, Operation},
    network::{EndpointPlan, EndpointRequest, Leases, NetworkDriver, NetworkPlan, NetworkRequest},
    state::Planned,
    storage::{CommitPlan, Facts, LayerChain, LayerPlan, Place, RootPlan, StorageDriver, StorageStep},
};
use serde_json::value::RawValue;
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// A plugin in the host process.
pub struct Remote {
    host: ApartHost,
    load: Load,
    /// The component, to be loaded again.
    wasm: Vec<u8>,
    speaker: Speaker,
    label: String,
    info: PluginInfo,
    deadlines: Deadlines,
    counter: Counter,
    /// The life of the process that it is loaded in.
    loaded: tokio::sync::Mutex<Option<Arc<Running>>>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(running) = self.loaded.get_mut().take() {
            running.unload(self.load.plugin);
        }
    }
}

/// Beyond the deadline that the process itself holds a call to.
const GRACE: Duration = Duration::from_secs(2);
/// Functions that read a plugin's section of the site's file.
const SECTION: &str = "davit:host/config#";

/// The kinds, as the rest of the program writes them.
const KINDS: [&str; 4] = ["storage", "network", "registry-auth", "lifecycle"];

impl Remote {
    /// Loads it. The error is a text about the component.
    pub(super) async fn load(
        host: ApartHost,
        load: Load,
        wasm: Vec<u8>,
        compiled: Compiled,
        speaker: Speaker,
        manifest: Manifest,
        counter: Counter,
    ) -> Result<Self, String> {
        let running = host.running().await?;
        let loaded = running.load(again(&load), compiled, speaker.clone()).await?;
        let Loaded { exports, imports, functions, kinds, deadlines } = loaded;
        let info = PluginInfo {
            site_name: load.site_name.clone(),
            digest: load.digest.clone(),
            exports,
            imports,
            functions,
            kinds: KINDS.into_iter().filter(|kind| kinds.iter().any(|k| k == kind)).collect(),
            manifest,
        };
        let label = info.manifest.label();
        let loaded = tokio::sync::Mutex::new(Some(running));
        Ok(Self { host, load, wasm, speaker, label, info, deadlines, counter, loaded })
    }

    /// Who it is.
    pub fn info(&self) -> &PluginInfo {
        &self.info
    }

    /// Makes an instance of it and calls nothing: whether it can wake up at all.
    ///
    /// # Errors
    /// The trap that it ended with, or its time was over.
    pub async fn wake(&self) -> Result<(), PortError> {
        self.call("instantiate", None, Lent::Nothing).await.map(drop)
    }

    fn unavailable(&self, call: &str, message: String) -> PortError {
        PortError::new(self.label.as_str(), call, PolicyError::Unavailable { retry_ms: 0, message })
    }

    /// The process, with this plugin loaded.
    async fn running(&self) -> Result<Arc<Running>, String> {
        let mut loaded = self.loaded.lock().await;
        let running = self.host.running().await?;
        if loaded.as_ref().is_some_and(|in_it| in_it.life == running.life) {
            return Ok(running);
        }
        let compiled = self.host.compiled(&self.load.digest, &self.wasm).await?;
        running.load(again(&self.load), compiled, self.speaker.clone()).await?;
        *loaded = Some(running.clone());
        Ok(running)
    }

    async fn call(
        &self,
        name: &str,
        question: Option<Question>,
        lent: Lent<'_>,
    ) -> Result<Option<Planned<Reply>>, PortError> {
        let running = self.running().await.map_err(|why| self.unavailable(name, why))?;
        let began = Instant::now();
        let limit = self.deadlines.for_call(question.as_ref()) + GRACE;
        let section = self.section().await;
        let flight = running
            .call(self.load.plugin, question.map(Arc::new), section, self.speaker.clone())
            .map_err(|error| PortError::new(self.label.as_str(), name, error))?;
        let ended = || (End::Trapped, Err(self.unavailable(name, ENDED.to_owned())));
        let waited = tokio::select! {
            waited = tokio::time::timeout(limit, answer(&running, flight, lent)) => waited,
            () = running.hangs() => {
                running.end("it does not listen any more");
                Ok(None)
            }
        };
        let (end, outcome) = match waited {
            Ok(Some(answered)) => answered,
            Ok(None) => ended(),
            Err(_) => {
                let why = format!("the plugin host did not say within {} ms how the call ended", limit.as_millis());
                (End::Trapped, Err(self.unavailable(name, why)))
            }
        };
        if name != "instantiate" {
            self.counter.0.count(end, began.elapsed());
        }
        outcome
    }

    /// Its section of the site's file, where it can ask for that. One that cannot be read is asked for, and says so then.
    async fn section(&self) -> Option<Box<RawValue>> {
        if !self.info.functions.iter().any(|function| function.starts_with(SECTION)) {
            return None;
        }
        let section = self.speaker.services.config(&self.speaker.site_name).await.ok()?;
        serde_json::value::to_raw_value(&section).ok()
    }

    async fn ask(&self, question: Question, lent: Lent<'_>) -> Result<Planned<Reply>, PortError> {
        let name = question.call();
        let reply = self.call(name, Some(question), lent).await?;
        reply.ok_or_else(|| self.odd(name))
    }

    /// Makes one call of any kind; what the plugin wants to keep comes with the answer.
    ///
    /// # Errors
    /// What the plugin answered, or how its call ended.
    pub async fn reply(&self, question: &Question, lending: Lending<'_>) -> Result<Planned<Reply>, PortError> {
        let lent = match question {
            Question::Network(_) => Lent::Leases(lending.leases),
            Question::RegistryAuth(_) => Lent::Manifests(lending.manifests),
            Question::Storage(_) | Question::Lifecycle(_) => Lent::Nothing,
        };
        self.ask(question.clone(), lent).await
    }

    /// The answer to a question is of the kind that it asks for; another is the host's fault.
    fn odd(&self, call: &str) -> PortError {
        let error = PolicyError::Internal("the plugin host answered something else".to_owned());
        PortError::new(self.label.as_str(), call, error)
    }

    /// As a storage driver; none where it is none.
    pub fn storage(self: &Arc<Self>) -> Option<Arc<dyn StorageDriver>> {
        self.info.kinds.contains(&"storage").then(|| self.clone() as Arc<dyn StorageDriver>)
    }

    /// As a network driver; none where it is none.
    pub fn network(self: &Arc<Self>) -> Option<Arc<dyn NetworkDriver>> {
        self.info.kinds.contains(&"network").then(|| self.clone() as Arc<dyn NetworkDriver>)
    }

    /// As registry authentication; none where it is none.
    pub fn registry_auth(self: &Arc<Self>) -> Option<Arc<dyn RegistryAuth>> {
        self.info.kinds.contains(&"registry-auth").then(|| self.clone() as Arc<dyn RegistryAuth>)
    }

    /// As lifecycle policy; none where it has no hook.
    pub fn lifecycle(self: &Arc<Self>) -> Option<Arc<dyn Lifecycle>> {
        self.info.kinds.contains(&"lifecycle").then(|| self.clone() as Arc<dyn Lifecycle>)
    }
}

/// The same plugin for another life of the process.
fn again(load: &Load) -> Load {
    Load {
        plugin: load.plugin,
        site_name: load.site_name.clone(),
        digest: load.digest.clone(),
        manifest: load.manifest.clone(),
        granted: load.granted.clone(),
        callers: load.callers.clone(),
    }
}

/// What a caller lends to a call.
#[derive(Clone, Copy)]
enum Lent<'a> {
    Nothing,
    Leases(&'a dyn Leases),
    Manifests(&'a dyn ManifestReader),
}

impl Lent<'_> {
    async fn serve(self, asks: Asks) -> Served {
        match (self, asks) {
            (Lent::Leases(leases), Asks::Subnet { wanted, v6 }) => served(leases.subnet(wanted, v6).await),
            (Lent::Leases(leases), Asks::Address { subnet, wanted }) => served(leases.address(subnet, wanted).await),
            (Lent::Leases(leases), Asks::Port { request }) => served(leases.port(&request).await),
            (Lent::Manifests(reader), Asks::Referrers { artifact_type }) => {
                served(reader.referrers(&artifact_type).await)
            }
            (Lent::Manifests(reader), Asks::Blob { digest }) => served(reader.blob(&digest).await),
            (_, _) => Err(PolicyError::Denied("nothing of that kind was lent to this call".to_owned())),
        }
    }
}

/// Waits for a call's end and answers meanwhile what it asks of its caller; none: the process ended.
async fn answer(running: &Running, mut flight: Flight, lent: Lent<'_>) -> Option<super::client::Answered> {
    let cancel = flight.cancel;
    let mut answer = flight.answer;
    let mut more = true;
    let answered = loop {
        tokio::select! {
            answered = &mut answer => break answered.ok(),
            asked = flight.lent.recv(), if more => match asked {
                Some((ask, asks)) => running.serve(ask, lent.serve(asks).await),
                None => more = false,
            },
        }
    };
    drop(cancel);
    answered
}

/// The plan of the one kind of reply that a call has.
macro_rules! planned {
    ($self:ident, $question:expr, $lent:expr, $kind:ident) => {{
        let question = $question;
        let name = question.call();
        let Planned { plan, state } = $self.ask(question, $lent).await?;
        match plan {
            Reply::$kind(plan) => Ok(Planned { plan, state }),
            _ => Err($self.odd(name)),
        }
    }};
}

#[async_trait]
impl StorageDriver for Remote {
    fn name(&self) -> &str {
        &self.info.site_name
    }

    async fn probe(&self, facts: &Facts) -> Result<(), PortError> {
        let question = Question::Storage(StorageCall::Probe { facts: facts.clone() });
        self.ask(question, Lent::Nothing).await.map(drop)
    }

    async fn prepare_layer(&self, chain: &LayerChain) -> Result<Planned<LayerPlan>, PortError> {
        let question = Question::Storage(StorageCall::PrepareLayer { chain: chain.clone() });
        planned!(self, question, Lent::Nothing, Layer)
    }

    async fn commit_layer(&self, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        let question = Question::Storage(StorageCall::CommitLayer { chain: chain.clone() });
        planned!(self, question, Lent::Nothing, Commit)
    }

    async fn prepare_root(
        &self,
        id: &ContainerId,
        top: Option<&LayerChain>,
        settings: &BTreeMap<String, String>,
    ) -> Result<Planned<RootPlan>, PortError> {
        let (container, top, settings) = (id.clone(), top.cloned(), settings.clone());
        let call = StorageCall::PrepareRoot { container, top, settings };
        planned!(self, Question::Storage(call), Lent::Nothing, Root)
    }

    async fn promote(&self, id: &ContainerId, chain: &LayerChain) -> Result<Planned<CommitPlan>, PortError> {
        let call = StorageCall::Promote { container: id.clone(), chain: chain.clone() };
        planned!(self, Question::Storage(call), Lent::Nothing, Commit)
    }

    async fn remove_layer(&self, chain: &LayerChain) -> Result<Planned<Vec<StorageStep>>, PortError> {
        let question = Question::Storage(StorageCall::RemoveLayer { chain: chain.clone() });
        planned!(self, question, Lent::Nothing, Steps)
    }

    async fn usage(&self, chain: &LayerChain) -> Result<Option<u64>, PortError> {
        if !self.info.exports("davit:storage/usage") {
            return Ok(None);
        }
        let question = Question::Storage(StorageCall::Usage { chain: chain.clone() });
        planned!(self, question, Lent::Nothing, Usage).map(|planned| planned.plan)
    }

    async fn reconcile(&self, unknown: &[Place]) -> Result<Vec<Place>, PortError> {
        if !self.info.exports("davit:storage/reconcile") {
            return Ok(Vec::new());
        }
        let question = Question::Storage(StorageCall::Reconcile { unknown: unknown.to_vec() });
        planned!(self, question, Lent::Nothing, Keep).map(|planned| planned.plan)
    }

    async fn released(&self, kind: &str, id: &str) -> Result<(), PortError> {
        if !self.info.exports("davit:storage/released") {
            return Ok(());
        }
        let call = StorageCall::Released { what: kind.to_owned(), id: id.to_owned() };
        self.ask(Question::Storage(call), Lent::Nothing).await.map(drop)
    }
}

#[async_trait]
impl NetworkDriver for Remote {
    fn name(&self) -> &str {
        &self.info.site_name
    }

    async fn plan_network(
        &self,
        request: &NetworkRequest,
        leases: &dyn Leases,
    ) -> Result<Planned<NetworkPlan>, PortError> {
        let question = Question::Network(NetworkCall::PlanNetwork { request: request.clone() });
        planned!(self, question, Lent::Leases(leases), Network)
    }

    async fn plan_endpoint(
        &self,
        request: &EndpointRequest,
        network: &NetworkPlan,
        leases: &dyn Leases,
    ) -> Result<Planned<EndpointPlan>, PortError> {
        let call = NetworkCall::PlanEndpoint { request: request.clone(), network: network.clone() };
        planned!(self, Question::Network(call), Lent::Leases(leases), Endpoint)
    }

    async fn released(&self, kind: &str, id: &str) -> Result<(), PortError> {
        if !self.info.exports("davit:network/released") {
            return Ok(());
        }
        let call = NetworkCall::Released { what: kind.to_owned(), id: id.to_owned() };
        self.ask(Question::Network(call), Lent::Nothing).await.map(drop)
    }
}

#[async_trait]
impl RegistryAuth for Remote {
    fn name(&self) -> &str {
        &self.info.site_name
    }

    async fn authenticate(&self, challenge: &Challenge) -> Result<Answer, PortError> {
        let question = Question::RegistryAuth(AuthCall::Authenticate { challenge: challenge.clone() });
        planned!(self, question, Lent::Nothing, Answer).map(|planned| planned.plan)
    }

    async fn resolve(&self, registry: &str, repository: &str) -> Result<Vec<Endpoint>, PortError> {
        if !self.info.exports("davit:registry-auth/resolver") {
            return Ok(Vec::new());
        }
        let call = AuthCall::Resolve { registry: registry.to_owned(), repository: repository.to_owned() };
        planned!(self, Question::RegistryAuth(call), Lent::Nothing, Mirrors).map(|planned| planned.plan)
    }

    async fn verify(&self, manifest: &ManifestView, reader: &dyn ManifestReader) -> Result<(), PortError> {
        if !self.info.exports("davit:registry-auth/verifier") {
            return Ok(());
        }
        let question = Question::RegistryAuth(AuthCall::Verify { manifest: manifest.clone() });
        self.ask(question, Lent::Manifests(reader)).await.map(drop)
    }
}

#[async_trait]
impl Lifecycle for Remote {
    fn name(&self) -> &str {
        &self.info.site_name
    }

    fn hooks(&self) -> Hooks {
        Hooks {
            mutate: self.info.exports("davit:lifecycle/mutate"),
            admit: self.info.exports("davit:lifecycle/admit"),
            before_start: self.info.exports("davit:lifecycle/before-start"),
            after_exit: self.info.exports("davit:lifecycle/after-exit"),
            observe: self.info.exports("davit:lifecycle/observe"),
        }
    }

    async fn mutate(&self, operation: &Operation) -> Result<Vec<Adjustment>, PortError> {
        let question = Question::Lifecycle(LifecycleCall::Mutate { operation: operation.clone() });
        planned!(self, question, Lent::Nothing, Adjustments).map(|planned| planned.plan)
    }

    async fn admit(&self, operation: &Operation) -> Result<(), PortError> {
        let question = Question::Lifecycle(LifecycleCall::Admit { operation: operation.clone() });
        self.ask(question, Lent::Nothing).await.map(drop)
    }

    async fn before_start(&self, operation: &Operation) -> Result<(), PortError> {
        let question = Question::Lifecycle(LifecycleCall::BeforeStart { operation: operation.clone() });
        self.ask(question, Lent::Nothing).await.map(drop)
    }

    async fn after_exit(&self, operation: &Operation, status: i32) -> Result<(), PortError> {
        let call = LifecycleCall::AfterExit { operation: operation.clone(), status };
        self.ask(Question::Lifecycle(call), Lent::Nothing).await.map(drop)
    }

    async fn observe(&self, event: &Event) -> Result<(), PortError> {
        let question = Question::Lifecycle(LifecycleCall::Observe { event: event.clone() });
        self.ask(question, Lent::Nothing).await.map(drop)
    }
}
