//! What clients see of one running container, and that the types of the wire can read it.

use super::{container, event, settings, summary};
use davit_api_types::models;
use davit_engine::{
    ContainerDetails,
    record::{ContainerRecord, EndpointRecord, MountRecord, ProcessRecord, State, Status},
};
use davit_model::{
    container::{ContainerSpec, Limits},
    network::{AddressLease, EndpointPlan, PortRequest, PublishedPort, SubnetId},
    storage::{RootMount, RootPlan},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn time(second: i64) -> Timestamp {
    Timestamp::new(1_714_557_600 + second, 123_456_789).unwrap()
}

fn lease(address: &str, gateway: &str) -> AddressLease {
    AddressLease { subnet: SubnetId(0), address: address.parse().unwrap(), gateway: gateway.parse().unwrap() }
}

fn record() -> ContainerRecord {
    let published = |inside, outside, address: Option<&str>| PublishedPort {
        request: PortRequest {
            protocol: "tcp".into(),
            inside,
            outside: None,
            address: address.map(|a| a.parse().unwrap()),
        },
        outside,
    };
    let plan = EndpointPlan {
        addresses: vec![lease("10.9.0.2/24", "10.9.0.1"), lease("fd00::2/64", "fd00::1")],
        ports: vec![published(80, 8080, Some("127.0.0.1")), published(81, 8081, None)],
        names: vec!["web".into()],
        ..EndpointPlan::default()
    };
    ContainerRecord {
        id: "ab".repeat(32).parse().unwrap(),
        name: "web".parse().unwrap(),
        created: time(0),
        caller: "uid:0".into(),
        spec: ContainerSpec {
            image: "busybox:1".into(),
            network: "default".into(),
            limits: Limits { memory: Some(33_554_432), ..Limits::default() },
            as_asked: json!({"AttachStdout": true, "HostConfig": {"Binds": ["/a:/b"], "Memory": 1}}),
            ..ContainerSpec::default()
        },
        image: format!("sha256:{}", "c".repeat(64)).parse().unwrap(),
        image_manifest: None,
        process: ProcessRecord {
            args: ["sh", "-c", "echo hi"].map(str::to_owned).to_vec(),
            entrypoint: vec![],
            cmd: ["sh", "-c", "echo hi"].map(str::to_owned).to_vec(),
            env: vec!["A=1".into()],
            cwd: "/".into(),
            user: String::new(),
            stop_signal: "SIGTERM".into(),
        },
        labels: BTreeMap::from([("k".into(), "v".into())]),
        exposed_ports: vec!["80/tcp".into(), "53/udp".into()],
        driver: "d".into(),
        root: RootPlan {
            steps: vec![],
            mount: RootMount::Tree { at: "a".parse().unwrap(), writable: true },
            changes: None,
        },
        mounts: vec![MountRecord {
            kind: "bind".into(),
            name: None,
            source: "/a".into(),
            target: "/b".into(),
            read_only: true,
            propagation: "rprivate".into(),
            anonymous: false,
            no_copy: false,
        }],
        state: State { status: Status::Running, pid: 42, started: Some(time(1)), ..State::default() },
        endpoint: Some(EndpointRecord {
            network: "e".repeat(64),
            network_name: "net".into(),
            id: "f".repeat(64),
            plan,
            mac: "02:42:0a:09:00:02".into(),
        }),
    }
}

fn details() -> ContainerDetails {
    let record = record();
    ContainerDetails {
        endpoint: None,
        record,
        log_path: "/l".into(),
        hosts_path: "/h".into(),
        resolv_path: "/r".into(),
        hostname_path: "/n".into(),
        exec_ids: vec![],
    }
}

#[test]
fn a_running_container_is_inspected() {
    let shown = container::inspect(&details());
    insta::assert_json_snapshot!(shown);
    serde_json::from_value::<models::ContainerInspectResponse>(shown).unwrap();
}

#[test]
fn what_policy_set_stands_where_the_client_asked_otherwise() {
    let shown = container::inspect(&details());
    assert_eq!(shown["HostConfig"]["Memory"], 33_554_432);
    assert_eq!(shown["HostConfig"]["Binds"], json!(["/a:/b"]));
}

#[test]
fn a_running_container_is_listed() {
    let shown = summary::summary(&record(), time(66)).unwrap();
    insta::assert_json_snapshot!(shown);
    serde_json::from_value::<models::ContainerSummary>(shown).unwrap();
}

#[test]
fn an_ended_container_has_no_ports_and_says_how_it_ended() {
    let mut record = record();
    record.endpoint = None;
    record.state = State { status: Status::Exited, exit_code: 137, finished: Some(time(10)), ..State::default() };
    let shown = summary::summary(&record, time(15)).unwrap();
    assert_eq!((shown["Status"].as_str(), &shown["Ports"]), (Some("Exited (137) 5 seconds ago"), &json!([])));
    assert_eq!(settings::settings(&record)["Ports"], json!({}));
}

#[test]
fn an_event_has_old_fields_and_new_ones() {
    let attributes = BTreeMap::from([("image".to_owned(), "busybox:1".to_owned())]);
    let shown = event::event(&davit_model::lifecycle::Event {
        kind: "container.start".into(),
        actor: "ab".into(),
        time_ms: 1_714_557_600_123,
        attributes,
    });
    let want: Value = json!({"Type": "container", "Action": "start", "scope": "local", "status": "start", "id": "ab",
        "from": "busybox:1", "Actor": {"ID": "ab", "Attributes": {"image": "busybox:1"}},
        "time": 1_714_557_600, "timeNano": 1_714_557_600_123_000_000_u64});
    assert_eq!(shown, want);
}
