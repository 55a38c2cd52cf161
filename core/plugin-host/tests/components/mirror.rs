//! The shipped mirrors through the real host: which are named, and which are left out because they did not answer.

use super::support::{Bench, Memory, bench};
use davit_model::{
    auth::{Answer, Challenge, Credential, CredentialKind, Endpoint, RegistryAuth, Scheme},
    error::PolicyError,
    id::Caller,
    secret::Secret,
    services::{HttpRequest, HttpResponse},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

const NAMED: &str = "mirrors = [\"https://a.example\", \"https://b.example\", \"https://c.example\"]";
/// What a site grants that wants mirrors to be asked how they are.
const WATCHED: &str = "mirrors = [\"https://a.example\", \"https://b.example\", \"https://c.example\"]
http = [\"realm\", \"https://a.example\", \"https://b.example\", \"https://c.example\"]
state = true";

fn config() -> Value {
    json!({ "rules": [
        { "pattern": "docker.io/library/*", "mirrors": ["https://a.example", "https://b.example"], "prefix": "hub" },
        { "pattern": "only.example", "mirrors": ["https://a.example", "https://b.example"], "fallback": false },
        { "pattern": "docker.io/*", "mirrors": ["https://c.example"] },
    ]})
}

/// A site where the servers of these hosts do not answer, and all others want a login.
fn site(down: &'static [&'static str]) -> Bench {
    let services = Memory { config: config().into(), ..Memory::default() };
    *services.web.lock().unwrap() = Some(Box::new(move |request| answered(&request, down)));
    bench(services)
}

fn answered(request: &HttpRequest, down: &[&str]) -> Result<HttpResponse, PolicyError> {
    if down.iter().any(|host| request.url.contains(host)) {
        return Err(PolicyError::Unavailable { retry_ms: 0, message: "no connection".to_owned() });
    }
    Ok(HttpResponse { status: 401, headers: Vec::new(), body: Vec::new() })
}

async fn mirror(bench: &Bench, rights: &str) -> Arc<dyn RegistryAuth> {
    bench.granted("mirror", rights).await.registry_auth().unwrap()
}

async fn named(auth: &Arc<dyn RegistryAuth>, registry: &str, repository: &str) -> Vec<String> {
    let shown = |e: Endpoint| format!("{}/{}", e.origin.trim_start_matches("https://"), e.prefix);
    auth.resolve(registry, repository).await.unwrap().into_iter().map(shown).collect()
}

/// The hosts that were asked since the last look.
fn asked(bench: &Bench) -> Vec<String> {
    let requests = std::mem::take(&mut *bench.services.asked.lock().unwrap());
    let shown = |r: HttpRequest| r.url.trim_start_matches("https://").to_owned();
    requests.into_iter().map(shown).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rule_that_matches_names_its_mirrors_with_their_prefix() {
    let bench = site(&[]);
    let auth = mirror(&bench, NAMED).await;
    assert_eq!(named(&auth, "docker.io", "library/alpine").await, ["a.example/hub", "b.example/hub"]);
    assert_eq!(named(&auth, "docker.io", "team/app").await, ["c.example/"]);
    assert_eq!(named(&auth, "only.example", "any/thing").await, ["a.example/", "b.example/"]);
    assert!(named(&auth, "other.example", "team/app").await.is_empty(), "the registry itself");
    assert!(asked(&bench).is_empty(), "nobody may be asked how they are");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_answers_is_not_asked_again_and_those_behind_it_are_not_asked_at_all() {
    let bench = site(&["b.example"]);
    let auth = mirror(&bench, WATCHED).await;
    for _ in 0..3 {
        assert_eq!(named(&auth, "docker.io", "library/alpine").await, ["a.example/hub", "b.example/hub"]);
    }
    assert_eq!(asked(&bench), ["a.example/v2/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_does_not_answer_is_left_out_for_a_while_and_for_longer_each_time() {
    let bench = site(&["a.example"]);
    let auth = mirror(&bench, WATCHED).await;
    for _ in 0..2 {
        assert_eq!(named(&auth, "docker.io", "library/alpine").await, ["b.example/hub"]);
    }
    assert_eq!(asked(&bench), ["a.example/v2/", "b.example/v2/"]);
    let lines = bench.services.lines.lock().unwrap().clone();
    assert!(
        lines.iter().any(|(_, line)| line.contains("a.example does not answer and is left out for 30 s")),
        "{lines:?}"
    );
    // Where only mirrors may serve it is still named, after those that answer.
    assert_eq!(named(&auth, "only.example", "any/thing").await, ["b.example/", "a.example/"]);
    // Its time is over: it is asked again, and left out twice as long.
    let overdue = |key: &str| key.contains("a.example");
    for (key, value) in bench.services.state.lock().unwrap().iter_mut().filter(|(key, _)| overdue(key)) {
        let text = String::from_utf8(value.clone()).unwrap();
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!((words.len(), words[0]), (3, "fails"), "{key}: {text}");
        *value = format!("{} 1 {}", words[0], words[2]).into_bytes();
    }
    assert_eq!(named(&auth, "docker.io", "library/alpine").await, ["b.example/hub"]);
    assert_eq!(asked(&bench), ["a.example/v2/"]);
    let lines = bench.services.lines.lock().unwrap().clone();
    assert!(lines.iter().any(|(_, line)| line.contains("left out for 60 s")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_well_again_is_named_again() {
    let bench = site(&["a.example"]);
    let auth = mirror(&bench, WATCHED).await;
    assert_eq!(named(&auth, "docker.io", "library/alpine").await, ["b.example/hub"]);
    *bench.services.web.lock().unwrap() = Some(Box::new(|request| answered(&request, &[])));
    assert_eq!(named(&auth, "docker.io", "library/alpine").await, ["b.example/hub"], "not at once");
    bench.services.state.lock().unwrap().values_mut().for_each(|value| *value = b"fails 1 4".to_vec());
    assert_eq!(named(&auth, "docker.io", "library/alpine").await, ["a.example/hub", "b.example/hub"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_mirror_answers_the_registry_itself_serves() {
    let bench = site(&["a.example", "b.example", "c.example"]);
    let auth = mirror(&bench, WATCHED).await;
    assert!(named(&auth, "docker.io", "library/alpine").await.is_empty());
    assert_eq!(named(&auth, "only.example", "any/thing").await, ["a.example/", "b.example/"], "but here it may not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_too_busy_is_left_out_as_long_as_it_says() {
    let bench = site(&[]);
    *bench.services.web.lock().unwrap() = Some(Box::new(|request| {
        let busy = request.url.contains("a.example");
        let headers = vec![("retry-after".to_owned(), "120".to_owned())];
        Ok(HttpResponse { status: if busy { 429 } else { 200 }, headers, body: Vec::new() })
    }));
    let auth = mirror(&bench, WATCHED).await;
    assert_eq!(named(&auth, "docker.io", "library/alpine").await, ["b.example/hub"]);
    let lines = bench.services.lines.lock().unwrap().clone();
    assert!(lines.iter().any(|(_, line)| line.contains("left out for 120 s")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_the_site_did_not_grant_is_an_error_that_names_the_grant() {
    let bench = site(&[]);
    let auth = mirror(&bench, "mirrors = [\"https://a.example\"]").await;
    let error = auth.resolve("docker.io", "library/alpine").await.unwrap_err();
    assert!(error.to_string().contains("mirror https://b.example") && error.to_string().contains("grant"), "{error}");
    *bench.services.config.lock().unwrap() = json!({ "rule": [] });
    let error = auth.resolve("docker.io", "library/alpine").await.unwrap_err();
    assert!(matches!(error.error, PolicyError::Invalid(_)), "{error}");
}

fn challenge(registry: &str, scheme: Scheme) -> Challenge {
    Challenge {
        registry: registry.to_owned(),
        scheme,
        params: BTreeMap::new(),
        repository: Some("any/thing".to_owned()),
        actions: vec!["pull".to_owned()],
        offered: None,
        caller: Caller("uid:1000".to_owned()),
        attempt: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_mirrors_may_serve_the_registry_itself_is_refused_and_may_still_be_pushed_to() {
    let bench = site(&[]);
    let auth = mirror(&bench, NAMED).await;
    let pull = challenge("only.example", Scheme::None);
    let error = auth.authenticate(&pull).await.unwrap_err();
    assert!(matches!(&error.error, PolicyError::Denied(text) if text.contains("only.example")), "{error}");
    for fine in [
        Challenge { actions: vec!["pull".to_owned(), "push".to_owned()], ..pull.clone() },
        Challenge { repository: None, actions: Vec::new(), ..pull },
        challenge("a.example", Scheme::None),
        challenge("docker.io", Scheme::None),
    ] {
        assert_eq!(auth.authenticate(&fine).await.unwrap(), Answer::Anonymous);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_s_challenge_is_answered_with_the_credential_for_that_mirror() {
    let bench = site(&[]);
    let auth = mirror(&bench, NAMED).await;
    let offered = Credential {
        server: "a.example".to_owned(),
        user: Some("ada".to_owned()),
        kind: CredentialKind::Password,
        secret: Secret::new("pw"),
    };
    let basic = Challenge { offered: Some(offered), ..challenge("a.example", Scheme::Basic) };
    let answer = Answer::Basic { user: "ada".to_owned(), password: Secret::new("pw") };
    assert_eq!(auth.authenticate(&basic).await.unwrap(), answer);
    let nobody = Challenge { offered: None, ..basic };
    assert!(matches!(auth.authenticate(&nobody).await.unwrap_err().error, PolicyError::Denied(_)));
}
