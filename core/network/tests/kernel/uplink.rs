//! VLANs as uplinks of a network's bridge.

use crate::world::{journalled, on_a_host, ours, outside, run};
use davit_model::network::{LinkId, LinkKind, NetworkPlan};
use davit_network::NetError;

#[test]
fn a_vlan_is_a_port_of_its_bridge_or_called_unsupported() {
    on_a_host(|host| {
        let _world = outside();
        let plan = NetworkPlan {
            links: vec![(LinkId(0), LinkKind::Vlan { parent: "wan".into(), id: 7 })],
            ..NetworkPlan::default()
        };
        let shown = || run("ip", &["-o", "-d", "link", "show", "type", "vlan"]);
        match host.apply_network("v", &journalled(&plan)) {
            Ok(()) => {
                host.apply_network("v", &journalled(&plan)).unwrap();
                let links = shown();
                assert_eq!(ours(&links).len(), 1, "{links}");
                assert!(links.contains("vlan protocol 802.1Q id 7") && links.contains("master dvbeef01-"), "{links}");
            }
            Err(error) => assert!(matches!(error, NetError::Unsupported { .. }), "{error}"),
        }
        host.undo_network("v", &plan).unwrap();
        assert!(ours(&run("ip", &["-o", "link"])).is_empty());
    });
}
