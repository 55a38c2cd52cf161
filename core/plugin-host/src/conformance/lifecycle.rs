//! Lifecycle policy: operations of every kind that the engine has, and of kinds that it does not have yet.

use super::{
    session::{Found, Session, Why, unexpected},
    tally::Tally,
};
use crate::question::{LifecycleCall, Question, Reply};
use davit_model::{
    container::{ContainerSpec, Limits},
    id::Caller,
    lifecycle::{Event, Operation},
};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) async fn suite(session: &mut Session<'_>) {
    let found = mutated(session).await;
    session.found("lifecycle: what it changes makes a request that the core takes", found);
    let found = admitted(session).await;
    session.found("lifecycle: every operation is permitted or refused", found);
    let found = around(session).await;
    session.found("lifecycle: before-start and after-exit answer where they are exported", found);
    let found = observed(session).await;
    session.found("lifecycle: events are taken where observe is exported", found);
    let found = impossible(session).await;
    session.found("lifecycle: operations of later versions are answered, not trapped on", found);
    let found = largest(session).await;
    session.found("lifecycle: the largest requests stay within its limits", found);
    session.without_help("lifecycle", samples).await;
}

/// The largest request that the engine reads has 4 MiB; most of it in one field, and a thousand labels.
const LARGE: usize = 3 << 20;
const MANY: usize = 1000;

fn image(session: &mut Session<'_>) -> String {
    let host = session.chance.of(&["docker.io/library", "registry.example:5000/team", "localhost:5000"]);
    let name = session.chance.hex(6);
    match session.chance.below(3) {
        0 => format!("{}/{name}@{}", host.unwrap_or_default(), session.chance.digest()),
        1 => format!("{}/{name}:1.{}", host.unwrap_or_default(), session.chance.below(9)),
        _ => format!("{}/{name}", host.unwrap_or_default()),
    }
}

fn creation(session: &mut Session<'_>) -> Result<Operation, Why> {
    let image = image(session);
    let chance = &mut session.chance;
    let labels: BTreeMap<_, _> =
        (0..chance.below(4)).map(|n| (format!("org.example.label{n}"), chance.hex(5))).collect();
    let spec = ContainerSpec {
        image: image.clone(),
        cmd: chance.one_in(2).then(|| vec!["sleep".to_owned(), chance.below(1000).to_string()]),
        env: (0..chance.below(4)).map(|n| (format!("NAME{n}"), chance.one_in(5).then(|| chance.hex(9)))).collect(),
        user: chance.of(&["", "0", "1000:1000", "nobody"]).filter(|user| !user.is_empty()).map(str::to_owned),
        labels: labels.clone(),
        privileged: chance.one_in(6),
        limits: Limits {
            memory: chance.one_in(2).then(|| (1 + chance.below(64)) << 24),
            nano_cpus: chance.one_in(3).then(|| (1 + chance.below(8)) * 500_000_000),
            pids: chance.one_in(3).then_some(100),
            ..Limits::default()
        },
        network: chance.of(&["default", "bridge", "host", "none"]).unwrap_or("default").to_owned(),
        ..ContainerSpec::default()
    };
    let mut request = serde_json::to_value(&spec).map_err(|e| e.to_string())?;
    if let Some(fields) = request.as_object_mut() {
        // As the engine does: policy sees the parsed request only.
        fields.remove("as_asked");
    }
    Ok(Operation {
        kind: "container.create".to_owned(),
        caller: Caller(format!("uid:{}", chance.below(3) * 1000)),
        image_digest: chance.one_in(2).then(|| chance.digest()),
        image: Some(image),
        labels,
        privileged: spec.privileged,
        request,
    })
}

/// Kinds that the engine has, and that it asks with no more than an image.
const IMAGE_KINDS: &[&str] = &["image.pull", "image.push", "image.remove", "image.tag"];

fn on_image(session: &mut Session<'_>) -> Operation {
    let image = image(session);
    Operation {
        kind: session.chance.of(IMAGE_KINDS).unwrap_or_default().to_owned(),
        caller: Caller("uid:0".to_owned()),
        image: Some(image),
        image_digest: None,
        labels: BTreeMap::new(),
        privileged: false,
        request: Value::Null,
    }
}

async fn mutated(session: &mut Session<'_>) -> Found {
    session.exports("davit:lifecycle/mutate")?;
    let mut tally = Tally::default();
    for _ in 0..session.how.requests {
        let operation = creation(session)?;
        let call = LifecycleCall::Mutate { operation: operation.clone() };
        let said = session.tried(&mut tally, &Question::Lifecycle(call)).await?;
        if let Ok(reply) = said {
            taken(session, &operation, &reply)?;
        }
    }
    session.not_all_refused(tally).await
}

fn taken(session: &Session<'_>, operation: &Operation, reply: &Reply) -> Found {
    let Reply::Adjustments(changes) = reply else { return Err(unexpected(reply)) };
    Ok(session.judge.adjustments(&session.plugin().info().site_name, operation, changes)?)
}

