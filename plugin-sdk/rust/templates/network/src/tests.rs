//! The driver over the mock host: what it plans for a network and for two containers on it.

use super::MyPlugin;
use davit_plugin_sdk::{
    mock::{
        Site, json,
        network::{Attachment, Connected, Endpoint, LinkKind, Network, Planned},
    },
    network::{
        EndpointPlan, EndpointRequest, Error, NetworkDriver as _, NetworkPlan, NetworkRequest, NetworkView, Port,
    },
};

fn planned(network: Network) -> NetworkPlan {
    let plan = NetworkPlan::new();
    MyPlugin::plan_network(&NetworkRequest::from(network), &plan).unwrap();
    plan
}

fn connected(network: &NetworkView, endpoint: Endpoint) -> Result<Connected, Error> {
    let plan = EndpointPlan::on(network);
    MyPlugin::plan_endpoint(&EndpointRequest::from(endpoint), network, &plan)?;
    Ok(plan.recorded())
}

#[test]
fn a_network_is_a_bridge_with_a_subnet_of_the_pool_behind_the_host() {
    let subnets = vec!["10.88.0.0/24".to_owned()];
    let wanted = Planned { links: vec![LinkKind::Bridge], masqueraded: subnets.clone(), subnets, isolated: true };
    assert_eq!(planned(Network::default()).recorded(), wanted);
}

#[test]
fn subnets_that_were_asked_for_are_taken_and_one_of_each_family_is_added() {
    let network = Network { ipv6: true, subnets: vec!["10.1.0.0/24".to_owned()], ..Network::default() };
    assert_eq!(planned(network).recorded().subnets, ["10.1.0.0/24", "fd00:88::/64"]);
    let network = Network { subnets: vec!["fd01::/64".to_owned()], ..Network::default() };
    assert_eq!(planned(network).recorded().subnets, ["fd01::/64", "10.88.0.0/24"]);
}

#[test]
fn nothing_is_masqueraded_where_nothing_shall_leave_so() {
    assert_eq!(planned(Network { internal: true, ..Network::default() }).recorded().masqueraded, [""; 0]);
    let site = Site::new();
    site.config(json!({"masquerade": "false"}));
    assert_eq!(planned(Network::default()).recorded().masqueraded, [""; 0]);
    site.config(json!({"masquerade": "perhaps"}));
    let refused = MyPlugin::plan_network(&NetworkRequest::from(Network::default()), &NetworkPlan::new());
    assert_eq!(refused, Err(Error::Invalid("masquerade is true or false, not \"perhaps\"".to_owned())));
}

#[test]
fn two_containers_get_addresses_routes_ports_and_names_of_their_own() {
    let network = planned(Network { ipv6: true, ..Network::default() }).made();
    let first = Endpoint {
        container: "c1".to_owned(),
        aliases: vec!["web".to_owned()],
        wanted_v4: Some("10.88.0.9".to_owned()),
        published: vec![Port::tcp(80).on(8080), Port::udp(53)],
        settings: vec![("mtu".to_owned(), "1400".to_owned())],
        ..Endpoint::default()
    };
    let routes = vec![
        ("0.0.0.0/0".to_owned(), Some("10.88.0.1".to_owned())),
        ("::/0".to_owned(), Some("fd00:88::1".to_owned())),
    ];
    let wanted = Connected {
        attachment: Attachment::Veth { master: 0 },
        addresses: vec!["10.88.0.9".to_owned(), "fd00:88::2".to_owned()],
        routes: routes.clone(),
        ports: vec![(Port::tcp(80).on(8080), 8080), (Port::udp(53), 49_153)],
        names: vec!["web".to_owned()],
        mtu: Some(1400),
        ..Connected::default()
    };
    assert_eq!(connected(&network, first), Ok(wanted));
    let wanted = Connected {
        attachment: Attachment::Veth { master: 0 },
        addresses: vec!["10.88.0.2".to_owned(), "fd00:88::3".to_owned()],
        routes,
        ..Connected::default()
    };
    assert_eq!(connected(&network, Endpoint::default()), Ok(wanted));
}

#[test]
fn what_is_taken_or_not_there_is_said() {
    let network = planned(Network::default()).made();
    let wants = |address: &str| Endpoint { wanted_v4: Some(address.to_owned()), ..Endpoint::default() };
    connected(&network, wants("10.88.0.9")).unwrap();
    assert_eq!(connected(&network, wants("10.88.0.9")), Err(Error::Conflict("address 10.88.0.9 is in use".to_owned())));
    let publishes = || Endpoint { published: vec![Port::tcp(80).on(8080)], ..Endpoint::default() };
    connected(&network, publishes()).unwrap();
    assert!(matches!(connected(&network, publishes()), Err(Error::Conflict(_))));
    let refused = connected(&NetworkView::default(), Endpoint::default());
    assert_eq!(refused, Err(Error::Invalid("the network has no bridge".to_owned())));
    let settings = vec![("mtu".to_owned(), "large".to_owned())];
    let refused = connected(&network, Endpoint { settings, ..Endpoint::default() });
    assert_eq!(refused, Err(Error::Invalid("mtu is a number, not \"large\"".to_owned())));
}
