//! Zone files for the resolver: who is on which network under which names. Written anew whenever somebody comes or goes,
//! by one task that coalesces what comes at once; the resolver watches the folder.

use crate::{Engine, record::Status};
use davit_runtime::names::Zone;
use davit_sys::fault::point;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
};
use tokio::sync::Notify;

/// How often it is looked whether the resolver lives: it is no child of a daemon that found it running.
const LOOK: std::time::Duration = std::time::Duration::from_secs(2);

/// Networks whose zones are to be written.
#[derive(Debug, Default)]
pub(crate) struct Zones {
    stale: Mutex<BTreeSet<String>>,
    told: Notify,
}

impl Zones {
    /// Somebody came to this network or left it.
    pub(crate) fn stale(&self, network: &str) {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner).insert(network.to_owned());
        self.told.notify_one();
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.stale.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Engine {
    /// Writes zones as they become stale, until the engine closes.
    pub(crate) fn keep_zones(&self) {
        let engine = self.clone();
        self.inner.tasks.spawn(async move {
            let mut look = tokio::time::interval(LOOK);
            loop {
                tokio::select! {
                    () = engine.inner.closing.cancelled() => return,
                    () = engine.inner.zones.told.notified() => {}
                    _ = look.tick() => engine.keep_resolver(),
                }
                for network in engine.inner.zones.take() {
                    engine.write_zone(&network).await;
                }
            }
        });
    }

    /// Starts the resolver again where it was killed and somebody may ask it.
    fn keep_resolver(&self) {
        let named = |c: &std::sync::Arc<crate::container::Container>| {
            c.read(|r| r.state.status.has_process() && r.endpoint.as_ref().is_some_and(|e| !e.plan.names.is_empty()))
        };
        if self.inner.containers.all().iter().any(named) {
            self.inner.resolver.ensure();
        }
    }

    /// Writes the zone of a network. What fails is logged: names are a convenience, and the next change tries again.
    async fn write_zone(&self, network: &str) {
        let Some(record) = self.inner.networks.made().into_iter().find(|r| r.id == network) else { return };
        let listen: Vec<IpAddr> = record.plan.subnets.iter().map(|s| davit_network::gateway(&s.net)).collect();
        if listen.is_empty() || record.plan.links.is_empty() {
            return;
        }
        let mut names: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for container in self.inner.containers.all() {
            let Some(endpoint) = container.read(|r| {
                let there = matches!(r.state.status, Status::Running | Status::Paused);
                r.endpoint.clone().filter(|e| there && e.network == network)
            }) else {
                continue;
            };
            for name in &endpoint.plan.names {
                let addresses = endpoint.plan.addresses.iter().map(|l| l.address.addr());
                names.entry(name.clone()).or_default().extend(addresses);
            }
        }
        let zone = Zone { listen, names, upstream: upstream() };
        let zones = self.inner.options.exec_root.join("zones");
        let id = network.to_owned();
        let written = tokio::task::spawn_blocking(move || zone.write(&zones, &id)).await;
        if let Ok(Err(e)) = written {
            tracing::warn!(network, "writing its zone: {e}");
        }
        point("zone.written");
        self.inner.resolver.ensure();
    }
}

/// The host's own name servers.
fn upstream() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|l| l.strip_prefix("nameserver"));
    servers.filter_map(|s| s.trim().parse::<IpAddr>().ok()).map(|a| SocketAddr::new(a, 53)).collect()
}
