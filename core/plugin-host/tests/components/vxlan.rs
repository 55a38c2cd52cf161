//! The shipped `vxlan` through the real host: each host hands out its own slice.

use super::support::{Bench, Memory, Pool, bench};
use davit_model::{
    error::PolicyError,
    network::{Attachment, EndpointRequest, LinkKind, NetworkDriver, NetworkRequest, PortRequest},
};
use std::sync::Arc;

fn section(slice: &str) -> serde_json::Value {
    serde_json::json!({ "id": 42, "remotes": ["192.0.2.2"], "overlay": "10.9.0.0/16", "slice": slice })
}

async fn driver(config: serde_json::Value) -> (Bench, Arc<dyn NetworkDriver>) {
    let bench = bench(Memory { config: config.into(), ..Memory::default() });
    let driver = bench.shipped("vxlan").await.network().unwrap();
    (bench, driver)
}

fn network() -> NetworkRequest {
    NetworkRequest {
        name: "overlay".to_owned(),
        internal: false,
        ipv6: false,
        subnets: Vec::new(),
        settings: Default::default(),
    }
}

fn endpoint() -> EndpointRequest {
    EndpointRequest {
        container: "c".repeat(64),
        aliases: vec!["web".to_owned()],
        wanted_v4: None,
        wanted_v6: None,
        wanted_mac: None,
        published: vec![PortRequest { protocol: "tcp".to_owned(), inside: 80, outside: Some(8080), address: None }],
        settings: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_hands_out_its_slice_and_its_containers_find_the_whole_network_on_their_link() {
    let (bench, driver) = driver(section("10.9.1.0/24")).await;
    let plan = driver.plan_network(&network(), &Pool::default()).await.unwrap();
    assert_eq!(plan, driver.plan_network(&network(), &Pool::default()).await.unwrap());
    let remotes = vec!["192.0.2.2".parse().unwrap()];
    assert_eq!(
        plan.links.iter().map(|(_, kind)| kind.clone()).collect::<Vec<_>>(),
        [LinkKind::Vxlan { id: 42, remotes }]
    );
    assert_eq!(plan.subnets[0].net.to_string(), "10.9.1.0/24");
    assert!(plan.subnets[0].masquerade && plan.isolate);

    let end = driver.plan_endpoint(&endpoint(), &plan, &Pool::default()).await.unwrap();
    assert_eq!(end.attachment, Attachment::Veth { master: plan.links[0].0 });
    assert_eq!(end.addresses[0].address.to_string(), "10.9.1.7/24");
    let shown = |r: &davit_model::network::Route| format!("{} {:?}", r.dst, r.via.map(|via| via.to_string()));
    let routes: Vec<String> = end.routes.iter().map(shown).collect();
    assert_eq!(routes, ["10.9.0.0/16 None", "0.0.0.0/0 Some(\"10.9.1.1\")"]);
    assert_eq!((end.ports[0].outside, end.names.clone(), end.mtu), (8080, vec!["web".to_owned()], Some(1450)));

    // Over IPv6 the outer header is longer; the site may say otherwise.
    for (key, value, mtu) in [("remotes", "2001:db8::2", 1430), ("mtu", "9000", 9000)] {
        bench.services.config.lock().unwrap()[key] = value.into();
        let end = driver.plan_endpoint(&endpoint(), &plan, &Pool::default()).await.unwrap();
        assert_eq!(end.mtu, Some(mtu));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_of_the_request_comes_first_and_an_internal_network_has_no_way_out() {
    let (_bench, driver) = driver(section("10.9.1.0/24")).await;
    let request = NetworkRequest { internal: true, subnets: vec!["10.9.7.0/24".parse().unwrap()], ..network() };
    let plan = driver.plan_network(&request, &Pool::default()).await.unwrap();
    assert_eq!(plan.subnets.iter().map(|s| s.net.to_string()).collect::<Vec<_>>(), ["10.9.7.0/24"]);
    assert!(!plan.subnets[0].masquerade && plan.isolate);
    let error = driver.plan_network(&NetworkRequest { ipv6: true, ..request }, &Pool::default()).await.unwrap_err();
    assert!(matches!(&error.error, PolicyError::Invalid(text) if text.contains("IPv6 is wanted")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_could_give_out_the_same_address_are_refused() {
    let (bench, driver) = driver(serde_json::json!({})).await;
    let without = |key: &str| {
        let mut all = section("10.9.1.0/24");
        all.as_object_mut().unwrap().remove(key);
        all
    };
    let with = |key: &str, value: &str| {
        let mut all = section("10.9.1.0/24");
        all[key] = value.into();
        all
    };
    for (section, word) in [
        (without("id"), "id is not said"),
        (without("remotes"), "remotes is not said"),
        (without("overlay"), "overlay is not said"),
        (without("slice"), "slice is not said"),
        (with("slice", "10.9.0.0/16"), "leaves no address to the other hosts"),
        (with("slice", "10.8.1.0/24"), "is in no overlay"),
        (with("id", "16777216"), "24 bits"),
        (with("remotes", "peer.example"), "remotes: \"peer.example\""),
        (with("masquerade", "perhaps"), "masquerade is true or false"),
    ] {
        *bench.services.config.lock().unwrap() = section;
        let error = driver.plan_network(&network(), &Pool::default()).await.unwrap_err();
        assert!(matches!(&error.error, PolicyError::Invalid(text) if text.contains(word)), "{word}: {error}");
    }
}
