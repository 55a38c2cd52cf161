//! The shipped network drivers through the real host.

use super::support::{Memory, Pool, bench};
use davit_model::{
    error::PolicyError,
    network::{Attachment, EndpointRequest, LinkKind, NetworkPlan, NetworkRequest, PortRequest},
};

fn network() -> NetworkRequest {
    NetworkRequest {
        name: "bridge".to_owned(),
        internal: false,
        ipv6: true,
        subnets: Vec::new(),
        settings: Default::default(),
    }
}

fn endpoint() -> EndpointRequest {
    EndpointRequest {
        container: "c".repeat(64),
        aliases: vec!["web".to_owned()],
        wanted_v4: Some("10.9.1.99".parse().unwrap()),
        wanted_v6: None,
        wanted_mac: None,
        published: vec![PortRequest { protocol: "tcp".to_owned(), inside: 80, outside: Some(8080), address: None }],
        settings: [("mtu".to_owned(), "1400".to_owned())].into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bridge_plans_both_families_masquerades_and_publishes() {
    let driver = bench(Memory::default()).shipped("bridge").await.network().unwrap();
    let plan = driver.plan_network(&network(), &Pool::default()).await.unwrap();
    assert_eq!(plan, driver.plan_network(&network(), &Pool::default()).await.unwrap());
    assert_eq!(plan.links.iter().map(|(_, k)| k.clone()).collect::<Vec<_>>(), [LinkKind::Bridge]);
    let nets: Vec<String> = plan.subnets.iter().map(|s| s.net.to_string()).collect();
    assert_eq!(nets, ["10.9.1.0/24", "fd09:2::/64"]);
    assert!(plan.subnets.iter().all(|s| s.masquerade) && plan.isolate);

    let end = driver.plan_endpoint(&endpoint(), &plan, &Pool::default()).await.unwrap();
    assert_eq!(end.attachment, Attachment::Veth { master: plan.links[0].0 });
    assert_eq!(end.addresses[0].address.to_string(), "10.9.1.99/24");
    assert_eq!(end.addresses.len(), 2);
    let routes: Vec<String> = end.routes.iter().map(|r| format!("{} {}", r.dst, r.via.unwrap())).collect();
    assert_eq!(routes, ["0.0.0.0/0 10.9.1.1", "::/0 fd09:2::1"]);
    assert_eq!((end.ports[0].request.inside, end.ports[0].outside), (80, 8080));
    assert_eq!((end.names.clone(), end.mtu), (vec!["web".to_owned()], Some(1400)));

    let pool = Pool { taken_ports: vec![8080], ..Pool::default() };
    let error = driver.plan_endpoint(&endpoint(), &plan, &pool).await.unwrap_err();
    assert_eq!(error.error, PolicyError::Conflict("port 8080 is taken".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bridge_keeps_an_internal_network_inside_and_takes_the_subnet_that_was_asked_for() {
    let driver = bench(Memory::default()).shipped("bridge").await.network().unwrap();
    let request =
        NetworkRequest { internal: true, ipv6: false, subnets: vec!["10.50.0.0/16".parse().unwrap()], ..network() };
    let plan = driver.plan_network(&request, &Pool::default()).await.unwrap();
    assert_eq!(plan.subnets.len(), 1);
    assert_eq!(plan.subnets[0].net.to_string(), "10.50.0.0/16");
    assert!(!plan.subnets[0].masquerade);
    let bad = NetworkRequest { settings: [("masquerade".to_owned(), "perhaps".to_owned())].into(), ..network() };
    let error = driver.plan_network(&bad, &Pool::default()).await.unwrap_err();
    assert!(matches!(error.error, PolicyError::Invalid(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn host_shares_and_none_does_nothing() {
    let host = bench(Memory::default()).shipped("host").await.network().unwrap();
    let plan = host.plan_network(&network(), &Pool::default()).await.unwrap().plan;
    assert_eq!(plan, NetworkPlan::default());
    let end = host.plan_endpoint(&endpoint(), &NetworkPlan::default(), &Pool::default()).await.unwrap();
    assert_eq!(end.attachment, Attachment::ShareHost);

    let none = bench(Memory::default()).shipped("none").await.network().unwrap();
    let error = none.plan_endpoint(&endpoint(), &NetworkPlan::default(), &Pool::default()).await.unwrap_err();
    assert!(matches!(error.error, PolicyError::Invalid(_)), "{error}");
    let plain = EndpointRequest { wanted_v4: None, ..endpoint() };
    let end = none.plan_endpoint(&plain, &NetworkPlan::default(), &Pool::default()).await.unwrap();
    assert_eq!(end.plan, Default::default());
}
