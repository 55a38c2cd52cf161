//! Storage, registry authentication and lifecycle policy that do what no plugin should, each in every way that its kind
//! has. Each ends in one clear error that names plugin and call, within its deadline; nothing of what was refused is in
//! a plan, no secret goes astray, and the next call of the same plugin works.

mod expected;

use super::{
    contained::{COMMON, DEADLINE, GRANTED, SECRET, TRIES, judge, names, overtaken, with_tokens},
    support::{Bench, Memory, Stuck, behaviours_of, bench},
};
use davit_model::{
    auth::{Credential, CredentialKind},
    error::PortError,
    secret::Secret,
    state::{Planned, StateWrite},
};
use davit_plugin_host::{Lending, Plugin, Question, Reply};
use expected::{ANOTHER_PLAN, KINDS};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

type Outcome = Result<Planned<Reply>, PortError>;

/// A kind and one of its calls.
type Call = (&'static str, &'static str);

/// Of each kind the call that has most to say.
const FIRST_CALLS: &[Call] = &[("storage", "prepare-root"), ("registry-auth", "authenticate"), ("lifecycle", "mutate")];

const OTHER_CALLS: &[Call] = &[
    ("storage", "probe"),
    ("storage", "prepare-layer"),
    ("storage", "commit-layer"),
    ("storage", "promote"),
    ("storage", "remove-layer"),
    ("storage", "usage"),
    ("storage", "reconcile"),
    ("storage", "released"),
    ("registry-auth", "resolve"),
    ("registry-auth", "verify"),
    ("lifecycle", "admit"),
    ("lifecycle", "before-start"),
    ("lifecycle", "after-exit"),
    ("lifecycle", "observe"),
];

/// Of what any plugin can do, that which every call is put to.
const IN_EVERY_CALL: [&str; 5] = ["endless-loop", "allocate", "recurse", "panic", "oversized-error"];

/// What its ordinary answers need, and nothing that the host does for it.
const LEAST: &str = r#"
    secret-files = ["vault-token"]
    mirrors = ["https://mirror.example"]
    adjust = ["/labels/team"]
"#;

const MORE: &str = r#"
    state = true
    http = ["https://vault.example", "GET https://reader.example", "realm"]
    secrets = ["vault-token", "reader-token https://reader.example", "stuck"]
    credentials = true
    credential-callers = ["uid:1000"]
"#;

/// One question of each call: what it does not ask for is not looked at.
fn question((kind, call): Call) -> Question {
    let layer = |n: u8, place: Option<&str>| json!({ "chain_id": format!("{n:064x}"), "place": place });
    let chain = json!([layer(1, Some("base")), layer(2, None)]);
    let digest = format!("sha256:{}", "d".repeat(64));
    let whole = json!({
        "kind": kind, "call": call,
        "facts": { "features": [], "free_bytes": 1 },
        "chain": chain, "container": "c".repeat(64), "top": chain, "unknown": ["left"], "what": "root", "id": "gone",
        "challenge": {
            "registry": "registry.example",
            "scheme": "bearer",
            "params": { "realm": "https://auth.example/token" },
            "repository": "team/app",
            "actions": ["pull"],
            "offered": { "server": "registry.example", "user": "ada", "kind": "password", "secret": "pw-of-ada" },
            "caller": "uid:1000",
            "attempt": 1,
        },
        "registry": "registry.example", "repository": "team/app",
        "manifest": { "reference": "registry.example/team/app:1", "digest": digest, "media_type": "application/json" },
        "operation": {
            "kind": "container.create", "caller": "uid:1000", "image": "registry.example/team/app:1",
            "image_digest": digest, "labels": {}, "privileged": false, "request": {},
        },
        "status": 137,
        "event": { "kind": "container.die", "actor": "gone", "time_ms": 1, "attributes": {} },
    });
    serde_json::from_value(whole).unwrap()
}

struct Kinds {
    bench: Bench,
    plugin: Arc<Plugin>,
}

impl Kinds {
    async fn granted(rights: &str) -> Self {
        let secrets = [("vault-token", SECRET), ("reader-token", "r34d")];
        let secrets = secrets.map(|(name, secret)| (name.to_owned(), secret.to_owned())).into();
        let bench = bench(with_tokens(Memory { secrets, ..Memory::default() }));
        *bench.services.stored.lock().unwrap() = Some(Credential {
            server: "registry.example".to_owned(),
            user: None,
            kind: CredentialKind::IdentityToken,
            secret: Secret::new("refresh"),
        });
        let plugin = bench.misbehaving("misbehaving-kinds", rights).await;
        Self { bench, plugin }
    }

    /// Makes calls at once, during which the plugin behaves so.
    async fn ask(&self, name: &str, calls: &[Call]) -> Vec<(Call, Duration, Outcome)> {
        *self.bench.services.config.lock().unwrap() = json!({ "behave": name });
        let mut all = JoinSet::new();
        for call in calls.iter().copied() {
            let plugin = self.plugin.clone();
            all.spawn(async move {
                let began = Instant::now();
                let outcome = plugin.reply(&question(call), Lending { leases: &Stuck, manifests: &Stuck }).await;
                (call, began.elapsed(), outcome)
            });
        }
        let mut outcomes = all.join_all().await;
        outcomes.sort_by_key(|(call, ..)| *call);
        outcomes
    }

