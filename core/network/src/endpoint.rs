//! An endpoint made real: its link, addresses, routes and settings in the container, its ports on the host.

use crate::{
    address,
    channel::{Channel, Family},
    error::{NetError, Result},
    fault, flow,
    host::{Host, Surroundings},
    instance::Role,
    link, macvlan,
    netns::inside,
    network::random_mac,
    nft::{self, port, set},
    route, sysctl,
    veth::{self, Pair},
};
use davit_model::{
    network::{Attachment, EndpointPlan, NetworkPlan, Route},
    plan::{Journalled, Plan},
};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::os::fd::BorrowedFd;

/// Where an endpoint goes in its container.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The container's network namespace.
    pub namespace: BorrowedFd<'a>,
    /// The name of its link there, `eth0` for the first.
    pub ifname: &'a str,
    /// A hardware address asked for; none: one that follows from the address.
    pub mac: Option<[u8; 6]>,
    /// Traffic to elsewhere leaves by this endpoint (the first network of a container); the default routes of the
    /// others' plans are left out.
    pub default_route: bool,
}

/// What an endpoint became.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointState {
    /// The link in the container; none where it has none of its own.
    pub ifname: Option<String>,
    /// The link of the host that leads to it; none where there is none.
    pub host_ifname: Option<String>,
    /// Its hardware address.
    pub mac: Option<[u8; 6]>,
}

impl Host {
    /// Connects the container at `place` to the network, or completes what of it is there.
    ///
    /// A step that fails leaves what was made: [`Host::undo_endpoint`] removes it, now or after a crash.
    pub fn apply_endpoint(
        &self,
        network_id: &str,
        network: &NetworkPlan,
        id: &str,
        plan: &Plan<EndpointPlan, Journalled>,
        place: &Place<'_>,
    ) -> Result<EndpointState> {
        self.make_endpoint(network_id, network, id, plan.body(), place)
    }

    pub(crate) fn make_endpoint(
        &self,
        network_id: &str,
        network: &NetworkPlan,
        id: &str,
        plan: &EndpointPlan,
        place: &Place<'_>,
    ) -> Result<EndpointState> {
        let first = plan.addresses.first().map(|lease| lease.address.addr());
        let mac = place.mac.unwrap_or_else(|| first.map_or_else(|| random_mac(id), address::mac));
        let mut netlink = Channel::open(Family::Route)?;
        let host_ifname = match &plan.attachment {
            Attachment::None | Attachment::ShareHost => return Ok(EndpointState::default()),
            Attachment::Veth { master } => {
                let bridge = link::need(&mut netlink, &self.bridge_name(network_id, *master))?;
                let outer = self.veth_name(id);
                let pair = Pair {
                    outer: &outer,
                    inner: place.ifname,
                    namespace: place.namespace,
                    master: bridge.index,
                    mac,
                    mtu: plan.mtu,
                    hairpin: !plan.ports.is_empty(),
                };
                self.pair(&mut netlink, &pair)?;
                fault!("endpoint-link");
                Some(outer)
            }
            Attachment::Macvlan { parent, mode } => {
                let there = inside(place.namespace, || link::find(&mut Channel::open(Family::Route)?, place.ifname))?;
                if there.is_none() {
                    let (name, space) = (place.ifname, place.namespace);
                    macvlan::create(&mut netlink, parent, mode, name, mac, plan.mtu, space)?;
                }
                fault!("endpoint-link");
                None
            }
        };
        inside(place.namespace, || configure(network, plan, place))?;
        if let Some(outer) = &host_ifname {
            link::settle(&mut netlink, outer)?;
        }
        fault!("endpoint-configured");
        self.publish(plan)?;
        fault!("endpoint-ports");
        Ok(EndpointState { ifname: Some(place.ifname.to_owned()), host_ifname, mac: Some(mac) })
    }

