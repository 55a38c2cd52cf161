//! One network over several hosts: a bridge on each, joined by a VXLAN (RFC 7348) with static peers.
//!
//! Each host has a slice of the network's addresses and hands out those alone, so that no two hosts ever give out the
//! same one and none has to ask another. A container finds the whole network on its own link, and leaves it by its own
//! host's bridge, whose address is the slice's first.
//!
//! Settings (of the request, or `[plugins.vxlan.config]`): `id`; `remotes`, the other hosts; `overlay`, the addresses of
//! the whole network; `slice`, those of this host, which `--subnet` says as well; `mtu`; `masquerade = "false"`.

use davit_plugin_sdk::{
    host::{check_settings, config},
    network::{EndpointPlan, EndpointRequest, Error, NetworkDriver, NetworkPlan, NetworkRequest, NetworkView, Result},
};
use ipnet::IpNet;
use std::{net::IpAddr, str::FromStr};

struct Vxlan;

const SETTINGS: [&str; 6] = ["id", "remotes", "overlay", "slice", "mtu", "masquerade"];

/// What an Ethernet frame in UDP in IP takes of an MTU of 1500, by the family that the hosts speak.
const ROOM_V4: u32 = 1450;
const ROOM_V6: u32 = 1430;

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

fn needed<T: FromStr>(of_request: Option<String>, key: &str, what: &str) -> Result<Vec<T>> {
    let items = list(setting(of_request, key)?, key)?;
    if items.is_empty() {
        return Err(invalid(format!("{key} is not said: {what}, in [plugins.vxlan.config] or as option")));
    }
    Ok(items)
}

fn overlays(of_request: Option<String>) -> Result<Vec<IpNet>> {
    needed(of_request, "overlay", "the addresses of the whole network, the same on every host")
}

fn remotes(of_request: Option<String>) -> Result<Vec<IpAddr>> {
    needed(of_request, "remotes", "the addresses of the other hosts")
}

/// The slice is a part of the network, and leaves the rest to others.
fn check(slice: IpNet, overlays: &[IpNet]) -> Result<()> {
    match overlays.iter().find(|overlay| overlay.contains(&slice)) {
        None => Err(invalid(format!("slice: {slice} is in no overlay of the network"))),
        Some(whole) if whole.prefix_len() == slice.prefix_len() => {
            Err(invalid(format!("slice: {slice} is the whole overlay, and leaves no address to the other hosts")))
        }
        Some(_) => Ok(()),
    }
}

fn masqueraded(request: &NetworkRequest) -> Result<bool> {
    if request.internal() {
        return Ok(false);
    }
    match setting(request.setting("masquerade"), "masquerade")?.as_deref() {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(invalid(format!("masquerade is true or false, not {other:?}"))),
    }
}

impl NetworkDriver for Vxlan {
    fn plan_network(request: &NetworkRequest, plan: &NetworkPlan) -> Result<()> {
        check_settings(&SETTINGS)?;
        let id = needed::<u32>(request.setting("id"), "id", "the VXLAN's number, the same on every host")?;
        let &[id] = id.as_slice() else { return Err(invalid("id is one number")) };
        let peers: Vec<String> = remotes(request.setting("remotes"))?.iter().map(ToString::to_string).collect();
        plan.vxlan(id, &peers)?;
        let overlays = overlays(request.setting("overlay"))?;
        let mut slices: Vec<IpNet> = request.subnets().iter().filter_map(|subnet| subnet.parse().ok()).collect();
        if slices.is_empty() {
            slices = needed(request.setting("slice"), "slice", "the part of the overlay that is this host's alone")?;
        }
        if request.ipv6() && !slices.iter().any(|slice| slice.addr().is_ipv6()) {
            return Err(invalid("slice: IPv6 is wanted, and no slice of this host is of it"));
        }
        let masquerade = masqueraded(request)?;
        for slice in slices {
            check(slice, &overlays)?;
            let subnet = plan.subnet(Some(&slice.to_string()), slice.addr().is_ipv6())?;
            if masquerade {
                plan.masquerade(&subnet)?;
            }
        }
        plan.isolate()
    }

    fn plan_endpoint(request: &EndpointRequest, network: &NetworkView, plan: &EndpointPlan) -> Result<()> {
        check_settings(&SETTINGS)?;
        let links = network.links();
        let link = links.iter().find(|link| link.kind() == "vxlan");
        plan.veth(link.ok_or_else(|| invalid("the network has no vxlan"))?)?;
        let overlays = overlays(request.setting("overlay"))?;
        let mut reached = Vec::new();
        let mut routed = [false; 2];
        for subnet in network.subnets() {
            let (v6, cidr) = (subnet.v6(), subnet.cidr());
            let slice: IpNet = cidr.parse().map_err(|_| invalid(format!("{cidr:?} is not a subnet")))?;
            let first = !std::mem::replace(&mut routed[usize::from(v6)], true);
            let wanted = request.wanted_address(v6).filter(|_| first);
            plan.lease(&subnet, wanted.as_deref())?;
            // The slices of the other hosts are on the same link.
            let overlay = overlays.iter().find(|overlay| overlay.contains(&slice));
            let overlay = overlay.ok_or_else(|| invalid(format!("overlay: the network's slice {slice} is in none")))?;
            if !reached.contains(overlay) {
                plan.route(&overlay.to_string(), None)?;
                reached.push(*overlay);
            }
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
        match setting(request.setting("mtu"), "mtu")? {
            Some(word) => plan.mtu(word.parse().map_err(|_| invalid(format!("mtu is a number, not {word:?}")))?),
            None => {
                let over_v6 = remotes(request.setting("remotes"))?.iter().any(IpAddr::is_ipv6);
                plan.mtu(if over_v6 { ROOM_V6 } else { ROOM_V4 })
            }
        }
    }
}

davit_plugin_sdk::export!(network: Vxlan);
