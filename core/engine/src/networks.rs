//! Networks, and containers' places on them. A network of the site's drivers is made when it is first needed, and stays.

use crate::{
    Engine, EngineError, Kind,
    engine::{hex, random},
    inspect::NetworkDetails,
    leases::SqlLeases,
    policy::Policy,
    record::{ContainerRecord, EndpointRecord, NetworkRecord},
    tables,
};
use davit_model::{
    journal::{Entry, EntryId, Journal as _},
    network::{EndpointPlan, EndpointRequest, NetworkPlan, NetworkRequest},
    plan::{Journalled, Plan},
    state::{Planned, StateWrites},
};
use davit_network::{EndpointState, Host, LeaseBook, NetError, Netns, Place, Pools, check};
use davit_store::{
    Db, Durability,
    db::{
        insert_in,
        state::{StateError, commit_in},
    },
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;

/// How often a network is planned where the host takes its subnet meanwhile.
const TRIES: u32 = 5;

/// The journal's word for a network under way.
pub(crate) const NETWORK: &str = "network.network";
/// The journal's word for an endpoint under way.
pub(crate) const ENDPOINT: &str = "network.endpoint";

/// Networks by name, and what they are made with.
#[derive(Debug)]
pub(crate) struct Networks {
    pub(crate) host: Host,
    pub(crate) leases: Arc<LeaseBook>,
    namespaces: Arc<davit_network::Pool>,
    /// A cell a name: who comes second waits for the first, and nobody holds a lock meanwhile.
    known: Mutex<BTreeMap<String, Arc<OnceCell<NetworkRecord>>>>,
}

/// An endpoint that is journalled, and not yet on record.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) network: Option<NetworkRecord>,
    pub(crate) record: EndpointRecord,
    pub(crate) plan: Plan<EndpointPlan, Journalled>,
    entry: EntryId,
}

/// The journal's body of an endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EndpointEntry {
    pub(crate) id: String,
    pub(crate) plan: EndpointPlan,
}

impl Networks {
    pub(crate) async fn open(instance: &str, db: &Db) -> Result<Self, EngineError> {
        let instance = davit_network::Instance::new(instance).map_err(network_error)?;
        let pools = Pools::of_instance(&instance);
        let host = Host::open(instance).map_err(network_error)?;
        let store = Arc::new(SqlLeases(db.clone()));
        let leases = Arc::new(LeaseBook::open(store, Arc::new(host.clone()), pools).await?);
        let mut known = BTreeMap::new();
        for record in tables::all::<NetworkRecord>(db).await? {
            known.insert(record.name.clone(), Arc::new(OnceCell::new_with(Some(record))));
        }
        let namespaces = Arc::new(davit_network::Pool::new(2));
        Ok(Self { host, leases, namespaces, known: Mutex::new(known) })
    }

    fn cell(&self, name: &str) -> Arc<OnceCell<NetworkRecord>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(name.to_owned()).or_default().clone()
    }

    /// The networks that were made.
    pub(crate) fn made(&self) -> Vec<NetworkRecord> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().filter_map(|cell| cell.get().cloned()).collect()
    }

    /// A namespace with its loopback up.
    pub(crate) async fn namespace(&self) -> Result<Netns, EngineError> {
        let pool = self.namespaces.clone();
        blocking("making a network namespace", move || pool.take()).await
    }
}

/// Runs what may block on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, NetError> + Send + 'static,
) -> Result<T, EngineError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| EngineError::internal(what, e))?.map_err(network_error)
}

/// The network's errors by kind.
pub(crate) fn network_error(e: NetError) -> EngineError {
    let policy = davit_model::error::PolicyError::from(&e);
    EngineError::from(policy)
}

/// What the site's file lets networks and endpoints have.
fn grants(policy: &Policy) -> check::Grants {
    check::Grants { parents: policy.network_section.parents.iter().cloned().collect() }
}

fn new_id() -> Result<String, EngineError> {
    Ok(hex(&random()?))
}

impl Engine {
    /// All networks: those that were made, and those that the site's drivers would make.
    pub async fn networks(&self) -> Result<Vec<NetworkDetails>, EngineError> {
        let mut all = Vec::new();
        for name in self.inner.policy().network.keys() {
            all.push(self.network_details(self.network(name).await?));
        }
        let listed = |d: &NetworkDetails, r: &NetworkRecord| d.record.id == r.id;
        for record in self.inner.networks.made() {
            if !all.iter().any(|d| listed(d, &record)) {
                all.push(self.network_details(record));
            }
        }
        Ok(all)
    }

    /// A network by name or id.
    pub async fn network_inspect(&self, name: &str) -> Result<NetworkDetails, EngineError> {
        let by_id = |r: &NetworkRecord| name.len() >= 12 && r.id.starts_with(name);
        if let Some(record) = self.inner.networks.made().into_iter().find(by_id) {
            return Ok(self.network_details(record));
        }
        Ok(self.network_details(self.network(name).await?))
    }

