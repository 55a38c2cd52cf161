//! Components that do what no plugin should. Each ends in one clear error that names plugin and call, within its
//! deadline, and the next call of the same plugin works.

use super::{
    contained::{COMMON, DEADLINE, GRANTED, TRIES, judge, names, overtaken, with_tokens},
    support::{Bench, Memory, Pool, Stuck, behaviours_of, bench, guest},
};
use davit_model::{
    error::{PolicyError, PortError},
    network::{EndpointRequest, NetworkDriver, NetworkPlan, NetworkRequest},
    services::HostServices as _,
    state::{Planned, StateWrite},
};
use davit_plugin_host::{Grant, Source};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Every behaviour of the network kind alone, with what must come of it where nothing is granted.
const EXPECTED: &[(&str, &str)] = &[
    ("behave", "ok"),
    ("million-steps", "internal: a plan has at most 64 links"),
    ("block-in-host-call", "internal: no answer within its deadline of {deadline}"),
    ("ask-vlan", "denied: interface \"eth9\" (grant \"interfaces\" missing"),
    ("ask-other-vlan", "denied: interface \"eth0\" (grant \"interfaces\" missing"),
    ("config", "deep"),
];

const FULL_GRANT: &str = "state = true\nhttp = [\"https://vault.example\", \"https://reader.example\"]\n\
                          secrets = [\"vault-token\", \"reader-token\", \"stuck\"]\n\
                          interfaces = [\"eth9\"]\nhost-network = true";

fn request(name: &str) -> NetworkRequest {
    NetworkRequest {
        name: name.to_owned(),
        internal: false,
        ipv6: false,
        subnets: Vec::new(),
        settings: Default::default(),
    }
}

fn memory() -> Memory {
    Memory {
        config: serde_json::json!({ "a": { "b": "deep" } }).into(),
        secrets: [("vault-token", "hunter2"), ("reader-token", "r34d")].map(|(k, v)| (k.into(), v.into())).into(),
        ..Memory::default()
    }
}

async fn loaded(bench: &Bench, rights: &str) -> Arc<dyn NetworkDriver> {
    bench.misbehaving("misbehaving", rights).await.network().unwrap()
}

async fn plan(driver: &Arc<dyn NetworkDriver>, name: &str) -> Result<Planned<NetworkPlan>, PortError> {
    if name == "block-in-host-call" {
        driver.plan_network(&request(name), &Stuck).await
    } else {
        driver.plan_network(&request(name), &Pool::default()).await
    }
}

