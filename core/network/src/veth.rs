//! A veth pair between a bridge of the host and a container, in one netlink message.

use crate::{
    channel::Channel,
    error::Result,
    link::{self, INFO_DATA, INFO_KIND, LINKINFO, NEWLINK},
    wire::{CREATE, EXCL, Request},
};
use std::os::fd::{AsRawFd, BorrowedFd};

const PEER: u16 = 1;
const SLAVE_KIND: u16 = 4;
const SLAVE_DATA: u16 = 5;
const HAIRPIN: u16 = 4;

/// A pair that is to be made.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) outer: &'a str,
    pub(crate) inner: &'a str,
    pub(crate) namespace: BorrowedFd<'a>,
    pub(crate) master: u32,
    pub(crate) mac: [u8; 6],
    pub(crate) mtu: Option<u32>,
    /// Frames may go back out by the port they came in by: a container calls itself by its published port.
    pub(crate) hairpin: bool,
}

/// Makes both ends: the inner one in its namespace, still down, and the outer one on its bridge, up.
pub(crate) fn create(channel: &mut Channel, pair: &Pair<'_>) -> Result<()> {
    let mut request = Request::new(NEWLINK, CREATE | EXCL, &link::header(0, true));
    request.text(link::IFNAME, pair.outer).u32(link::MASTER, pair.master);
    if let Some(mtu) = pair.mtu {
        request.u32(link::MTU, mtu);
    }
    request.nest(LINKINFO, |n| {
        n.text(INFO_KIND, "veth").nest(INFO_DATA, |d| {
            d.nest(PEER, |p| {
                // Not up yet: the kernel opens the peer before it knows its other end, and answers ENOTCONN.
                p.raw(&link::header(0, false)).text(link::IFNAME, pair.inner).attr(link::ADDRESS, &pair.mac);
                p.u32(link::NET_NS_FD, pair.namespace.as_raw_fd().cast_unsigned());
                if let Some(mtu) = pair.mtu {
                    p.u32(link::MTU, mtu);
                }
            });
        });
    });
    let mut requests = vec![request];
    if pair.hairpin {
        let mut port = Request::new(NEWLINK, 0, &link::header(0, false));
        port.text(link::IFNAME, pair.outer).nest(LINKINFO, |n| {
            n.text(SLAVE_KIND, "bridge").nest(SLAVE_DATA, |d| {
                d.attr(HAIRPIN, &[1]);
            });
        });
        requests.push(port);
    }
    link::supported(channel.batch(requests, "create veth", pair.outer), "veth")
}

/// Deletes the pair by its outer end.
pub(crate) fn delete(channel: &mut Channel, outer: &str) -> Result<()> {
    link::delete(channel, outer)
}