    /// Holds what comes of a behaviour in these calls, and that each of them works thereafter. What a plugin that was
    /// refused goes on to answer is what it answers when it behaves, unless that is what it does wrong.
    async fn contains(&self, name: &str, calls: &[Call], expected: &str) {
        let other_plan = expected == ANOTHER_PLAN;
        let expected = if other_plan { "ok".to_owned() } else { expected.replace(DEADLINE, "1 s") };
        let mut outcomes = self.ask(name, calls).await;
        for (call, took, outcome) in &mut outcomes {
            let mut tries = 1..TRIES;
            while overtaken(outcome, &expected) && tries.next().is_some() {
                (*call, *took, *outcome) = self.ask(name, &[*call]).await.remove(0);
            }
        }
        for (((kind, call), took, outcome), (_, _, good)) in outcomes.iter().zip(self.ask("behave", calls).await) {
            judge(outcome, *took, &format!("misbehaving-kinds@1.2.3, {call}"), name, &expected);
            let good = good.unwrap_or_else(|e| panic!("{kind}, after {name}: {e}"));
            if let Ok(answered) = outcome {
                assert_eq!(answered.plan != good.plan, other_plan, "{call}: {name}");
            }
        }
    }

    /// Each secret went where it may go, and none else was spoken to.
    fn hold_secrets(&self) {
        for request in self.bench.services.asked.lock().unwrap().iter() {
            let shown = |secret: &Option<Secret>| secret.as_ref().map(|s| s.reveal().to_owned()).unwrap_or_default();
            let carried = shown(&request.authorization) + &shown(&request.body);
            let allowed = match request.url.strip_prefix("https://").and_then(|rest| rest.split('/').next()) {
                Some("vault.example") => ["", "Bearer hunter2"].as_slice(),
                Some("reader.example") if request.method == "GET" => &["", "Bearer r34d"],
                Some("auth.example") => &[""],
                _ => &[],
            };
            assert!(allowed.contains(&carried.as_str()), "{} got {carried:?}", request.url);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_any_plugin_can_do_wrong_is_contained_in_each_kind_and_the_next_call_works() {
    let kinds = Kinds::granted(LEAST).await;
    for (name, expected) in COMMON {
        kinds.contains(name, FIRST_CALLS, expected).await;
    }
    assert!(kinds.bench.services.asked.lock().unwrap().is_empty(), "nothing was granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_time_or_memory_is_contained_in_every_call_of_each_kind() {
    let kinds = Kinds::granted(LEAST).await;
    let calls = [FIRST_CALLS, OTHER_CALLS].concat();
    for name in IN_EVERY_CALL {
        let (_, expected) = COMMON.iter().find(|(common, _)| *common == name).unwrap();
        kinds.contains(name, &calls, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_works_in_each_kind_and_nothing_more() {
    let kinds = Kinds::granted(&[LEAST, MORE].concat()).await;
    for (name, expected) in GRANTED {
        kinds.contains(name, FIRST_CALLS, expected).await;
    }
    kinds.hold_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kind_alone_can_do_wrong_is_refused_by_name_and_is_in_no_plan() {
    let kinds = Kinds::granted(&[LEAST, MORE].concat()).await;
    for (kind, calls, _) in KINDS {
        for (call, behaviours) in *calls {
            for (name, expected) in *behaviours {
                kinds.contains(name, &[(kind, call)], expected).await;
            }
        }
    }
    kinds.hold_secrets();
}

#[test]
fn no_behaviour_of_any_kind_is_untested() {
    for (kind, calls, source) in KINDS {
        let mut tested: BTreeSet<&str> = calls.iter().flat_map(|(_, behaviours)| names(behaviours)).collect();
        tested.insert("behave");
        assert_eq!(behaviours_of(source), tested, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_wrote_is_kept_with_its_plan_or_once_it_has_ended_well() {
    let kinds = Kinds::granted(&[LEAST, MORE].concat()).await;
    let written = StateWrite { key: "count".to_owned(), expected: None, new: Some(b"1".to_vec()) };
    for ((kind, call), _, outcome) in kinds.ask("write-state", &FIRST_CALLS[..1]).await {
        assert_eq!(outcome.unwrap().state.writes, std::slice::from_ref(&written), "{kind}, {call}");
        assert!(kinds.bench.services.state.lock().unwrap().is_empty(), "it is written when the plan is journalled");
    }
    for call in &FIRST_CALLS[1..] {
        for (_, _, outcome) in kinds.ask("write-state", &[*call]).await {
            assert!(outcome.unwrap().state.writes.is_empty(), "{call:?}");
        }
        let kept = std::mem::take(&mut *kinds.bench.services.state.lock().unwrap());
        assert_eq!(kept, [("count".to_owned(), b"1".to_vec())].into(), "{call:?}");
    }
    for (call, _, outcome) in kinds.ask("write-state-and-fail", FIRST_CALLS).await {
        outcome.unwrap_err();
        assert!(kinds.bench.services.state.lock().unwrap().is_empty(), "{call:?}");
    }
}
