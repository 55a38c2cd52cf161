//! The port to network drivers: what a network and an endpoint are made of.
//!
//! Objects in a plan are numbered by the plan ([`LinkId`], [`SubnetId`]); the core names the kernel's objects and owns
//! them. Addresses, ports and subnets are leases: the driver asks [`Leases`] while it plans, the core records and
//! frees them.

use crate::{
    error::{PolicyError, PortError},
    state::Planned,
};
use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, net::IpAddr};

/// A link within a network's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinkId(pub u32);

/// A subnet within a network's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubnetId(pub u32);

/// A network that somebody wants made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRequest {
    /// Its name, as people gave it.
    pub name: String,
    /// No way out to other networks.
    pub internal: bool,
    /// IPv6 addresses are wanted as well.
    pub ipv6: bool,
    /// Subnets asked for; empty: the driver chooses, or the site's pool.
    pub subnets: Vec<IpNet>,
    /// Driver options of the request, and the driver's settings from the site's file.
    pub settings: BTreeMap<String, String>,
}

/// A link of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// A bridge of its own.
    Bridge,
    /// An 802.1q interface on a host interface; the parent needs a grant.
    Vlan {
        /// The host interface.
        parent: String,
        /// VLAN id, 1 to 4094.
        id: u16,
    },
    /// A VXLAN with static peers, on a bridge of its own.
    Vxlan {
        /// VNI, 24 bits.
        id: u32,
        /// Addresses of the other hosts.
        remotes: Vec<IpAddr>,
    },
}

/// A subnet of a network, leased from the site's pool or as asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its number in the plan.
    pub id: SubnetId,
    /// The addresses. The gateway is the first host address.
    pub net: IpNet,
    /// Traffic to elsewhere leaves with the host's address.
    pub masquerade: bool,
}

/// What a network is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// Links, by number.
    pub links: Vec<(LinkId, LinkKind)>,
    /// Subnets, by number.
    pub subnets: Vec<Subnet>,
    /// No forwarding to or from other networks of this engine.
    pub isolate: bool,
}

/// A port that a container wants reachable from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortRequest {
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The port in the container.
    pub inside: u16,
    /// The host's port; none: the core chooses.
    pub outside: Option<u16>,
    /// The host's address; none: all.
    pub address: Option<IpAddr>,
}

/// A container that is to be connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRequest {
    /// The container's id.
    pub container: String,
    /// Names it is to be known by on this network.
    pub aliases: Vec<String>,
    /// An IPv4 address asked for.
    pub wanted_v4: Option<IpAddr>,
    /// An IPv6 address asked for.
    pub wanted_v6: Option<IpAddr>,
    /// A MAC address asked for, `aa:bb:cc:dd:ee:ff`.
    pub wanted_mac: Option<String>,
    /// Ports to publish.
    pub published: Vec<PortRequest>,
    /// Driver options of the request, and the driver's settings from the site's file.
    pub settings: BTreeMap<String, String>,
}

/// How a container hangs on a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attachment {
    /// Nothing but loopback.
    #[default]
    None,
    /// The host's own network namespace.
    ShareHost,
    /// A veth pair with its outer end on a link of the network.
    Veth {
        /// The link.
        master: LinkId,
    },
    /// A macvlan on a host interface; the parent needs a grant.
    Macvlan {
        /// The host interface.
        parent: String,
        /// `bridge`, `private`, `vepa` or `passthru`.
        mode: String,
    },
}

/// An address leased for an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressLease {
    /// The subnet it is from.
    pub subnet: SubnetId,
    /// The address with the subnet's prefix length.
    pub address: IpNet,
    /// The subnet's gateway.
    pub gateway: IpAddr,
}

/// A route inside the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where to; `0.0.0.0/0` and `::/0` are the defaults.
    pub dst: IpNet,
    /// The next hop; none: on the link.
    pub via: Option<IpAddr>,
}

/// A port with its outside leased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// What was asked.
    pub request: PortRequest,
    /// The host's port.
    pub outside: u16,
}

/// What an endpoint is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointPlan {
    /// How it hangs on the network.
    pub attachment: Attachment,
    /// Its addresses.
    pub addresses: Vec<AddressLease>,
    /// Its routes, beyond those of its subnets.
    pub routes: Vec<Route>,
    /// Settings under `net.` in its namespace, from the list that `core/network` allows.
    pub sysctls: BTreeMap<String, String>,
    /// Ports published on the host.
    pub ports: Vec<PublishedPort>,
    /// Names that resolve to its addresses.
    pub names: Vec<String>,
    /// MTU of its link; none: the network's.
    pub mtu: Option<u32>,
}

/// Durable allocation while a driver plans. What is leased here is freed by the core: with the plan when it fails,
/// else when the endpoint or network ends.
#[async_trait]
pub trait Leases: Send + Sync + fmt::Debug {
    /// A subnet: the one asked for, or one of the site's pool. `conflict` where it overlaps another in use.
    async fn subnet(&self, wanted: Option<IpNet>, v6: bool) -> Result<IpNet, PolicyError>;
    /// An address in a subnet of the network at hand: the one asked for, or a free one.
    async fn address(&self, subnet: SubnetId, wanted: Option<IpAddr>) -> Result<AddressLease, PolicyError>;
    /// The outside of a published port. `conflict` where it is taken, by a lease or by a listener of the host.
    async fn port(&self, request: &PortRequest) -> Result<u16, PolicyError>;
}

/// Answers how containers are connected. Implemented by the plugin host over a component, and by fakes in tests.
#[async_trait]
pub trait NetworkDriver: Send + Sync + fmt::Debug {
    /// The driver's name in the site's file.
    fn name(&self) -> &str;
    /// What a network is made of.
    async fn plan_network(
        &self,
        request: &NetworkRequest,
        leases: &dyn Leases,
    ) -> Result<Planned<NetworkPlan>, PortError>;
    /// What an endpoint on `network` is made of.
    async fn plan_endpoint(
        &self,
        request: &EndpointRequest,
        network: &NetworkPlan,
        leases: &dyn Leases,
    ) -> Result<Planned<EndpointPlan>, PortError>;
    /// A `network` or `endpoint` is gone for good. Optional, best effort, never waited for.
    async fn released(&self, _kind: &str, _id: &str) -> Result<(), PortError> {
        Ok(())
    }
}
