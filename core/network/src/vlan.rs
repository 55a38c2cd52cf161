//! An 802.1q interface on a host interface, as the uplink of a network's bridge.

use crate::{
    channel::Channel,
    error::Result,
    link::{self, INFO_DATA, INFO_KIND, LINKINFO, NEWLINK},
    wire::{CREATE, EXCL, Request},
};

const ID: u16 = 1;

/// Makes the interface `name` for VLAN `id` of `parent` as a port of the bridge `master`.
pub(crate) fn create(channel: &mut Channel, name: &str, parent: &str, id: u16, master: u32) -> Result<()> {
    let parent = link::need(channel, parent)?;
    let mut request = Request::new(NEWLINK, CREATE | EXCL, &link::header(0, true));
    request.text(link::IFNAME, name).u32(link::PARENT, parent.index).u32(link::MASTER, master);
    request.nest(LINKINFO, |n| {
        n.text(INFO_KIND, "vlan").nest(INFO_DATA, |d| {
            d.attr(ID, &id.to_ne_bytes());
        });
    });
    let taken = || format!("VLAN {id} of {} is an interface of the host already", parent.name);
    link::create_port(channel, request, "802.1q vlan", name, master, taken).map(drop)
}
