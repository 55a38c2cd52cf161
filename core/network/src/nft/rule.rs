//! Rules as lists of expressions (include/uapi/linux/netfilter/nf_tables.h).

use super::message;
use crate::wire::{APPEND, CREATE, Request};

const NEWRULE: u16 = 6;
/// The first of the 4-byte registers, and how many a link's name takes.
const REG: u32 = 8;
const NAME_REGS: u32 = 4;

/// A value that a packet carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    /// The link it came in by.
    InName,
    /// The link it goes out by.
    OutName,
    /// IPv4 (2) or IPv6 (10), one byte.
    Version,
    /// The transport protocol, one byte.
    Protocol,
    /// Bytes of the network header.
    Network {
        /// From where.
        offset: u32,
        /// How many.
        length: u32,
    },
    /// The destination port of TCP, UDP and SCTP.
    DestinationPort,
    /// Connection state, as a set of bits.
    State,
    /// Connection status, as a set of bits.
    Status,
    /// What kind of address the destination is (`fib daddr type`).
    DestinationKind,
}

/// A step of a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The field equals these bytes.
    Is(Field, &'static [u8]),
    /// The field has one of these bits (host order).
    Has(Field, u32),
    /// The name of the link is in a set.
    In(Field, &'static str),
    /// Names of in and out link, together, are in a set.
    InOut(&'static str),
    /// Source and destination address, together, are in a set.
    Addresses {
        /// The set.
        set: &'static str,
        /// IPv6 rather than IPv4.
        v6: bool,
    },
    /// Destination NAT to what a map says: protocol, address where `addressed`, port.
    Map {
        /// The map.
        map: &'static str,
        /// IPv6 rather than IPv4.
        v6: bool,
        /// The destination address is part of the key.
        addressed: bool,
    },
    /// Source NAT to the address of the link it goes out by.
    Masquerade,
    /// Ends here: let it pass.
    Accept,
    /// Ends here: away with it.
    Drop,
}

/// A rule at the end of a chain.
pub(crate) fn append(table: &str, chain: &str, steps: &[Step]) -> Request {
    let mut request = message(NEWRULE, CREATE | APPEND);
    request.text(1, table).text(2, chain).nest(4, |list| {
        for step in steps {
            write(list, *step);
        }
    });
    request
}

fn write(list: &mut Request, step: Step) {
    match step {
        Step::Is(field, value) => {
            load(list, field, REG);
            compare(list, 0, value);
        }
        Step::Has(field, bits) => {
            load(list, field, REG);
            expression(list, "bitwise", |e| {
                e.be32(1, REG).be32(2, REG).be32(3, 4);
                e.nest(4, |d| {
                    d.attr(1, &bits.to_ne_bytes());
                });
                e.nest(5, |d| {
                    d.attr(1, &[0; 4]);
                });
            });
            compare(list, 1, &[0; 4]);
        }
        Step::In(field, set) => {
            load(list, field, REG);
            expression(list, "lookup", |e| {
                e.text(1, set).be32(2, REG);
            });
        }
        Step::InOut(set) => {
            load(list, Field::InName, REG);
            load(list, Field::OutName, REG + NAME_REGS);
            expression(list, "lookup", |e| {
                e.text(1, set).be32(2, REG);
            });
        }
        Step::Addresses { set, v6 } => {
            let (offset, length) = if v6 { (8, 32) } else { (12, 8) };
            load(list, Field::Network { offset, length: length / 2 }, REG);
            load(list, Field::Network { offset: offset + length / 2, length: length / 2 }, REG + length / 8);
            expression(list, "lookup", |e| {
                e.text(1, set).be32(2, REG);
            });
        }
        Step::Map { map, v6, addressed } => destination(list, map, v6, addressed),
        Step::Masquerade => expression(list, "masq", |_| {}),
        Step::Accept => verdict(list, 1),
        Step::Drop => verdict(list, 0),
    }
}

fn destination(list: &mut Request, map: &str, v6: bool, addressed: bool) {
    let address_regs = if v6 { 4 } else { 1 };
    load(list, Field::Protocol, REG);
    let mut next = REG + 1;
    if addressed {
        let field =
            if v6 { Field::Network { offset: 24, length: 16 } } else { Field::Network { offset: 16, length: 4 } };
        load(list, field, next);
        next += address_regs;
    }
    load(list, Field::DestinationPort, next);
    expression(list, "lookup", |e| {
        e.text(1, map).be32(2, REG).be32(3, REG);
    });
    expression(list, "nat", |e| {
        e.be32(1, 1).be32(2, if v6 { 10 } else { 2 }).be32(3, REG).be32(5, REG + address_regs);
    });
}

fn load(list: &mut Request, field: Field, register: u32) {
    let meta = |list: &mut Request, key: u32| {
        expression(list, "meta", |e| {
            e.be32(1, register).be32(2, key);
        });
    };
    let payload = |list: &mut Request, base: u32, offset: u32, length: u32| {
        expression(list, "payload", |e| {
            e.be32(1, register).be32(2, base).be32(3, offset).be32(4, length);
        });
    };
    let connection = |list: &mut Request, key: u32| {
        expression(list, "ct", |e| {
            e.be32(1, register).be32(2, key);
        });
    };
    match field {
        Field::InName => meta(list, 6),
        Field::OutName => meta(list, 7),
        Field::Version => meta(list, 15),
        Field::Protocol => meta(list, 16),
        Field::Network { offset, length } => payload(list, 1, offset, length),
        Field::DestinationPort => payload(list, 2, 2, 2),
        Field::State => connection(list, 0),
        Field::Status => connection(list, 2),
        Field::DestinationKind => expression(list, "fib", |e| {
            e.be32(1, register).be32(2, 3).be32(3, 2);
        }),
    }
}

fn compare(list: &mut Request, operator: u32, value: &[u8]) {
    expression(list, "cmp", |e| {
        e.be32(1, REG).be32(2, operator).nest(3, |d| {
            d.attr(1, value);
        });
    });
}

fn verdict(list: &mut Request, code: u32) {
    expression(list, "immediate", |e| {
        e.be32(1, 0).nest(2, |d| {
            d.nest(2, |v| {
                v.be32(1, code);
            });
        });
    });
}

fn expression(list: &mut Request, name: &str, fill: impl FnOnce(&mut Request)) {
    list.nest(1, |element| {
        element.text(1, name).nest(2, fill);
    });
}
