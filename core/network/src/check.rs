//! Plans against grants and the kernel's limits, before anything is made.

use crate::{
    error::{NetError, Result},
    macvlan,
    nft::port,
    sysctl,
};
use davit_model::network::{Attachment, EndpointPlan, LinkKind, NetworkPlan};
use std::{collections::BTreeSet, net::IpAddr};

/// What a driver was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Host interfaces that may be parents of vlan, vxlan and macvlan links.
    pub parents: BTreeSet<String>,
}

impl Grants {
    fn parent(&self, name: &str) -> Result<()> {
        if self.parents.contains(name) {
            Ok(())
        } else {
            Err(NetError::Denied(format!("host interface {name:?} is not granted to this driver")))
        }
    }
}

/// Checks a network's plan.
pub fn network(plan: &NetworkPlan, grants: &Grants) -> Result<()> {
    let mut links = BTreeSet::new();
    for (id, kind) in &plan.links {
        if !links.insert(id) {
            return Err(NetError::Plan(format!("link {} is there twice", id.0)));
        }
        match kind {
            LinkKind::Bridge => {}
            LinkKind::Vlan { parent, id } => {
                grants.parent(parent)?;
                if !(1..=4094).contains(id) {
                    return Err(NetError::Plan(format!("{id} is no VLAN id")));
                }
            }
            LinkKind::Vxlan { id, .. } if *id >= 1 << 24 => {
                return Err(NetError::Plan(format!("{id} is no VXLAN id of 24 bits")));
            }
            LinkKind::Vxlan { remotes, .. } => peers(remotes)?,
        }
    }
    for (at, subnet) in plan.subnets.iter().enumerate() {
        if subnet.masquerade && plan.links.is_empty() {
            return Err(NetError::Plan(format!("subnet {} is masqueraded, and the network has no link", subnet.net)));
        }
        if subnet.net.max_prefix_len() - subnet.net.prefix_len() < 2 {
            return Err(NetError::Plan(format!("subnet {} has no room for a gateway and a host", subnet.net)));
        }
        for other in plan.subnets.iter().skip(at + 1) {
            if other.id == subnet.id {
                return Err(NetError::Plan(format!("subnet {} is there twice", subnet.id.0)));
            }
            if other.net.contains(&subnet.net) || subnet.net.contains(&other.net) {
                return Err(NetError::Plan(format!("subnets {} and {} overlap", subnet.net, other.net)));
            }
            let same_family = other.net.addr().is_ipv4() == subnet.net.addr().is_ipv4();
            if same_family && other.masquerade != subnet.masquerade {
                return Err(NetError::Plan(format!(
                    "subnets {} and {} of one network differ in masquerading",
                    subnet.net, other.net
                )));
            }
        }
    }
    Ok(())
}

/// Checks that a VXLAN can reach its peers: hosts, all of one family.
fn peers(remotes: &[IpAddr]) -> Result<()> {
    if let Some(bad) = remotes.iter().find(|remote| remote.is_multicast() || remote.is_unspecified()) {
        return Err(NetError::Plan(format!("{bad} is no address of a VXLAN's peer")));
    }
    if remotes.iter().any(IpAddr::is_ipv6) && remotes.iter().any(IpAddr::is_ipv4) {
        return Err(NetError::Plan("the peers of a VXLAN are of both families; make a network for each".into()));
    }
    Ok(())
}

/// Checks an endpoint's plan on `network`.
pub fn endpoint(plan: &EndpointPlan, network: &NetworkPlan, grants: &Grants) -> Result<()> {
    match &plan.attachment {
        Attachment::None | Attachment::ShareHost => {
            if !plan.addresses.is_empty() || !plan.ports.is_empty() || !plan.routes.is_empty() {
                return Err(NetError::Plan("addresses, routes or ports without a link of its own".into()));
            }
        }
        Attachment::Veth { master } => {
            if !network.links.iter().any(|(id, _)| id == master) {
                return Err(NetError::Plan(format!("the network has no link {}", master.0)));
            }
        }
        Attachment::Macvlan { parent, mode } => {
            grants.parent(parent)?;
            macvlan::mode(mode)?;
            if !plan.ports.is_empty() {
                return Err(NetError::Plan("a macvlan is reached directly; its ports cannot be published".into()));
            }
        }
    }
    for lease in &plan.addresses {
        let subnet = network.subnets.iter().find(|subnet| subnet.id == lease.subnet);
        if !subnet.is_some_and(|subnet| subnet.net.contains(&lease.address.addr())) {
            return Err(NetError::Plan(format!("address {} is in no subnet of the network", lease.address)));
        }
    }
    for key in plan.sysctls.keys() {
        if !sysctl::allowed(key) {
            return Err(NetError::Denied(format!("setting {key:?} is not one that a plan may change")));
        }
    }
    if let Some(mtu) = plan.mtu
        && !(68..=65535).contains(&mtu)
    {
        return Err(NetError::Plan(format!("{mtu} is no MTU")));
    }
    port::elements(&plan.ports, &plan.addresses).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use davit_model::network::{LinkId, Subnet, SubnetId};

    #[test]
    fn a_parent_without_a_grant_is_denied() {
        let plan = NetworkPlan {
            links: vec![(LinkId(0), LinkKind::Vlan { parent: "eth9".into(), id: 7 })],
            ..NetworkPlan::default()
        };
        assert!(matches!(network(&plan, &Grants::default()), Err(NetError::Denied(_))));
        let grants = Grants { parents: ["eth9".to_owned()].into() };
        assert!(network(&plan, &grants).is_ok());
    }

    #[test]
    fn the_peers_of_a_vxlan_are_hosts_of_one_family() -> std::result::Result<(), std::net::AddrParseError> {
        for (remotes, good) in [
            (&["192.0.2.1", "192.0.2.2"][..], true),
            (&["2001:db8::1"], true),
            (&["192.0.2.1", "2001:db8::1"], false),
            (&["239.0.0.1"], false),
            (&["0.0.0.0"], false),
        ] {
            let kind = LinkKind::Vxlan {
                id: 1,
                remotes: remotes.iter().map(|r| r.parse()).collect::<std::result::Result<_, _>>()?,
            };
            let plan = NetworkPlan { links: vec![(LinkId(0), kind)], ..NetworkPlan::default() };
            assert_eq!(network(&plan, &Grants::default()).is_ok(), good, "{remotes:?}");
        }
        Ok(())
    }

    #[test]
    fn a_network_without_a_link_masquerades_nothing() -> std::result::Result<(), ipnet::AddrParseError> {
        let subnet = |masquerade| Ok(Subnet { id: SubnetId(0), net: "192.0.2.0/24".parse()?, masquerade });
        let plan = |masquerade| Ok(NetworkPlan { subnets: vec![subnet(masquerade)?], ..NetworkPlan::default() });
        assert!(network(&plan(false)?, &Grants::default()).is_ok());
        assert!(matches!(network(&plan(true)?, &Grants::default()), Err(NetError::Plan(_))));
        Ok(())
    }

    #[test]
    fn a_setting_outside_of_the_list_is_denied() {
        let plan = EndpointPlan {
            sysctls: [("kernel.core_pattern".to_owned(), "|x".to_owned())].into(),
            ..EndpointPlan::default()
        };
        let checked = endpoint(&plan, &NetworkPlan::default(), &Grants::default());
        assert!(matches!(checked, Err(NetError::Denied(_))));
    }
}
