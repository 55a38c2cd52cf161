//! A network.

use super::time::rfc3339_nano;
use davit_engine::{EndpointDetails, NetworkDetails};
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// A network as a list shows it.
pub(crate) fn network(details: &NetworkDetails) -> Value {
    let record = &details.record;
    let subnets = details.subnets.iter().map(|s| {
        let gateway = s.net.hosts().next().map(|g| g.to_string());
        json!({"Subnet": s.net.trunc().to_string(), "Gateway": gateway})
    });
    json!({
        "Name": record.name,
        "Id": record.id,
        "Created": rfc3339_nano(record.created),
        "Scope": "local",
        "Driver": record.driver,
        "EnableIPv4": details.subnets.iter().any(|s| s.net.addr().is_ipv4()),
        "EnableIPv6": details.subnets.iter().any(|s| s.net.addr().is_ipv6()),
        "IPAM": {"Driver": "default", "Options": null, "Config": subnets.collect::<Vec<_>>()},
        "Internal": record.request.internal,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Containers": {},
        "Options": record.request.settings,
        "Labels": record.labels,
    })
}

/// A network with who is on it.
pub(crate) fn inspect(details: &NetworkDetails) -> Value {
    let mut shown = network(details);
    let containers: Map<String, Value> = details.endpoints.iter().map(|e| (e.container.clone(), endpoint(e))).collect();
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("Containers".to_owned(), Value::Object(containers));
    }
    shown
}

fn endpoint(details: &EndpointDetails) -> Value {
    let address = |family: fn(&IpAddr) -> bool| {
        let mut leases = details.record.plan.addresses.iter();
        leases.find(|l| family(&l.address.addr())).map_or_else(String::new, |l| l.address.to_string())
    };
    json!({
        "Name": details.container_name,
        "EndpointID": details.record.id,
        "MacAddress": details.record.mac,
        "IPv4Address": address(IpAddr::is_ipv4),
        "IPv6Address": address(IpAddr::is_ipv6),
    })
}
