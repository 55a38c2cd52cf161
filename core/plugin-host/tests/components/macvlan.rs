//! The shipped `macvlan` through the real host: on the interface that the site grants, and no other.

use super::support::{Bench, Memory, Pool, bench, shipped};
use davit_model::{
    error::PolicyError,
    network::{Attachment, EndpointRequest, NetworkDriver, NetworkRequest, PortRequest},
};
use davit_plugin_host::{Grant, Source};
use std::sync::Arc;

/// The driver with the site's section, on a grant of `wan` alone.
async fn driver(config: serde_json::Value) -> (Bench, Arc<dyn NetworkDriver>) {
    let bench = bench(Memory { config: config.into(), ..Memory::default() });
    let path = shipped("macvlan");
    let mut grant = Grant::beside(&path).unwrap().unwrap();
    grant.rights.interfaces.insert("wan".to_owned());
    let plugin = bench.host.load("macvlan", Source::File(&path), &grant).await.unwrap();
    (bench, plugin.network().unwrap())
}

fn network(subnets: &[&str]) -> NetworkRequest {
    NetworkRequest {
        name: "lan".to_owned(),
        internal: false,
        ipv6: false,
        subnets: subnets.iter().map(|s| s.parse().unwrap()).collect(),
        settings: Default::default(),
    }
}

