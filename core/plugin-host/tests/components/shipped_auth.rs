//! The shipped registry authentication through the real host, against a token endpoint on a real socket of this machine.

use super::support::{Bench, Memory, bench, shipped};
use super::token_endpoint::TokenEndpoint;
use davit_model::{
    auth::{Answer, Challenge, Credential, CredentialKind, Scheme},
    error::PolicyError,
    id::Caller,
    secret::Secret,
};
use davit_plugin_host::{Grant, Source};
use std::time::Duration;

const REGISTRY: &str = "127.0.0.1:5000";

fn challenge(scheme: Scheme, realm: &str) -> Challenge {
    Challenge {
        registry: REGISTRY.to_owned(),
        scheme,
        params: [
            ("realm".to_owned(), realm.to_owned()),
            ("service".to_owned(), "registry".to_owned()),
            ("scope".to_owned(), "repository:demo/app:pull".to_owned()),
        ]
        .into(),
        repository: Some("demo/app".to_owned()),
        actions: vec!["pull".to_owned()],
        offered: None,
        caller: Caller("uid:1000".to_owned()),
        attempt: 1,
    }
}

fn credential(kind: CredentialKind, secret: &str) -> Credential {
    let user = (kind == CredentialKind::Password).then(|| "ada".to_owned());
    Credential { server: REGISTRY.to_owned(), user, kind, secret: Secret::new(secret) }
}

fn online() -> Bench {
    let services = Memory::default();
    *services.web.lock().unwrap() = Some(Box::new(super::token_endpoint::send));
    bench(services)
}