async fn admitted(session: &mut Session<'_>) -> Found {
    session.exports("davit:lifecycle/admit")?;
    let mut tally = Tally::default();
    for _ in 0..session.how.requests {
        let operation = if session.chance.one_in(3) { on_image(session) } else { creation(session)? };
        let call = LifecycleCall::Admit { operation };
        session.tried(&mut tally, &Question::Lifecycle(call)).await?.ok();
    }
    session.not_all_refused(tally).await
}

async fn around(session: &mut Session<'_>) -> Found {
    let hooks = ["davit:lifecycle/before-start", "davit:lifecycle/after-exit"];
    let [before, after] = hooks.map(|hook| session.exports(hook).is_ok());
    if !before && !after {
        return Err(Why::Skipped("it exports neither".to_owned()));
    }
    let (mut starts, mut exits) = (Tally::default(), Tally::default());
    for status in [0, 1, 137, -1] {
        let operation = Operation { kind: "container.start".to_owned(), ..creation(session)? };
        if before {
            let call = LifecycleCall::BeforeStart { operation: operation.clone() };
            session.tried(&mut starts, &Question::Lifecycle(call)).await?.ok();
        }
        if after {
            let operation = Operation { kind: "container.exit".to_owned(), ..operation };
            let call = LifecycleCall::AfterExit { operation, status };
            session.tried(&mut exits, &Question::Lifecycle(call)).await?.ok();
        }
    }
    session.not_all_refused(starts).await?;
    session.not_all_refused(exits).await
}

fn event(session: &mut Session<'_>) -> Event {
    let chance = &mut session.chance;
    let kinds = ["container.create", "container.start", "container.die", "image.pull", "of.a.later.version"];
    Event {
        kind: chance.of(&kinds).unwrap_or_default().to_owned(),
        actor: chance.hex(64),
        time_ms: 1_700_000_000_000 + chance.below(1_000_000),
        attributes: (0..chance.below(5)).map(|n| (format!("key{n}"), chance.hex(8))).collect(),
    }
}

async fn observed(session: &mut Session<'_>) -> Found {
    session.exports("davit:lifecycle/observe")?;
    let mut tally = Tally::default();
    for _ in 0..session.how.requests {
        let call = LifecycleCall::Observe { event: event(session) };
        session.tried(&mut tally, &Question::Lifecycle(call)).await?.ok();
    }
    session.not_all_refused(tally).await
}

async fn impossible(session: &mut Session<'_>) -> Found {
    let base = creation(session)?;
    for operation in [
        Operation { kind: "something.of.a.later.version".to_owned(), ..base.clone() },
        Operation { request: Value::Null, image: None, ..base.clone() },
        Operation { request: Value::from("text"), ..base.clone() },
        Operation { image: Some("x".repeat(60_000)), ..base.clone() },
        Operation { caller: Caller(String::new()), labels: BTreeMap::new(), ..base },
    ] {
        session.survive(&Question::Lifecycle(LifecycleCall::Mutate { operation: operation.clone() })).await?;
        session.survive(&Question::Lifecycle(LifecycleCall::Admit { operation })).await?;
    }
    Ok(())
}

async fn largest(session: &mut Session<'_>) -> Found {
    let base = creation(session)?;
    let labels: BTreeMap<_, _> = (0..MANY).map(|n| (format!("org.example.label{n}"), "x".repeat(60))).collect();
    let mut request = base.request.clone();
    if let Some(fields) = request.as_object_mut() {
        fields.insert("labels".to_owned(), serde_json::to_value(&labels).map_err(|e| e.to_string())?);
        let env: BTreeMap<_, _> = (0..MANY).map(|n| (format!("NAME{n}"), "x".repeat(LARGE / MANY))).collect();
        fields.insert("env".to_owned(), serde_json::to_value(env).map_err(|e| e.to_string())?);
    }
    let operation = Operation { labels: labels.clone(), request, ..base };
    let mutate = Question::Lifecycle(LifecycleCall::Mutate { operation: operation.clone() });
    if let Ok(reply) = session.bear(&mutate).await? {
        taken(session, &operation, &reply)?;
    }
    session.bear(&Question::Lifecycle(LifecycleCall::Admit { operation })).await?.ok();
    let event = Event { attributes: labels, ..event(session) };
    session.bear(&Question::Lifecycle(LifecycleCall::Observe { event })).await?.ok();
    Ok(())
}

/// A few requests of each hook.
fn samples(session: &mut Session<'_>) -> Result<Vec<Question>, Why> {
    let mut calls = Vec::new();
    for _ in 0..4 {
        let operation = creation(session)?;
        calls.extend([
            LifecycleCall::Mutate { operation: operation.clone() },
            LifecycleCall::Admit { operation: operation.clone() },
            LifecycleCall::BeforeStart { operation: operation.clone() },
            LifecycleCall::AfterExit { operation, status: 0 },
            LifecycleCall::Observe { event: event(session) },
        ]);
    }
    Ok(calls.into_iter().map(Question::Lifecycle).collect())
}
