//! A network's bridge: made and taken down.

use crate::{
    address,
    channel::Channel,
    error::{NetError, Result},
    link::{self, INFO_DATA, INFO_KIND, LINKINFO, Link, NEWLINK},
    wire::{CREATE, EXCL, Request},
};
use ipnet::IpNet;
use nix::errno::Errno;

const FORWARD_DELAY: u16 = 1;

/// Makes the bridge `name` with its gateway addresses, up; what is there already is completed.
///
/// `owner` is written on the link, so that two networks whose names fall together are told apart.
pub(crate) fn create(channel: &mut Channel, name: &str, owner: &str, mac: [u8; 6], gateways: &[IpNet]) -> Result<Link> {
    let mut request = Request::new(NEWLINK, CREATE | EXCL, &link::header(0, false));
    // A set address: a bridge without one takes that of a port, and changes it when the port goes.
    request.text(link::IFNAME, name).attr(link::ADDRESS, &mac).nest(LINKINFO, |n| {
        n.text(INFO_KIND, "bridge").nest(INFO_DATA, |d| {
            d.u32(FORWARD_DELAY, 0);
        });
    });
    match link::supported(channel.execute(request, "create bridge", name), "bridge") {
        Err(error) if error.errno() == Some(Errno::EEXIST) => {}
        other => other?,
    }
    let bridge = link::need(channel, name)?;
    if !bridge.alias.is_empty() && bridge.alias != owner {
        return Err(NetError::Conflict(format!("bridge {name} belongs to {:?}, not to {owner:?}", bridge.alias)));
    }
    let mut requests = vec![link::up_as(bridge.index, owner)];
    requests.extend(gateways.iter().map(|gateway| address::add(bridge.index, *gateway)));
    channel.batch(requests, "set up bridge", name)?;
    Ok(bridge)
}

/// Takes the bridge down; its ports stay as links without a master.
pub(crate) fn delete(channel: &mut Channel, name: &str) -> Result<()> {
    link::delete(channel, name)
}
