//! A macvlan on a host interface, made inside the container's namespace. It ends with the namespace.

use crate::{
    channel::Channel,
    error::{NetError, Result},
    link::{self, INFO_DATA, INFO_KIND, LINKINFO, NEWLINK},
    wire::{CREATE, EXCL, Request},
};
use std::os::fd::{AsRawFd, BorrowedFd};

const MODE: u16 = 1;

/// The kernel's number of a mode (include/uapi/linux/if_link.h).
pub(crate) fn mode(name: &str) -> Result<u32> {
    match name {
        "private" => Ok(1),
        "vepa" => Ok(2),
        "bridge" => Ok(4),
        "passthru" => Ok(8),
        other => Err(NetError::Plan(format!("{other:?} is no macvlan mode"))),
    }
}

/// Makes the macvlan `name` on `parent` in `namespace`, up.
pub(crate) fn create(
    channel: &mut Channel,
    parent: &str,
    mode_name: &str,
    name: &str,
    mac: [u8; 6],
    mtu: Option<u32>,
    namespace: BorrowedFd<'_>,
) -> Result<()> {
    let mode = mode(mode_name)?;
    let parent = link::need(channel, parent)?;
    let mut request = Request::new(NEWLINK, CREATE | EXCL, &link::header(0, true));
    request.text(link::IFNAME, name).u32(link::PARENT, parent.index).attr(link::ADDRESS, &mac);
    request.u32(link::NET_NS_FD, namespace.as_raw_fd().cast_unsigned());
    if let Some(mtu) = mtu {
        request.u32(link::MTU, mtu);
    }
    request.nest(LINKINFO, |n| {
        n.text(INFO_KIND, "macvlan").nest(INFO_DATA, |d| {
            d.u32(MODE, mode);
        });
    });
    link::supported(channel.execute(request, "create macvlan", name), "macvlan")
}

/// Deletes the macvlan; `channel` is open in the container's namespace.
pub(crate) fn delete(channel: &mut Channel, name: &str) -> Result<()> {
    link::delete(channel, name)
}
