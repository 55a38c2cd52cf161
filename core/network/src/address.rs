//! Addresses of links, and what a network's first addresses are.

use crate::{
    channel::Channel,
    error::Result,
    wire::{self, CREATE, REPLACE, Request},
};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NEWADDR: u16 = 20;
const GETADDR: u16 = 22;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const BROADCAST: u16 = 4;
const NODAD: u8 = 2;
pub(crate) const INET: u8 = 2;
pub(crate) const INET6: u8 = 10;

/// The address family's number.
pub(crate) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

/// An address in network order.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// Gives an address to the link `index`, usable at once: no duplicate address detection.
pub(crate) fn add(index: u32, address: IpNet) -> Request {
    let mut header = vec![family(address.addr()), address.prefix_len(), NODAD, 0];
    header.extend_from_slice(&index.to_ne_bytes());
    let bytes = octets(address.addr());
    let mut request = Request::new(NEWADDR, CREATE | REPLACE, &header);
    request.attr(LOCAL, &bytes).attr(ADDRESS, &bytes);
    if let IpNet::V4(v4) = address
        && v4.prefix_len() < 31
    {
        request.attr(BROADCAST, &v4.broadcast().octets());
    }
    request
}

/// Addresses in use, each with the index of its link.
pub(crate) fn list(channel: &mut Channel) -> Result<Vec<(u32, IpNet)>> {
    let mut found = Vec::new();
    channel.dump(
        GETADDR,
        &[0; 8],
        |_| {},
        "list",
        "addresses",
        |payload| {
            let one = || {
                let prefix = *payload.get(1)?;
                let attributes = payload.get(8..)?;
                let bytes = wire::find(attributes, LOCAL).or_else(|| wire::find(attributes, ADDRESS))?;
                Some((wire::u32_at(payload, 4)?, IpNet::new(from_octets(bytes)?, prefix).ok()?))
            };
            found.extend(one());
        },
    )?;
    Ok(found)
}

/// An address from network order.
pub(crate) fn from_octets(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).into())
}

/// A subnet's gateway: its first host address.
pub fn gateway(net: &IpNet) -> IpAddr {
    match net {
        IpNet::V4(v4) => Ipv4Addr::from(u32::from(v4.network()).saturating_add(1)).into(),
        IpNet::V6(v6) => Ipv6Addr::from(u128::from(v6.network()).saturating_add(1)).into(),
    }
}

/// A hardware address that follows from an address: `02:42` and its last four bytes.
pub fn mac(address: IpAddr) -> [u8; 6] {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [0x02, 0x42, a, b, c, d]
        }
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            // Another second byte, so that no IPv6-only endpoint meets one of IPv4.
            [0x02, 0x46, a, b, c, d]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_the_first_host_address() -> std::result::Result<(), ipnet::AddrParseError> {
        assert_eq!(gateway(&"10.1.2.0/24".parse()?).to_string(), "10.1.2.1");
        assert_eq!(gateway(&"fd00:1::/64".parse()?).to_string(), "fd00:1::1");
        Ok(())
    }

    #[test]
    fn a_hardware_address_follows_from_the_address() {
        assert_eq!(mac([172, 30, 0, 2].into()), [0x02, 0x42, 172, 30, 0, 2]);
    }
}
