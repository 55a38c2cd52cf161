//! What is there against what is on record: the rest is removed, what is missing is made again.

use crate::{
    channel::{Channel, Family},
    endpoint::Place,
    error::{NetError, Result},
    host::Host,
    link,
    netns::inside,
    nft::{port, set, table},
};
use davit_model::network::{Attachment, EndpointPlan, NetworkPlan};
use std::collections::BTreeSet;

/// A network on record.
#[derive(Clone, Debug)]
pub struct KnownNetwork<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its plan.
    pub plan: &'a NetworkPlan,
}

/// An endpoint of a running container on record.
#[derive(Clone, Debug)]
pub struct KnownEndpoint<'a> {
    /// Its id.
    pub id: &'a str,
    /// The network's id.
    pub network: &'a str,
    /// Its plan.
    pub plan: &'a EndpointPlan,
    /// Where its container is; none: a link that is lost stays lost.
    pub place: Option<Place<'a>>,
}

/// What a reconciliation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Links and elements that no record named.
    pub removed: Vec<String>,
    /// Endpoints whose link is gone and whose container, or whose link's parent, is not there: their ids.
    pub lost: Vec<String>,
}

impl Host {
    /// Brings the host in line with the records. Every failure is reported, none stops the rest.
    pub fn reconcile(&self, networks: &[KnownNetwork<'_>], endpoints: &[KnownEndpoint<'_>]) -> Result<Reconciled> {
        let mut done = Reconciled::default();
        let mut errors = Vec::new();
        errors.extend(self.remove_links(networks, endpoints, &mut done).err());
        for network in networks {
            errors.extend(self.make_network(network.id, network.plan).err());
        }
        for endpoint in endpoints {
            errors.extend(self.restore(networks, endpoint, &mut done).err());
        }
        errors.extend(self.remove_elements(networks, endpoints, &mut done).err());
        NetError::gather(errors).map(|()| done)
    }

    /// Removes everything that carries the instance's tag.
    pub fn teardown_all(&self) -> Result<()> {
        let mut errors = Vec::new();
        errors.extend(self.remove_links(&[], &[], &mut Reconciled::default()).err());
        errors.extend(Channel::open(Family::Netfilter).and_then(|mut c| table::delete(&mut c, &self.table)).err());
        NetError::gather(errors)
    }

    fn remove_links(
        &self,
        networks: &[KnownNetwork<'_>],
        endpoints: &[KnownEndpoint<'_>],
        done: &mut Reconciled,
    ) -> Result<()> {
        let mut known: BTreeSet<String> = endpoints.iter().map(|endpoint| self.veth_name(endpoint.id)).collect();
        for network in networks {
            for (id, _) in &network.plan.links {
                known.insert(self.bridge_name(network.id, *id));
                known.insert(self.uplink_name(network.id, *id));
            }
        }
        let mut channel = Channel::open(Family::Route)?;
        let mut errors = Vec::new();
        for link in link::list(&mut channel)? {
            if self.instance.owns(&link.name) && !known.contains(&link.name) {
                errors.extend(link::delete(&mut channel, &link.name).err());
                done.removed.push(link.name);
            }
        }
        NetError::gather(errors)
    }

    /// An endpoint's link back on its bridge, and its ports back in the table.
    fn restore(
        &self,
        networks: &[KnownNetwork<'_>],
        endpoint: &KnownEndpoint<'_>,
        done: &mut Reconciled,
    ) -> Result<()> {
        let network = networks.iter().find(|network| network.id == endpoint.network);
        let master = match &endpoint.plan.attachment {
            Attachment::Veth { master } => master,
            Attachment::Macvlan { parent, .. } => return self.restore_macvlan(network, endpoint, parent, done),
            Attachment::None | Attachment::ShareHost => return Ok(()),
        };
        let mut channel = Channel::open(Family::Route)?;
        let outer = link::find(&mut channel, &self.veth_name(endpoint.id))?;
        match (outer, network, &endpoint.place) {
            (Some(outer), _, _) => {
                let bridge = link::need(&mut channel, &self.bridge_name(endpoint.network, *master))?;
                if outer.master != Some(bridge.index) || !outer.up {
                    link::enslave(&mut channel, &outer, bridge.index)?;
                }
                self.publish(endpoint.plan)
            }
            (None, Some(network), Some(place)) => {
                self.make_endpoint(network.id, network.plan, endpoint.id, endpoint.plan, place).map(drop)
            }
            (None, _, _) => {
                done.lost.push(endpoint.id.to_owned());
                Ok(())
            }
        }
    }

    /// A macvlan ends with its parent; it comes back once the parent is there again.
    fn restore_macvlan(
        &self,
        network: Option<&KnownNetwork<'_>>,
        endpoint: &KnownEndpoint<'_>,
        parent: &str,
        done: &mut Reconciled,
    ) -> Result<()> {
        let (Some(network), Some(place)) = (network, &endpoint.place) else { return Ok(()) };
        let there = inside(place.namespace, || link::find(&mut Channel::open(Family::Route)?, place.ifname))?;
        if there.is_none() && link::find(&mut Channel::open(Family::Route)?, parent)?.is_none() {
            done.lost.push(endpoint.id.to_owned());
            return Ok(());
        }
        self.make_endpoint(network.id, network.plan, endpoint.id, endpoint.plan, place).map(drop)
    }

    fn remove_elements(
        &self,
        networks: &[KnownNetwork<'_>],
        endpoints: &[KnownEndpoint<'_>],
        done: &mut Reconciled,
    ) -> Result<()> {
        let mut known = BTreeSet::new();
        for network in networks {
            known.extend(self.network_elements(network.id, network.plan));
        }
        for endpoint in endpoints {
            known.extend(port::elements(&endpoint.plan.ports, &endpoint.plan.addresses)?);
        }
        let mut channel = Channel::open(Family::Netfilter)?;
        for kind in &set::ALL {
            let listed = set::list(&mut channel, &self.table, kind.name)?;
            let stale: Vec<_> = listed.into_iter().filter(|element| !known.contains(element)).collect();
            set::remove(&mut channel, &self.table, &stale)?;
            done.removed.extend(stale.iter().map(|_| format!("element of {}", kind.name)));
        }
        Ok(())
    }
}
