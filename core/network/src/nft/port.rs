//! Published ports: one map element each, and one of each address for a container that calls itself through them.

use super::set::Element;
use crate::{
    address::octets,
    error::{NetError, Result},
};
use davit_model::network::{AddressLease, PublishedPort};
use std::net::IpAddr;

/// The number of a protocol that can be published.
pub(crate) fn protocol(name: &str) -> Result<u8> {
    match name {
        "tcp" => Ok(6),
        "udp" => Ok(17),
        "sctp" => Ok(132),
        other => Err(NetError::Plan(format!("{other:?} is no protocol of a published port"))),
    }
}

/// The elements of `ports`, to the first address of each family.
pub(crate) fn elements(ports: &[PublishedPort], addresses: &[AddressLease]) -> Result<Vec<Element>> {
    let first = |v4: bool| addresses.iter().map(|a| a.address.addr()).find(|a| a.is_ipv4() == v4);
    let mut elements = Vec::new();
    for port in ports {
        if port.request.address.is_some_and(|bound| bound.is_ipv6() && bound.is_loopback()) {
            return Err(NetError::Unsupported {
                what: format!("port {} published at ::1", port.outside),
                why: "the kernel routes packets of ::1 over loopback alone; publish it at 127.0.0.1".into(),
            });
        }
        let protocol = protocol(&port.request.protocol)?;
        let before = elements.len();
        for inside in [first(true), first(false)].into_iter().flatten() {
            let bound = port.request.address;
            if bound.is_none_or(|bound| bound.is_ipv4() == inside.is_ipv4()) {
                let bound = bound.filter(|bound| !bound.is_unspecified());
                // Where bridged packets pass the table (br_netfilter), the link they came by is not known when they
                // leave; the pair of addresses is.
                let own = Element {
                    set: if inside.is_ipv4() { "self4" } else { "self6" },
                    key: [octets(inside), octets(inside)].concat(),
                    data: Vec::new(),
                };
                if !elements.contains(&own) {
                    elements.push(own);
                }
                elements.push(element(protocol, bound, port.outside, inside, port.request.inside));
            }
        }
        if elements.len() == before {
            return Err(NetError::Plan(format!(
                "port {}/{} is published without an address to lead to",
                port.outside, port.request.protocol
            )));
        }
    }
    Ok(elements)
}

fn element(protocol: u8, bound: Option<IpAddr>, outside: u16, inside: IpAddr, port: u16) -> Element {
    let set = match (bound.is_some(), inside.is_ipv4()) {
        (false, true) => "any4",
        (false, false) => "any6",
        (true, true) => "addr4",
        (true, false) => "addr6",
    };
    // Each part of a concatenation is padded to four bytes.
    let mut key = vec![protocol, 0, 0, 0];
    key.extend(bound.map(octets).unwrap_or_default());
    key.extend_from_slice(&outside.to_be_bytes());
    key.extend_from_slice(&[0, 0]);
    let mut data = octets(inside);
    data.extend_from_slice(&port.to_be_bytes());
    data.extend_from_slice(&[0, 0]);
    Element { set, key, data }
}
