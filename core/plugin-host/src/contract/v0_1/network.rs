//! `davit:network/host`: requests to read, networks and endpoints to record. Leases are asked of the caller of the port
//! while the guest waits.

use super::{
    bindings::davit::network::host,
    refusal::{Answer, Refusal},
};
use crate::context::{Context, Sink};
use crate::leases::LeaseAsk;
use davit_model::{
    error::PolicyError,
    network::{
        Attachment, EndpointPlan, EndpointRequest, LinkId, LinkKind, NetworkPlan, NetworkRequest, PortRequest,
        PublishedPort, Route, Subnet, SubnetId,
    },
};
use ipnet::IpNet;
use std::{net::IpAddr, str::FromStr, sync::Arc};
use wasmtime::component::Resource;

const MAX_PARTS: usize = 64;
const MAX_ITEMS: usize = 256;
const MAX_NAME: usize = 253;

/// What is behind `network-request`.
#[derive(Debug)]
pub struct HeldNetworkRequest(pub(crate) NetworkRequest);

/// What is behind `port`.
#[derive(Debug)]
pub struct HeldPort(PortRequest);

/// What is behind `endpoint-request`.
#[derive(Debug)]
pub struct HeldEndpointRequest(pub(crate) EndpointRequest);

/// What is behind `link`.
#[derive(Debug)]
pub struct HeldLink(LinkId, &'static str);

/// What is behind `subnet`.
#[derive(Debug)]
pub struct HeldSubnet(SubnetId, IpNet);

/// What is behind `network-plan`.
#[derive(Debug)]
pub struct HeldNetworkPlan(pub(crate) Sink<NetworkPlan>);

/// What is behind `network-view`.
#[derive(Debug)]
pub struct HeldNetworkView(pub(crate) Arc<NetworkPlan>);

/// What is behind `endpoint-plan`.
#[derive(Debug)]
pub struct HeldEndpointPlan(pub(crate) Sink<EndpointPlan>);

fn invalid(text: impl Into<String>) -> PolicyError {
    PolicyError::Invalid(text.into())
}

fn full(what: &str, limit: usize) -> PolicyError {
    PolicyError::Internal(format!("a plan has at most {limit} {what}"))
}

fn parse<T: FromStr>(text: &str, what: &str) -> Result<T, PolicyError> {
    text.parse().map_err(|_| invalid(format!("{:?} is not {what}", text.chars().take(80).collect::<String>())))
}

fn kind_word(kind: &LinkKind) -> &'static str {
    match kind {
        LinkKind::Bridge => "bridge",
        LinkKind::Vlan { .. } => "vlan",
        LinkKind::Vxlan { .. } => "vxlan",
    }
}

fn number(length: usize, what: &str) -> Result<u32, PolicyError> {
    match u32::try_from(length) {
        Ok(n) if length < MAX_PARTS => Ok(n),
        _ => Err(full(what, MAX_PARTS)),
    }
}

impl Context {
    fn add_link(&mut self, plan: &Resource<HeldNetworkPlan>, kind: LinkKind) -> Answer<Resource<HeldLink>> {
        let word = kind_word(&kind);
        let id = self.table().get(plan)?.0.with(|plan| {
            let id = LinkId(number(plan.links.len(), "links")?);
            plan.links.push((id, kind));
            Ok::<_, PolicyError>(id)
        })?;
        Ok(self.table().push(HeldLink(id, word))?)
    }

    fn attach(&mut self, plan: &Resource<HeldEndpointPlan>, to: Attachment) -> Answer<()> {
        self.table().get(plan)?.0.with(|plan| match plan.attachment {
            Attachment::None => {
                plan.attachment = to;
                Ok(())
            }
            _ => Err(Refusal::from(invalid("an endpoint hangs on one thing, and one was said already"))),
        })
    }
}

impl host::Host for Context {}

