//! nftables: one table per instance, whose rules never change; networks and ports are elements of its sets and maps.
//!
//! ```text
//! prerouting, output   daddr local → proto . daddr . dport in @addr4|6, proto . dport in @any4|6 → dnat
//! raw                  from a bridge to 127.0.0.0/8: drop (route_localnet is on for the bridges)
//! forward              established, dnat, same bridge: accept · into @isolated: drop · from @internal: drop
//! postrouting          a container to itself by a published port, @self4|6: masquerade
//!                      same bridge: masquerade if dnat · 127.0.0.0/8 into a bridge: masquerade · from @masq4|6: masquerade
//! ```
//! An accept here cannot override the drop of another table: see [`crate::Host::facts`].

pub(crate) mod neighbour;
pub(crate) mod port;
pub(crate) mod rule;
pub(crate) mod set;
pub(crate) mod table;

use crate::wire::Request;

const SUBSYSTEM: u16 = 10 << 8;
/// `NFPROTO_INET`: IPv4 and IPv6 in one table.
const INET: u8 = 1;

/// A message of the nftables subsystem.
fn message(kind: u16, flags: u16) -> Request {
    Request::new(SUBSYSTEM | kind, flags, &[INET, 0, 0, 0])
}

/// The message that begins (`0x10`) or ends (`0x11`) a transaction.
fn bracket(kind: u16) -> Request {
    Request::new(kind, 0, &[0, 0, 0, 10])
}

/// Runs a transaction: all of it or nothing.
pub(crate) fn transact(
    channel: &mut crate::channel::Channel,
    requests: Vec<Request>,
    operation: &'static str,
    table: &str,
) -> crate::error::Result<()> {
    channel.bracketed(Some(bracket(0x10)), requests, Some(bracket(0x11)), operation, table)
}
