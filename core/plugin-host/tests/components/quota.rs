//! The shipped `quota` through the real host, with the engine's part played here: mutate, admit, and the events of what
//! was made and what went.

use super::support::{Bench, Memory, bench};
use davit_model::{
    container::ContainerSpec,
    error::PolicyError,
    id::Caller,
    lifecycle::{Event, Hooks, Lifecycle, Operation},
};
use std::{collections::BTreeMap, sync::Arc};

const MIB: u64 = 1 << 20;

async fn quota(config: serde_json::Value) -> (Bench, Arc<dyn Lifecycle>) {
    let bench = bench(Memory { config: config.into(), ..Memory::default() });
    let policy = bench.shipped("quota").await.lifecycle().unwrap();
    (bench, policy)
}

fn operation(kind: &str, caller: &str, spec: &ContainerSpec) -> Operation {
    Operation {
        kind: kind.to_owned(),
        caller: Caller(caller.to_owned()),
        image: Some("app".to_owned()),
        image_digest: None,
        labels: spec.labels.clone(),
        privileged: false,
        request: serde_json::to_value(spec).unwrap(),
    }
}

fn spec(labels: &[(&str, &str)], memory: Option<u64>) -> ContainerSpec {
    let mut spec = ContainerSpec::default();
    spec.labels.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    spec.limits.memory = memory;
    spec
}

/// Asks as the engine does; answers the container's labels.
async fn create(policy: &dyn Lifecycle, caller: &str, spec: &ContainerSpec) -> Result<ContainerSpec, PolicyError> {
    let mut spec = spec.clone();
    for change in policy.mutate(&operation("container.create", caller, &spec)).await.unwrap() {
        let key = change.path.strip_prefix("/labels/").unwrap().to_owned();
        spec.labels.insert(key, change.value.as_str().unwrap().to_owned());
    }
    policy.admit(&operation("container.create", caller, &spec)).await.map_err(|e| e.error)?;
    Ok(spec)
}

async fn happened(policy: &dyn Lifecycle, kind: &str, id: &str, made: &ContainerSpec) {
    let attributes: BTreeMap<String, String> = made.labels.clone();
    let event = Event { kind: kind.to_owned(), actor: id.to_owned(), time_ms: 1, attributes };
    policy.observe(&event).await.unwrap();
}

