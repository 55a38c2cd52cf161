//! Macvlans: containers that are on the host's own network, with addresses of it, behind none of the host's rules.

use crate::world::{Server, call_from, connect, journalled, on_a_host, outside, place, run};
use davit_model::network::{
    AddressLease, Attachment, EndpointPlan, LinkId, LinkKind, NetworkPlan, Route, Subnet, SubnetId,
};
use davit_network::{Grants, KnownEndpoint, KnownNetwork, NetError, Netns, check};
use std::time::{Duration, Instant};

fn lan() -> NetworkPlan {
    NetworkPlan {
        subnets: vec![Subnet { id: SubnetId(0), net: "192.0.2.0/24".parse().unwrap(), masquerade: false }],
        ..NetworkPlan::default()
    }
}

fn on_wan(last: u8, mode: &str, router: Option<&str>) -> EndpointPlan {
    let via = router.map(|address| address.parse().unwrap());
    EndpointPlan {
        attachment: Attachment::Macvlan { parent: "wan".into(), mode: mode.into() },
        addresses: vec![AddressLease {
            subnet: SubnetId(0),
            address: format!("192.0.2.{last}/24").parse().unwrap(),
            gateway: "192.0.2.1".parse().unwrap(),
        }],
        routes: via.iter().map(|via| Route { dst: "0.0.0.0/0".parse().unwrap(), via: Some(*via) }).collect(),
        mtu: Some(1400),
        ..EndpointPlan::default()
    }
}