fn endpoint(container: char) -> EndpointRequest {
    EndpointRequest {
        container: container.to_string().repeat(64),
        aliases: vec!["web".to_owned()],
        wanted_v4: None,
        wanted_v6: None,
        wanted_mac: None,
        published: Vec::new(),
        settings: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_gets_an_address_of_the_range_and_the_router_that_the_site_names() {
    let section = serde_json::json!({
        "parent": "wan", "subnets": ["10.9.1.0/24"], "gateway": "10.9.1.254", "range": "10.9.1.248/29", "mtu": 1400,
    });
    let (_bench, driver) = driver(section).await;
    let plan = driver.plan_network(&network(&[]), &Pool::default()).await.unwrap();
    assert!(plan.links.is_empty() && !plan.isolate && !plan.subnets[0].masquerade);
    assert_eq!(plan.subnets[0].net.to_string(), "10.9.1.0/24");
    let mut last: Vec<u8> = Vec::new();
    for container in ['a', 'b', 'c', 'd', 'e', 'f'] {
        let end = driver.plan_endpoint(&endpoint(container), &plan, &Pool::default()).await.unwrap();
        assert_eq!(end, driver.plan_endpoint(&endpoint(container), &plan, &Pool::default()).await.unwrap());
        assert_eq!(end.attachment, Attachment::Macvlan { parent: "wan".to_owned(), mode: "bridge".to_owned() });
        let routes: Vec<String> = end.routes.iter().map(|r| format!("{} {}", r.dst, r.via.unwrap())).collect();
        assert_eq!(routes, ["0.0.0.0/0 10.9.1.254"]);
        assert_eq!((end.names.clone(), end.mtu), (vec!["web".to_owned()], Some(1400)));
        let std::net::IpAddr::V4(address) = end.addresses[0].address.addr() else { panic!("IPv6") };
        last.push(address.octets()[3]);
    }
    assert!(last.iter().all(|l| (248..=253).contains(l)), "of the range, and neither router nor broadcast: {last:?}");
    // An address that was asked for is taken as it is, unless it is the router's.
    let wanted = |text: &str| EndpointRequest { wanted_v4: Some(text.parse().unwrap()), ..endpoint('a') };
    let end = driver.plan_endpoint(&wanted("10.9.1.7"), &plan, &Pool::default()).await.unwrap();
    assert_eq!(end.addresses[0].address.to_string(), "10.9.1.7/24");
    let error = driver.plan_endpoint(&wanted("10.9.1.254"), &plan, &Pool::default()).await.unwrap_err();
    assert!(matches!(&error.error, PolicyError::Conflict(text) if text.contains("gateway")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_router_there_is_no_route_and_the_requests_subnet_comes_first() {
    let section = serde_json::json!({ "parent": "wan", "mode": "private", "subnets": ["10.9.1.0/24"] });
    let (_bench, driver) = driver(section).await;
    let plan = driver.plan_network(&network(&["10.50.0.0/16"]), &Pool::default()).await.unwrap();
    assert_eq!(plan.subnets.iter().map(|s| s.net.to_string()).collect::<Vec<_>>(), ["10.50.0.0/16"]);
    let end = driver.plan_endpoint(&endpoint('a'), &plan, &Pool::default()).await.unwrap();
    assert!(end.routes.is_empty() && end.ports.is_empty() && end.mtu.is_none());
    assert_eq!(end.attachment, Attachment::Macvlan { parent: "wan".to_owned(), mode: "private".to_owned() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_used_up_a_port_and_a_foreign_interface_are_refused() {
    let (bench, driver) = driver(serde_json::json!({ "parent": "wan", "range": "10.9.1.8/30" })).await;
    let plan = driver.plan_network(&network(&["10.9.1.0/24"]), &Pool::default()).await.unwrap();
    let full = Pool { taken: (8..12).map(|last| [10, 9, 1, last].into()).collect(), ..Pool::default() };
    let error = driver.plan_endpoint(&endpoint('a'), &plan, &full).await.unwrap_err();
    assert!(
        matches!(&error.error, PolicyError::Unavailable { message, .. } if message.contains("10.9.1.8/30")),
        "{error}"
    );
    let almost =
        Pool { taken: vec![[10, 9, 1, 8].into(), [10, 9, 1, 9].into(), [10, 9, 1, 11].into()], ..Pool::default() };
    let end = driver.plan_endpoint(&endpoint('a'), &plan, &almost).await.unwrap();
    assert_eq!(end.addresses.iter().map(|a| a.address.to_string()).collect::<Vec<_>>(), ["10.9.1.10/24"]);

    let port = PortRequest { protocol: "tcp".to_owned(), inside: 80, outside: None, address: None };
    let published = EndpointRequest { published: vec![port], ..endpoint('a') };
    let error = driver.plan_endpoint(&published, &plan, &Pool::default()).await.unwrap_err();
    assert!(
        matches!(&error.error, PolicyError::Unsupported(text) if text.contains("80/tcp") && text.contains("own address")),
        "{error}"
    );
    for (section, word) in [
        (serde_json::json!({ "parent": "lan" }), "grant \"interfaces\" missing"),
        (serde_json::json!({ "parent": "wan", "mode": "loud" }), "mode"),
    ] {
        *bench.services.config.lock().unwrap() = section;
        let error = driver.plan_endpoint(&endpoint('a'), &plan, &Pool::default()).await.unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_no_sense_are_said_when_the_network_is_made() {
    let (bench, driver) = driver(serde_json::json!({})).await;
    for (section, word) in [
        (serde_json::json!({}), "parent is not said"),
        (serde_json::json!({ "parent": "wan", "gateway": "10.9.9.1" }), "gateway: 10.9.9.1/32 is in no subnet"),
        (serde_json::json!({ "parent": "wan", "range": "10.9.0.0/16" }), "range: 10.9.0.0/16 is in no subnet"),
        (serde_json::json!({ "parent": "wan", "gateway": "router" }), "gateway: \"router\""),
    ] {
        *bench.services.config.lock().unwrap() = section;
        let error = driver.plan_network(&network(&["10.9.1.0/24"]), &Pool::default()).await.unwrap_err();
        assert!(matches!(&error.error, PolicyError::Invalid(text) if text.contains(word)), "{error}");
    }
    *bench.services.config.lock().unwrap() = serde_json::json!({ "parent": "wan", "gateway": "10.9.1.1" });
    let internal = NetworkRequest { internal: true, ..network(&["10.9.1.0/24"]) };
    let error = driver.plan_network(&internal, &Pool::default()).await.unwrap_err();
    assert!(matches!(error.error, PolicyError::Unsupported(_)), "{error}");
}
