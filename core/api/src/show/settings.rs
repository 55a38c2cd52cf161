//! A container's networks and ports, for `inspect` and `ps`.

use crate::{create::parse_port, failure::ApiError};
use davit_engine::record::{ContainerRecord, EndpointRecord};
use davit_model::network::PublishedPort;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// The network's name for a client: where it is, else where it was asked to be.
pub(crate) fn network_name(record: &ContainerRecord) -> &str {
    match &record.endpoint {
        Some(endpoint) => &endpoint.network_name,
        None => &record.spec.network,
    }
}

/// The place on its network; empty fields where it does not run.
pub(crate) fn endpoint(record: &ContainerRecord) -> Value {
    let place = Place::of(record.endpoint.as_ref());
    let id = record.endpoint.as_ref();
    let aliases: Option<&[String]> = (!record.spec.aliases.is_empty()).then_some(&record.spec.aliases);
    json!({
        "IPAMConfig": null,
        "Links": null,
        "Aliases": aliases,
        "MacAddress": place.mac,
        "DriverOpts": null,
        "GwPriority": 0,
        "NetworkID": id.map_or("", |e| e.network.as_str()),
        "EndpointID": id.map_or("", |e| e.id.as_str()),
        "Gateway": place.gateway4,
        "IPAddress": place.address4,
        "IPPrefixLen": place.prefix4,
        "IPv6Gateway": place.gateway6,
        "GlobalIPv6Address": place.address6,
        "GlobalIPv6PrefixLen": place.prefix6,
        "DNSNames": id.map(|e| &e.plan.names),
    })
}

/// `NetworkSettings`, with the fields at its top that clients before 1.52 read.
pub(crate) fn settings(record: &ContainerRecord) -> Value {
    let place = Place::of(record.endpoint.as_ref());
    let endpoint_id = record.endpoint.as_ref().map_or("", |e| e.id.as_str());
    json!({
        "Bridge": "",
        "SandboxID": endpoint_id,
        "SandboxKey": if record.state.pid == 0 { String::new() } else { format!("/proc/{}/ns/net", record.state.pid) },
        "Ports": ports(record),
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "EndpointID": endpoint_id,
        "Gateway": place.gateway4,
        "GlobalIPv6Address": place.address6,
        "GlobalIPv6PrefixLen": place.prefix6,
        "IPAddress": place.address4,
        "IPPrefixLen": place.prefix4,
        "IPv6Gateway": place.gateway6,
        "MacAddress": place.mac,
        "Networks": { network_name(record): endpoint(record) },
    })
}

#[derive(Default)]
struct Place<'a> {
    mac: &'a str,
    address4: String,
    prefix4: u8,
    gateway4: String,
    address6: String,
    prefix6: u8,
    gateway6: String,
}

impl<'a> Place<'a> {
    fn of(endpoint: Option<&'a EndpointRecord>) -> Self {
        let Some(endpoint) = endpoint else { return Self::default() };
        let mut place = Self { mac: &endpoint.mac, ..Self::default() };
        for lease in &endpoint.plan.addresses {
            let (address, prefix) = (lease.address.addr(), lease.address.prefix_len());
            match address {
                IpAddr::V4(a) if place.address4.is_empty() => {
                    (place.address4, place.prefix4, place.gateway4) =
                        (a.to_string(), prefix, lease.gateway.to_string());
                }
                IpAddr::V6(a) if place.address6.is_empty() => {
                    (place.address6, place.prefix6, place.gateway6) =
                        (a.to_string(), prefix, lease.gateway.to_string());
                }
                _ => {}
            }
        }
        place
    }
}

/// Where a published port is reached: one entry, or one a family where it is published everywhere.
fn host_addresses(record: &ContainerRecord, port: &PublishedPort) -> Vec<String> {
    match port.request.address {
        Some(address) => vec![address.to_string()],
        None => {
            let leases = record.endpoint.iter().flat_map(|e| &e.plan.addresses);
            let v6 = leases.into_iter().any(|l| l.address.addr().is_ipv6());
            let mut all = vec!["0.0.0.0".to_owned()];
            all.extend(v6.then(|| "::".to_owned()));
            all
        }
    }
}

fn published(record: &ContainerRecord) -> impl Iterator<Item = &PublishedPort> {
    record.endpoint.iter().flat_map(|e| &e.plan.ports)
}

/// The `Ports` map of `inspect`: null for what is exposed only.
fn ports(record: &ContainerRecord) -> Value {
    let mut map = Map::new();
    if record.state.status.has_process() {
        for port in &record.exposed_ports {
            map.insert(port.clone(), Value::Null);
        }
    }
    for port in published(record) {
        let key = format!("{}/{}", port.request.inside, port.request.protocol);
        let entry = map.entry(key).or_insert(Value::Null);
        let mut list = entry.as_array().cloned().unwrap_or_default();
        for ip in host_addresses(record, port) {
            list.push(json!({"HostIp": ip, "HostPort": port.outside.to_string()}));
        }
        *entry = Value::Array(list);
    }
    Value::Object(map)
}

/// The list of ports of `ps`.
pub(crate) fn port_list(record: &ContainerRecord) -> Result<Vec<Value>, ApiError> {
    let mut list = Vec::new();
    for port in published(record) {
        for ip in host_addresses(record, port) {
            let (inside, protocol) = (port.request.inside, &port.request.protocol);
            list.push(json!({"IP": ip, "PrivatePort": inside, "PublicPort": port.outside, "Type": protocol}));
        }
    }
    if record.state.status.has_process() {
        for key in &record.exposed_ports {
            let (inside, protocol) = parse_port(key)?;
            let is_published = published(record).any(|p| p.request.inside == inside && p.request.protocol == protocol);
            if !is_published {
                list.push(json!({"PrivatePort": inside, "Type": protocol}));
            }
        }
    }
    Ok(list)
}