fn denied<T: std::fmt::Debug>(answer: Result<T, PolicyError>, words: &str) {
    assert!(matches!(&answer, Err(PolicyError::Denied(text)) if text.contains(words)), "{words}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_as_many_containers_as_it_may_and_one_more_once_one_is_gone() {
    let section = serde_json::json!({ "callers": { "uid:1000": { "containers": 2 }, "*": { "containers": 1 } } });
    let (_bench, policy) = quota(section).await;
    assert_eq!(policy.hooks(), Hooks { mutate: true, admit: true, observe: true, ..Hooks::default() });
    let policy = policy.as_ref();
    let plain = spec(&[], None);
    let first = create(policy, "uid:1000", &plain).await.unwrap();
    happened(policy, "container.create", "c1", &first).await;
    // The same event again, and others, count nothing twice.
    happened(policy, "container.create", "c1", &first).await;
    happened(policy, "container.start", "c1", &first).await;
    let second = create(policy, "uid:1000", &plain).await.unwrap();
    happened(policy, "container.create", "c2", &second).await;
    denied(create(policy, "uid:1000", &plain).await, "caller uid:1000 has 2 containers of 2");
    // `*` is for each of the others by itself.
    create(policy, "uid:7", &plain).await.unwrap();
    create(policy, "uid:8", &plain).await.unwrap();
    denied(create(policy, "uid:8", &plain).await, "caller uid:8 has 1 containers of 1");
    happened(policy, "container.destroy", "c1", &first).await;
    happened(policy, "container.destroy", "c1", &first).await;
    create(policy, "uid:1000", &plain).await.unwrap();
    denied(create(policy, "uid:1000", &plain).await, "2 containers of 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_counted_in_all_and_follows_an_update() {
    let section = serde_json::json!({ "callers": { "uid:1000": { "memory": "1GiB" } } });
    let (_bench, policy) = quota(section).await;
    let policy = policy.as_ref();
    denied(create(policy, "uid:1000", &spec(&[], None)).await, "needs one of its own (--memory)");
    let made = create(policy, "uid:1000", &spec(&[], Some(600 * MIB))).await.unwrap();
    happened(policy, "container.create", "c1", &made).await;
    denied(create(policy, "uid:1000", &spec(&[], Some(600 * MIB))).await, "600 MiB of memory of 1024 MiB");
    create(policy, "uid:1000", &spec(&[], Some(400 * MIB))).await.unwrap();
    let mut updated = made.clone();
    updated.limits.memory = Some(700 * MIB);
    denied(policy.admit(&operation("container.update", "uid:0", &updated)).await.map_err(|e| e.error), "700 MiB more");
    updated.limits.memory = Some(500 * MIB);
    policy.admit(&operation("container.update", "uid:0", &updated)).await.unwrap();
    create(policy, "uid:1000", &spec(&[], Some(124 * MIB))).await.unwrap();
    denied(create(policy, "uid:1000", &spec(&[], Some(MIB))).await, "1024 MiB of memory of 1024 MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_limited_by_value_and_each_limit_that_applies_holds() {
    let section = serde_json::json!({
        "callers": { "uid:0": { "containers": 4 } },
        "labels": { "team=web": { "containers": 2 }, "team=*": { "containers": 1 } },
    });
    let (bench, policy) = quota(section).await;
    let policy = policy.as_ref();
    for _ in 0..2 {
        create(policy, "uid:0", &spec(&[("team", "web")], None)).await.unwrap();
    }
    denied(create(policy, "uid:9", &spec(&[("team", "web")], None)).await, "label team=web has 2 containers of 2");
    create(policy, "uid:0", &spec(&[("team", "db")], None)).await.unwrap();
    denied(create(policy, "uid:0", &spec(&[("team", "db")], None)).await, "label team=db has 1 containers of 1");
    create(policy, "uid:0", &spec(&[("other", "db")], None)).await.unwrap();
    denied(create(policy, "uid:0", &spec(&[], None)).await, "caller uid:0 has 4 containers of 4");
    // Whoever is under no limit is not even remembered.
    let before = bench.services.state.lock().unwrap().clone();
    create(policy, "uid:9", &spec(&[], None)).await.unwrap();
    assert_eq!(*bench.services.state.lock().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_come_to_be_counts_no_more_and_what_came_late_has_to_fit() {
    let section = serde_json::json!({ "callers": { "uid:1000": { "containers": 1 } }, "pending": 60 });
    let (bench, policy) = quota(section).await;
    let policy = policy.as_ref();
    let plain = spec(&[], None);
    let failed = create(policy, "uid:1000", &plain).await.unwrap();
    denied(create(policy, "uid:1000", &plain).await, "1 containers of 1");
    bench.services.later(61_000);
    let second = create(policy, "uid:1000", &plain).await.unwrap();
    assert_ne!(failed.labels, second.labels);
    // It did come to be after all, and its event was lost: it may not start beside the other.
    let start = async |made| policy.admit(&operation("container.start", "uid:1000", made)).await.map_err(|e| e.error);
    denied(start(&failed).await, "1 containers of 1");
    start(&second).await.unwrap();
    // What has started is there, whatever events say.
    bench.services.later(61_000);
    denied(create(policy, "uid:1000", &plain).await, "1 containers of 1");
    happened(policy, "container.destroy", "c2", &second).await;
    start(&failed).await.unwrap();
    denied(create(policy, "uid:1000", &plain).await, "1 containers of 1");
    // An event that comes late finds its line, too.
    happened(policy, "container.destroy", "c1", &failed).await;
    create(policy, "uid:1000", &plain).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_cannot_bring_a_mark_of_its_own() {
    let (_bench, policy) = quota(serde_json::json!({ "callers": { "uid:1": { "containers": 1 } } })).await;
    let policy = policy.as_ref();
    let theirs = create(policy, "uid:1", &spec(&[], None)).await.unwrap();
    let mark = theirs.labels["davit.quota"].clone();
    let forged = create(policy, "uid:2", &spec(&[("davit.quota", &mark)], None)).await.unwrap();
    assert_ne!(forged.labels["davit.quota"], mark);
    happened(policy, "container.create", "c2", &forged).await;
    happened(policy, "container.destroy", "c2", &forged).await;
    denied(create(policy, "uid:1", &spec(&[], None)).await, "1 containers of 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_no_more_are_let_in_than_may_be() {
    let (_bench, policy) = quota(serde_json::json!({ "callers": { "uid:1": { "containers": 5 } } })).await;
    let asked = (0..40).map(|_| {
        let policy = policy.clone();
        tokio::spawn(async move {
            loop {
                // Who comes between is told so, and asks again.
                match create(policy.as_ref(), "uid:1", &spec(&[], None)).await {
                    Err(PolicyError::Conflict(_)) => {}
                    answer => return answer.is_ok(),
                }
            }
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut admitted = 0;
    for one in asked {
        admitted += usize::from(one.await.unwrap());
    }
    assert_eq!(admitted, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_section_that_makes_no_sense_refuses_rather_than_lets_in() {
    for section in [
        serde_json::json!({ "callers": { "uid:1": { "contaners": 5 } } }),
        serde_json::json!({ "callers": { "uid:1": { "memory": "much" } } }),
        serde_json::json!({ "caller": {} }),
    ] {
        let (_bench, policy) = quota(section).await;
        let asked = operation("container.create", "uid:1", &spec(&[], None));
        let error = policy.admit(&asked).await.unwrap_err();
        assert!(matches!(&error.error, PolicyError::Invalid(text) if text.contains("configuration")), "{error}");
    }
}
