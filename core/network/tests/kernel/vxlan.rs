//! VXLANs between two namespaces that play two hosts, with packets that go all the way.

use crate::world::{Server, call, call_from, connect, journalled, on_a_host, ours, outside, run};
use davit_model::network::{
    AddressLease, Attachment, EndpointPlan, LinkId, LinkKind, NetworkPlan, Route, Subnet, SubnetId,
};
use davit_network::{Host, Instance, KnownEndpoint, KnownNetwork, NetError, Netns};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

const ID: u32 = 42;

/// A host's part of the network `10.5.0.0/16`: the slice `10.5.HOST.0/24`.
fn network(host: u8, peer: &str) -> NetworkPlan {
    NetworkPlan {
        links: vec![(LinkId(0), LinkKind::Vxlan { id: ID, remotes: vec![peer.parse().unwrap()] })],
        subnets: vec![Subnet { id: SubnetId(0), net: format!("10.5.{host}.0/24").parse().unwrap(), masquerade: true }],
        isolate: true,
    }
}

/// An endpoint in the host's slice that finds the whole network on its link.
fn endpoint(host: u8, last: u8) -> EndpointPlan {
    let gateway = format!("10.5.{host}.1").parse().unwrap();
    EndpointPlan {
        attachment: Attachment::Veth { master: LinkId(0) },
        addresses: vec![AddressLease {
            subnet: SubnetId(0),
            address: format!("10.5.{host}.{last}/24").parse().unwrap(),
            gateway,
        }],
        routes: vec![
            Route { dst: "0.0.0.0/0".parse().unwrap(), via: Some(gateway) },
            Route { dst: "10.5.0.0/16".parse().unwrap(), via: None },
        ],
        mtu: Some(1430),
        ..EndpointPlan::default()
    }
}

/// How many bytes of a large upload arrive at `address` in `to`.
fn upload(from: &Netns, to: &Netns, address: &str, bytes: usize) -> usize {
    let listener = to.run(|| Ok(TcpListener::bind(address).unwrap())).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut all = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut all).unwrap();
            all.len()
        });
        let send = || {
            TcpStream::connect(address).unwrap().write_all(&vec![7; bytes]).unwrap();
            Ok(())
        };
        from.run(send).unwrap();
        reader.join().unwrap()
    })
}

/// How many bytes came in by the VXLAN of this host.
fn carried() -> u64 {
    let links = run("ip", &["-s", "-o", "link", "show", "type", "vxlan"]);
    let counts = links.split("RX:").nth(1).and_then(|rest| rest.split('\\').nth(1)).unwrap_or_default();
    counts.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

fn containers_of_two_hosts_meet(here: &str, there: &str) {
    on_a_host(|host| {
        let other_host = outside();
        let (near, far) = (network(1, there), network(2, here));
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        host.apply_network("x", &journalled(&near)).unwrap();
        connect(host, ("x", &near), "a", &endpoint(1, 2), &a).unwrap();
        let second = other_host
            .run(|| {
                let second = Host::open(Instance::new("beef01")?)?;
                second.apply_network("x", &journalled(&far))?;
                connect(&second, ("x", &far), "b", &endpoint(2, 2), &b)?;
                Ok(second)
            })
            .unwrap();
        let _of_a = Server::in_namespace(&a, "0.0.0.0:80");
        let _of_b = Server::in_namespace(&b, "0.0.0.0:80");
        assert_eq!(call_from(&a, "10.5.2.2:80").unwrap(), "10.5.1.2", "its own address arrives");
        assert_eq!(call_from(&b, "10.5.1.2:80").unwrap(), "10.5.2.2");
        assert_eq!(call("10.5.1.2:80").unwrap(), "10.5.1.1", "the host reaches its own");
        assert_eq!(upload(&a, &b, "10.5.2.2:81", 500_000), 500_000);
        let (out, back) = (carried(), other_host.run(|| Ok(carried())).unwrap());
        assert!(out > 500 && back > 500_000, "all of it went over the VXLAN: {out} and {back}");
        // Each container leaves for the world by its own host's bridge, of which there are two.
        let route = |space: &Netns| space.run(|| Ok(run("ip", &["route", "show", "default"]))).unwrap();
        assert!(route(&a).contains("via 10.5.1.1") && route(&b).contains("via 10.5.2.1"));
        other_host
            .run(|| {
                second.undo_endpoint("b", &endpoint(2, 2))?;
                second.undo_network("x", &far)?;
                second.undo_network("x", &far)?;
                assert!(ours(&run("ip", &["-o", "link"])).is_empty());
                second.teardown_all()
            })
            .unwrap();
        assert!(call_from(&a, "10.5.2.2:80").is_err());
        host.undo_endpoint("a", &endpoint(1, 2)).unwrap();
        host.undo_network("x", &near).unwrap();
        assert!(ours(&run("ip", &["-o", "link"])).is_empty());
        assert!(run("ip", &["-o", "link", "show", "type", "vxlan"]).is_empty());
    });
}

#[test]
fn containers_of_two_hosts_meet_over_ipv4() {
    containers_of_two_hosts_meet("192.0.2.1", "192.0.2.2");
}

#[test]
fn containers_of_two_hosts_meet_over_ipv6() {
    containers_of_two_hosts_meet("2001:db8::1", "2001:db8::2");
}

#[test]
fn applying_twice_adds_no_peer_twice_and_a_lost_bridge_gets_its_vxlan_back() {
    on_a_host(|host| {
        let plan = network(1, "192.0.2.7");
        for _ in 0..2 {
            host.apply_network("x", &journalled(&plan)).unwrap();
        }
        let a = Netns::create().unwrap();
        let wanted = endpoint(1, 2);
        connect(host, ("x", &plan), "a", &wanted, &a).unwrap();
        let bridge = host.bridge_name("x", LinkId(0));
        let whole = || {
            let links = run("ip", &["-o", "-d", "link", "show", "type", "vxlan"]);
            assert!(links.contains("vxlan id 42") && links.contains(&format!("master {bridge}")), "{links}");
            assert!(links.contains("dstport 4789"), "{links}");
            let peers = run("bridge", &["fdb", "show"]);
            assert_eq!(peers.matches("dst 192.0.2.7").count(), 1, "{peers}");
        };
        whole();
        run("ip", &["link", "del", &bridge]);
        let networks = [KnownNetwork { id: "x", plan: &plan }];
        let place = crate::world::place(&a);
        let endpoints = [KnownEndpoint { id: "a", network: "x", plan: &wanted, place: Some(place) }];
        host.reconcile(&networks, &endpoints).unwrap();
        whole();
        let _of_a = Server::in_namespace(&a, "0.0.0.0:80");
        assert_eq!(call("10.5.1.2:80").unwrap(), "10.5.1.1");
    });
}

#[test]
fn an_id_that_another_network_has_is_a_conflict_that_says_so() {
    on_a_host(|host| {
        let (one, two) = (network(1, "192.0.2.7"), network(2, "192.0.2.7"));
        host.apply_network("one", &journalled(&one)).unwrap();
        let error = host.apply_network("two", &journalled(&two)).unwrap_err();
        assert!(matches!(&error, NetError::Conflict(text) if text == "VXLAN id 42 is in use on this host"), "{error}");
        host.undo_network("two", &two).unwrap();
        assert_eq!(ours(&run("ip", &["-o", "link"])).len(), 2, "the other is whole");
    });
}
