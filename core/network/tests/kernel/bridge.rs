//! A bridge and what goes over it: containers, the host, the world.

use crate::world::{Server, call, call_from, connect, endpoint, journalled, network, on_a_host, outside, run};
use davit_network::{Grants, Netns, check};

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
