//! Questions by bytes against zones, and the whole resolver on port 53 in a network namespace of its own.

use super::{
    Server, Zone,
    answer::{Decision, decide},
};
use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata},
};
use proptest::prelude::*;
use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

fn zone(text: &str) -> Zone {
    serde_json::from_str(text).unwrap()
}

fn web() -> Zone {
    zone(
        r#"{"listen":["127.0.0.10"],"names":{"web":["10.1.0.2","10.1.0.3","fd00::2"],"db.internal":["10.1.0.9"]},"upstream":["127.0.0.99:53"]}"#,
    )
}

fn ask(id: u16, name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn replied(decision: Decision) -> Message {
    match decision {
        Decision::Reply(bytes) => Message::from_vec(&bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn data(message: &Message) -> Vec<String> {
    message.answers.iter().map(|r| r.data.to_string()).collect()
}

#[test]
fn names_and_addresses_of_the_zone_are_answered() {
    let zone = web();
    let get = |name: &str, kind, turn| replied(decide(&zone, &ask(77, name, kind), true, turn));
    assert_eq!(data(&get("web.", RecordType::A, 0)), ["10.1.0.2", "10.1.0.3"]);
    assert_eq!(data(&get("WeB.", RecordType::A, 1)), ["10.1.0.3", "10.1.0.2"], "in any case, and in turn");
    assert_eq!(data(&get("web.", RecordType::AAAA, 0)), ["fd00::2"]);
    assert_eq!(data(&get("3.0.1.10.in-addr.arpa.", RecordType::PTR, 0)), ["web."]);
    assert_eq!(data(&get(&Name::from("fd00::2".parse::<IpAddr>().unwrap()).to_ascii(), RecordType::PTR, 0)), ["web."]);
    let none = get("db.internal.", RecordType::AAAA, 0);
    assert_eq!(
        (none.metadata.response_code, none.answers.len()),
        (ResponseCode::NoError, 0),
        "known, but no such address"
    );
    assert_eq!(get("web.", RecordType::MX, 0).answers.len(), 0);
    let one = get("web.", RecordType::A, 0);
    assert_eq!((one.metadata.id, one.metadata.recursion_available, one.queries.len()), (77, true, 1));
}

#[test]
fn what_a_killed_writer_left_beside_the_zones_is_cleared_and_zones_stay() {
    let dir = tempfile::tempdir().unwrap();
    web().write(dir.path(), "net").unwrap();
    std::fs::write(dir.path().join(".net.1"), "{").unwrap();
    Zone::clear_unfinished(dir.path()).unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["net.zone"]);
}

#[test]
fn what_the_zone_does_not_know_is_forwarded_or_does_not_exist() {
    let other = ask(1, "example.org.", RecordType::A);
    assert_eq!(decide(&web(), &other, true, 0), Decision::Forward);
    assert_eq!(decide(&web(), &ask(1, "9.9.9.9.in-addr.arpa.", RecordType::PTR), true, 0), Decision::Forward);
    let closed = Zone { upstream: Vec::new(), ..web() };
    assert_eq!(replied(decide(&closed, &other, true, 0)).metadata.response_code, ResponseCode::NXDomain);
}

#[test]
fn an_answer_too_long_for_the_client_is_cut() {
    let many: Vec<IpAddr> = (0..60).map(|n| IpAddr::from([10, 2, 0, n])).collect();
    let zone = Zone { names: [("many".to_owned(), many)].into(), ..web() };
    let plain = ask(1, "many.", RecordType::A);
    let cut = replied(decide(&zone, &plain, true, 0));
    assert_eq!((cut.metadata.truncation, cut.answers.len()), (true, 0));
    assert_eq!(replied(decide(&zone, &plain, false, 0)).answers.len(), 60, "by TCP it is whole");
    let mut message = Message::from_vec(&plain).unwrap();
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    let whole = replied(decide(&zone, &message.to_vec().unwrap(), true, 0));
    assert_eq!((whole.answers.len(), whole.edns.is_some()), (60, true), "and where the client takes more");
}

#[test]
fn answers_and_noise_are_not_answered() {
    let mut response = ask(1, "web.", RecordType::A);
    response[2] |= 0x80;
    assert_eq!(decide(&web(), &response, true, 0), Decision::Drop);
    assert_eq!(decide(&web(), b"short", true, 0), Decision::Drop);
    let mut broken = ask(1, "web.", RecordType::A);
    broken.truncate(14);
    assert_eq!(replied(decide(&web(), &broken, true, 0)).metadata.response_code, ResponseCode::FormErr);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..40_usize, flip in 0..400_usize) {
        let _ = decide(&web(), &bytes, true, 0);
        let mut real = ask(9, "web.", RecordType::A);
        if let Some(byte) = real.get_mut(flip / 8) {
            *byte ^= 1 << (flip % 8);
        }
        real.truncate(real.len().saturating_sub(cut));
        let _ = decide(&web(), &real, true, 0);
    }
}

/// A network namespace for this thread and those that it starts, with loopback up. None: told why.
fn own_namespace() -> Option<()> {
    if let Err(e) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
        eprintln!("skipped: no network namespace can be made here: {e}");
        return None;
    }
    match Command::new("ip").args(["link", "set", "lo", "up"]).status() {
        Ok(status) if status.success() => Some(()),
        other => {
            eprintln!("skipped: ip link set lo up: {other:?}");
            None
        }
    }
}

/// The resolver in a thread of its own until this is dropped.
struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(zones: &Path) -> Self {
        let mut server = Server::open(zones, 53).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                server.turn(Duration::from_millis(20)).unwrap();
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn udp(server: &str, request: &[u8]) -> Option<Message> {
    let socket = UdpSocket::bind(if server.contains(':') { "[::1]:0" } else { "127.0.0.1:0" }).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
    socket.connect((server.parse::<IpAddr>().unwrap(), 53)).unwrap();
    socket.send(request).unwrap();
    let mut buffer = [0; 4096];
    let size = socket.recv(&mut buffer).ok()?;
    Some(Message::from_vec(&buffer[..size]).unwrap())
}

fn tcp(server: &str, requests: &[Vec<u8>]) -> Vec<Message> {
    let mut stream = TcpStream::connect((server, 53)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
    for request in requests {
        stream.write_all(&u16::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(request).unwrap();
    }
    let mut answer = || {
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message).unwrap();
        Message::from_vec(&message).unwrap()
    };
    requests.iter().map(|_| answer()).collect()
}

/// What an upstream server answers: `big.` is truncated by UDP and long by TCP; a forged answer comes before each real one.
fn upstream_answer(request: &[u8], udp: bool) -> Vec<u8> {
    let message = Message::from_vec(request).unwrap();
    let name = message.queries[0].name().clone();
    let mut answer = Message::response(message.metadata.id, OpCode::Query);
    answer.add_queries(message.queries.clone());
    let big = name.to_ascii().starts_with("big");
    if big && udp {
        answer.metadata.truncation = true;
    } else {
        for n in 0..if big { 200 } else { 1 } {
            answer.add_answer(Record::from_rdata(name.clone(), 60, RData::A(rdata::A([192, 0, 2, n].into()))));
        }
    }
    answer.to_vec().unwrap()
}

/// Serves at `address` port 53, counting questions. The threads end with the test's process.
fn upstream(address: &str) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let socket = UdpSocket::bind((address, 53)).unwrap();
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((size, peer)) = socket.recv_from(&mut buffer) {
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = upstream_answer(&buffer[..size], true);
            let mut forged = answer.clone();
            forged[1] ^= 0xff;
            socket.send_to(&forged, peer).unwrap();
            let mut other =
                upstream_answer(&ask(u16::from_be_bytes([buffer[0], buffer[1]]), "forged.org.", RecordType::A), true);
            other[2] |= 0x80;
            socket.send_to(&other, peer).unwrap();
            socket.send_to(&answer, peer).unwrap();
        }
    });
    let listener = TcpListener::bind((address, 53)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut request = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut request).unwrap();
            let answer = upstream_answer(&request, false);
            stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    count
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn zones_are_served_changed_and_closed_while_it_runs() {
    let Some(()) = own_namespace() else { return };
    let dir = tempfile::tempdir().unwrap();
    web().write(dir.path(), "one").unwrap();
    let _running = Running::start(dir.path());
    let first = |server: &str| udp(server, &ask(5, "web.", RecordType::A)).map(|m| data(&m));
    assert_eq!(first("127.0.0.10").unwrap().len(), 2);
    let both = tcp("127.0.0.10", &[ask(1, "web.", RecordType::AAAA), ask(2, "db.internal.", RecordType::A)]);
    assert_eq!(
        both.iter().map(|m| (m.metadata.id, data(m).concat())).collect::<Vec<_>>(),
        [(1, "fd00::2".to_owned()), (2, "10.1.0.9".to_owned())]
    );

    // A second network: its own names, on its own gateways of both families, nothing of the first.
    zone(r#"{"listen":["127.0.0.20","::1"],"names":{"api":["10.2.0.2"]}}"#).write(dir.path(), "two").unwrap();
    eventually("the second network is served", || {
        udp("127.0.0.20", &ask(5, "api.", RecordType::A)).is_some_and(|m| !m.answers.is_empty())
    });
    assert_eq!(data(&udp("::1", &ask(5, "api.", RecordType::A)).unwrap()), ["10.2.0.2"]);
    assert_eq!(
        udp("127.0.0.20", &ask(5, "web.", RecordType::A)).unwrap().metadata.response_code,
        ResponseCode::NXDomain
    );

    // A zone that is no zone keeps what was there; a good one replaces it; removal closes the socket.
    std::fs::write(dir.path().join("one.zone"), "{ not json").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(first("127.0.0.10").unwrap().len(), 2);
    Zone { names: [("web".to_owned(), vec!["10.1.0.7".parse().unwrap()])].into(), ..web() }
        .write(dir.path(), "one")
        .unwrap();
    eventually("the change is seen", || first("127.0.0.10").is_some_and(|found| found == ["10.1.0.7"]));
    Zone::remove(dir.path(), "one").unwrap();
    Zone::remove(dir.path(), "one").unwrap();
    eventually("its port is free", || UdpSocket::bind(("127.0.0.10", 53)).is_ok());
}

#[test]
fn other_names_are_asked_upstream_by_the_clients_own_way() {
    let Some(()) = own_namespace() else { return };
    let dir = tempfile::tempdir().unwrap();
    let count = upstream("127.0.0.99");
    // Before the real one: ourselves, which is never asked, and one that refuses.
    Zone {
        upstream: ["127.0.0.10:53", "127.0.0.98:53", "127.0.0.99:53"]
            .map(|s| s.parse::<SocketAddr>().unwrap())
            .to_vec(),
        ..web()
    }
    .write(dir.path(), "one")
    .unwrap();
    let _running = Running::start(dir.path());
    let plain = udp("127.0.0.10", &ask(4242, "example.org.", RecordType::A)).unwrap();
    assert_eq!(
        (plain.metadata.id, data(&plain)),
        (4242, vec!["192.0.2.0".to_owned()]),
        "the real answer, under the client's id"
    );
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let cut = udp("127.0.0.10", &ask(7, "big.org.", RecordType::A)).unwrap();
    assert!(cut.metadata.truncation);
    assert_eq!(tcp("127.0.0.10", &[ask(7, "big.org.", RecordType::A)])[0].answers.len(), 200);
}

#[test]
fn silence_upstream_is_told_to_the_client() {
    let Some(()) = own_namespace() else { return };
    let dir = tempfile::tempdir().unwrap();
    let _deaf = UdpSocket::bind("127.0.0.99:53").unwrap();
    web().write(dir.path(), "one").unwrap();
    let _running = Running::start(dir.path());
    let start = Instant::now();
    let told = udp("127.0.0.10", &ask(7, "example.org.", RecordType::A)).unwrap();
    assert_eq!(told.metadata.response_code, ResponseCode::ServFail);
    assert!(start.elapsed() > Duration::from_millis(1500) && start.elapsed() < Duration::from_secs(5));
    assert_eq!(
        udp("127.0.0.10", &ask(7, "web.", RecordType::A)).unwrap().answers.len(),
        2,
        "and others are served meanwhile"
    );
}

#[test]
fn a_network_is_one_file_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["", "../x", ".hidden", "a/b"] {
        assert!(web().write(dir.path(), name).is_err(), "{name}");
    }
    web().write(dir.path(), "ok").unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
