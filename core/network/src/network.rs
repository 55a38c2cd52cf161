//! A network made real: its bridges, their uplinks, forwarding, and its place in the table.

use crate::{
    address::{self, mac},
    bridge,
    channel::{Channel, Family},
    error::{NetError, Result},
    fault,
    host::{Host, Surroundings},
    instance::Role,
    leases::overlap,
    link,
    nft::{
        self,
        set::{self, Element, name_key},
    },
    sysctl, vlan, vxlan,
};
use davit_model::{
    network::{LinkId, LinkKind, NetworkPlan},
    plan::{Journalled, Plan},
};
use ipnet::IpNet;

impl Host {
    /// Makes the network `id`, or completes what of it is there.
    ///
    /// A step that fails leaves what was made: [`Host::undo_network`] removes it, now or after a crash.
    pub fn apply_network(&self, id: &str, plan: &Plan<NetworkPlan, Journalled>) -> Result<()> {
        self.keep_clear(plan.body())?;
        self.make_network(id, plan.body())
    }

    /// A network with a link of its own takes its subnets from the host; one without is beside the host in them.
    fn keep_clear(&self, plan: &NetworkPlan) -> Result<()> {
        if plan.links.is_empty() || plan.subnets.is_empty() {
            return Ok(());
        }
        let busy = self.busy()?;
        for net in plan.subnets.iter().map(|subnet| subnet.net) {
            if let Some(other) = busy.iter().find(|other| overlap(other, &net)) {
                return Err(NetError::Conflict(format!("subnet {net} overlaps {other}, which the host uses")));
            }
        }
        Ok(())
    }

    pub(crate) fn make_network(&self, id: &str, plan: &NetworkPlan) -> Result<()> {
        let mut netlink = Channel::open(Family::Route)?;
        let gateways = gateways(plan);
        let mac = gateways.first().map_or_else(|| random_mac(id), |first| mac(first.addr()));
        for (link_id, kind) in &plan.links {
            let name = self.bridge_name(id, *link_id);
            let owner = owner(id, *link_id);
            // The first link carries the gateways; the others are switches only.
            let addresses =
                if plan.links.first().is_some_and(|(first, _)| first == link_id) { &*gateways } else { &[] };
            let made = bridge::create(&mut netlink, &name, &owner, mac, addresses)?;
            fault!("network-bridge");
            match kind {
                LinkKind::Bridge => {}
                LinkKind::Vlan { parent, id: vlan } => {
                    vlan::create(&mut netlink, &self.uplink_name(id, *link_id), parent, *vlan, made.index)?;
                }
                LinkKind::Vxlan { id: vni, remotes } => {
                    vxlan::create(&mut netlink, &self.uplink_name(id, *link_id), *vni, remotes, made.index)?;
                }
            }
            // The kernel lets packets of 127.0.0.1 out by a link only with this; the table keeps others from using it.
            if gateways.iter().any(|gateway| gateway.addr().is_ipv4()) {
                sysctl::write(&format!("net.ipv4.conf.{name}.route_localnet"), "1")?;
            }
        }
        fault!("network-links");
        if plan.links.is_empty() {
            return Ok(());
        }
        sysctl::turn_on("net.ipv4.ip_forward")?;
        if gateways.iter().any(|gateway| gateway.addr().is_ipv6()) {
            sysctl::turn_on("net.ipv6.conf.all.forwarding")?;
        }
        fault!("network-forwarding");
        let mut netfilter = Channel::open(Family::Netfilter)?;
        self.ensure_table(&mut netfilter)?;
        let requests = self.network_elements(id, plan).iter().map(|element| set::add(&self.table, element)).collect();
        nft::transact(&mut netfilter, requests, "add network to table", &self.table)?;
        fault!("network-table");
        Ok(())
    }

    /// Removes all that [`Host::apply_network`] made; goes on after a failure and reports every one.
    pub fn undo_network(&self, id: &str, plan: &NetworkPlan) -> Result<()> {
        let mut errors = Vec::new();
        let table = Channel::open(Family::Netfilter)
            .and_then(|mut channel| set::remove(&mut channel, &self.table, &self.network_elements(id, plan)));
        errors.extend(table.err());
        match Channel::open(Family::Route) {
            Err(error) => errors.push(error),
            Ok(mut channel) => {
                for (link_id, _) in &plan.links {
                    let uplink = self.uplink_name(id, *link_id);
                    errors.extend(link::delete(&mut channel, &uplink).err());
                    errors.extend(bridge::delete(&mut channel, &self.bridge_name(id, *link_id)).err());
                }
            }
        }
        NetError::gather(errors)
    }

    /// The name of the bridge that the network `id` has for `link`.
    pub fn bridge_name(&self, id: &str, link: LinkId) -> String {
        self.instance.link(Role::Bridge, &format!("{id}/{}", link.0))
    }

    pub(crate) fn uplink_name(&self, id: &str, link: LinkId) -> String {
        self.instance.link(Role::Uplink, &format!("{id}/{}", link.0))
    }

    pub(crate) fn network_elements(&self, id: &str, plan: &NetworkPlan) -> Vec<Element> {
        let masquerades = |v4: bool| plan.subnets.iter().any(|s| s.masquerade && s.net.addr().is_ipv4() == v4);
        let mut elements = Vec::new();
        for (link, _) in &plan.links {
            let key = name_key(&self.bridge_name(id, *link));
            let mut add = |set, key: Vec<u8>| elements.push(Element { set, key, data: Vec::new() });
            add("bridges", key.clone());
            add("same", [key.clone(), key.clone()].concat());
            for (set, wanted) in [
                ("isolated", plan.isolate),
                ("internal", plan.isolate && !masquerades(true) && !masquerades(false)),
                ("masq4", masquerades(true)),
                ("masq6", masquerades(false)),
            ] {
                if wanted {
                    add(set, key.clone());
                }
            }
        }
        elements
    }
}

/// The gateways of a plan's subnets, with the subnets' prefix lengths.
fn gateways(plan: &NetworkPlan) -> Vec<IpNet> {
    let with_prefix = |net: &IpNet| IpNet::new(address::gateway(net), net.prefix_len()).ok();
    plan.subnets.iter().filter_map(|subnet| with_prefix(&subnet.net)).collect()
}

/// What is written on a bridge.
fn owner(id: &str, link: LinkId) -> String {
    format!("davit network {id} link {}", link.0)
}

/// A locally administered address for a network without subnets, the same each time.
pub(crate) fn random_mac(id: &str) -> [u8; 6] {
    let [.., a, b, c, d] = crate::instance::hash(id.as_bytes()).to_be_bytes();
    [0x02, 0x44, a, b, c, d]
}
