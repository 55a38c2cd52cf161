//! Components that do what no plugin should. Each ends in one clear error that names plugin and call, within its
//! deadline, and the next call of the same plugin works.

use super::support::{Bench, Memory, Pool, Stuck, bench, guest};
use davit_model::{
    error::{PolicyError, PortError},
    network::{EndpointRequest, NetworkDriver, NetworkPlan, NetworkRequest},
    services::{HostServices as _, HttpResponse},
    state::{Planned, StateWrite},
};
use davit_plugin_host::{Grant, Plugin, Source};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// Every behaviour of the guest with what must come of it. A behaviour that is not here fails a test below.
const EXPECTED: &[(&str, &str)] = &[
    ("behave", "ok"),
    ("endless-loop", "internal: no answer within its deadline of 500 ms"),
    ("endless-host-calls", "internal: no answer within its deadline of 500 ms"),
    ("allocate", "internal: it went past its memory of 16 MiB"),
    ("panic", "internal: it panicked"),
    ("recurse", "internal: it reached beyond its memory (endless recursion"),
    ("recurse-thin", "internal: it went past its stack of 512 KiB (endless recursion"),
    ("oversized-error", "xxxxxxxx"),
    ("oversized-argument", "internal: it"),
    ("million-steps", "internal: a plan has at most 64 links"),
    ("million-handles", "internal: it"),
    ("log-flood", "ok"),
    ("block-in-host-call", "internal: no answer within its deadline of 500 ms"),
    ("ask-state", "denied: durable state (grant \"state\" missing"),
    ("ask-secret", "denied: secret \"vault-token\" (grant \"secrets\" missing"),
    ("ask-other-secret", "denied: secret \"root-password\""),
    ("ask-stored", "denied: stored credentials are for authenticate only"),
    ("ask-http", "denied: http https://vault.example (grant \"http\" missing"),
    ("ask-other-http", "denied: http https://evil.example (grant \"http\" missing"),
    ("leak-secret", "denied: secret"),
    ("read-guarded", "denied: secret"),
    ("ask-vlan", "denied: interface \"eth9\" (grant \"interfaces\" missing"),
    ("ask-other-vlan", "denied: interface \"eth0\" (grant \"interfaces\" missing"),
    ("write-state", "denied: durable state"),
    ("write-state-and-fail", "denied: durable state"),
    ("config", "deep"),
];

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
        secrets: [("vault-token".to_owned(), "hunter2".to_owned())].into(),
        ..Memory::default()
    }
}

async fn load(bench: &Bench, grant: &Grant) -> Arc<Plugin> {
    bench.host.load("bad", Source::Bytes(&guest("misbehaving")), grant).await.unwrap()
}

fn full_grant() -> Grant {
    use sha2::{Digest, Sha256};
    let digest: String = Sha256::digest(guest("misbehaving")).iter().map(|b| format!("{b:02x}")).collect();
    let text = format!(
        "digest = \"sha256:{digest}\"\nstate = true\nhttp = [\"https://vault.example\"]\n\
         secrets = [\"vault-token\"]\ninterfaces = [\"eth9\"]\nhost-network = true"
    );
    Grant::from_table(&text.parse().unwrap()).unwrap()
}

async fn plan(driver: &Arc<dyn NetworkDriver>, name: &str) -> Result<Planned<NetworkPlan>, PortError> {
    if name == "block-in-host-call" {
        driver.plan_network(&request(name), &Stuck).await
    } else {
        driver.plan_network(&request(name), &Pool::default()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misbehaviour_ends_in_one_clear_error_within_its_deadline_and_the_next_call_works() {
    let bench = bench(memory());
    let driver = load(&bench, &Grant::default()).await.network().unwrap();
    for (name, expected) in EXPECTED {
        let began = Instant::now();
        let outcome = plan(&driver, name).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{name} took {:?}", began.elapsed());
        match outcome {
            Ok(_) => assert_eq!(*expected, "ok", "{name}"),
            Err(error) => {
                let text = error.to_string();
                assert!(text.starts_with("plugin misbehaving@1.2.3, plan-network: "), "{name}: {text}");
                assert!(text.contains(expected), "{name}: {}", text.chars().take(200).collect::<String>());
                assert!(text.len() < 5000, "{name}: {} bytes", text.len());
            }
        }
        plan(&driver, "behave").await.unwrap_or_else(|e| panic!("after {name}: {e}"));
    }
}

#[test]
fn no_behaviour_of_the_guest_is_untested() {
    let source = include_str!("../guests/misbehaving/src/lib.rs");
    let named: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => ").map(|(name, _)| name))
        .collect();
    let tested: BTreeSet<&str> = EXPECTED.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, tested);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_endless_loops_at_once_leave_the_host_able_to_answer() {
    let bench = bench(memory());
    let driver = load(&bench, &Grant::default()).await.network().unwrap();
    let mut loops = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let driver = driver.clone();
        loops.spawn(async move { plan(&driver, "endless-loop").await.unwrap_err() });
    }
    while let Some(outcome) = loops.join_next().await {
        assert!(outcome.unwrap().to_string().contains("deadline"));
    }
    let began = Instant::now();
    while plan(&driver, "behave").await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(5), "the pool was not given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_flood_is_cut_and_said() {
    let bench = bench(memory());
    let driver = load(&bench, &Grant::default()).await.network().unwrap();
    plan(&driver, "log-flood").await.unwrap();
    let lines = bench.services.lines.lock().unwrap();
    let bytes: usize = lines.iter().map(|(_, line)| line.len()).sum();
    assert!(bytes < 66 << 10, "{bytes}");
    assert!(lines.last().unwrap().1.contains("lines dropped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_works_and_nothing_more() {
    let services = memory();
    *services.web.lock().unwrap() = Some(Box::new(|_| {
        Ok(HttpResponse {
            status: 200,
            headers: vec![("x-token".to_owned(), "t0ken".to_owned())],
            body: br#"{"token":"t0ken","expires_in":300}"#.to_vec(),
        })
    }));
    let bench = bench(services);
    let driver = load(&bench, &full_grant()).await.network().unwrap();
    for name in ["ask-state", "ask-secret", "ask-http", "read-guarded", "ask-vlan"] {
        plan(&driver, name).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for name in ["ask-other-secret", "ask-other-http", "leak-secret", "ask-other-vlan", "ask-stored"] {
        let error = plan(&driver, name).await.unwrap_err();
        assert!(matches!(error.error, PolicyError::Denied(_)), "{name}: {error}");
        assert!(!error.to_string().contains("hunter2"));
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
    let ungranted = load(&bench, &Grant::default()).await.network().unwrap();
    let error = ungranted.plan_endpoint(&endpoint, &NetworkPlan::default(), &Pool::default()).await.unwrap_err();
    assert!(error.to_string().contains("host-network"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_comes_with_the_plan_of_a_call_that_ends_well_and_the_host_writes_none_of_it() {
    let bench = bench(memory());
    let driver = load(&bench, &full_grant()).await.network().unwrap();
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
