//! Links beside veth and bridge: macvlan, VLAN, VXLAN.

use crate::world::{Server, call_from, connect, journalled, on_a_host, ours, outside, place, run};
use davit_model::network::{AddressLease, Attachment, EndpointPlan, LinkId, LinkKind, NetworkPlan, Subnet, SubnetId};
use davit_network::{Grants, NetError, Netns, check};

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
