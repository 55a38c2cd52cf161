//! Containers on the host's own network: each has a macvlan on a host interface, an address of that network, and no
//! bridge, translation or published port between it and the others there.
//!
//! Settings (of the request, or `[plugins.macvlan.config]`): `parent`, the interface; `mode`; `subnets`, where the
//! request names none; `gateway`, a router of the network; `range`, the part of the subnets that containers may have;
//! `mtu`.

use davit_plugin_sdk::{
    Unavailability,
    host::{check_settings, config},
    network::{
        EndpointPlan, EndpointRequest, Error, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Result, Subnet,
    },
};
use ipnet::IpNet;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

struct Macvlan;

const SETTINGS: [&str; 6] = ["parent", "mode", "subnets", "gateway", "range", "mtu"];

/// How many addresses of a range are tried before it counts as used up.
const TRIES: u128 = 4096;

fn invalid(text: impl Into<String>) -> Error {
    Error::Invalid(text.into())
}

/// A setting of the request, else of the plugin's section.
fn setting(of_request: Option<String>, key: &str) -> Result<Option<String>> {
    match of_request {
        Some(word) => Ok(Some(word)),
        None => config::get(key),
    }
}

/// A list: `["a", "b"]` in the site's file, `a,b` as an option.
fn list<T: FromStr>(text: Option<String>, key: &str) -> Result<Vec<T>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let items: Vec<String> = match serde_json::from_str(&text) {
        Ok(items) => items,
        Err(_) => text.split(',').map(|item| item.trim().to_owned()).collect(),
    };
    let read = |item: &String| item.parse().map_err(|_| invalid(format!("{key}: {item:?} is not what it should be")));
    items.iter().filter(|item| !item.is_empty()).map(read).collect()
}

fn parent(of_request: Option<String>) -> Result<String> {
    setting(of_request, "parent")?.filter(|name| !name.is_empty()).ok_or_else(|| {
        invalid(
            "parent is not said: the host interface that the network is on, in [plugins.macvlan.config] or as option",
        )
    })
}

