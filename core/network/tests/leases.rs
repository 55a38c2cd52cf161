//! Leases: nothing twice, everything freed, nothing that the host uses.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use davit_model::{
    error::PolicyError,
    network::{Leases, PortRequest, Subnet, SubnetId},
};
use davit_network::{Instance, LeaseBook, LeaseKind, MemoryLeases, NetError, Pools, Surroundings};
use ipnet::IpNet;
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::Arc};

/// A host with these subnets and listeners.
#[derive(Debug, Default)]
struct FakeHost {
    busy: Vec<IpNet>,
    listening: Vec<u16>,
}

impl Surroundings for FakeHost {
    fn busy(&self) -> Result<Vec<IpNet>, NetError> {
        Ok(self.busy.clone())
    }

    fn probe(&self, _: &PortRequest, outside: u16) -> Result<(), NetError> {
        if self.listening.contains(&outside) {
            return Err(NetError::Conflict(format!("port {outside} has a listener")));
        }
        Ok(())
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

async fn book(host: FakeHost, store: &Arc<MemoryLeases>) -> Arc<LeaseBook> {
    let pools = Pools::of_instance(&Instance::new("beef01").unwrap());
    let store: Arc<MemoryLeases> = Arc::clone(store);
    Arc::new(LeaseBook::open(store, Arc::new(host), pools).await.unwrap())
}

fn subnet(net: &str) -> Subnet {
    Subnet { id: SubnetId(0), net: net.parse().unwrap(), masquerade: true }
}

fn port(outside: Option<u16>, address: Option<&str>) -> PortRequest {
    PortRequest { protocol: "tcp".into(), inside: 80, outside, address: address.map(|a| a.parse().unwrap()) }
}

#[test]
fn subnets_of_the_pool_avoid_the_hosts_and_each_other() {
    run(async {
        let host = FakeHost { busy: vec!["172.30.0.0/23".parse().unwrap()], ..FakeHost::default() };
        let book = book(host, &Arc::default()).await;
        let leases = book.for_owner("n", &[]);
        assert_eq!(leases.subnet(None, false).await.unwrap().to_string(), "172.30.2.0/24");
        assert_eq!(leases.subnet(None, false).await.unwrap().to_string(), "172.30.3.0/24");
        let v6 = leases.subnet(None, true).await.unwrap();
        assert!(v6.to_string().starts_with("fd") && v6.prefix_len() == 64, "{v6}");
        // The host's own may be asked for, by networks that are in them beside it.
        assert!(leases.subnet(Some("172.30.0.0/24".parse().unwrap()), false).await.is_ok());
        for taken in ["172.30.0.0/24", "172.30.3.128/25", "172.16.0.0/12"] {
            let answer = leases.subnet(Some(taken.parse().unwrap()), false).await;
            assert!(matches!(answer, Err(PolicyError::Conflict(_))), "{taken}: {answer:?}");
        }
    });
}

#[test]
fn an_address_that_is_freed_is_not_the_next_to_be_given() {
    run(async {
        let book = book(FakeHost::default(), &Arc::default()).await;
        let subnets = [subnet("10.9.0.0/29")];
        let mut given = Vec::new();
        for round in 0..5 {
            let owner = format!("e{round}");
            let lease = book.for_owner(&owner, &subnets).address(SubnetId(0), None).await.unwrap();
            assert_eq!(lease.gateway.to_string(), "10.9.0.1");
            given.push(lease.address.to_string());
            book.release(&owner).await.unwrap();
        }
        assert_eq!(given, ["10.9.0.2/29", "10.9.0.3/29", "10.9.0.4/29", "10.9.0.5/29", "10.9.0.6/29"]);
        let again = book.for_owner("e", &subnets).address(SubnetId(0), None).await.unwrap();
        assert_eq!(again.address.to_string(), "10.9.0.2/29");
    });
}

#[test]
fn an_address_asked_for_is_of_the_subnet_and_not_its_own() {
    run(async {
        let book = book(FakeHost::default(), &Arc::default()).await;
        let leases = book.for_owner("e", &[subnet("10.9.0.0/24")]);
        for wrong in ["10.9.1.2", "10.9.0.0", "10.9.0.1", "10.9.0.255", "fd00::2"] {
            let answer = leases.address(SubnetId(0), Some(wrong.parse().unwrap())).await;
            assert!(matches!(answer, Err(PolicyError::Invalid(_))), "{wrong}: {answer:?}");
        }
        leases.address(SubnetId(0), Some("10.9.0.77".parse().unwrap())).await.unwrap();
        let twice = leases.address(SubnetId(0), Some("10.9.0.77".parse().unwrap())).await;
        assert!(matches!(twice, Err(PolicyError::Conflict(_))));
    });
}

#[test]
fn a_port_is_refused_where_a_lease_or_a_listener_has_it() {
    run(async {
        let book = book(FakeHost { listening: vec![22], ..FakeHost::default() }, &Arc::default()).await;
        let leases = book.for_owner("e", &[]);
        assert_eq!(leases.port(&port(Some(8080), Some("127.0.0.1"))).await.unwrap(), 8080);
        leases.port(&port(Some(8080), Some("192.0.2.1"))).await.unwrap();
        for (outside, address) in [(8080, None), (8080, Some("0.0.0.0")), (8080, Some("127.0.0.1")), (22, None)] {
            let answer = leases.port(&port(Some(outside), address)).await;
            assert!(matches!(answer, Err(PolicyError::Conflict(_))), "{outside} {address:?}");
        }
        assert!((32768..=60999).contains(&leases.port(&port(None, None)).await.unwrap()));
        book.release_ports("e").await.unwrap();
        leases.port(&port(Some(8080), None)).await.unwrap();
    });
}

#[test]
fn leases_outlive_the_book() {
    run(async {
        let store = Arc::default();
        let first = book(FakeHost::default(), &store).await;
        first.for_owner("n", &[]).subnet(None, false).await.unwrap();
        drop(first);
        let second = book(FakeHost::default(), &store).await;
        assert_eq!(second.list().len(), 1);
        assert_eq!(second.for_owner("m", &[]).subnet(None, false).await.unwrap().to_string(), "172.30.1.0/24");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_leased_twice_and_all_is_freed(steps in proptest::collection::vec((0_u8..6, 0_u8..4, 0_u8..16), 1..80)) {
        run(async {
            let store = Arc::default();
            let book = book(FakeHost::default(), &store).await;
            let subnets = [subnet("10.9.0.0/28")];
            for (what, owner, number) in steps {
                let owner = format!("o{owner}");
                let leases = book.for_owner(&owner, &subnets);
                // A refusal is a fine answer; what counts is what is held afterwards.
                match what {
                    0 => drop(leases.address(SubnetId(0), None).await),
                    1 => drop(leases.address(SubnetId(0), Some([10, 9, 0, number].into())).await),
                    2 => drop(leases.port(&port(Some(9000 + u16::from(number % 3)), (number % 2 == 0).then_some("127.0.0.1"))).await),
                    3 => drop(leases.subnet(None, number % 2 == 0).await),
                    4 => book.release_ports(&owner).await.unwrap(),
                    _ => book.release(&owner).await.unwrap(),
                }
                let held = book.list();
                let keys: BTreeSet<_> = held.iter().map(|l| (l.kind, l.key.clone())).collect();
                assert_eq!(keys.len(), held.len());
                assert!(held.iter().filter(|l| l.kind == LeaseKind::Address).count() <= 13);
                for lease in held.iter().filter(|l| l.kind == LeaseKind::Port && l.key.ends_with("/*")) {
                    let stem = lease.key.trim_end_matches('*');
                    assert_eq!(held.iter().filter(|l| l.key.starts_with(stem)).count(), 1);
                }
            }
            for owner in 0..4 {
                book.release(&format!("o{owner}")).await.unwrap();
            }
            assert!(book.list().is_empty());
        });
    }
}