fn bearer(token: &str, seconds: u64) -> Answer {
    Answer::Bearer { token: Secret::new(token), valid: Duration::from_secs(seconds) }
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_config_sends_nothing_before_it_is_asked_and_a_password_to_basic() {
    let auth = online().shipped("docker-config").await.registry_auth().unwrap();
    let first = challenge(Scheme::None, "");
    assert_eq!(auth.authenticate(&first).await.unwrap(), Answer::Anonymous);
    let basic = Challenge { scheme: Scheme::Basic, offered: Some(credential(CredentialKind::Password, "pw")), ..first };
    let answer = Answer::Basic { user: "ada".to_owned(), password: Secret::new("pw") };
    assert_eq!(auth.authenticate(&basic).await.unwrap(), answer);
    let again = Challenge { attempt: 3, ..basic.clone() };
    assert!(matches!(auth.authenticate(&again).await.unwrap_err().error, PolicyError::Denied(_)));
    let nobody = Challenge { offered: None, ..basic };
    let error = auth.authenticate(&nobody).await.unwrap_err().to_string();
    assert!(error.contains("davit login 127.0.0.1:5000"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_config_fetches_tokens_for_a_password_for_an_identity_token_and_for_nobody() {
    let endpoint = TokenEndpoint::start();
    let realm = endpoint.realm();
    let auth = online().shipped("docker-config").await.registry_auth().unwrap();
    let anonymous = challenge(Scheme::Bearer, &realm);
    assert_eq!(auth.authenticate(&anonymous).await.unwrap(), bearer("for-nobody", 295));
    let user = Challenge { offered: Some(credential(CredentialKind::Password, "pw")), ..anonymous.clone() };
    assert_eq!(auth.authenticate(&user).await.unwrap(), bearer("for-ada", 295));
    let refresh =
        Challenge { offered: Some(credential(CredentialKind::IdentityToken, "re/fresh+")), ..anonymous.clone() };
    assert_eq!(auth.authenticate(&refresh).await.unwrap(), bearer("refreshed", 55));
    let ready = Challenge { offered: Some(credential(CredentialKind::RegistryToken, "ready")), ..anonymous.clone() };
    assert_eq!(auth.authenticate(&ready).await.unwrap(), bearer("ready", 0));
    let seen = endpoint.seen();
    assert!(
        seen[0].contains("scope=repository%3Ademo%2Fapp%3Apull") && seen[0].contains("service=registry"),
        "{seen:?}"
    );
    assert!(
        seen[2].contains("grant_type=refresh_token") && seen[2].contains("refresh_token=re%2Ffresh%2B"),
        "{seen:?}"
    );
    assert_eq!(seen.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_config_fetches_a_new_token_when_the_registry_refuses_one_and_then_gives_up() {
    let endpoint = TokenEndpoint::start();
    let auth = online().shipped("docker-config").await.registry_auth().unwrap();
    for attempt in 1..=3 {
        let expired = Challenge { attempt, ..challenge(Scheme::Bearer, &endpoint.realm()) };
        auth.authenticate(&expired).await.unwrap();
    }
    assert_eq!(endpoint.seen().len(), 3);
    let last = Challenge { attempt: 4, ..challenge(Scheme::Bearer, &endpoint.realm()) };
    assert!(matches!(auth.authenticate(&last).await.unwrap_err().error, PolicyError::Denied(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_config_says_what_a_token_server_refuses_and_when_it_is_down() {
    let endpoint = TokenEndpoint::start();
    let auth = online().shipped("docker-config").await.registry_auth().unwrap();
    let wrong = Challenge {
        offered: Some(credential(CredentialKind::Password, "wrong")),
        ..challenge(Scheme::Bearer, &endpoint.realm())
    };
    let error = auth.authenticate(&wrong).await.unwrap_err();
    assert!(matches!(&error.error, PolicyError::Denied(text) if text.contains("refused the credential")), "{error}");
    assert!(!error.to_string().contains("wrong"));
    let down = challenge(Scheme::Bearer, &format!("{}/busy", endpoint.origin()));
    let error = auth.authenticate(&down).await.unwrap_err();
    assert!(matches!(error.error, PolicyError::Unavailable { retry_ms: 2000, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_never_goes_to_a_realm_in_the_clear() {
    let bench = online();
    let auth = bench.shipped("docker-config").await.registry_auth().unwrap();
    let evil = Challenge {
        offered: Some(credential(CredentialKind::Password, "pw")),
        ..challenge(Scheme::Bearer, "http://auth.example/token")
    };
    let error = auth.authenticate(&evil).await.unwrap_err();
    assert!(matches!(error.error, PolicyError::Denied(_)), "{error}");
    assert!(bench.services.asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_the_daemon_serve_only_the_callers_that_the_site_names() {
    let bench = online();
    *bench.services.stored.lock().unwrap() = Some(credential(CredentialKind::Password, "kept"));
    let path = shipped("docker-config");
    let mut grant = Grant::beside(&path).unwrap().unwrap();
    grant.credential_callers = ["uid:0".to_owned()].into();
    let auth = bench.host.load("docker-config", Source::File(&path), &grant).await.unwrap().registry_auth().unwrap();
    let root = Challenge { caller: Caller("uid:0".to_owned()), ..challenge(Scheme::Basic, "") };
    let answer = Answer::Basic { user: "ada".to_owned(), password: Secret::new("kept") };
    assert_eq!(auth.authenticate(&root).await.unwrap(), answer);
    let other = Challenge { caller: Caller("uid:1000".to_owned()), ..root };
    assert!(matches!(auth.authenticate(&other).await.unwrap_err().error, PolicyError::Denied(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn deny_by_pattern_refuses_what_its_configuration_names() {
    let bench = bench(Memory::default());
    let auth = bench.shipped("deny-by-pattern").await.registry_auth().unwrap();
    let pull = challenge(Scheme::None, "");
    assert_eq!(auth.authenticate(&pull).await.unwrap(), Answer::Anonymous);
    *bench.services.config.lock().unwrap() =
        serde_json::json!({ "deny": ["*/demo/*"], "actions": ["push"], "reason": "read-only here" });
    assert_eq!(auth.authenticate(&pull).await.unwrap(), Answer::Anonymous);
    let push = Challenge { actions: vec!["pull".to_owned(), "push".to_owned()], ..pull };
    let error = auth.authenticate(&push).await.unwrap_err().to_string();
    assert!(
        error.contains("denied: 127.0.0.1:5000/demo/app is refused by the pattern */demo/*: read-only here"),
        "{error}"
    );
}
