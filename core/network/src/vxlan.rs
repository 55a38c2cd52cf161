//! A VXLAN with static peers (RFC 7348), as the uplink of a network's bridge.

use crate::{
    channel::Channel,
    error::Result,
    link::{self, INFO_DATA, INFO_KIND, LINKINFO, NEWLINK},
    wire::{APPEND, CREATE, EXCL, Request},
};
use nix::errno::Errno;
use std::net::IpAddr;

const NEWNEIGH: u16 = 28;
const ID: u16 = 1;
const LEARNING: u16 = 7;
const PORT: u16 = 15;
const LOCAL6: u16 = 17;
const UDP_PORT: u16 = 4789;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const BRIDGE_FAMILY: u8 = 7;
const PERMANENT: u16 = 0x80;
const SELF: u8 = 0x02;

/// Makes the interface `name` as a port of the bridge `master`; frames to unknown stations go to every peer. The peers are
/// of one family.
pub(crate) fn create(channel: &mut Channel, name: &str, id: u32, remotes: &[IpAddr], master: u32) -> Result<()> {
    let mut request = Request::new(NEWLINK, CREATE | EXCL, &link::header(0, true));
    request.text(link::IFNAME, name).u32(link::MASTER, master);
    request.nest(LINKINFO, |n| {
        n.text(INFO_KIND, "vxlan").nest(INFO_DATA, |d| {
            d.u32(ID, id).attr(LEARNING, &[1]).attr(PORT, &UDP_PORT.to_be_bytes());
            if remotes.iter().any(IpAddr::is_ipv6) {
                // An interface speaks one family to its peers: IPv4, where nothing says otherwise.
                d.attr(LOCAL6, &[0; 16]);
            }
        });
    });
    let taken = || format!("VXLAN id {id} is in use on this host");
    let uplink = link::create_port(channel, request, "vxlan", name, master, taken)?;
    for remote in remotes {
        match channel.execute(peer(uplink.index, *remote), "add vxlan peer", name) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => {}
            other => other?,
        }
    }
    Ok(())
}

/// `struct ndmsg` of a forwarding entry for all unknown stations.
fn peer(index: u32, remote: IpAddr) -> Request {
    let mut header = vec![BRIDGE_FAMILY, 0, 0, 0];
    header.extend_from_slice(&index.to_ne_bytes());
    header.extend_from_slice(&PERMANENT.to_ne_bytes());
    header.extend_from_slice(&[SELF, 0]);
    let mut request = Request::new(NEWNEIGH, CREATE | APPEND, &header);
    match remote {
        IpAddr::V4(v4) => request.attr(NDA_DST, &v4.octets()),
        IpAddr::V6(v6) => request.attr(NDA_DST, &v6.octets()),
    };
    request.attr(NDA_LLADDR, &[0; 6]);
    request
}