    /// Makes the pair; one whose inner end is where it should be is left, another is made anew.
    fn pair(&self, netlink: &mut Channel, pair: &Pair<'_>) -> Result<()> {
        match veth::create(netlink, pair) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => {}
            other => return other,
        }
        let Some(outer) = link::find(netlink, pair.outer)? else {
            return Err(NetError::Conflict(format!("the container has a link {} already", pair.inner)));
        };
        if inside(pair.namespace, || link::find(&mut Channel::open(Family::Route)?, pair.inner))?.is_some() {
            return link::enslave(netlink, &outer, pair.master);
        }
        veth::delete(netlink, pair.outer)?;
        veth::create(netlink, pair)
    }

    /// Adds the ports' elements in one transaction, after a look whether a process of the host listens.
    pub(crate) fn publish(&self, plan: &EndpointPlan) -> Result<()> {
        let elements = port::elements(&plan.ports, &plan.addresses)?;
        if elements.is_empty() {
            return Ok(());
        }
        let mut channel = Channel::open(Family::Netfilter)?;
        self.ensure_table(&mut channel)?;
        for port in &plan.ports {
            // One that leads here already stays, whoever has begun to listen since.
            let mut published = true;
            for element in &port::elements(std::slice::from_ref(port), &plan.addresses)? {
                published &= set::get(&mut channel, &self.table, element)?.as_ref() == Some(element);
            }
            if !published {
                self.probe(&port.request, port.outside)?;
            }
        }
        let requests = elements.iter().map(|element| set::add(&self.table, element)).collect();
        match nft::transact(&mut channel, requests, "publish ports in table", &self.table) {
            Err(error) if matches!(error.errno(), Some(Errno::EEXIST | Errno::EBUSY)) => {
                Err(NetError::Conflict("a port is published for another container".into()))
            }
            other => other,
        }?;
        flow::turn_to(plan)
    }

    /// Removes the endpoint's ports and its link; goes on after a failure and reports every one.
    ///
    /// Deleting a veth pair takes the kernel 15 to 30 ms: call it off the path of whoever waits, after
    /// [`Host::unpublish`].
    pub fn undo_endpoint(&self, id: &str, plan: &EndpointPlan) -> Result<()> {
        let mut errors = Vec::new();
        errors.extend(self.unpublish(plan).err());
        if matches!(plan.attachment, Attachment::Veth { .. }) {
            let deleted =
                Channel::open(Family::Route).and_then(|mut channel| veth::delete(&mut channel, &self.veth_name(id)));
            errors.extend(deleted.err());
        }
        // A macvlan ends with the container's namespace.
        NetError::gather(errors)
    }

    /// Removes the endpoint's link from a container that goes on running.
    pub fn detach_endpoint(&self, id: &str, plan: &EndpointPlan, place: &Place<'_>) -> Result<()> {
        let mut errors = Vec::new();
        if matches!(plan.attachment, Attachment::Macvlan { .. }) {
            let deleted = inside(place.namespace, || macvlan::delete(&mut Channel::open(Family::Route)?, place.ifname));
            errors.extend(deleted.err());
        }
        errors.extend(self.undo_endpoint(id, plan).err());
        NetError::gather(errors)
    }

    /// Closes the endpoint's ports: from now on a new connection to them is refused, one of TCP or SCTP that is open goes
    /// on.
    ///
    /// Takes the kernel a grace period, some 5 to 15 ms, where there is a port.
    pub fn unpublish(&self, plan: &EndpointPlan) -> Result<()> {
        let elements = port::elements(&plan.ports, &plan.addresses)?;
        if elements.is_empty() {
            return Ok(());
        }
        set::remove(&mut Channel::open(Family::Netfilter)?, &self.table, &elements)?;
        flow::turn_from(plan)
    }

    /// The name of the host's end of the endpoint's veth pair.
    pub fn veth_name(&self, id: &str) -> String {
        self.instance.link(Role::Veth, id)
    }
}

/// Settings, addresses and routes, in the container's namespace.
fn configure(network: &NetworkPlan, plan: &EndpointPlan, place: &Place<'_>) -> Result<()> {
    let mut channel = Channel::open(Family::Route)?;
    let link = link::need(&mut channel, place.ifname)?;
    link::up(&mut channel, "lo")?;
    let v6 = plan.addresses.iter().any(|lease| lease.address.addr().is_ipv6());
    if std::path::Path::new("/proc/sys/net/ipv6").exists() {
        // Without an address of the plan the link gets none by itself either.
        let key = format!("net.ipv6.conf.{}.disable_ipv6", place.ifname);
        sysctl::write(&key, if v6 { "0" } else { "1" })?;
    }
    for (key, value) in &plan.sysctls {
        if !sysctl::allowed(key) {
            return Err(NetError::Denied(format!("setting {key:?} is not one that a plan may change")));
        }
        sysctl::write(key, value)?;
    }
    let mut requests = vec![link::up_request(link.index)];
    requests.extend(plan.addresses.iter().map(|lease| address::add(link.index, lease.address)));
    requests.extend(routes(network, plan, place).iter().map(|route| route::add(link.index, route.dst, route.via)));
    channel.batch(requests, "configure", place.ifname)?;
    link::settle(&mut channel, place.ifname)
}

/// The plan's routes, those on the link first: a next hop must be reachable when its route is added.
///
/// The bridge of a network that is isolated without masquerading is no way out: a default route by it is left out, so
/// that who tries is told at once.
fn routes<'a>(network: &NetworkPlan, plan: &'a EndpointPlan, place: &Place<'_>) -> Vec<&'a Route> {
    let internal = network.isolate && !network.subnets.iter().any(|subnet| subnet.masquerade);
    let own = |via| network.subnets.iter().any(|subnet| via == Some(address::gateway(&subnet.net)));
    let wanted = |route: &&Route| route.dst.prefix_len() > 0 || (place.default_route && !(internal && own(route.via)));
    let mut routes: Vec<&Route> = plan.routes.iter().filter(wanted).collect();
    routes.sort_by_key(|route| route.via.is_some());
    routes
}
