//! A namespace that plays the host, containers' namespaces, the world outside, and those who talk across.

use davit_model::network::{
    AddressLease, Attachment, EndpointPlan, LinkId, LinkKind, NetworkPlan, PortRequest, PublishedPort, Route, Subnet,
    SubnetId,
};
use davit_model::plan::{Journalled, Plan};
use davit_network::{EndpointState, Host, Instance, Netns, Place};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Fault points are one list for the process: who switches one on holds this alone, the others share it.
pub(crate) static FAULTS: std::sync::RwLock<()> = std::sync::RwLock::new(());

/// Runs a test's body in a namespace that plays the host.
pub(crate) fn on_a_host(body: impl FnOnce(&Host) + Send) {
    let _shared = FAULTS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    alone_on_a_host(body);
}

pub(crate) fn alone_on_a_host(body: impl FnOnce(&Host) + Send) {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: network namespaces need root, and this user is not");
        return;
    }
    let namespace = Netns::create().unwrap();
    namespace
        .run(|| {
            let host = Host::open(Instance::new("beef01")?)?;
            body(&host);
            host.teardown_all()?;
            assert!(ours(&run("ip", &["-o", "link"])).is_empty());
            assert!(!run("nft", &["list", "tables"]).contains("davit-"));
            Ok(())
        })
        .unwrap();
}

/// The lines of `text` that name one of our links.
pub(crate) fn ours(text: &str) -> Vec<&str> {
    text.lines().filter(|line| ["dvbeef01-", "vebeef01-", "dxbeef01-"].iter().any(|p| line.contains(p))).collect()
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A plan as it comes back from the journal.
pub(crate) fn journalled<B>(body: &B) -> Plan<B, Journalled>
where
    B: Clone,
{
    Plan::from_journal(body.clone())
}

pub(crate) fn network(third: u8) -> NetworkPlan {
    NetworkPlan {
        links: vec![(LinkId(0), LinkKind::Bridge)],
        subnets: vec![
            Subnet { id: SubnetId(0), net: format!("172.30.{third}.0/24").parse().unwrap(), masquerade: true },
            Subnet { id: SubnetId(1), net: format!("fd00:{third}::/64").parse().unwrap(), masquerade: true },
        ],
        isolate: true,
    }
}

pub(crate) fn endpoint(third: u8, last: u8, ports: &[(&str, u16, Option<&str>)]) -> EndpointPlan {
    EndpointPlan {
        attachment: Attachment::Veth { master: LinkId(0) },
        addresses: vec![
            AddressLease {
                subnet: SubnetId(0),
                address: format!("172.30.{third}.{last}/24").parse().unwrap(),
                gateway: format!("172.30.{third}.1").parse().unwrap(),
            },
            AddressLease {
                subnet: SubnetId(1),
                address: format!("fd00:{third}::{last:x}/64").parse().unwrap(),
                gateway: format!("fd00:{third}::1").parse().unwrap(),
            },
        ],
        routes: vec![
            Route { dst: "0.0.0.0/0".parse().unwrap(), via: Some(format!("172.30.{third}.1").parse().unwrap()) },
            Route { dst: "::/0".parse().unwrap(), via: Some(format!("fd00:{third}::1").parse().unwrap()) },
        ],
        ports: ports
            .iter()
            .map(|(protocol, outside, address)| PublishedPort {
                request: PortRequest {
                    protocol: (*protocol).to_owned(),
                    inside: 80,
                    outside: Some(*outside),
                    address: address.map(|a| a.parse().unwrap()),
                },
                outside: *outside,
            })
            .collect(),
        ..EndpointPlan::default()
    }
}

pub(crate) fn place(namespace: &Netns) -> Place<'_> {
    Place { namespace: namespace.as_fd(), ifname: "eth0", mac: None, default_route: true }
}

pub(crate) fn connect(
    host: &Host,
    (id, plan): (&str, &NetworkPlan),
    endpoint_id: &str,
    endpoint: &EndpointPlan,
    namespace: &Netns,
) -> davit_network::Result<EndpointState> {
    host.apply_endpoint(id, plan, endpoint_id, &journalled(endpoint), &place(namespace))
}

/// A listener in a namespace that answers every connection with the peer's address, until it is dropped.
pub(crate) struct Server(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Server {
    pub(crate) fn in_namespace(namespace: &Netns, address: &str) -> Self {
        namespace.run(|| Ok(Self::here(address))).unwrap()
    }

    pub(crate) fn here(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                if let Ok((mut stream, peer)) = listener.accept() {
                    let _ = stream.write_all(peer.ip().to_string().as_bytes());
                } else {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        if let Some(thread) = self.1.take() {
            let _ = thread.join();
        }
    }
}

/// Connects and reads who the server says we are.
pub(crate) fn call(address: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_millis(2500))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

pub(crate) fn call_from(namespace: &Netns, address: &str) -> io::Result<String> {
    namespace.run(|| Ok(call(address))).unwrap()
}

/// A third namespace that the host routes to, as the world outside.
pub(crate) fn outside() -> Netns {
    let world = Netns::create().unwrap();
    run("ip", &["link", "add", "wan", "type", "veth", "peer", "name", "lan"]);
    for arguments in [["addr", "add", "192.0.2.1/24", "dev", "wan"], ["addr", "add", "2001:db8::1/64", "dev", "wan"]] {
        run("ip", &[&arguments[..], &["nodad"][..arguments[2].contains(':').into()]].concat());
    }
    run("ip", &["link", "set", "wan", "up"]);
    use std::os::fd::AsRawFd;
    let path = format!("/proc/{}/fd/{}", std::process::id(), world.as_fd().as_raw_fd());
    let moved = run("ip", &["link", "set", "lan", "netns", &path]);
    assert!(moved.is_empty(), "{moved}");
    world
        .run(|| {
            run("ip", &["addr", "add", "192.0.2.2/24", "dev", "lan"]);
            run("ip", &["addr", "add", "2001:db8::2/64", "dev", "lan", "nodad"]);
            run("ip", &["link", "set", "lan", "up"]);
            run("ip", &["route", "add", "172.30.0.0/16", "via", "192.0.2.1"]);
            Ok(())
        })
        .unwrap();
    world
}
