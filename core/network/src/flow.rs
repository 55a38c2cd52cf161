//! Flows of UDP that the kernel remembers (conntrack): where a sender never pauses, its packets go on to where the first
//! one went, whatever was published or closed since. They are forgotten then; the next packet is looked at anew.
//!
//! Knows ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h). A kernel without it remembers as before.

use crate::{
    channel::{Channel, Family},
    error::{NetError, Result, absent_is_done},
    wire::{self, Request},
};
use davit_model::network::{EndpointPlan, PublishedPort};
use nix::{errno::Errno, libc};
use std::net::IpAddr;

const GET: u16 = (1 << 8) | 1;
const DELETE: u16 = (1 << 8) | 2;
/// `struct nfgenmsg`: flows of IPv4 and IPv6 alike.
const HEADER: [u8; 4] = [0; 4];

const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;

const ADDRESSES: u16 = 1;
const V4: (u16, u16) = (1, 2);
const V6: (u16, u16) = (3, 4);
const PROTOCOL: u16 = 2;
const NUMBER: u16 = 1;
const TO_PORT: u16 = 3;
const UDP: u8 = 17;

/// One direction of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Direction {
    from: IpAddr,
    to: IpAddr,
    port: u16,
}

/// A flow of UDP.
#[derive(Clone, Debug)]
struct Flow {
    /// As its first packet came.
    original: Direction,
    /// As answers to it come.
    reply: Direction,
    /// What names it to the kernel.
    key: Vec<(u16, Vec<u8>)>,
}

impl Flow {
    /// What it was sent to is what answers it, and it leaves by another sender's address: on its way through the host.
    fn passes(&self) -> bool {
        self.reply.from == self.original.to && self.reply.to != self.original.from
    }

    fn came_to(&self, port: &PublishedPort) -> bool {
        let bound = port.request.address.filter(|address| !address.is_unspecified());
        self.original.port == port.outside && bound.is_none_or(|bound| bound == self.original.to)
    }

    fn leads_to(&self, plan: &EndpointPlan) -> bool {
        plan.addresses.iter().any(|lease| lease.address.addr() == self.reply.from)
    }
}

/// After the endpoint's ports were published: flows that came to them before, and lead elsewhere, are forgotten.
pub(crate) fn turn_to(plan: &EndpointPlan) -> Result<()> {
    forget(plan, |flow| !flow.leads_to(plan) && !flow.passes())
}

/// After the endpoint's ports were closed: flows that came by them are forgotten.
pub(crate) fn turn_from(plan: &EndpointPlan) -> Result<()> {
    forget(plan, |flow| flow.leads_to(plan))
}

fn forget(plan: &EndpointPlan, stale: impl Fn(&Flow) -> bool) -> Result<()> {
    let ports: Vec<_> = plan.ports.iter().filter(|port| port.request.protocol == "udp").collect();
    if ports.is_empty() {
        return Ok(());
    }
    let mut channel = Channel::open(Family::Netfilter)?;
    let mut found = Vec::new();
    let listed = channel.dump(
        GET,
        &HEADER,
        |_| {},
        "list",
        "flows",
        |payload| {
            let flow = flow(payload.get(HEADER.len()..).unwrap_or_default());
            found.extend(flow.filter(|flow| stale(flow) && ports.iter().any(|port| flow.came_to(port))));
        },
    );
    match listed {
        // So the kernel answers for what it was built without.
        Err(error) if error.errno() == Some(Errno::EINVAL) => return Ok(()),
        other => other?,
    }
    let mut errors = Vec::new();
    for flow in found {
        let family = if flow.original.to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let mut request = Request::new(DELETE, 0, &[u8::try_from(family).unwrap_or_default(), 0, 0, 0]);
        for (kind, value) in &flow.key {
            request.attr(*kind, value);
        }
        // One that has just ended by itself is forgotten.
        errors.extend(absent_is_done(channel.execute(request, "forget", "flow")).err());
    }
    NetError::gather(errors)
}

/// The flow of an answer; none where it is none of UDP.
fn flow(attributes: &[u8]) -> Option<Flow> {
    let direction = |kind| direction(wire::find(attributes, kind)?);
    let key = wire::attributes(attributes)
        .filter(|(kind, _)| [ORIGINAL, ID, ZONE].contains(kind))
        .map(|(kind, value)| (if kind == ORIGINAL { wire::NESTED | kind } else { kind }, value.to_vec()))
        .collect();
    Some(Flow { original: direction(ORIGINAL)?, reply: direction(REPLY)?, key })
}

fn direction(tuple: &[u8]) -> Option<Direction> {
    let (addresses, protocol) = (wire::find(tuple, ADDRESSES)?, wire::find(tuple, PROTOCOL)?);
    if wire::find(protocol, NUMBER)? != [UDP] {
        return None;
    }
    let port = u16::from_be_bytes(wire::find(protocol, TO_PORT)?.try_into().ok()?);
    let v4 = |kind| Some(IpAddr::from(<[u8; 4]>::try_from(wire::find(addresses, kind)?).ok()?));
    let v6 = |kind| Some(IpAddr::from(<[u8; 16]>::try_from(wire::find(addresses, kind)?).ok()?));
    let from = v4(V4.0).or_else(|| v6(V6.0))?;
    let to = v4(V4.1).or_else(|| v6(V6.1))?;
    Some(Direction { from, to, port })
}
