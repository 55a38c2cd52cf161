//! What one question gets, from the zone alone. No I/O.

use super::Zone;
use hickory_proto::{
    op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType, rdata},
};
use std::net::IpAddr;

/// Seconds that a client may keep an answer: containers move.
const TTL: u32 = 5;

/// The largest answer that we announce for UDP (DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

/// What is done with a message from a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// This is the answer.
    Reply(Vec<u8>),
    /// It is for an upstream server.
    Forward,
    /// It is no question, and answering could feed a loop.
    Drop,
}

/// Decides on `request` in `zone`. `udp`: the answer must fit what the client takes; `turn` rotates several addresses.
pub fn decide(zone: &Zone, request: &[u8], udp: bool, turn: usize) -> Decision {
    let Ok(message) = Message::from_vec(request) else { return malformed(request) };
    if message.metadata.message_type != MessageType::Query {
        return Decision::Drop;
    }
    if message.metadata.op_code != OpCode::Query {
        return reply(&message, ResponseCode::NotImp, Vec::new(), udp);
    }
    let [question] = message.queries.as_slice() else { return reply(&message, ResponseCode::FormErr, Vec::new(), udp) };
    if matches!(question.query_class(), DNSClass::IN | DNSClass::ANY)
        && let Some(found) = own(zone, question.name(), question.query_type(), turn)
    {
        return reply(&message, ResponseCode::NoError, found, udp);
    }
    if zone.upstream.is_empty() { reply(&message, ResponseCode::NXDomain, Vec::new(), udp) } else { Decision::Forward }
}

/// `SERVFAIL` for a question that no upstream server answered.
pub(super) fn failed(request: &[u8]) -> Option<Vec<u8>> {
    let message = Message::from_vec(request).ok()?;
    match reply(&message, ResponseCode::ServFail, Vec::new(), true) {
        Decision::Reply(bytes) => Some(bytes),
        _ => None,
    }
}

/// Records of the zone; none where it does not know the name, empty where it has none of this type.
fn own(zone: &Zone, name: &Name, kind: RecordType, turn: usize) -> Option<Vec<Record>> {
    let record = |data| Record::from_rdata(name.clone(), TTL, data);
    if let Some(address) = reversed(name) {
        let owner = zone.names.iter().find(|(_, addresses)| addresses.contains(&address))?.0;
        let owner = Name::from_ascii(format!("{owner}.")).ok()?;
        let wanted = matches!(kind, RecordType::PTR | RecordType::ANY);
        return Some(wanted.then(|| record(RData::PTR(rdata::PTR(owner)))).into_iter().collect());
    }
    let asked = name.to_ascii();
    let asked = asked.trim_end_matches('.');
    let (_, addresses) = zone.names.iter().find(|(n, _)| n.trim_end_matches('.').eq_ignore_ascii_case(asked))?;
    let mut found: Vec<Record> = addresses
        .iter()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(v4), RecordType::A | RecordType::ANY) => Some(RData::A(rdata::A(*v4))),
            (IpAddr::V6(v6), RecordType::AAAA | RecordType::ANY) => Some(RData::AAAA(rdata::AAAA(*v6))),
            _ => None,
        })
        .map(record)
        .collect();
    if !found.is_empty() {
        let by = turn % found.len();
        found.rotate_left(by);
    }
    Some(found)
}

/// The address of a whole `in-addr.arpa` or `ip6.arpa` name.
fn reversed(name: &Name) -> Option<IpAddr> {
    let net = name.parse_arpa_name().ok()?;
    (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
}

fn reply(request: &Message, code: ResponseCode, answers: Vec<Record>, udp: bool) -> Decision {
    let mut message = Message::response(request.metadata.id, request.metadata.op_code);
    message.metadata = Metadata::response_from_request(&request.metadata);
    message.metadata.recursion_available = true;
    message.metadata.response_code = code;
    message.add_queries(request.queries.iter().cloned());
    message.add_answers(answers);
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD);
        message.set_edns(edns);
    }
    let limit = usize::from(request.max_payload().clamp(512, UDP_PAYLOAD));
    match message.to_vec() {
        Ok(bytes) if udp && bytes.len() > limit => match message.truncate().to_vec() {
            Ok(bytes) => Decision::Reply(bytes),
            Err(_) => Decision::Drop,
        },
        Ok(bytes) => Decision::Reply(bytes),
        Err(_) => Decision::Drop,
    }
}

/// `FORMERR` where there is at least a header of a question.
fn malformed(request: &[u8]) -> Decision {
    match request {
        [a, b, flags, _, ..] if request.len() >= 12 && flags & 0x80 == 0 => {
            let mut message = Message::response(u16::from_be_bytes([*a, *b]), OpCode::Query);
            message.metadata.response_code = ResponseCode::FormErr;
            message.to_vec().map_or(Decision::Drop, Decision::Reply)
        }
        _ => Decision::Drop,
    }
}