/// What is said about addresses is about addresses of the network.
fn check(key: &str, said: impl Iterator<Item = IpNet>, subnets: &[IpNet]) -> Result<()> {
    for net in said {
        if !subnets.iter().any(|subnet| subnet.contains(&net)) {
            return Err(invalid(format!("{key}: {net} is in no subnet of the network")));
        }
    }
    Ok(())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(number: u128, v6: bool) -> Option<IpAddr> {
    if v6 {
        return Some(Ipv6Addr::from_bits(number).into());
    }
    u32::try_from(number).ok().map(|bits| Ipv4Addr::from_bits(bits).into())
}

/// FNV-1a: where the search begins. A container looks first where it looked the last time.
fn place(container: &str) -> u128 {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    u128::from(container.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Leases an address of `range` that is nobody else's. The core knows what is taken; the routers are the site's.
fn lease(plan: &EndpointPlan, subnet: &Subnet, net: IpNet, range: IpNet, routers: &[IpAddr], seed: u128) -> Result<()> {
    let first = number(range.network());
    let count = number(range.broadcast()).saturating_sub(first).saturating_add(1);
    // The network's own: its first two addresses, and the last, which is IPv4's broadcast.
    let own = [number(net.network()), number(net.network()) + 1, number(net.broadcast())];
    for step in 0..count.min(TRIES) {
        let number = first + (seed % count + step) % count;
        let Some(candidate) = address(number, subnet.v6()) else { continue };
        if own.contains(&number) || routers.contains(&candidate) {
            continue;
        }
        match plan.lease(subnet, Some(&candidate.to_string())) {
            Err(Error::Conflict(_)) => {}
            other => return other.map(drop),
        }
    }
    let message = format!("no address of {range} is free");
    Err(Error::Unavailable(Unavailability { retry_ms: 0, message }))
}

impl NetworkDriver for Macvlan {
    fn plan_network(request: &NetworkRequest, plan: &NetworkPlan) -> Result<()> {
        check_settings(&SETTINGS)?;
        parent(request.setting("parent"))?;
        let gateways: Vec<IpAddr> = list(setting(request.setting("gateway"), "gateway")?, "gateway")?;
        if request.internal() && !gateways.is_empty() {
            let text =
                "an internal macvlan network has no way out: leave its gateway out, or do not ask for an internal one";
            return Err(Error::Unsupported(text.to_owned()));
        }
        let mut asked = request.subnets();
        if asked.is_empty() {
            asked = list(setting(request.setting("subnets"), "subnets")?, "subnets")?;
        }
        let mut subnets = Vec::new();
        for cidr in &asked {
            subnets.push(plan.subnet(Some(cidr), cidr.contains(':'))?);
        }
        if !subnets.iter().any(|subnet| !subnet.v6()) {
            subnets.push(plan.subnet(None, false)?);
        }
        if request.ipv6() && !subnets.iter().any(Subnet::v6) {
            subnets.push(plan.subnet(None, true)?);
        }
        let nets: Vec<IpNet> = subnets.iter().filter_map(|subnet| subnet.cidr().parse().ok()).collect();
        let ranges: Vec<IpNet> = list(setting(request.setting("range"), "range")?, "range")?;
        check("gateway", gateways.iter().copied().map(IpNet::from), &nets)?;
        check("range", ranges.into_iter(), &nets)
    }

    fn plan_endpoint(request: &EndpointRequest, network: &NetworkView, plan: &EndpointPlan) -> Result<()> {
        if let Some(port) = request.published().first() {
            return Err(Error::Unsupported(format!(
                "port {}/{} cannot be published: containers of a macvlan network are reachable by their own address",
                port.inside(),
                port.protocol()
            )));
        }
        check_settings(&SETTINGS)?;
        let mode = setting(request.setting("mode"), "mode")?.unwrap_or_else(|| "bridge".to_owned());
        plan.macvlan(&parent(request.setting("parent"))?, &mode)?;
        let routers: Vec<IpAddr> = list(setting(request.setting("gateway"), "gateway")?, "gateway")?;
        let ranges: Vec<IpNet> = list(setting(request.setting("range"), "range")?, "range")?;
        let seed = place(&request.container());
        let mut leased = [false; 2];
        for subnet in network.subnets() {
            let (v6, cidr) = (subnet.v6(), subnet.cidr());
            let net: IpNet = cidr.parse().map_err(|_| invalid(format!("{cidr:?} is not a subnet")))?;
            let first = !std::mem::replace(&mut leased[usize::from(v6)], true);
            let wanted = request.wanted_address(v6).filter(|_| first);
            let router = routers.iter().find(|router| net.contains(*router));
            if let Some(wanted) = wanted {
                if router.is_some_and(|router| router.to_string() == wanted) {
                    return Err(Error::Conflict(format!("address {wanted} is the gateway's")));
                }
                plan.lease(&subnet, Some(&wanted))?;
            } else if let Some(range) = ranges.iter().find(|range| net.contains(*range)) {
                lease(plan, &subnet, net, *range, &routers, seed)?;
            } else if router.is_some() {
                lease(plan, &subnet, net, net, &routers, seed)?;
            } else {
                plan.lease(&subnet, None)?;
            }
            if let Some(router) = router.filter(|_| first) {
                plan.route(if v6 { "::/0" } else { "0.0.0.0/0" }, Some(&router.to_string()))?;
            }
        }
        for name in request.aliases() {
            plan.record_name(&name)?;
        }
        if let Some(word) = setting(request.setting("mtu"), "mtu")? {
            plan.mtu(word.parse().map_err(|_| invalid(format!("mtu is a number, not {word:?}")))?)?;
        }
        Ok(())
    }
}

davit_plugin_sdk::export!(network: Macvlan);