async fn contained(driver: &Arc<dyn NetworkDriver>, table: &[(&str, &str)]) {
    for (name, expected) in table {
        let expected = expected.replace(DEADLINE, "500 ms");
        for last in 1..=TRIES {
            let began = Instant::now();
            let outcome = plan(driver, name).await;
            if last == TRIES || !overtaken(&outcome, &expected) {
                judge(&outcome, began.elapsed(), "misbehaving@1.2.3, plan-network", name, &expected);
                break;
            }
        }
        plan(driver, "behave").await.unwrap_or_else(|e| panic!("after {name}: {e}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misbehaviour_ends_in_one_clear_error_within_its_deadline_and_the_next_call_works() {
    let bench = bench(memory());
    let driver = loaded(&bench, "").await;
    contained(&driver, COMMON).await;
    contained(&driver, EXPECTED).await;
}

#[test]
fn no_behaviour_of_the_guest_is_untested() {
    assert_eq!(behaviours_of(include_str!("../guests/misbehaving/src/behaviours.rs")), names(COMMON));
    assert_eq!(behaviours_of(include_str!("../guests/misbehaving/src/lib.rs")), names(EXPECTED));
    assert!(names(GRANTED).is_subset(&names(COMMON)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_that_never_end_leave_the_host_able_to_answer() {
    let bench = bench(memory());
    let driver = loaded(&bench, "").await;
    for name in ["endless-loop", "sleep-in-wasi"] {
        let mut loops = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let driver = driver.clone();
            loops.spawn(async move { plan(&driver, name).await.unwrap_err() });
        }
        while let Some(outcome) = loops.join_next().await {
            assert!(outcome.unwrap().to_string().contains("deadline"));
        }
        let began = Instant::now();
        while plan(&driver, "behave").await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(5), "{name}: the pool was not given back");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_flood_is_cut_and_said() {
    let bench = bench(memory());
    let driver = loaded(&bench, "").await;
    plan(&driver, "log-flood").await.unwrap();
    let lines = bench.services.lines.lock().unwrap();
    let bytes: usize = lines.iter().map(|(_, line)| line.len()).sum();
    assert!(bytes < 66 << 10, "{bytes}");
    assert!(lines.last().unwrap().1.contains("lines dropped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_works_and_nothing_more() {
    let bench = bench(with_tokens(memory()));
    let driver = loaded(&bench, FULL_GRANT).await;
    contained(&driver, GRANTED).await;
    plan(&driver, "ask-vlan").await.unwrap();
    for name in ["ask-other-vlan", "ask-stored"] {
        let error = plan(&driver, name).await.unwrap_err();
        assert!(matches!(error.error, PolicyError::Denied(_)), "{name}: {error}");
    }
    let asked = bench.services.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|r| r.url.starts_with("https://vault.example/")), "{asked:?}");
    assert!(asked.iter().any(|r| r.authorization.as_ref().is_some_and(|a| a.reveal() == "Bearer hunter2")));
    let endpoint = EndpointRequest {
        container: "c".repeat(64),
        aliases: Vec::new(),
        wanted_v4: None,
        wanted_v6: None,
        wanted_mac: None,
        published: Vec::new(),
        settings: Default::default(),
    };
    driver.plan_endpoint(&endpoint, &NetworkPlan::default(), &Pool::default()).await.unwrap();
    let ungranted = loaded(&bench, "").await;
    let error = ungranted.plan_endpoint(&endpoint, &NetworkPlan::default(), &Pool::default()).await.unwrap_err();
    assert!(error.to_string().contains("host-network"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_comes_with_the_plan_of_a_call_that_ends_well_and_the_host_writes_none_of_it() {
    let bench = bench(memory());
    let driver = loaded(&bench, FULL_GRANT).await;
    let planned = plan(&driver, "write-state").await.unwrap();
    plan(&driver, "write-state-and-fail").await.unwrap_err();
    assert!(bench.services.state.lock().unwrap().is_empty(), "it is written when the plan is journalled");
    let write = StateWrite { key: "count".into(), expected: None, new: Some(b"1".to_vec()) };
    assert_eq!(planned.state.writes, [write]);
    // Once it is, the next call sees it.
    bench.services.state_commit(&planned.state).await.unwrap();
    let again = plan(&driver, "write-state").await.unwrap();
    assert_eq!(again.state.writes[0].expected.as_deref(), Some(&b"1"[..]));
}

async fn refused(bytes: &[u8], grant: &Grant) -> String {
    bench(memory()).host.load("bad", Source::Bytes(bytes), grant).await.unwrap_err().to_string()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = out[at..].windows(from.len()).position(|w| w == from) {
        out[at + found..at + found + from.len()].copy_from_slice(to);
        at += found + from.len();
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plugin_is_refused_with_the_reason() {
    let none = Grant::default();
    let good = guest("misbehaving");
    assert!(refused(b"#!/bin/sh\necho no", &none).await.contains("it is not WebAssembly"));
    assert!(refused(b"", &none).await.contains("it is not WebAssembly"));
    assert!(refused(b"\0asm\x01\0\0\0", &none).await.contains("a core WebAssembly module"));
    assert!(refused(&guest("no-manifest"), &none).await.contains("no manifest"));
    for length in [9, good.len() / 3, good.len() / 2, good.len() - 1] {
        let text = refused(&good[..length], &none).await;
        assert!(text.starts_with("plugin bad (bytes): "), "{text}");
    }
    let newer = replaced(&good, b"@0.1.0", b"@0.9.0");
    let text = refused(&newer, &none).await;
    assert!(text.contains("0.9.0") && text.contains("another version of the contract"), "{text}");
    let wrong = Grant { digest: Some("sha256:00".to_owned()), ..Grant::default() };
    assert!(refused(&good, &wrong).await.contains("the grant is for sha256:00"));
    let bad_key = replaced(&good, b"host-network = true", b"host-metwork = true");
    assert!(refused(&bad_key, &none).await.contains("host-metwork"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_a_later_patch_of_this_version_loads() {
    let later = replaced(&guest("misbehaving"), b"@0.1.0", b"@0.1.7");
    let bench = bench(memory());
    let plugin = bench.host.load("bad", Source::Bytes(&later), &Grant::default()).await.unwrap();
    plan(&plugin.network().unwrap(), "behave").await.unwrap();
}
