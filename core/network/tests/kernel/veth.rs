//! Veth pairs and the namespaces that their inner ends are in.

use crate::world::{Server, call, call_from, connect, endpoint, journalled, network, on_a_host, ours, place, run};
use davit_model::network::{Attachment, EndpointPlan, NetworkPlan, Route};
use davit_network::{EndpointState, Netns, Place, Pool};
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

#[test]
fn fifty_endpoints_are_made_at_once() {
    on_a_host(|host| {
        let plan = network(15);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let spaces: Vec<Netns> = (0..50).map(|_| Netns::create().unwrap()).collect();
        let times = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for (at, space) in (2_u8..).zip(&spaces) {
                let (plan, times) = (&plan, &times);
                scope.spawn(move || {
                    let wanted = endpoint(15, at, &[("tcp", 20000 + u16::from(at), None)]);
                    let begun = Instant::now();
                    connect(host, ("n", plan), &format!("e{at}"), &wanted, space).unwrap();
                    times.lock().unwrap().push(begun.elapsed());
                });
            }
        });
        let mut times = times.into_inner().unwrap();
        times.sort();
        eprintln!("50 endpoints at once: median {:?}, last {:?}", times[25], times[49]);
        assert_eq!(ours(&run("ip", &["-o", "link"])).len(), 51);
        let _server = Server::in_namespace(&spaces[49], "0.0.0.0:80");
        call("127.0.0.1:20051").unwrap();
    });
}

#[test]
fn a_pair_and_a_namespace_take_less_than_a_tenth_of_a_second() {
    on_a_host(|host| {
        let plan = network(16);
        host.apply_network("n", &journalled(&plan)).unwrap();
        let (mut made, mut up) = (Vec::new(), Vec::new());
        for last in 2..22 {
            let begun = Instant::now();
            let space = Netns::create().unwrap();
            made.push(begun.elapsed());
            let wanted = endpoint(16, last, &[("tcp", 20000 + u16::from(last), None)]);
            let begun = Instant::now();
            connect(host, ("n", &plan), &format!("e{last}"), &wanted, &space).unwrap();
            up.push(begun.elapsed());
        }
        let (mut closed, mut gone) = (Vec::new(), Vec::new());
        for last in 2..22 {
            let wanted = endpoint(16, last, &[("tcp", 20000 + u16::from(last), None)]);
            let begun = Instant::now();
            host.unpublish(&wanted).unwrap();
            closed.push(begun.elapsed());
            let begun = Instant::now();
            host.undo_endpoint(&format!("e{last}"), &wanted).unwrap();
            gone.push(begun.elapsed());
        }
        for times in [&mut made, &mut up, &mut closed, &mut gone] {
            times.sort();
        }
        eprintln!(
            "medians: namespace {:?}, endpoint with port {:?}, unpublish {:?}, undo {:?}",
            made[10], up[10], closed[10], gone[10]
        );
        assert!(made[10] + up[10] < Duration::from_millis(100));
    });
}

#[test]
fn a_second_network_gets_its_own_link_settings_and_routes_and_no_default() {
    on_a_host(|host| {
        let (one, two) = (network(18), network(19));
        host.apply_network("one", &journalled(&one)).unwrap();
        host.apply_network("two", &journalled(&two)).unwrap();
        let a = Netns::create().unwrap();
        connect(host, ("one", &one), "a1", &endpoint(18, 2, &[]), &a).unwrap();
        let wanted = EndpointPlan {
            routes: [
                vec![Route { dst: "203.0.113.0/24".parse().unwrap(), via: Some("172.30.19.7".parse().unwrap()) }],
                endpoint(19, 2, &[]).routes,
            ]
            .concat(),
            sysctls: [("net.ipv4.conf.eth1.log_martians".to_owned(), "1".to_owned())].into(),
            mtu: Some(1400),
            ..endpoint(19, 2, &[])
        };
        let mac = Some([0x02, 1, 2, 3, 4, 5]);
        let place = Place { ifname: "eth1", mac, default_route: false, ..place(&a) };
        for _ in 0..2 {
            let state = host.apply_endpoint("two", &two, "a2", &journalled(&wanted), &place).unwrap();
            assert_eq!((state.ifname.as_deref(), state.mac), (Some("eth1"), mac));
        }
        let seen = a
            .run(|| {
                let setting = std::fs::read_to_string("/proc/sys/net/ipv4/conf/eth1/log_martians").unwrap();
                Ok([run("ip", &["link", "show", "eth1"]), run("ip", &["route"]), setting])
            })
            .unwrap();
        assert!(seen[0].contains("mtu 1400") && seen[0].contains("02:01:02:03:04:05"), "{}", seen[0]);
        assert!(seen[1].contains("203.0.113.0/24 via 172.30.19.7 dev eth1"), "{}", seen[1]);
        assert_eq!(seen[1].matches("default").count(), 1, "{}", seen[1]);
        assert!(seen[1].contains("default via 172.30.18.1 dev eth0"), "{}", seen[1]);
        assert_eq!(seen[2].trim(), "1");
    });
}

#[test]
fn an_endpoint_without_a_link_changes_nothing_and_a_pooled_namespace_has_loopback() {
    on_a_host(|host| {
        let pool = Pool::new(3);
        pool.fill().unwrap();
        assert_eq!(pool.ready(), 3);
        let a = pool.take().unwrap();
        assert_eq!(pool.ready(), 2);
        for attachment in [Attachment::None, Attachment::ShareHost] {
            let plan = EndpointPlan { attachment, ..EndpointPlan::default() };
            let state = connect(host, ("n", &NetworkPlan::default()), "a", &plan, &a).unwrap();
            assert_eq!(state, EndpointState::default());
            host.undo_endpoint("a", &plan).unwrap();
        }
        let _server = Server::in_namespace(&a, "127.0.0.1:80");
        assert_eq!(call_from(&a, "127.0.0.1:80").unwrap(), "127.0.0.1");
    });
}
