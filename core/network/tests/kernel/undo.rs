//! Undoing, trying again, and bringing a host in line with the records.

use crate::world::{
    FAULTS, Server, alone_on_a_host, call, connect, endpoint, journalled, network, on_a_host, ours, place, run,
};
use davit_model::network::LinkId;
use davit_network::{KnownEndpoint, KnownNetwork, Netns};
use std::io::{self};

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
