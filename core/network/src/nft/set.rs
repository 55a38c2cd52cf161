//! Sets and maps of the table, and their elements.

use super::message;
use crate::{
    channel::Channel,
    error::{Result, absent_is_done},
    wire::{self, CREATE, Request},
};
use nix::errno::Errno;

const NEWSET: u16 = 9;
const NEWSETELEM: u16 = 12;
const GETSETELEM: u16 = 13;
const DELSETELEM: u16 = 14;
const MAP: u32 = 8;

// nft's own type numbers: they say how `nft list` shows an element, nothing to the kernel.
const IPV4: u32 = 7;
const IPV6: u32 = 8;
const PROTOCOL: u32 = 12;
const SERVICE: u32 = 13;
const NAME: u32 = 41;

/// A set, or a map where it has a data type: name, key type and length, data type and length.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    key: (u32, u32),
    data: Option<(u32, u32)>,
}

const fn two(a: u32, b: u32) -> u32 {
    a << 6 | b
}

/// Everything that a network or an endpoint adds elements to.
pub(crate) const ALL: [Kind; 12] = [
    Kind { name: "bridges", key: (NAME, 16), data: None },
    Kind { name: "same", key: (two(NAME, NAME), 32), data: None },
    Kind { name: "isolated", key: (NAME, 16), data: None },
    Kind { name: "internal", key: (NAME, 16), data: None },
    Kind { name: "masq4", key: (NAME, 16), data: None },
    Kind { name: "masq6", key: (NAME, 16), data: None },
    Kind { name: "self4", key: (two(IPV4, IPV4), 8), data: None },
    Kind { name: "self6", key: (two(IPV6, IPV6), 32), data: None },
    Kind { name: "any4", key: (two(PROTOCOL, SERVICE), 8), data: Some((two(IPV4, SERVICE), 8)) },
    Kind { name: "any6", key: (two(PROTOCOL, SERVICE), 8), data: Some((two(IPV6, SERVICE), 20)) },
    Kind { name: "addr4", key: (two(two(PROTOCOL, IPV4), SERVICE), 12), data: Some((two(IPV4, SERVICE), 8)) },
    Kind { name: "addr6", key: (two(two(PROTOCOL, IPV6), SERVICE), 24), data: Some((two(IPV6, SERVICE), 20)) },
];

/// An element of a set or map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    pub(crate) set: &'static str,
    pub(crate) key: Vec<u8>,
    /// Empty in a set.
    pub(crate) data: Vec<u8>,
}

/// Makes a set; one of the same kind that is there is left.
pub(crate) fn create(table: &str, kind: &Kind, id: u32) -> Request {
    let mut request = message(NEWSET, CREATE);
    request.text(1, table).text(2, kind.name).be32(3, if kind.data.is_some() { MAP } else { 0 });
    request.be32(4, kind.key.0).be32(5, kind.key.1);
    if let Some((data, length)) = kind.data {
        request.be32(6, data).be32(7, length);
    }
    request.be32(10, id);
    if kind.key.0 == NAME {
        // nft's own note on the set, that names are in host order; without it `nft list` shows them empty.
        request.attr(13, &[0, 4, 1, 0, 0, 0]);
    }
    request
}

/// Adds an element; the same one that is there is left.
pub(crate) fn add(table: &str, element: &Element) -> Request {
    with_element(NEWSETELEM, CREATE, table, element)
}

/// Removes elements; those that are not there, or by now map to something else, are left.
pub(crate) fn remove(channel: &mut Channel, table: &str, elements: &[Element]) -> Result<()> {
    let mut requests = Vec::new();
    for element in elements {
        if get(channel, table, element)?.is_some_and(|found| found == *element) {
            requests.push(with_element(DELSETELEM, 0, table, element));
        }
    }
    absent_is_done(super::transact(channel, requests, "remove elements from table", table))
}

/// The element with the key of `like`, as the kernel has it.
pub(crate) fn get(channel: &mut Channel, table: &str, like: &Element) -> Result<Option<Element>> {
    let wanted = Element { data: Vec::new(), ..like.clone() };
    let request = with_element(GETSETELEM, 0, table, &wanted);
    match channel.ask(request, "look into table", table) {
        Ok(payload) => Ok(parse(like.set, &payload).into_iter().next()),
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All elements of a set; none where the table or the set is not there.
pub(crate) fn list(channel: &mut Channel, table: &str, set: &'static str) -> Result<Vec<Element>> {
    let mut elements = Vec::new();
    let listed = channel.dump(
        (10 << 8) | GETSETELEM,
        &[1, 0, 0, 0],
        |request| {
            request.text(1, table).text(2, set);
        },
        "list set",
        set,
        |payload| elements.extend(parse(set, payload)),
    );
    absent_is_done(listed).map(|()| elements)
}

fn with_element(kind: u16, flags: u16, table: &str, element: &Element) -> Request {
    let mut request = message(kind, flags);
    request.text(1, table).text(2, element.set).nest(3, |list| {
        list.nest(1, |e| {
            e.nest(1, |d| {
                d.attr(1, &element.key);
            });
            if !element.data.is_empty() {
                e.nest(2, |d| {
                    d.attr(1, &element.data);
                });
            }
        });
    });
    request
}

fn parse(set: &'static str, payload: &[u8]) -> Vec<Element> {
    let value = |bytes: &[u8], kind| wire::find(bytes, kind).and_then(|v| wire::find(v, 1)).map(<[u8]>::to_vec);
    let list = wire::find(payload.get(4..).unwrap_or_default(), 3).unwrap_or_default();
    wire::attributes(list)
        .filter_map(|(_, element)| {
            Some(Element { set, key: value(element, 1)?, data: value(element, 2).unwrap_or_default() })
        })
        .collect()
}

/// A link's name as a key: 16 bytes.
pub(crate) fn name_key(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(16, 0);
    bytes
}