impl host::HostNetworkRequest for Context {
    fn name(&mut self, request: Resource<HeldNetworkRequest>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.name.clone())
    }

    fn internal(&mut self, request: Resource<HeldNetworkRequest>) -> wasmtime::Result<bool> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.internal)
    }

    fn ipv6(&mut self, request: Resource<HeldNetworkRequest>) -> wasmtime::Result<bool> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.ipv6)
    }

    fn subnets(&mut self, request: Resource<HeldNetworkRequest>) -> wasmtime::Result<Vec<String>> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.subnets.iter().map(ToString::to_string).collect())
    }

    fn setting(&mut self, request: Resource<HeldNetworkRequest>, key: String) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.settings.get(&key).cloned())
    }

    fn settings(&mut self, request: Resource<HeldNetworkRequest>) -> wasmtime::Result<Vec<(String, String)>> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.settings.clone().into_iter().collect())
    }

    fn drop(&mut self, request: Resource<HeldNetworkRequest>) -> wasmtime::Result<()> {
        self.table().delete(request)?;
        Ok(())
    }
}

impl host::HostPort for Context {
    fn protocol(&mut self, port: Resource<HeldPort>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&port)?.0.protocol.clone())
    }

    fn inside(&mut self, port: Resource<HeldPort>) -> wasmtime::Result<u16> {
        self.enter()?;
        Ok(self.table().get(&port)?.0.inside)
    }

    fn outside(&mut self, port: Resource<HeldPort>) -> wasmtime::Result<Option<u16>> {
        self.enter()?;
        Ok(self.table().get(&port)?.0.outside)
    }

    fn address(&mut self, port: Resource<HeldPort>) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&port)?.0.address.map(|a| a.to_string()))
    }

    fn drop(&mut self, port: Resource<HeldPort>) -> wasmtime::Result<()> {
        self.table().delete(port)?;
        Ok(())
    }
}

impl host::HostEndpointRequest for Context {
    fn container(&mut self, request: Resource<HeldEndpointRequest>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.container.clone())
    }

    fn aliases(&mut self, request: Resource<HeldEndpointRequest>) -> wasmtime::Result<Vec<String>> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.aliases.clone())
    }

    fn wanted_address(&mut self, request: Resource<HeldEndpointRequest>, v6: bool) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        let request = &self.table().get(&request)?.0;
        let wanted = if v6 { request.wanted_v6 } else { request.wanted_v4 };
        Ok(wanted.map(|a| a.to_string()))
    }

    fn wanted_mac(&mut self, request: Resource<HeldEndpointRequest>) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.wanted_mac.clone())
    }

    fn published(&mut self, request: Resource<HeldEndpointRequest>) -> wasmtime::Result<Vec<Resource<HeldPort>>> {
        self.enter()?;
        let ports = self.table().get(&request)?.0.published.clone();
        ports.into_iter().map(|port| Ok(self.table().push(HeldPort(port))?)).collect()
    }

    fn setting(&mut self, request: Resource<HeldEndpointRequest>, key: String) -> wasmtime::Result<Option<String>> {
        self.enter()?;
        Ok(self.table().get(&request)?.0.settings.get(&key).cloned())
    }

    fn drop(&mut self, request: Resource<HeldEndpointRequest>) -> wasmtime::Result<()> {
        self.table().delete(request)?;
        Ok(())
    }
}

impl host::HostLink for Context {
    fn kind(&mut self, link: Resource<HeldLink>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&link)?.1.to_owned())
    }

    fn drop(&mut self, link: Resource<HeldLink>) -> wasmtime::Result<()> {
        self.table().delete(link)?;
        Ok(())
    }
}

impl host::HostSubnet for Context {
    fn cidr(&mut self, subnet: Resource<HeldSubnet>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.table().get(&subnet)?.1.to_string())
    }

    fn gateway(&mut self, subnet: Resource<HeldSubnet>) -> wasmtime::Result<String> {
        self.enter()?;
        let net = self.table().get(&subnet)?.1;
        Ok(gateway(&net).to_string())
    }

    fn v6(&mut self, subnet: Resource<HeldSubnet>) -> wasmtime::Result<bool> {
        self.enter()?;
        Ok(self.table().get(&subnet)?.1.addr().is_ipv6())
    }

    fn drop(&mut self, subnet: Resource<HeldSubnet>) -> wasmtime::Result<()> {
        self.table().delete(subnet)?;
        Ok(())
    }
}

/// The first host address: the one after the network's own.
fn gateway(net: &IpNet) -> IpAddr {
    match net.network() {
        IpAddr::V4(first) => IpAddr::V4(first.to_bits().saturating_add(1).into()),
        IpAddr::V6(first) => IpAddr::V6(first.to_bits().saturating_add(1).into()),
    }
}

