//! The instance's table with its chains and rules: made in one transaction, deleted whole.

use super::{
    message,
    rule::{
        self, Field,
        Step::{self, Accept, Addresses, Drop, Has, In, InOut, Is, Map, Masquerade},
    },
    set, transact,
};
use crate::{
    channel::Channel,
    error::{NetError, Result, absent_is_done},
    wire::{CREATE, Request},
};
use nix::errno::Errno;

const NEWTABLE: u16 = 0;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const GETCHAIN: u16 = 4;

const V4: Step = Is(Field::Version, &[2]);
const V6: Step = Is(Field::Version, &[10]);
const FROM_LOOPBACK_V4: Step = Is(Field::Network { offset: 12, length: 1 }, &[127]);
const TO_LOOPBACK_V4: Step = Is(Field::Network { offset: 16, length: 1 }, &[127]);
const TO_LOOPBACK_V6: Step =
    Is(Field::Network { offset: 24, length: 16 }, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
/// `fib daddr type local`; the number is `RTN_LOCAL`.
const TO_HOST: Step = Is(Field::DestinationKind, &2_u32.to_ne_bytes());
/// Established or related.
const KNOWN: Step = Has(Field::State, 2 | 4);
/// `IPS_DST_NAT`.
const TRANSLATED: Step = Has(Field::Status, 1 << 5);

/// A chain: name, type, hook, priority, rules.
struct Chain {
    name: &'static str,
    kind: &'static str,
    hook: u32,
    priority: i32,
    rules: &'static [&'static [Step]],
}

const PORTS: &[&[Step]] = &[
    &[V4, TO_HOST, Map { map: "addr4", v6: false, addressed: true }],
    &[V4, TO_HOST, Map { map: "any4", v6: false, addressed: false }],
    &[V6, TO_HOST, Map { map: "addr6", v6: true, addressed: true }],
    &[V6, TO_HOST, Map { map: "any6", v6: true, addressed: false }],
];

/// The host's own traffic. Nothing of `::1` can be led elsewhere: the kernel routes its packets over loopback alone and
/// has no `route_localnet` for it, so such a connection is to be refused at once rather than to wait.
const OWN_PORTS: &[&[Step]] = &[
    &[V4, TO_HOST, Map { map: "addr4", v6: false, addressed: true }],
    &[V4, TO_HOST, Map { map: "any4", v6: false, addressed: false }],
    &[V6, TO_LOOPBACK_V6, Accept],
    &[V6, TO_HOST, Map { map: "addr6", v6: true, addressed: true }],
    &[V6, TO_HOST, Map { map: "any6", v6: true, addressed: false }],
];

const CHAINS: [Chain; 5] = [
    Chain {
        name: "raw",
        kind: "filter",
        hook: 0,
        priority: -300,
        rules: &[&[V4, In(Field::InName, "bridges"), TO_LOOPBACK_V4, Drop]],
    },
    Chain { name: "prerouting", kind: "nat", hook: 0, priority: -100, rules: PORTS },
    Chain { name: "output", kind: "nat", hook: 3, priority: -100, rules: OWN_PORTS },
    Chain {
        name: "forward",
        kind: "filter",
        hook: 2,
        priority: 0,
        rules: &[
            &[KNOWN, Accept],
            &[TRANSLATED, Accept],
            &[InOut("same"), Accept],
            &[In(Field::OutName, "isolated"), Drop],
            &[In(Field::InName, "isolated"), In(Field::OutName, "bridges"), Drop],
            &[In(Field::InName, "internal"), Drop],
        ],
    },
    Chain {
        name: "postrouting",
        kind: "nat",
        hook: 4,
        priority: 100,
        rules: &[
            &[V4, TRANSLATED, Addresses { set: "self4", v6: false }, Masquerade],
            &[V6, TRANSLATED, Addresses { set: "self6", v6: true }, Masquerade],
            &[InOut("same"), TRANSLATED, Masquerade],
            &[InOut("same"), Accept],
            &[V4, FROM_LOOPBACK_V4, In(Field::OutName, "bridges"), Masquerade],
            &[V4, In(Field::InName, "masq4"), Masquerade],
            &[V6, In(Field::InName, "masq6"), Masquerade],
        ],
    },
];

/// Makes the table where its last chain is not there: the transaction that makes it makes all of it.
pub(crate) fn ensure(channel: &mut Channel, table: &str) -> Result<()> {
    if complete(channel, table)? {
        return Ok(());
    }
    match transact(channel, ruleset(table), "create table", table) {
        Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(()),
        Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => Err(NetError::Unsupported {
            what: format!("nftables table {table}"),
            why: "this kernel lacks nat, fib or masquerade in inet tables".into(),
        }),
        other => other,
    }
}

/// Deletes the table and all in it.
pub(crate) fn delete(channel: &mut Channel, table: &str) -> Result<()> {
    let mut request = message(DELTABLE, 0);
    request.text(1, table);
    absent_is_done(transact(channel, vec![request], "delete table", table))
}

fn complete(channel: &mut Channel, table: &str) -> Result<bool> {
    let mut request = message(GETCHAIN, 0);
    request.text(1, table).text(3, "postrouting");
    match channel.ask(request, "find table", table) {
        Ok(_) => Ok(true),
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

fn ruleset(table: &str) -> Vec<Request> {
    // An empty table of that name is made, deleted and made again: what was half there is gone, in one transaction.
    let named = |kind, flags| {
        let mut request = message(kind, flags);
        request.text(1, table);
        request
    };
    let mut requests = vec![named(NEWTABLE, CREATE), named(DELTABLE, 0), named(NEWTABLE, CREATE)];
    for (id, kind) in (1..).zip(&set::ALL) {
        requests.push(set::create(table, kind, id));
    }
    for chain in &CHAINS {
        let mut request = message(NEWCHAIN, CREATE);
        request.text(1, table).text(3, chain.name).nest(4, |hook| {
            hook.be32(1, chain.hook).be32(2, chain.priority.cast_unsigned());
        });
        request.be32(5, 1).text(7, chain.kind);
        requests.push(request);
        requests.extend(chain.rules.iter().map(|steps| rule::append(table, chain.name, steps)));
    }
    requests
}