/// Waits until the kernel has taken namespaces down, which it does behind their last descriptor's back.
fn until(what: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn a_container_on_the_hosts_network_is_reached_by_its_own_address_and_leaves_by_the_router_that_was_said() {
    on_a_host(|host| {
        let world = outside();
        world.run(|| Ok(run("ip", &["addr", "add", "198.51.100.1/32", "dev", "lo"]))).unwrap();
        let plan = lan();
        let grants = Grants { parents: ["wan".to_owned()].into() };
        let (with, without) = (on_wan(9, "bridge", Some("192.0.2.2")), on_wan(10, "bridge", None));
        check::network(&plan, &grants).unwrap();
        check::endpoint(&with, &plan, &grants).unwrap();
        // The host is in this subnet itself: allowed, as nothing of the network is the host's.
        host.apply_network("n", &journalled(&plan)).unwrap();
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        for _ in 0..2 {
            let state = connect(host, ("n", &plan), "a", &with, &a).unwrap();
            assert_eq!((state.ifname.as_deref(), state.host_ifname), (Some("eth0"), None));
            assert_eq!(state.mac, Some([0x02, 0x42, 192, 0, 2, 9]));
        }
        connect(host, ("n", &plan), "b", &without, &b).unwrap();
        let _there = Server::in_namespace(&world, "0.0.0.0:80");
        let _here = Server::in_namespace(&a, "0.0.0.0:80");
        assert_eq!(call_from(&a, "192.0.2.2:80").unwrap(), "192.0.2.9");
        assert_eq!(call_from(&a, "198.51.100.1:80").unwrap(), "192.0.2.9", "nobody translates its address");
        assert_eq!(call_from(&world, "192.0.2.9:80").unwrap(), "192.0.2.2");
        assert_eq!(call_from(&b, "192.0.2.9:80").unwrap(), "192.0.2.10", "two of one parent reach each other");
        let seen =
            |space: &Netns| space.run(|| Ok(run("ip", &["route"]) + &run("ip", &["link", "show", "eth0"]))).unwrap();
        assert!(seen(&a).contains("default via 192.0.2.2 dev eth0") && seen(&a).contains("mtu 1400"), "{}", seen(&a));
        assert!(!seen(&b).contains("default via"), "no route is made up: {}", seen(&b));
        assert!(call_from(&b, "198.51.100.1:80").is_err());
        host.undo_network("n", &plan).unwrap();
    });
}

#[test]
fn in_private_mode_containers_of_one_parent_do_not_reach_each_other() {
    on_a_host(|host| {
        let world = outside();
        let plan = lan();
        let (a, b) = (Netns::create().unwrap(), Netns::create().unwrap());
        connect(host, ("n", &plan), "a", &on_wan(9, "private", None), &a).unwrap();
        connect(host, ("n", &plan), "b", &on_wan(10, "private", None), &b).unwrap();
        let _here = Server::in_namespace(&a, "0.0.0.0:80");
        assert!(call_from(&b, "192.0.2.9:80").is_err());
        assert_eq!(call_from(&world, "192.0.2.9:80").unwrap(), "192.0.2.2");
    });
}

#[test]
fn undoing_leaves_nothing_on_the_parent() {
    on_a_host(|host| {
        let _world = outside();
        let plan = lan();
        // `passthru` takes the parent for itself alone: a second one works only where the first is gone.
        let wanted = on_wan(9, "passthru", None);
        let a = Netns::create().unwrap();
        connect(host, ("n", &plan), "a", &wanted, &a).unwrap();
        let b = Netns::create().unwrap();
        assert!(connect(host, ("n", &plan), "b", &wanted, &b).is_err());
        host.detach_endpoint("a", &wanted, &place(&a)).unwrap();
        host.detach_endpoint("a", &wanted, &place(&a)).unwrap();
        assert!(!a.run(|| Ok(run("ip", &["-o", "link"]))).unwrap().contains("eth0"));
        connect(host, ("n", &plan), "b", &wanted, &b).unwrap();
        host.undo_endpoint("b", &wanted).unwrap();
        drop(b);
        let c = Netns::create().unwrap();
        assert!(until(|| connect(host, ("n", &plan), "c", &wanted, &c).is_ok()), "it ends with its namespace");
    });
}

#[test]
fn what_the_parent_took_along_comes_back_with_it() {
    on_a_host(|host| {
        let world = outside();
        let plan = lan();
        let wanted = on_wan(9, "bridge", None);
        let a = Netns::create().unwrap();
        connect(host, ("n", &plan), "a", &wanted, &a).unwrap();
        let networks = [KnownNetwork { id: "n", plan: &plan }];
        let endpoints = [KnownEndpoint { id: "a", network: "n", plan: &wanted, place: Some(place(&a)) }];
        assert!(host.reconcile(&networks, &endpoints).unwrap().lost.is_empty());
        run("ip", &["link", "del", "wan"]);
        assert_eq!(host.reconcile(&networks, &endpoints).unwrap().lost, ["a"]);
        drop(world);
        let world = outside();
        assert!(host.reconcile(&networks, &endpoints).unwrap().lost.is_empty());
        let _there = Server::in_namespace(&world, "0.0.0.0:80");
        assert_eq!(call_from(&a, "192.0.2.2:80").unwrap(), "192.0.2.9");
    });
}

#[test]
fn a_parent_that_is_not_there_and_a_bridge_in_the_hosts_subnet_are_refused() {
    on_a_host(|host| {
        let _world = outside();
        let a = Netns::create().unwrap();
        let lost = EndpointPlan {
            attachment: Attachment::Macvlan { parent: "nosuch0".into(), mode: "bridge".into() },
            ..on_wan(9, "bridge", None)
        };
        let error = connect(host, ("n", &lan()), "a", &lost, &a).unwrap_err().to_string();
        assert!(error.contains("nosuch0") && error.contains("ENODEV"), "{error}");
        let bridge = NetworkPlan { links: vec![(LinkId(0), LinkKind::Bridge)], ..lan() };
        let error = host.apply_network("b", &journalled(&bridge)).unwrap_err();
        assert!(matches!(&error, NetError::Conflict(text) if text.contains("which the host uses")), "{error}");
        host.undo_network("b", &bridge).unwrap();
    });
}