impl host::HostNetworkPlan for Context {
    fn bridge(&mut self, plan: Resource<HeldNetworkPlan>) -> Answer<Resource<HeldLink>> {
        self.enter()?;
        self.add_link(&plan, LinkKind::Bridge)
    }

    fn vlan(&mut self, plan: Resource<HeldNetworkPlan>, parent: String, id: u16) -> Answer<Resource<HeldLink>> {
        self.enter()?;
        self.rights().interface(&parent)?;
        if !(1..=4094).contains(&id) {
            return Err(invalid(format!("{id} is no VLAN id, which is 1 to 4094")).into());
        }
        self.add_link(&plan, LinkKind::Vlan { parent, id })
    }

    fn vxlan(&mut self, plan: Resource<HeldNetworkPlan>, id: u32, remotes: Vec<String>) -> Answer<Resource<HeldLink>> {
        self.enter()?;
        if id >= 1 << 24 {
            return Err(invalid(format!("{id} is no VXLAN id, which has 24 bits")).into());
        }
        if remotes.len() > MAX_ITEMS {
            return Err(full("remotes", MAX_ITEMS).into());
        }
        let remotes = remotes.iter().map(|r| parse(r, "an address")).collect::<Result<_, _>>()?;
        self.add_link(&plan, LinkKind::Vxlan { id, remotes })
    }

    async fn subnet(
        &mut self,
        plan: Resource<HeldNetworkPlan>,
        cidr: Option<String>,
        v6: bool,
    ) -> Answer<Resource<HeldSubnet>> {
        self.enter()?;
        let wanted = cidr.as_deref().map(|c| parse::<IpNet>(c, "a subnet such as 10.1.0.0/24")).transpose()?;
        let id = self.table().get(&plan)?.0.with(|plan| number(plan.subnets.len(), "subnets")).map(SubnetId)?;
        let net = self.lease(|reply| LeaseAsk::Subnet { wanted, v6, reply }).await??;
        self.table().get(&plan)?.0.with(|plan| plan.subnets.push(Subnet { id, net, masquerade: false }));
        Ok(self.table().push(HeldSubnet(id, net))?)
    }

    fn masquerade(&mut self, plan: Resource<HeldNetworkPlan>, subnet: Resource<HeldSubnet>) -> Answer<()> {
        self.enter()?;
        let id = self.table().get(&subnet)?.0;
        self.table().get(&plan)?.0.with(|plan| match plan.subnets.iter_mut().find(|s| s.id == id) {
            Some(subnet) => {
                subnet.masquerade = true;
                Ok(())
            }
            None => Err(Refusal::from(invalid("the subnet is not of this plan"))),
        })
    }

    fn isolate(&mut self, plan: Resource<HeldNetworkPlan>) -> Answer<()> {
        self.enter()?;
        self.table().get(&plan)?.0.with(|plan| plan.isolate = true);
        Ok(())
    }

    fn drop(&mut self, plan: Resource<HeldNetworkPlan>) -> wasmtime::Result<()> {
        self.table().delete(plan)?;
        Ok(())
    }
}

impl host::HostNetworkView for Context {
    fn links(&mut self, view: Resource<HeldNetworkView>) -> wasmtime::Result<Vec<Resource<HeldLink>>> {
        self.enter()?;
        let plan = self.table().get(&view)?.0.clone();
        plan.links.iter().map(|(id, kind)| Ok(self.table().push(HeldLink(*id, kind_word(kind)))?)).collect()
    }

    fn subnets(&mut self, view: Resource<HeldNetworkView>) -> wasmtime::Result<Vec<Resource<HeldSubnet>>> {
        self.enter()?;
        let plan = self.table().get(&view)?.0.clone();
        plan.subnets.iter().map(|subnet| Ok(self.table().push(HeldSubnet(subnet.id, subnet.net))?)).collect()
    }

    fn drop(&mut self, view: Resource<HeldNetworkView>) -> wasmtime::Result<()> {
        self.table().delete(view)?;
        Ok(())
    }
}

impl host::HostEndpointPlan for Context {
    fn veth(&mut self, plan: Resource<HeldEndpointPlan>, master: Resource<HeldLink>) -> Answer<()> {
        self.enter()?;
        let master = self.table().get(&master)?.0;
        self.attach(&plan, Attachment::Veth { master })
    }

