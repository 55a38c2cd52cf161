//! Networks in a real kernel. Every test is in network namespaces of its own: the "host" is one too, so that the
//! machine's own namespace is never touched. They need root.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test ends where something is not as it should be")]

use davit_model::{
    network::{
        AddressLease, Attachment, EndpointPlan, LinkId, LinkKind, NetworkPlan, PortRequest, PublishedPort, Route,
        Subnet, SubnetId,
    },
    plan::{Journalled, Plan},
};
use davit_network::{
    EndpointState, Grants, Host, Instance, KnownEndpoint, KnownNetwork, NetError, Netns, Place, Pool, Surroundings,
    check,
};
use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Fault points are one list for the process: who switches one on holds this alone, the others share it.
static FAULTS: std::sync::RwLock<()> = std::sync::RwLock::new(());

/// Runs a test's body in a namespace that plays the host.
fn on_a_host(body: impl FnOnce(&Host) + Send) {
    let _shared = FAULTS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    alone_on_a_host(body);
}

fn alone_on_a_host(body: impl FnOnce(&Host) + Send) {
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
fn ours(text: &str) -> Vec<&str> {
    text.lines().filter(|line| ["dvbeef01-", "vebeef01-", "dxbeef01-"].iter().any(|p| line.contains(p))).collect()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A plan as it comes back from the journal.
fn journalled<B>(body: &B) -> Plan<B, Journalled>
where
    B: Clone,
{
    Plan::from_journal(body.clone())
}

fn network(third: u8) -> NetworkPlan {
    NetworkPlan {
        links: vec![(LinkId(0), LinkKind::Bridge)],
        subnets: vec![
            Subnet { id: SubnetId(0), net: format!("172.30.{third}.0/24").parse().unwrap(), masquerade: true },
            Subnet { id: SubnetId(1), net: format!("fd00:{third}::/64").parse().unwrap(), masquerade: true },
        ],
        isolate: true,
    }
}

fn endpoint(third: u8, last: u8, ports: &[(&str, u16, Option<&str>)]) -> EndpointPlan {
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

fn place(namespace: &Netns) -> Place<'_> {
    Place { namespace: namespace.as_fd(), ifname: "eth0", mac: None, default_route: true }
}

fn connect(
    host: &Host,
    (id, plan): (&str, &NetworkPlan),
    endpoint_id: &str,
    endpoint: &EndpointPlan,
    namespace: &Netns,
) -> davit_network::Result<EndpointState> {
    host.apply_endpoint(id, plan, endpoint_id, &journalled(endpoint), &place(namespace))
}

/// A listener in a namespace that answers every connection with the peer's address, until it is dropped.
struct Server(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Server {
    fn in_namespace(namespace: &Netns, address: &str) -> Self {
        namespace.run(|| Ok(Self::here(address))).unwrap()
    }

    fn here(address: &str) -> Self {
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
fn call(address: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_millis(2500))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn call_from(namespace: &Netns, address: &str) -> io::Result<String> {
    namespace.run(|| Ok(call(address))).unwrap()
}

#[test]
fn host_and_containers_of_one_bridge_reach_each_other_on_both_families() {
    on_a_host(|host| {
        let plan = network(1);
        check::network(&plan, &Grants::default()).unwrap();
        host.apply_network("n", &journalled(&plan)).unwrap();
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        let state = connect(host, ("n", &plan), "a", &endpoint(1, 2, &[]), &a).unwrap();
        connect(host, ("n", &plan), "b", &endpoint(1, 3, &[]), &b).unwrap();
        assert_eq!(state.mac, Some([0x02, 0x42, 172, 30, 1, 2]));
        let _server = Server::in_namespace(&a, "[::]:80");
        assert!(call("172.30.1.2:80").unwrap().ends_with("172.30.1.1"));
        assert_eq!(call("[fd00:1::2]:80").unwrap(), "fd00:1::1");
        assert!(call_from(&b, "172.30.1.2:80").unwrap().ends_with("172.30.1.3"));
        assert_eq!(call_from(&b, "[fd00:1::2]:80").unwrap(), "fd00:1::3");
        assert!(a.run(|| Ok(run("ip", &["-o", "addr", "show", "eth0"]))).unwrap().contains("172.30.1.2/24"));
    });
}

#[test]
fn a_published_port_is_reached_from_everywhere_and_refused_once_undone() {
    on_a_host(|host| {
        let plan = network(2);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        let published = endpoint(2, 2, &[("tcp", 8080, None)]);
        connect(host, ("n", &plan), "a", &published, &a).unwrap();
        connect(host, ("n", &plan), "b", &endpoint(2, 3, &[]), &b).unwrap();
        let _server = Server::in_namespace(&a, "[::]:80");
        call("127.0.0.1:8080").unwrap();
        call("172.30.2.1:8080").unwrap();
        call("[fd00:2::1]:8080").unwrap();
        // Nothing leads ::1 away, so that `localhost` falls back to 127.0.0.1 without a wait.
        assert_eq!(call("[::1]:8080").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        // From a neighbour, and from itself by the host's address: the hairpin.
        call_from(&b, "172.30.2.1:8080").unwrap();
        call_from(&b, "[fd00:2::1]:8080").unwrap();
        call_from(&a, "172.30.2.1:8080").unwrap();
        call_from(&a, "[fd00:2::1]:8080").unwrap();
        host.unpublish(&published).unwrap();
        for address in ["127.0.0.1:8080", "172.30.2.1:8080", "[::1]:8080"] {
            assert_eq!(call(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused, "{address}");
        }
        host.undo_endpoint("a", &published).unwrap();
        host.undo_endpoint("a", &published).unwrap();
    });
}

#[test]
fn a_port_bound_to_one_address_answers_there_only() {
    on_a_host(|host| {
        let plan = network(3);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        let ports =
            [("tcp", 8081, Some("127.0.0.1")), ("tcp", 8082, Some("fd00:3::1")), ("tcp", 8083, Some("172.30.3.1"))];
        connect(host, ("n", &plan), "a", &endpoint(3, 2, &ports), &a).unwrap();
        let _server = Server::in_namespace(&a, "[::]:80");
        for address in ["127.0.0.1:8081", "[fd00:3::1]:8082", "172.30.3.1:8083"] {
            let answer = call(address);
            assert!(answer.is_ok(), "{address}: {answer:?}");
        }
        for address in ["172.30.3.1:8081", "[fd00:3::1]:8081", "[::1]:8082", "127.0.0.1:8082", "127.0.0.1:8083"] {
            assert_eq!(call(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused, "{address}");
        }
    });
}

#[test]
fn a_port_published_on_loopback_is_closed_to_containers_that_forge_the_destination() {
    on_a_host(|host| {
        let plan = network(4);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        connect(host, ("n", &plan), "a", &endpoint(4, 2, &[]), &a).unwrap();
        let _server = Server::here("127.0.0.1:9000");
        let forged = a
            .run(|| {
                std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
                run("ip", &["addr", "del", "127.0.0.1/8", "dev", "lo"]);
                run("ip", &["route", "add", "127.0.0.0/8", "via", "172.30.4.1"]);
                run("ip", &["rule", "add", "pref", "0", "lookup", "main"]);
                Ok(call("127.0.0.1:9000"))
            })
            .unwrap();
        assert!(forged.is_err(), "{forged:?}");
    });
}

#[test]
fn a_port_on_which_a_process_of_the_host_listens_is_refused() {
    on_a_host(|host| {
        let plan = network(5);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        let v4 = TcpListener::bind("0.0.0.0:7001").unwrap();
        let v6 = TcpListener::bind("[::1]:7002").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:7003").unwrap();
        for (protocol, port) in [("tcp", 7001), ("tcp", 7002), ("udp", 7003)] {
            let wanted = endpoint(5, 2, &[(protocol, port, None)]);
            let answer = connect(host, ("n", &plan), "a", &wanted, &a);
            assert!(matches!(&answer, Err(NetError::Conflict(text)) if text.contains(&port.to_string())), "{answer:?}");
            host.undo_endpoint("a", &wanted).unwrap();
        }
        drop((v4, v6, udp));
        connect(host, ("n", &plan), "a", &endpoint(5, 2, &[("tcp", 7001, None)]), &a).unwrap();
    });
}

#[test]
fn one_port_leads_to_one_container() {
    on_a_host(|host| {
        let plan = network(6);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        let first = endpoint(6, 2, &[("tcp", 8080, None)]);
        let second = endpoint(6, 3, &[("tcp", 8080, None)]);
        connect(host, ("n", &plan), "a", &first, &a).unwrap();
        assert!(matches!(connect(host, ("n", &plan), "b", &second, &b), Err(NetError::Conflict(_))));
        // Undoing the one that lost leaves the other's port.
        host.undo_endpoint("b", &second).unwrap();
        let _server = Server::in_namespace(&a, "0.0.0.0:80");
        call("127.0.0.1:8080").unwrap();
    });
}

/// A third namespace that the host routes to, as the world outside.
fn outside() -> Netns {
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

#[test]
fn traffic_to_the_world_leaves_with_the_hosts_address_and_the_world_reaches_published_ports_only() {
    on_a_host(|host| {
        let world = outside();
        let plan = network(7);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        connect(host, ("n", &plan), "a", &endpoint(7, 2, &[("tcp", 8080, None)]), &a).unwrap();
        let _world = Server::in_namespace(&world, "[::]:80");
        let _inside = Server::in_namespace(&a, "[::]:80");
        assert!(call_from(&a, "192.0.2.2:80").unwrap().ends_with("192.0.2.1"));
        assert_eq!(call_from(&a, "[2001:db8::2]:80").unwrap(), "2001:db8::1");
        assert!(call_from(&world, "192.0.2.1:8080").unwrap().ends_with("192.0.2.2"));
        assert_eq!(call_from(&world, "[2001:db8::1]:8080").unwrap(), "2001:db8::2");
        assert!(call_from(&world, "172.30.7.2:80").is_err());
    });
}

#[test]
fn isolated_networks_do_not_reach_each_other_and_internal_ones_reach_nothing_outside() {
    on_a_host(|host| {
        let world = outside();
        let (one, two) = (network(8), network(9));
        let mut internal = network(10);
        internal.subnets.iter_mut().for_each(|subnet| subnet.masquerade = false);
        for (id, plan) in [("one", &one), ("two", &two), ("internal", &internal)] {
            host.apply_network(id, &journalled(plan)).unwrap();
        }
        let (a, b, c) = (Netns::create().unwrap(), Netns::create().unwrap(), Netns::create().unwrap());
        connect(host, ("one", &one), "a", &endpoint(8, 2, &[]), &a).unwrap();
        connect(host, ("two", &two), "b", &endpoint(9, 2, &[]), &b).unwrap();
        connect(host, ("internal", &internal), "c", &endpoint(10, 2, &[]), &c).unwrap();
        let _server = Server::in_namespace(&b, "[::]:80");
        let _world = Server::in_namespace(&world, "[::]:80");
        assert!(call_from(&a, "172.30.9.2:80").is_err());
        assert!(call_from(&a, "[fd00:9::2]:80").is_err());
        c.run(|| Ok(run("ip", &["route", "add", "default", "via", "172.30.10.1"]))).unwrap();
        assert!(call_from(&c, "192.0.2.2:80").is_err());
        call_from(&a, "192.0.2.2:80").unwrap();
    });
}

#[test]
fn applying_twice_changes_nothing_and_undoing_leaves_nothing() {
    on_a_host(|host| {
        let plan = network(11);
        let a = Netns::create().unwrap();
        let wanted = endpoint(11, 2, &[("tcp", 8080, None), ("udp", 53, Some("127.0.0.1"))]);
        let mut seen = Vec::new();
        for _ in 0..2 {
            host.apply_network("n", &journalled(&plan)).unwrap();
            connect(host, ("n", &plan), "a", &wanted, &a).unwrap();
            // Neither the order of elements nor how far a link's carrier has come is of interest.
            let words = |text: String| {
                let mut words: Vec<String> = text.split([' ', ',', '\n']).map(str::to_owned).collect();
                words.sort();
                words
            };
            let links = run("sh", &["-c", "ip -br link | cut -d' ' -f1"]);
            let addresses = run("ip", &["-o", "addr", "show", "type", "bridge", "scope", "global"]);
            seen.push([links, addresses, run("nft", &["list", "ruleset"])].map(words));
        }
        assert_eq!(seen[0], seen[1]);
        host.undo_endpoint("a", &wanted).unwrap();
        host.undo_network("n", &plan).unwrap();
        host.undo_network("n", &plan).unwrap();
        assert!(ours(&run("ip", &["-o", "link"])).is_empty());
        let rules = run("nft", &["list", "ruleset"]);
        assert!(!rules.contains("elements"), "{rules}");
    });
}

#[test]
fn after_a_failure_at_any_step_undoing_leaves_nothing_and_trying_again_works() {
    let _alone = FAULTS.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    for point in [
        "network-bridge",
        "network-links",
        "network-forwarding",
        "network-table",
        "endpoint-link",
        "endpoint-configured",
        "endpoint-ports",
    ] {
        alone_on_a_host(|host| {
            let plan = network(12);
            let a = Netns::create().unwrap();
            let wanted = endpoint(12, 2, &[("tcp", 8080, None)]);
            let whole = || {
                host.apply_network("n", &journalled(&plan))?;
                connect(host, ("n", &plan), "a", &wanted, &a).map(drop)
            };
            fail::cfg(point, "return").unwrap();
            let broken = whole();
            fail::remove(point);
            assert!(broken.unwrap_err().to_string().contains(point));
            // A daemon that comes after finds no record of it.
            host.reconcile(&[], &[]).unwrap();
            assert!(ours(&run("ip", &["-o", "link"])).is_empty(), "{point}");
            assert!(!run("nft", &["list", "ruleset"]).contains("elements"), "{point}");
            whole().unwrap();
            let _server = Server::in_namespace(&a, "0.0.0.0:80");
            call("127.0.0.1:8080").unwrap();
        });
    }
}

#[test]
fn reconciling_brings_back_what_was_lost_and_removes_what_no_record_names() {
    on_a_host(|host| {
        let (kept, stale) = (network(13), network(14));
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        let wanted = endpoint(13, 2, &[("tcp", 8080, None)]);
        let old = endpoint(14, 2, &[("tcp", 8181, None)]);
        host.apply_network("kept", &journalled(&kept)).unwrap();
        host.apply_network("stale", &journalled(&stale)).unwrap();
        connect(host, ("kept", &kept), "a", &wanted, &a).unwrap();
        connect(host, ("stale", &stale), "b", &old, &b).unwrap();
        let _server = Server::in_namespace(&a, "[::]:80");
        let networks = [KnownNetwork { id: "kept", plan: &kept }];
        let endpoints = [KnownEndpoint { id: "a", network: "kept", plan: &wanted, place: Some(place(&a)) }];
        let losses: [&dyn Fn(); 4] = [
            &|| {},
            &|| drop(run("nft", &["delete", "table", "inet", "davit-beef01"])),
            &|| drop(run("ip", &["link", "del", &host.bridge_name("kept", LinkId(0))])),
            &|| drop(run("ip", &["link", "del", &host.veth_name("a")])),
        ];
        for (at, lose) in losses.iter().enumerate() {
            lose();
            let done = host.reconcile(&networks, &endpoints).unwrap();
            assert!(done.lost.is_empty());
            assert_eq!(done.removed.is_empty(), at > 0, "{done:?}");
            call("127.0.0.1:8080").unwrap_or_else(|error| panic!("loss {at}: {error}"));
            call("[fd00:13::1]:8080").unwrap();
            assert_eq!(ours(&run("ip", &["-o", "link"])).len(), 2);
            assert_eq!(call("127.0.0.1:8181").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn fifty_endpoints_are_made_at_once() {
    on_a_host(|host| {
        let plan = network(15);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let spaces: Vec<Netns> = (0..50).map(|_| Netns::create().unwrap()).collect();
        let times = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for (at, space) in (2_u8..).zip(&spaces) {
                let (plan, times) = (&plan, &times);
                scope.spawn(move || {
                    let wanted = endpoint(15, at, &[("tcp", 20000 + u16::from(at), None)]);
                    let begun = Instant::now();
                    connect(host, ("n", plan), &format!("e{at}"), &wanted, space).unwrap();
                    times.lock().unwrap().push(begun.elapsed());
                });
            }
        });
        let mut times = times.into_inner().unwrap();
        times.sort();
        eprintln!("50 endpoints at once: median {:?}, last {:?}", times[25], times[49]);
        assert_eq!(ours(&run("ip", &["-o", "link"])).len(), 51);
        let _server = Server::in_namespace(&spaces[49], "0.0.0.0:80");
        call("127.0.0.1:20051").unwrap();
    });
}

#[test]
fn a_pair_and_a_namespace_take_less_than_a_tenth_of_a_second() {
    on_a_host(|host| {
        let plan = network(16);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let (mut made, mut up) = (Vec::new(), Vec::new());
        for last in 2..22 {
            let begun = Instant::now();
            let space = Netns::create().unwrap();
            made.push(begun.elapsed());
            let wanted = endpoint(16, last, &[("tcp", 20000 + u16::from(last), None)]);
            let begun = Instant::now();
            connect(host, ("n", &plan), &format!("e{last}"), &wanted, &space).unwrap();
            up.push(begun.elapsed());
        }
        let (mut closed, mut gone) = (Vec::new(), Vec::new());
        for last in 2..22 {
            let wanted = endpoint(16, last, &[("tcp", 20000 + u16::from(last), None)]);
            let begun = Instant::now();
            host.unpublish(&wanted).unwrap();
            closed.push(begun.elapsed());
            let begun = Instant::now();
            host.undo_endpoint(&format!("e{last}"), &wanted).unwrap();
            gone.push(begun.elapsed());
        }
        for times in [&mut made, &mut up, &mut closed, &mut gone] {
            times.sort();
        }
        eprintln!(
            "medians: namespace {:?}, endpoint with port {:?}, unpublish {:?}, undo {:?}",
            made[10], up[10], closed[10], gone[10]
        );
        assert!(made[10] + up[10] < Duration::from_millis(100));
    });
}

#[test]
fn a_macvlan_gets_its_address_and_a_vlan_is_made_or_called_unsupported() {
    on_a_host(|host| {
        let _world = outside();
        let grants = Grants { parents: ["wan".to_owned()].into() };
        let plan = NetworkPlan {
            subnets: vec![Subnet { id: SubnetId(0), net: "192.0.2.0/24".parse().unwrap(), masquerade: false }],
            ..NetworkPlan::default()
        };
        let wanted = EndpointPlan {
            attachment: Attachment::Macvlan { parent: "wan".into(), mode: "bridge".into() },
            addresses: vec![AddressLease {
                subnet: SubnetId(0),
                address: "192.0.2.9/24".parse().unwrap(),
                gateway: "192.0.2.2".parse().unwrap(),
            }],
            ..EndpointPlan::default()
        };
        check::endpoint(&wanted, &plan, &grants).unwrap();
        let a = Netns::create().unwrap();
        connect(host, ("n", &plan), "a", &wanted, &a).unwrap();
        connect(host, ("n", &plan), "a", &wanted, &a).unwrap();
        let _server = Server::in_namespace(&_world, "0.0.0.0:80");
        assert_eq!(call_from(&a, "192.0.2.2:80").unwrap(), "192.0.2.9");
        host.detach_endpoint("a", &wanted, &place(&a)).unwrap();
        let vlan = NetworkPlan {
            links: vec![(LinkId(0), LinkKind::Vlan { parent: "wan".into(), id: 7 })],
            ..NetworkPlan::default()
        };
        match host.apply_network("v", &journalled(&vlan)) {
            Ok(()) => assert_eq!(ours(&run("ip", &["-o", "link", "show", "type", "vlan"])).len(), 1),
            Err(error) => assert!(matches!(error, NetError::Unsupported { .. }), "{error}"),
        }
        host.undo_network("v", &vlan).unwrap();
    });
}

#[test]
fn a_vxlan_is_a_port_of_its_bridge_with_its_peers() {
    on_a_host(|host| {
        let plan = NetworkPlan {
            links: vec![(LinkId(0), LinkKind::Vxlan { id: 42, remotes: vec!["192.0.2.7".parse().unwrap()] })],
            ..NetworkPlan::default()
        };
        for _ in 0..2 {
            host.apply_network("x", &journalled(&plan)).unwrap();
        }
        let links = run("ip", &["-o", "-d", "link", "show", "type", "vxlan"]);
        assert!(links.contains("vxlan id 42") && links.contains("master dvbeef01-"), "{links}");
        let peers = run("bridge", &["fdb", "show"]);
        assert_eq!(peers.matches("dst 192.0.2.7").count(), 1, "{peers}");
        host.undo_network("x", &plan).unwrap();
    });
}

#[test]
fn a_neighbour_that_drops_forwarded_packets_is_warned_of() {
    on_a_host(|host| {
        assert!(host.facts().unwrap().warnings.is_empty());
        run("nft", &["add", "table", "ip", "filter"]);
        run("nft", &["add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }"]);
        let warnings = host.facts().unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains("filter FORWARD"), "{warnings:?}");
    });
}

#[test]
fn subnets_of_the_host_are_busy_and_its_own_networks_are_not() {
    on_a_host(|host| {
        let _world = outside();
        host.apply_network("n", &journalled(&network(17))).unwrap();
        let busy = host.busy().unwrap();
        assert!(busy.contains(&"192.0.2.0/24".parse().unwrap()), "{busy:?}");
        let inside: IpAddr = "172.30.17.1".parse().unwrap();
        assert!(!busy.iter().any(|net| net.contains(&inside)), "{busy:?}");
    });
}

#[test]
fn a_second_network_gets_its_own_link_settings_and_routes_and_no_default() {
    on_a_host(|host| {
        let (one, two) = (network(18), network(19));
        host.apply_network("one", &journalled(&one)).unwrap();
        host.apply_network("two", &journalled(&two)).unwrap();
        let a = Netns::create().unwrap();
        connect(host, ("one", &one), "a1", &endpoint(18, 2, &[]), &a).unwrap();
        let wanted = EndpointPlan {
            routes: vec![Route { dst: "203.0.113.0/24".parse().unwrap(), via: Some("172.30.19.7".parse().unwrap()) }],
            sysctls: [("net.ipv4.conf.eth1.log_martians".to_owned(), "1".to_owned())].into(),
            mtu: Some(1400),
            ..endpoint(19, 2, &[])
        };
        let mac = Some([0x02, 1, 2, 3, 4, 5]);
        let place = Place { ifname: "eth1", mac, default_route: false, ..place(&a) };
        for _ in 0..2 {
            let state = host.apply_endpoint("two", &two, "a2", &journalled(&wanted), &place).unwrap();
            assert_eq!((state.ifname.as_deref(), state.mac), (Some("eth1"), mac));
        }
        let seen = a
            .run(|| {
                let setting = std::fs::read_to_string("/proc/sys/net/ipv4/conf/eth1/log_martians").unwrap();
                Ok([run("ip", &["link", "show", "eth1"]), run("ip", &["route"]), setting])
            })
            .unwrap();
        assert!(seen[0].contains("mtu 1400") && seen[0].contains("02:01:02:03:04:05"), "{}", seen[0]);
        assert!(seen[1].contains("203.0.113.0/24 via 172.30.19.7 dev eth1"), "{}", seen[1]);
        assert_eq!(seen[1].matches("default").count(), 1, "{}", seen[1]);
        assert!(seen[1].contains("default via 172.30.18.1 dev eth0"), "{}", seen[1]);
        assert_eq!(seen[2].trim(), "1");
    });
}

#[test]
fn an_endpoint_without_a_link_changes_nothing_and_a_pooled_namespace_has_loopback() {
    on_a_host(|host| {
        let pool = Pool::new(3);
        pool.fill().unwrap();
        assert_eq!(pool.ready(), 3);
        let a = pool.take().unwrap();
        assert_eq!(pool.ready(), 2);
        for attachment in [Attachment::None, Attachment::ShareHost] {
            let plan = EndpointPlan { attachment, ..EndpointPlan::default() };
            let state = connect(host, ("n", &NetworkPlan::default()), "a", &plan, &a).unwrap();
            assert_eq!(state, EndpointState::default());
            host.undo_endpoint("a", &plan).unwrap();
        }
        let _server = Server::in_namespace(&a, "127.0.0.1:80");
        assert_eq!(call_from(&a, "127.0.0.1:80").unwrap(), "127.0.0.1");
    });
}

#[test]
fn a_published_udp_port_answers_from_the_address_that_was_asked() {
    on_a_host(|host| {
        let plan = network(20);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let a = Netns::create().unwrap();
        connect(host, ("n", &plan), "a", &endpoint(20, 2, &[("udp", 5353, None)]), &a).unwrap();
        let inside = a.run(|| Ok(UdpSocket::bind("0.0.0.0:80").unwrap())).unwrap();
        inside.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
        outside.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        outside.connect("127.0.0.1:5353").unwrap();
        outside.send(b"question").unwrap();
        let mut buffer = [0; 16];
        let (length, from) = inside.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"question");
        inside.send_to(b"answer", from).unwrap();
        // The socket is connected: only what comes from the published address arrives.
        let length = outside.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"answer");
    });
}