    fn network_details(&self, record: NetworkRecord) -> NetworkDetails {
        let on_it = |c: &Arc<crate::container::Container>| {
            let container = c.record();
            let endpoint = container.endpoint.clone().filter(|e| e.network == record.id)?;
            container.state.status.has_process().then(|| crate::inspect::endpoint(&container, endpoint))
        };
        let endpoints = self.inner.containers.all().iter().filter_map(on_it).collect();
        NetworkDetails { subnets: record.plan.subnets.clone(), endpoints, record }
    }

    /// The network of that name (`default`: the site's default), made where it is not there yet.
    pub(crate) async fn network(&self, name: &str) -> Result<NetworkRecord, EngineError> {
        let policy = self.inner.policy();
        let name = if name == "default" { policy.default_network.clone() } else { name.to_owned() };
        let cell = self.inner.networks.cell(&name);
        let record = cell.get_or_try_init(|| self.make_network(&name)).await;
        record.cloned().map_err(|e| e.context(&format!("network {name}")))
    }

    /// Makes a network. A subnet that was free when it was leased may be somebody else's a moment later (another engine, a
    /// VPN): then it is planned again, with what is free now.
    async fn make_network(&self, name: &str) -> Result<NetworkRecord, EngineError> {
        let mut tries = 1..TRIES;
        loop {
            match self.try_network(name).await {
                Err(e) if e.kind() == Kind::Conflict && tries.next().is_some() => {
                    tracing::info!(network = name, "planned again: {e}");
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_network(&self, name: &str) -> Result<NetworkRecord, EngineError> {
        let policy = self.inner.policy();
        let Some(driver) = policy.network.get(name).cloned() else {
            return Err(EngineError::not_found("not found"));
        };
        let networks = &self.inner.networks;
        let request = NetworkRequest {
            name: name.to_owned(),
            internal: false,
            ipv6: policy.network_section.ipv6,
            subnets: Vec::new(),
            settings: BTreeMap::new(),
        };
        let id = new_id()?;
        let made = async {
            let mut leases = networks.leases.for_owner(&id, &[]);
            if !policy.network_section.pool.is_empty() {
                leases = leases.in_pools(policy.network_section.pools()?);
            }
            let Planned { plan, state } = driver.plan_network(&request, &leases).await?;
            let checked = Plan::proposed(plan).check(|p| check::network(p, &grants(&policy))).map_err(network_error)?;
            let mut entry = None;
            let journalled = checked.journal_async(async |p: &NetworkPlan| {
                entry = Some(self.journal(NETWORK, &id, p, state).await?);
                Ok::<_, EngineError>(())
            });
            let journalled = journalled.await?;
            let record = NetworkRecord {
                id: id.clone(),
                name: name.to_owned(),
                driver: driver.name().to_owned(),
                created: jiff::Timestamp::now(),
                request: request.clone(),
                plan: journalled.body().clone(),
                labels: BTreeMap::new(),
            };
            let (host, object) = (networks.host.clone(), id.clone());
            blocking("making a network", move || host.apply_network(&object, &journalled)).await?;
            tables::put(&self.inner.db, &record).await?;
            self.journal_end(entry).await?;
            Ok(record)
        };
        let made: Result<NetworkRecord, EngineError> = made.await;
        match made {
            Ok(record) => Ok(record),
            Err(e) => Err(e.undone(self.unmake_network(&id).await)),
        }
    }

    /// Undoes a network that did not come to be. What fails stays in the journal for the next start.
    async fn unmake_network(&self, id: &str) -> Result<(), EngineError> {
        let entries = self.inner.journal.open().await.map_err(|e| EngineError::internal("reading the journal", e))?;
        for (entry, written) in entries.into_iter().filter(|(_, e)| e.kind == NETWORK && e.object == id) {
            self.undo_network(&written).await?;
            self.journal_end(Some(entry)).await?;
        }
        Ok(self.inner.networks.leases.release(id).await?)
    }

    /// Undoes a journalled network.
    pub(crate) async fn undo_network(&self, entry: &Entry) -> Result<(), EngineError> {
        let plan: NetworkPlan =
            serde_json::from_value(entry.body.clone()).map_err(|e| EngineError::internal("reading the journal", e))?;
        let (host, id) = (self.inner.networks.host.clone(), entry.object.clone());
        blocking("unmaking a network", move || host.undo_network(&id, &plan)).await?;
        Ok(self.inner.networks.leases.release(&entry.object).await?)
    }

    /// Plans the container's place on its network, and journals it.
    pub(crate) async fn plan_endpoint(&self, container: &ContainerRecord) -> Result<Endpoint, EngineError> {
        let network = self.network(&container.spec.network).await?;
        let policy = self.inner.policy();
        let driver = policy.network(&network.driver)?;
        let spec = &container.spec;
        let mut aliases = vec![container.name.to_string(), container.id.short().to_owned()];
        aliases.extend(spec.aliases.iter().cloned());
        let request = EndpointRequest {
            container: container.id.to_string(),
            aliases,
            wanted_v4: spec.ipv4_address,
            wanted_v6: spec.ipv6_address,
            wanted_mac: spec.mac_address.clone(),
            published: spec.ports.clone(),
            settings: BTreeMap::new(),
        };
        let networks = &self.inner.networks;
        let id = new_id()?;
        let planned = async {
            let leases = networks.leases.for_owner(&id, &network.plan.subnets);
            let Planned { plan, state } = driver.plan_endpoint(&request, &network.plan, &leases).await?;
            let checked = Plan::proposed(plan)
                .check(|p| check::endpoint(p, &network.plan, &grants(&policy)))
                .map_err(network_error)?;
            let mut entry = None;
            let journalled = checked.journal_async(async |p: &EndpointPlan| {
                let body = EndpointEntry { id: id.clone(), plan: p.clone() };
                entry = Some(self.journal(ENDPOINT, container.id.as_str(), &body, state).await?);
                Ok::<_, EngineError>(())
            });
            let plan = journalled.await?;
            let record = EndpointRecord {
                network: network.id.clone(),
                network_name: network.name.clone(),
                id: id.clone(),
                plan: plan.body().clone(),
                mac: String::new(),
            };
            let entry = entry.ok_or_else(|| EngineError::internal("planning an endpoint", "it was not journalled"))?;
            Ok(Endpoint { network: Some(network.clone()), record, plan, entry })
        };
        let planned: Result<Endpoint, EngineError> = planned.await;
        if planned.is_err() {
            let _ = networks.leases.release(&id).await;
        }
        planned
    }

    /// Makes an endpoint real in the namespace.
    pub(crate) async fn connect(
        &self,
        endpoint: &Endpoint,
        namespace: Arc<Netns>,
        mac: Option<&str>,
    ) -> Result<EndpointState, EngineError> {
        let mac = mac.map(parse_mac).transpose()?;
        let Some(network) = endpoint.network.clone() else {
            return Err(EngineError::internal("connecting a container", "it has no network"));
        };
        let (host, id, plan) = (self.inner.networks.host.clone(), endpoint.record.id.clone(), endpoint.plan.clone());
        blocking("connecting a container", move || {
            let place = Place { namespace: namespace.as_fd(), ifname: "eth0", mac, default_route: true };
            host.apply_endpoint(&network.id, &network.plan, &id, &plan, &place)
        })
        .await
    }

    /// The endpoint is on record: its journal entry has done its duty.
    pub(crate) async fn endpoint_recorded(&self, endpoint: &Endpoint) -> Result<(), EngineError> {
        self.journal_end(Some(endpoint.entry)).await
    }

    /// Undoes an endpoint that did not come to be. What fails stays in the journal for the next start.
    pub(crate) async fn undo_endpoint(&self, endpoint: &Endpoint) -> Result<(), EngineError> {
        self.disconnect(&endpoint.record.id, &endpoint.record.plan).await?;
        self.journal_end(Some(endpoint.entry)).await
    }

    /// Closes an endpoint's ports at once and frees them for others.
    pub(crate) async fn unpublish(&self, id: &str, plan: &EndpointPlan) -> Result<(), EngineError> {
        if !plan.ports.is_empty() {
            let (host, plan) = (self.inner.networks.host.clone(), plan.clone());
            blocking("closing ports", move || host.unpublish(&plan)).await?;
        }
        Ok(self.inner.networks.leases.release_ports(id).await?)
    }

    /// Takes an endpoint down, and then frees its leases.
    pub(crate) async fn disconnect(&self, id: &str, plan: &EndpointPlan) -> Result<(), EngineError> {
        let (host, object, body) = (self.inner.networks.host.clone(), id.to_owned(), plan.clone());
        blocking("disconnecting a container", move || host.undo_endpoint(&object, &body)).await?;
        Ok(self.inner.networks.leases.release(id).await?)
    }

    /// Journals a plan, and what its plugin wants to keep with it.
    async fn journal(
        &self,
        kind: &str,
        object: &str,
        body: &impl Serialize,
        state: StateWrites,
    ) -> Result<EntryId, EngineError> {
        let body = serde_json::to_value(body).map_err(|e| EngineError::internal("writing the journal", e))?;
        let entry = Entry { kind: kind.to_owned(), object: object.to_owned(), body };
        let both = move |c: &rusqlite::Connection| {
            commit_in(c, &state)?;
            Ok(insert_in(c, &entry)?)
        };
        let written: Result<EntryId, StateError> = self.inner.db.write(Durability::Normal, both).await;
        written.map_err(|e| match e {
            StateError::Db(e) => EngineError::internal("starting work", e),
            StateError::Refused(e) => EngineError::from(e),
        })
    }

    async fn journal_end(&self, entry: Option<EntryId>) -> Result<(), EngineError> {
        match entry {
            Some(entry) => self.inner.journal.end(entry).await.map_err(|e| EngineError::internal("ending work", e)),
            None => Ok(()),
        }
    }
}

fn parse_mac(text: &str) -> Result<[u8; 6], EngineError> {
    let bad = || EngineError::invalid(format!("invalid MAC address {text:?}"));
    let parts = text.split([':', '-']).map(|p| u8::from_str_radix(p, 16).map_err(|_| bad()));
    let bytes = parts.collect::<Result<Vec<u8>, _>>()?;
    bytes.try_into().map_err(|_| bad())
}