    fn macvlan(&mut self, plan: Resource<HeldEndpointPlan>, parent: String, mode: String) -> Answer<()> {
        self.enter()?;
        self.rights().interface(&parent)?;
        if !["bridge", "private", "vepa", "passthru"].contains(&mode.as_str()) {
            return Err(PolicyError::Unsupported(format!("macvlan mode {mode:?}")).into());
        }
        self.attach(&plan, Attachment::Macvlan { parent, mode })
    }

    fn share_host(&mut self, plan: Resource<HeldEndpointPlan>) -> Answer<()> {
        self.enter()?;
        self.rights().host_network()?;
        self.attach(&plan, Attachment::ShareHost)
    }

    async fn lease(
        &mut self,
        plan: Resource<HeldEndpointPlan>,
        subnet: Resource<HeldSubnet>,
        wanted: Option<String>,
    ) -> Answer<String> {
        self.enter()?;
        let wanted = wanted.as_deref().map(|w| parse::<IpAddr>(w, "an address")).transpose()?;
        let subnet = self.table().get(&subnet)?.0;
        if self.table().get(&plan)?.0.with(|plan| plan.addresses.len()) >= MAX_ITEMS {
            return Err(full("addresses", MAX_ITEMS).into());
        }
        let lease = self.lease(|reply| LeaseAsk::Address { subnet, wanted, reply }).await??;
        let text = lease.address.addr().to_string();
        self.table().get(&plan)?.0.with(|plan| plan.addresses.push(lease));
        Ok(text)
    }

    fn route(&mut self, plan: Resource<HeldEndpointPlan>, dst: String, via: Option<String>) -> Answer<()> {
        self.enter()?;
        let dst = parse(&dst, "a destination such as 0.0.0.0/0")?;
        let via = via.as_deref().map(|v| parse(v, "an address")).transpose()?;
        self.table().get(&plan)?.0.with(|plan| {
            if plan.routes.len() >= MAX_ITEMS {
                return Err(Refusal::from(full("routes", MAX_ITEMS)));
            }
            plan.routes.push(Route { dst, via });
            Ok(())
        })
    }

    fn sysctl(&mut self, plan: Resource<HeldEndpointPlan>, key: String, value: String) -> Answer<()> {
        self.enter()?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if !key.starts_with("net.") || !key.bytes().all(plain) || key.contains("..") {
            return Err(PolicyError::Denied(format!("sysctl {key:?} is not one of net.")).into());
        }
        self.table().get(&plan)?.0.with(|plan| {
            if plan.sysctls.len() >= MAX_ITEMS {
                return Err(Refusal::from(full("sysctls", MAX_ITEMS)));
            }
            plan.sysctls.insert(key, value);
            Ok(())
        })
    }

    async fn publish(&mut self, plan: Resource<HeldEndpointPlan>, port: Resource<HeldPort>) -> Answer<u16> {
        self.enter()?;
        let request = self.table().get(&port)?.0.clone();
        if self.table().get(&plan)?.0.with(|plan| plan.ports.len()) >= MAX_ITEMS {
            return Err(full("ports", MAX_ITEMS).into());
        }
        let asked = request.clone();
        let outside = self.lease(|reply| LeaseAsk::Port { request: asked, reply }).await??;
        self.table().get(&plan)?.0.with(|plan| plan.ports.push(PublishedPort { request, outside }));
        Ok(outside)
    }

    fn record_name(&mut self, plan: Resource<HeldEndpointPlan>, name: String) -> Answer<()> {
        self.enter()?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
            let shown: String = name.chars().take(80).collect();
            return Err(invalid(format!("{shown:?} is not a host name")).into());
        }
        self.table().get(&plan)?.0.with(|plan| {
            if plan.names.len() >= MAX_ITEMS {
                return Err(Refusal::from(full("names", MAX_ITEMS)));
            }
            if !plan.names.contains(&name) {
                plan.names.push(name);
            }
            Ok(())
        })
    }

    fn mtu(&mut self, plan: Resource<HeldEndpointPlan>, bytes: u32) -> Answer<()> {
        self.enter()?;
        if !(68..=65_535).contains(&bytes) {
            return Err(invalid(format!("an MTU is 68 to 65535, not {bytes}")).into());
        }
        self.table().get(&plan)?.0.with(|plan| plan.mtu = Some(bytes));
        Ok(())
    }

    fn drop(&mut self, plan: Resource<HeldEndpointPlan>) -> wasmtime::Result<()> {
        self.table().delete(plan)?;
        Ok(())
    }
}
