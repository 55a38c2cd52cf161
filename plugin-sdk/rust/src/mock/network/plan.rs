//! Networks: their plan, and how endpoints see them once they are made.

use super::{MAX_ITEMS, invalid, parse, room};
use crate::mock::{
    site::right,
    subnets::{Leases, Net, NoLease},
    types::Error,
};
use std::{cell::RefCell, collections::BTreeSet, net::IpAddr, rc::Rc};

const MAX_PARTS: usize = 64;

/// A link, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the arguments of the methods of the same names")]
pub enum LinkKind {
    /// `bridge`
    Bridge,
    /// `vlan`
    Vlan { parent: String, id: u16 },
    /// `vxlan`
    Vxlan { id: u32, remotes: Vec<String> },
}

/// A link of a network.
#[derive(Clone, Debug)]
pub struct Link {
    number: usize,
    kind: LinkKind,
}

impl Link {
    /// Which of its network's.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// `bridge`, `vlan` or `vxlan`.
    pub fn kind(&self) -> String {
        let word = match self.kind {
            LinkKind::Bridge => "bridge",
            LinkKind::Vlan { .. } => "vlan",
            LinkKind::Vxlan { .. } => "vxlan",
        };
        word.to_owned()
    }
}

/// A subnet of a network.
#[derive(Clone, Debug)]
pub struct Subnet {
    number: usize,
    net: Net,
    leases: Rc<Leases>,
}

impl Subnet {
    /// An address of it for an endpoint.
    pub(super) fn lease(&self, wanted: Option<IpAddr>) -> Result<IpAddr, NoLease> {
        self.leases.lease(&self.net, wanted)
    }

    /// Its addresses.
    pub fn cidr(&self) -> String {
        self.net.to_string()
    }

    /// Its gateway, the first host address.
    pub fn gateway(&self) -> String {
        self.net.gateway().to_string()
    }

    /// Whether it is of IPv6.
    pub fn v6(&self) -> bool {
        self.net.v6()
    }
}

/// A network, as it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Its links.
    pub links: Vec<LinkKind>,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// Those whose traffic leaves with the host's address.
    pub masqueraded: Vec<String>,
    /// Whether nothing is forwarded between this network and others.
    pub isolated: bool,
}

#[derive(Debug, Default)]
struct Draft {
    links: Vec<LinkKind>,
    subnets: Vec<Subnet>,
    masqueraded: Vec<usize>,
    isolated: bool,
}

/// What a network would be made of.
#[derive(Debug, Default)]
pub struct NetworkPlan(RefCell<Draft>);

impl NetworkPlan {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was recorded.
    pub fn recorded(&self) -> Planned {
        let draft = self.0.borrow();
        let cidr = |number: &usize| draft.subnets.get(*number).map(Subnet::cidr);
        Planned {
            links: draft.links.clone(),
            subnets: draft.subnets.iter().map(Subnet::cidr).collect(),
            masqueraded: draft.masqueraded.iter().filter_map(cidr).collect(),
            isolated: draft.isolated,
        }
    }

    /// The network, once it is made.
    pub fn made(&self) -> NetworkView {
        let draft = self.0.borrow();
        NetworkView { links: draft.links.clone(), subnets: draft.subnets.clone(), ports: Rc::default() }
    }

    fn link(&self, kind: LinkKind) -> Result<Link, Error> {
        let links = &mut self.0.borrow_mut().links;
        room(links.len(), MAX_PARTS, "links")?;
        links.push(kind.clone());
        Ok(Link { number: links.len() - 1, kind })
    }

    /// A bridge of its own.
    ///
    /// # Errors
    /// `internal` past 64 links.
    pub fn bridge(&self) -> Result<Link, Error> {
        self.link(LinkKind::Bridge)
    }

    /// An 802.1q interface on a host interface.
    ///
    /// # Errors
    /// `denied`, `invalid`, `internal` past 64 links.
    pub fn vlan(&self, parent: &str, id: u16) -> Result<Link, Error> {
        right("interfaces", &format!("interface {parent:?}"))?;
        if !(1..=4094).contains(&id) {
            return Err(invalid(format!("{id} is no VLAN id, which is 1 to 4094")));
        }
        self.link(LinkKind::Vlan { parent: parent.to_owned(), id })
    }

