//! The shipped `audit` through the real host: a chain that is whole whatever the sink does, and shows where it is not.

use super::support::{Bench, Memory, bench, shipped};
use davit_model::{
    error::PolicyError,
    lifecycle::{Event, Hooks, Lifecycle},
    secret::Secret,
    services::HttpResponse,
};
use davit_plugin_host::{Grant, Source};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

const ORIGIN: &str = "https://audit.example";

/// What the sink got, and what it answers.
#[derive(Debug)]
struct Sink {
    lines: Mutex<Vec<String>>,
    answer: Mutex<Result<u16, ()>>,
}

impl Sink {
    fn answers(&self, answer: Result<u16, ()>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

struct Trail {
    bench: Bench,
    sink: Arc<Sink>,
    policy: Arc<dyn Lifecycle>,
}

async fn trail(more: Value) -> Trail {
    let mut config = json!({ "sink": format!("{ORIGIN}/v1"), "source": "host-7" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let sink = Arc::new(Sink { lines: Mutex::default(), answer: Mutex::new(Ok(202)) });
    let of_web = sink.clone();
    let bench = bench(Memory {
        config: config.into(),
        secrets: [("audit-token".to_owned(), "hunter2".to_owned())].into(),
        ..Memory::default()
    });
    *bench.services.web.lock().unwrap() = Some(Box::new(move |request| {
        let status = of_web
            .answer
            .lock()
            .unwrap()
            .map_err(|()| PolicyError::Unavailable { retry_ms: 0, message: "no connection".to_owned() })?;
        if (200..300).contains(&status) {
            let body = request.body.as_ref().map(Secret::reveal).unwrap_or_default();
            of_web.lines.lock().unwrap().extend(body.lines().map(str::to_owned));
        }
        Ok(HttpResponse { status, headers: Vec::new(), body: Vec::new() })
    }));
    let path = shipped("audit");
    let mut grant = Grant::beside(&path).unwrap().unwrap();
    grant.rights.http.insert(ORIGIN.to_owned());
    grant.rights.secrets.insert("audit-token".to_owned());
    let plugin = bench.host.load("audit", Source::File(&path), &grant).await.unwrap();
    Trail { policy: plugin.lifecycle().unwrap(), bench, sink }
}

impl Trail {
    async fn sees(&self, number: u64) {
        self.policy.observe(&event(number)).await.unwrap();
    }

    fn asked(&self) -> usize {
        self.bench.services.asked.lock().unwrap().len()
    }

    fn queued(&self) -> usize {
        self.bench.services.state.lock().unwrap().keys().filter(|key| key.starts_with("record/")).count()
    }
}

fn event(number: u64) -> Event {
    Event {
        kind: "container.start".to_owned(),
        actor: format!("{number:064x}"),
        time_ms: 1_700_000_000_000 + number,
        attributes: [("name".to_owned(), format!("web-{number}")), ("image".to_owned(), "app:1".to_owned())].into(),
    }
}

/// The records of a chain that is whole from its beginning.
fn whole(lines: &[String]) -> Vec<Value> {
    let mut previous = "0".repeat(64);
    let mut records = Vec::new();
    for (number, line) in (1_u64..).zip(lines) {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["sequence"], number, "{line}");
        assert_eq!(record["previous"], previous.as_str(), "{line}");
        previous = Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect();
        records.push(record);
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn events_become_a_chain_that_the_sink_gets_in_order() {
    let trail = trail(json!({ "batch": 3 })).await;
    assert_eq!(trail.policy.hooks(), Hooks { observe: true, ..Hooks::default() });
    for number in 0..10 {
        trail.sees(number).await;
    }
    let records = whole(&trail.sink.lines());
    // The last one waits for the next call: what is sent was kept before.
    assert_eq!((records.len(), trail.queued()), (9, 1));
    assert_eq!(
        records[4],
        json!({
            "sequence": 5, "previous": records[4]["previous"], "source": "host-7", "time_ms": 1_700_000_000_004_u64,
            "kind": "container.start", "actor": format!("{:064x}", 4),
            "attributes": { "image": "app:1", "name": "web-4" },
        })
    );
    let asked = trail.bench.services.asked.lock().unwrap();
    let first = &asked[0];
    assert_eq!((first.method.as_str(), first.url.as_str()), ("POST", "https://audit.example/v1"));
    assert!(first.headers.contains(&("content-type".to_owned(), "application/x-ndjson".to_owned())));
    assert!(first.authorization.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sink_does_not_take_stays_and_it_is_left_alone_for_longer_and_longer() {
    let trail = trail(json!({ "batch": 4 })).await;
    for (answer, passed) in [(Err(()), 0), (Ok(503), 1_000), (Ok(404), 2_000)] {
        trail.sink.answers(answer);
        trail.bench.services.later(passed);
        trail.sees(1).await;
        trail.sees(2).await;
        trail.sees(3).await;
    }
    // Once at its first chance, and once after each rest.
    assert_eq!((trail.asked(), trail.queued(), trail.sink.lines().len()), (3, 9, 0));
    let lines = trail.bench.services.lines.lock().unwrap().clone();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].1.contains("it answered 503; next try in 2000 ms"), "{lines:?}");
    trail.sink.answers(Ok(200));
    trail.bench.services.later(4_000);
    for number in 4..8 {
        trail.sees(number).await;
    }
    assert_eq!(whole(&trail.sink.lines()).len(), 12);
    assert_eq!(trail.queued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_found_the_queue_full_is_counted_in_the_chain() {
    let trail = trail(json!({ "keep": 3 })).await;
    trail.sink.answers(Err(()));
    for number in 0..10 {
        trail.sees(number).await;
    }
    assert_eq!(trail.queued(), 3);
    trail.sink.answers(Ok(200));
    trail.bench.services.later(60_000);
    trail.sees(10).await;
    trail.sees(11).await;
    let records = whole(&trail.sink.lines());
    let kinds: Vec<&str> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    let started = "container.start";
    assert_eq!(kinds, [started, started, started, "audit.dropped", started]);
    assert_eq!(records[3]["attributes"], json!({ "count": "7", "from_ms": "1700000000003", "to_ms": "1700000000009" }));
    assert_eq!(records[4]["attributes"]["name"], "web-10");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_events_that_come_at_once_none_is_lost_and_none_is_twice() {
    let trail = Arc::new(trail(json!({})).await);
    let at_once: Vec<_> = (0..40)
        .map(|number| {
            let trail = trail.clone();
            tokio::spawn(async move {
                // An event that the host's word of a conflict turned away is offered again.
                while let Err(error) = trail.policy.observe(&event(number)).await {
                    assert!(matches!(error.error, PolicyError::Conflict(_)), "{error}");
                }
            })
        })
        .collect();
    for one in at_once {
        one.await.unwrap();
    }
    for number in 40..42 {
        trail.sees(number).await;
    }
    let mut lines = trail.sink.lines();
    let number = |line: &String| serde_json::from_str::<Value>(line).unwrap()["sequence"].as_u64().unwrap();
    // Two that sent the same records cannot both have removed them, so the sink may have some twice, to the byte.
    lines.sort_by_key(number);
    lines.dedup();
    let mut actors: Vec<String> =
        whole(&lines).iter().map(|record| record["actor"].as_str().unwrap().to_owned()).collect();
    actors.sort();
    assert_eq!(actors, (0..41).map(|number| event(number).actor).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_says_which_events_and_with_which_token_and_long_details_are_cut() {
    let trail = trail(json!({ "events": ["container.*"], "token": "audit-token" })).await;
    trail.policy.observe(&Event { kind: "image.pull".to_owned(), ..event(1) }).await.unwrap();
    assert_eq!(trail.queued(), 0);
    let mut long = event(1);
    long.attributes.insert("long".to_owned(), "x".repeat(100_000));
    trail.policy.observe(&long).await.unwrap();
    trail.sees(2).await;
    let record = &whole(&trail.sink.lines())[0];
    assert_eq!((&record["truncated"], &record["attributes"]["long"]), (&json!(true), &Value::Null));
    assert_eq!(record["attributes"]["name"], "web-1");
    let asked = trail.bench.services.asked.lock().unwrap();
    assert_eq!(asked[0].authorization.as_ref().map(Secret::reveal), Some("Bearer hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_was_not_granted_gets_nothing_and_the_events_are_kept() {
    let trail = trail(json!({ "sink": "https://elsewhere.example/" })).await;
    trail.sees(1).await;
    trail.sees(2).await;
    assert_eq!((trail.asked(), trail.queued()), (0, 2));
    let lines = trail.bench.services.lines.lock().unwrap();
    assert!(
        lines[0].1.contains("wait for the sink: http https://elsewhere.example (grant \"http\" missing"),
        "{lines:?}"
    );
}

/// The program of the README, on what a sink has.
fn checked(lines: &[String]) -> (bool, String) {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/audit/README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let program = text.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let mut python = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let done = python.wait_with_output().unwrap();
    (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_checks_the_chain_sees_what_is_missing_and_what_was_changed() {
    let trail = trail(json!({ "keep": 4 })).await;
    trail.sees(0).await;
    trail.sees(1).await;
    trail.sink.answers(Err(()));
    for number in 2..9 {
        trail.sees(number).await;
    }
    trail.sink.answers(Ok(200));
    trail.bench.services.later(60_000);
    for number in 9..12 {
        trail.sees(number).await;
    }
    let lines = trail.sink.lines();
    assert_eq!(lines.len(), 8);
    let (good, said) = checked(&lines);
    assert!(good && said.contains("8 records") && said.contains("4 events were dropped"), "{said}");
    let mut twice = lines.clone();
    twice.extend(lines[2..4].to_vec());
    assert!(checked(&twice).0, "a record may come twice");
    for (broken, word) in [
        ([&lines[..3], &lines[4..]].concat(), "record 4 is missing"),
        (lines.iter().map(|line| line.replace("web-1", "web-x")).collect(), "record 2 or 3 was changed"),
        ([&lines[..], &[lines[1].replace("web", "bew")]].concat(), "two records have the number 2"),
    ] {
        let (good, said) = checked(&broken);
        assert!(!good && said.contains(word), "{word}: {said}");
    }
}
