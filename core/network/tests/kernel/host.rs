//! What is said of the host: its subnets, its neighbours' rules.

use crate::world::{journalled, network, on_a_host, outside, run};
use davit_network::Surroundings;
use std::net::IpAddr;

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
