//! The default network: a bridge, a veth pair for each container, IPv4 and where asked for IPv6 addresses from the
//! site's pool, masqueraded on their way out, ports published on the host, names for the network's other containers.
//!
//! Settings (of the request, or `[plugins.bridge.config]`): `mtu`; `masquerade = "false"`.

use davit_plugin_sdk::{
    host::{check_settings, config},
    network::{EndpointPlan, EndpointRequest, Error, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Result},
};

struct Bridge;

const SETTINGS: [&str; 2] = ["mtu", "masquerade"];

fn masqueraded(request: &NetworkRequest) -> Result<bool> {
    if request.internal() {
        return Ok(false);
    }
    let said = match request.setting("masquerade") {
        Some(word) => Some(word),
        None => config::get("masquerade")?,
    };
    match said.as_deref() {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(Error::Invalid(format!("masquerade is true or false, not {other:?}"))),
    }
}

fn mtu(request: &EndpointRequest) -> Result<Option<u32>> {
    let said = match request.setting("mtu") {
        Some(word) => Some(word),
        None => config::get("mtu")?,
    };
    said.map(|word| word.parse().map_err(|_| Error::Invalid(format!("mtu is a number, not {word:?}")))).transpose()
}

impl NetworkDriver for Bridge {
    fn plan_network(request: &NetworkRequest, plan: &NetworkPlan) -> Result<()> {
        check_settings(&SETTINGS)?;
        plan.bridge()?;
        let asked = request.subnets();
        let mut subnets = Vec::new();
        for cidr in &asked {
            subnets.push(plan.subnet(Some(cidr), cidr.contains(':'))?);
        }
        if !subnets.iter().any(|s| !s.v6()) {
            subnets.push(plan.subnet(None, false)?);
        }
        if request.ipv6() && !subnets.iter().any(|s| s.v6()) {
            subnets.push(plan.subnet(None, true)?);
        }
        if masqueraded(request)? {
            for subnet in &subnets {
                plan.masquerade(subnet)?;
            }
        }
        plan.isolate()
    }

    fn plan_endpoint(request: &EndpointRequest, network: &NetworkView, plan: &EndpointPlan) -> Result<()> {
        check_settings(&SETTINGS)?;
        let links = network.links();
        let bridge = links.iter().find(|link| link.kind() == "bridge");
        plan.veth(bridge.ok_or_else(|| Error::Invalid("the network has no bridge".to_owned()))?)?;
        let mut routed = [false; 2];
        for subnet in network.subnets() {
            let v6 = subnet.v6();
            let first = !std::mem::replace(&mut routed[usize::from(v6)], true);
            // An address that was asked for is of the first subnet of its family; the others get a free one.
            let wanted = if first { request.wanted_address(v6) } else { None };
            plan.lease(&subnet, wanted.as_deref())?;
            if first {
                plan.route(if v6 { "::/0" } else { "0.0.0.0/0" }, Some(&subnet.gateway()))?;
            }
        }
        for port in request.published() {
            plan.publish(&port)?;
        }
        for name in request.aliases() {
            plan.record_name(&name)?;
        }
        if let Some(bytes) = mtu(request)? {
            plan.mtu(bytes)?;
        }
        Ok(())
    }
}

davit_plugin_sdk::export!(network: Bridge);
