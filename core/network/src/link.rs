//! Links in general: found, listed, brought up, deleted.

use crate::{
    channel::Channel,
    error::{NetError, Result, absent_is_done},
    wire::{self, Request},
};
use nix::errno::Errno;

pub(crate) const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
pub(crate) const ADDRESS: u16 = 1;
pub(crate) const IFNAME: u16 = 3;
pub(crate) const MTU: u16 = 4;
pub(crate) const PARENT: u16 = 5;
pub(crate) const MASTER: u16 = 10;
pub(crate) const LINKINFO: u16 = 18;
const IFALIAS: u16 = 20;
pub(crate) const NET_NS_FD: u16 = 28;
pub(crate) const INFO_KIND: u16 = 1;
pub(crate) const INFO_DATA: u16 = 2;
const UP: u32 = 1;

/// A link of the namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) master: Option<u32>,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) alias: String,
    pub(crate) up: bool,
}

/// `struct ifinfomsg` of a link that is to be up or is left as it is.
pub(crate) fn header(index: u32, up: bool) -> Vec<u8> {
    let flags = if up { UP } else { 0 };
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(&index.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes
}

/// A link by name; none where there is none.
pub(crate) fn find(channel: &mut Channel, name: &str) -> Result<Option<Link>> {
    let mut request = Request::new(GETLINK, 0, &header(0, false));
    request.text(IFNAME, name);
    match channel.ask(request, "find link", name) {
        Ok(payload) => Ok(parse(&payload)),
        Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A link that must be there.
pub(crate) fn need(channel: &mut Channel, name: &str) -> Result<Link> {
    find(channel, name)?.ok_or_else(|| NetError::Netlink {
        operation: "find link",
        object: name.to_owned(),
        errno: Errno::ENODEV,
        detail: String::new(),
    })
}

/// Makes the kernel take note of the link's carrier now (from 6.8 on looking does it), not when its worker comes to
/// it: until then packets that leave by the link are dropped, and a first connection waits a second.
pub(crate) fn settle(channel: &mut Channel, name: &str) -> Result<()> {
    find(channel, name).map(drop)
}

/// All links.
pub(crate) fn list(channel: &mut Channel) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    channel.dump(GETLINK, &header(0, false), |_| {}, "list", "links", |payload| links.extend(parse(payload)))?;
    Ok(links)
}

/// Brings a link up.
pub(crate) fn up(channel: &mut Channel, name: &str) -> Result<()> {
    let mut request = Request::new(NEWLINK, 0, &header(0, true));
    request.text(IFNAME, name);
    channel.execute(request, "bring up link", name)
}

/// Brings the link `index` up.
pub(crate) fn up_request(index: u32) -> Request {
    Request::new(NEWLINK, 0, &header(index, true))
}

/// Brings a link up with a text that says what it is for.
pub(crate) fn up_as(index: u32, alias: &str) -> Request {
    let mut request = Request::new(NEWLINK, 0, &header(index, true));
    // Without a NUL: `IFLA_IFALIAS` is counted bytes.
    request.attr(IFALIAS, alias.as_bytes());
    request
}

/// Makes a link a port of a bridge.
pub(crate) fn enslave(channel: &mut Channel, link: &Link, master: u32) -> Result<()> {
    let mut request = Request::new(NEWLINK, 0, &header(link.index, true));
    request.u32(MASTER, master);
    channel.execute(request, "make port of bridge", &link.name)
}

/// Makes the port `name` of the bridge `master`. One that is there is put back on its bridge; where the kernel has what
/// was asked for under another name, `taken` says what that is.
pub(crate) fn create_port(
    channel: &mut Channel,
    request: Request,
    kind: &'static str,
    name: &str,
    master: u32,
    taken: impl FnOnce() -> String,
) -> Result<Link> {
    let operation = "create port of bridge";
    let created = supported(channel.execute(request, operation, name), kind);
    if let Err(error) = created
        && error.errno() != Some(Errno::EEXIST)
    {
        return Err(error);
    }
    let Some(port) = find(channel, name)? else {
        return Err(NetError::Conflict(taken()));
    };
    if port.master != Some(master) || !port.up {
        enslave(channel, &port, master)?;
    }
    Ok(port)
}

/// Deletes a link; one that is not there is done.
pub(crate) fn delete(channel: &mut Channel, name: &str) -> Result<()> {
    let mut request = Request::new(DELLINK, 0, &header(0, false));
    request.text(IFNAME, name);
    absent_is_done(channel.execute(request, "delete link", name))
}

/// `EOPNOTSUPP` for a kind of link means that this kernel does not have it.
pub(crate) fn supported(result: Result<()>, kind: &str) -> Result<()> {
    match result {
        Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => {
            Err(NetError::Unsupported { what: format!("{kind} link"), why: "this kernel has no such link type".into() })
        }
        other => other,
    }
}

fn parse(payload: &[u8]) -> Option<Link> {
    let mut link =
        Link { index: wire::u32_at(payload, 4)?, up: wire::u32_at(payload, 8)? & UP != 0, ..Link::default() };
    for (kind, value) in wire::attributes(payload.get(16..)?) {
        match kind {
            IFNAME => link.name = wire::string(value),
            IFALIAS => link.alias = wire::string(value),
            MASTER => link.master = wire::u32_at(value, 0),
            ADDRESS => link.mac = value.try_into().ok(),
            _ => {}
        }
    }
    Some(link)
}
