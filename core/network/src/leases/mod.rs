//! Leases of subnets, addresses and ports: who has what, written down before it is handed out.
//!
//! A lease is reserved in memory under a lock, then stored, and only then answered; no lock is held while storing.

mod address;
mod port;
mod store;
mod subnet;

pub use store::{Lease, LeaseKind, LeaseStore, MemoryLeases};
pub use subnet::Pools;
pub(crate) use subnet::overlap;

use crate::{error::NetError, host::Surroundings};
use async_trait::async_trait;
use davit_model::{
    error::PolicyError,
    network::{AddressLease, Leases, PortRequest, Subnet, SubnetId},
};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// All leases of an instance.
#[derive(Debug)]
pub struct LeaseBook {
    store: Arc<dyn LeaseStore>,
    surroundings: Arc<dyn Surroundings>,
    pools: Pools,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Owner by kind and key.
    held: BTreeMap<(LeaseKind, String), String>,
    /// Where the search in a subnet goes on, so that an address freed is not the next to be given.
    cursor: HashMap<IpNet, u128>,
}

impl LeaseBook {
    /// The leases in `store`.
    pub async fn open(
        store: Arc<dyn LeaseStore>,
        surroundings: Arc<dyn Surroundings>,
        pools: Pools,
    ) -> Result<Self, PolicyError> {
        let mut state = State::default();
        for lease in store.list().await? {
            state.held.insert((lease.kind, lease.key), lease.owner);
        }
        Ok(Self { store, surroundings, pools, state: Mutex::new(state) })
    }

    /// What a driver may ask while it plans for `owner` (a network's or an endpoint's id).
    ///
    /// `subnets` are those of the network at hand, empty while the network itself is planned.
    pub fn for_owner(self: &Arc<Self>, owner: &str, subnets: &[Subnet]) -> NetworkLeases {
        NetworkLeases { book: Arc::clone(self), owner: owner.to_owned(), subnets: subnets.to_vec(), pools: None }
    }

    /// Frees everything that `owner` has.
    pub async fn release(&self, owner: &str) -> Result<(), PolicyError> {
        self.free(|_, of| of == owner).await
    }

    /// Frees the ports that `owner` has: they are free for others before its address is.
    pub async fn release_ports(&self, owner: &str) -> Result<(), PolicyError> {
        self.free(|kind, of| kind == LeaseKind::Port && of == owner).await
    }

    /// All leases.
    pub fn list(&self) -> Vec<Lease> {
        let row = |((kind, key), owner): (&(LeaseKind, String), &String)| Lease {
            kind: *kind,
            key: key.clone(),
            owner: owner.clone(),
        };
        self.lock().held.iter().map(row).collect()
    }

    async fn free(&self, which: impl Fn(LeaseKind, &str) -> bool) -> Result<(), PolicyError> {
        let going: Vec<Lease> = self.list().into_iter().filter(|l| which(l.kind, &l.owner)).collect();
        if going.is_empty() {
            return Ok(());
        }
        // First on disk: a crash between the two leaves a lease too few in memory, which is gone with the process.
        self.store.delete(&going).await?;
        let mut state = self.lock();
        for lease in going {
            state.held.remove(&(lease.kind, lease.key));
        }
        Ok(())
    }

    /// Reserves what `choose` finds, stores it, and takes it back where storing fails.
    async fn lease<T>(
        &self,
        owner: &str,
        choose: impl FnOnce(&mut State) -> Result<(LeaseKind, String, T), PolicyError>,
    ) -> Result<T, PolicyError> {
        let (lease, value) = {
            let mut state = self.lock();
            let (kind, key, value) = choose(&mut state)?;
            state.held.insert((kind, key.clone()), owner.to_owned());
            (Lease { kind, key, owner: owner.to_owned() }, value)
        };
        if let Err(error) = self.store.insert(&lease).await {
            self.lock().held.remove(&(lease.kind, lease.key));
            return Err(error);
        }
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The leases that one network or endpoint gets.
#[derive(Clone, Debug)]
pub struct NetworkLeases {
    book: Arc<LeaseBook>,
    owner: String,
    subnets: Vec<Subnet>,
    pools: Option<Pools>,
}

impl NetworkLeases {
    /// Takes subnets from these pools instead of the book's own: a site's choice, which may change while the book is
    /// open.
    #[must_use]
    pub fn in_pools(mut self, pools: Pools) -> Self {
        self.pools = Some(pools);
        self
    }
}

#[async_trait]
impl Leases for NetworkLeases {
    async fn subnet(&self, wanted: Option<IpNet>, v6: bool) -> Result<IpNet, PolicyError> {
        // A subnet that the host is in itself may be asked for: a macvlan is in its parent's. Whether the network may have
        // it is known when its plan is, see `Host::apply_network`.
        let busy = match wanted {
            Some(_) => Vec::new(),
            None => self.book.surroundings.busy().map_err(|error: NetError| PolicyError::from(&error))?,
        };
        let pools = self.pools.as_ref().unwrap_or(&self.book.pools);
        let choose = |state: &mut State| subnet::choose(state, pools, &busy, wanted, v6);
        self.book.lease(&self.owner, choose).await
    }

    async fn address(&self, subnet: SubnetId, wanted: Option<IpAddr>) -> Result<AddressLease, PolicyError> {
        let Some(subnet) = self.subnets.iter().find(|known| known.id == subnet) else {
            return Err(PolicyError::NotFound(format!("the network has no subnet {}", subnet.0)));
        };
        self.book.lease(&self.owner, |state| address::choose(state, subnet, wanted)).await
    }

    async fn port(&self, request: &PortRequest) -> Result<u16, PolicyError> {
        let around = &*self.book.surroundings;
        self.book.lease(&self.owner, |state| port::choose(state, around, request)).await
    }
}
