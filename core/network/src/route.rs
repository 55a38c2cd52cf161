//! Routes: added in a container, listed on the host.

use crate::{
    address::{family, from_octets, octets},
    channel::Channel,
    error::Result,
    wire::{self, CREATE, REPLACE, Request},
};
use ipnet::IpNet;
use std::net::IpAddr;

const NEWROUTE: u16 = 24;
const GETROUTE: u16 = 26;
const DST: u16 = 1;
const OIF: u16 = 4;
const GATEWAY: u16 = 5;
const MAIN: u8 = 254;
const STATIC: u8 = 4;
const SCOPE_LINK: u8 = 253;
const UNICAST: u8 = 1;

/// Routes `dst` over the link `index`.
pub(crate) fn add(index: u32, dst: IpNet, via: Option<IpAddr>) -> Request {
    let scope = if via.is_some() { 0 } else { SCOPE_LINK };
    let header = [family(dst.addr()), dst.prefix_len(), 0, 0, MAIN, STATIC, scope, UNICAST, 0, 0, 0, 0];
    let mut request = Request::new(NEWROUTE, CREATE | REPLACE, &header);
    if dst.prefix_len() > 0 {
        request.attr(DST, &octets(dst.network()));
    }
    if let Some(via) = via {
        request.attr(GATEWAY, &octets(via));
    }
    request.u32(OIF, index);
    request
}

/// Destinations of the main table, without the defaults, each with its link.
pub(crate) fn list(channel: &mut Channel) -> Result<Vec<(Option<u32>, IpNet)>> {
    let mut found = Vec::new();
    channel.dump(
        GETROUTE,
        &[0; 12],
        |_| {},
        "list",
        "routes",
        |payload| {
            let one = || {
                let (prefix, table, kind) = (*payload.get(1)?, *payload.get(4)?, *payload.get(7)?);
                let attributes = payload.get(12..)?;
                let dst = from_octets(wire::find(attributes, DST)?)?;
                let link = wire::find(attributes, OIF).and_then(|v| wire::u32_at(v, 0));
                (table == MAIN && kind == UNICAST && prefix > 0).then(|| Some((link, IpNet::new(dst, prefix).ok()?)))?
            };
            found.extend(one());
        },
    )?;
    Ok(found)
}