    /// A VXLAN with static peers.
    ///
    /// # Errors
    /// `invalid`, `internal` past 64 links or 256 peers.
    pub fn vxlan(&self, id: u32, remotes: &[String]) -> Result<Link, Error> {
        if id >= 1 << 24 {
            return Err(invalid(format!("{id} is no VXLAN id, which has 24 bits")));
        }
        room(remotes.len(), MAX_ITEMS + 1, "remotes")?;
        let addresses = remotes.iter().map(|remote| parse::<IpAddr>(remote, "an address"));
        let remotes = addresses.map(|address| Ok(address?.to_string())).collect::<Result<_, Error>>()?;
        self.link(LinkKind::Vxlan { id, remotes })
    }

    /// Leases a subnet.
    ///
    /// # Errors
    /// `invalid`, `conflict` where it overlaps another of this plan, `internal` past 64 subnets.
    pub fn subnet(&self, cidr: Option<&str>, v6: bool) -> Result<Subnet, Error> {
        let wanted = cidr.map(|cidr| parse::<Net>(cidr, "a subnet such as 10.1.0.0/24")).transpose()?;
        let subnets = &mut self.0.borrow_mut().subnets;
        room(subnets.len(), MAX_PARTS, "subnets")?;
        let overlapping = |net: &Net| subnets.iter().find(|subnet| subnet.net.overlaps(net));
        let net = match wanted {
            Some(net) => match overlapping(&net) {
                Some(other) => {
                    return Err(Error::Conflict(format!("subnet {net} overlaps {} of another network", other.cidr())));
                }
                None => net,
            },
            None => {
                let mut pool = (0..=u8::MAX).map(|n| Net::of_pool(n, v6));
                let free = pool.find(|net| overlapping(net).is_none());
                free.ok_or_else(|| Error::Conflict("no subnet is left in the site's pools".to_owned()))?
            }
        };
        let subnet = Subnet { number: subnets.len(), net, leases: Rc::default() };
        subnets.push(subnet.clone());
        Ok(subnet)
    }

    /// Traffic from the subnet to elsewhere leaves with the host's address.
    ///
    /// # Errors
    /// `invalid` for a subnet of another plan.
    pub fn masquerade(&self, subnet: &Subnet) -> Result<(), Error> {
        let mut draft = self.0.borrow_mut();
        if draft.subnets.get(subnet.number).is_none_or(|ours| !Rc::ptr_eq(&ours.leases, &subnet.leases)) {
            return Err(invalid("the subnet is not of this plan"));
        }
        if !draft.masqueraded.contains(&subnet.number) {
            draft.masqueraded.push(subnet.number);
        }
        Ok(())
    }

    /// No forwarding between this network and others.
    ///
    /// # Errors
    /// None, here.
    pub fn isolate(&self) -> Result<(), Error> {
        self.0.borrow_mut().isolated = true;
        Ok(())
    }
}

/// Ports of the host that a network's endpoints have, by protocol.
pub(super) type Ports = RefCell<BTreeSet<(String, u16)>>;

/// A network that is there. Endpoints that are planned on one share its addresses and the host's ports.
#[derive(Clone, Debug, Default)]
pub struct NetworkView {
    links: Vec<LinkKind>,
    subnets: Vec<Subnet>,
    ports: Rc<Ports>,
}

impl NetworkView {
    /// What its endpoints have of the host's ports.
    pub(super) fn ports(&self) -> Rc<Ports> {
        self.ports.clone()
    }

    /// Its links, in the order they were planned.
    pub fn links(&self) -> Vec<Link> {
        let links = self.links.iter().enumerate();
        links.map(|(number, kind)| Link { number, kind: kind.clone() }).collect()
    }

    /// Its subnets, in the order they were planned.
    pub fn subnets(&self) -> Vec<Subnet> {
        self.subnets.clone()
    }
}
