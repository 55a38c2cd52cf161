//! The shipped exchange of a site's token through the real host, with an exchange server that answers by a script.

use super::support::{Bench, Memory, bench};
use davit_model::{
    auth::{Answer, Challenge, Credential, CredentialKind, RegistryAuth, Scheme},
    error::PolicyError,
    id::Caller,
    secret::Secret,
    services::HttpResponse,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const SERVER: &str = "https://sts.example/token";
const GRANT: &str = "http = [\"https://sts.example\"]\nsecrets = [\"site-token\"]";
const SITES_TOKEN: &str = "the.site's+token";

fn config() -> Value {
    json!({ "exchange": SERVER, "secret": "site-token" })
}

fn challenge(scheme: Scheme) -> Challenge {
    Challenge {
        registry: "registry.example".to_owned(),
        scheme,
        params: [
            ("realm".to_owned(), "https://auth.registry.example/token".to_owned()),
            ("service".to_owned(), "another-registry".to_owned()),
            ("scope".to_owned(), "repository:team/app:pull".to_owned()),
        ]
        .into(),
        repository: Some("team/app".to_owned()),
        actions: vec!["pull".to_owned()],
        offered: None,
        caller: Caller("uid:1000".to_owned()),
        attempt: 1,
    }
}

/// A site with an exchange server that answers everything so.
fn site(config: Value, status: u16, header: Option<(&str, &str)>, body: &str) -> Bench {
    let (headers, body) = (header.map(|(n, v)| (n.to_owned(), v.to_owned())), body.as_bytes().to_vec());
    let secrets = [("site-token".to_owned(), SITES_TOKEN.to_owned())].into();
    let services = Memory { config: config.into(), secrets, ..Memory::default() };
    *services.web.lock().unwrap() = Some(Box::new(move |_| {
        Ok(HttpResponse { status, headers: headers.clone().into_iter().collect(), body: body.clone() })
    }));
    bench(services)
}

async fn auth(bench: &Bench) -> Arc<dyn RegistryAuth> {
    bench.granted("token-exchange", GRANT).await.registry_auth().unwrap()
}

/// What a pull comes to where the exchange server answers so.
async fn failed(status: u16, header: Option<(&str, &str)>, body: &str) -> PolicyError {
    let bench = site(config(), status, header, body);
    let error = auth(&bench).await.authenticate(&challenge(Scheme::Bearer)).await.unwrap_err();
    assert!(!error.to_string().contains(SITES_TOKEN), "{error}");
    error.error
}

const GIVEN: &str = r#"{"access_token":"for-the-registry","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":300}"#;

fn given() -> Answer {
    Answer::Bearer { token: Secret::new("for-the-registry"), valid: Duration::from_secs(295) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_s_token_is_traded_as_rfc_8693_has_it() {
    let bench = site(config(), 200, None, GIVEN);
    let auth = auth(&bench).await;
    assert_eq!(auth.authenticate(&challenge(Scheme::None)).await.unwrap(), Answer::Anonymous);
    assert!(bench.services.asked.lock().unwrap().is_empty(), "nothing is sent before it is asked for");
    assert_eq!(auth.authenticate(&challenge(Scheme::Bearer)).await.unwrap(), given());
    let asked = bench.services.asked.lock().unwrap();
    let [request] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", SERVER));
    assert!(request.authorization.is_none());
    let body = request.body.as_ref().unwrap().reveal();
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", SITES_TOKEN),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            // Not the service that the registry says it is: a token for another one would go to this one.
            ("audience", "registry.example"),
            ("scope", "repository:team/app:pull"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_says_what_the_exchange_server_wants_to_be_told() {
    let mut config = config();
    config["audience"] = json!("the-audience");
    config["subject-token-type"] = json!("urn:ietf:params:oauth:token-type:id_token");
    config["form"] = json!({ "client_id": "davit" });
    let bench = site(config, 200, None, GIVEN);
    auth(&bench).await.authenticate(&challenge(Scheme::Bearer)).await.unwrap();
    let asked = bench.services.asked.lock().unwrap();
    let body = asked[0].body.as_ref().unwrap().reveal();
    for said in ["audience=the-audience", "token-type%3Aid_token", "client_id=davit"] {
        assert!(body.contains(said), "{said}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_who_refused_and_repeats_no_description() {
    let text = format!(r#"{{"error":"invalid_grant","error_description":"bad token {SITES_TOKEN}"}}"#);
    for (status, body) in [(401, ""), (403, "<html>"), (400, text.as_str()), (400, r#"{"error":"invalid_target"}"#)] {
        let error = failed(status, None, body).await;
        let PolicyError::Denied(text) = error else { panic!("{status}: {error}") };
        assert!(text.contains(SERVER) && text.contains("team/app"), "{text}");
    }
    let error = failed(400, None, r#"{"error":"unsupported_grant_type"}"#).await;
    assert!(matches!(&error, PolicyError::Other(t) if t.contains("400, unsupported_grant_type")), "{error}");
    let error = failed(404, None, &format!(r#"{{"error":"{SITES_TOKEN}"}}"#)).await;
    assert!(matches!(&error, PolicyError::Other(t) if t.ends_with("answered 404")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_exchange_server_is_unavailable_for_as_long_as_it_says() {
    for (header, wait) in [(Some(("retry-after", "7")), 7000), (None, 1000), (Some(("retry-after", "soon")), 1000)] {
        let error = failed(503, header, "").await;
        assert!(matches!(&error, PolicyError::Unavailable { retry_ms, .. } if *retry_ms == wait), "{error}");
    }
    let bench = site(config(), 200, None, GIVEN);
    *bench.services.web.lock().unwrap() =
        Some(Box::new(|_| Err(PolicyError::Unavailable { retry_ms: 0, message: "no connection".to_owned() })));
    let error = auth(&bench).await.authenticate(&challenge(Scheme::Bearer)).await.unwrap_err();
    assert!(matches!(error.error, PolicyError::Unavailable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_token_is_no_answer() {
    for (body, said) in [
        ("{}", "without a token"),
        (r#"{"token_type":"Bearer","access_token":7}"#, "without a token"),
        ("<html>", "in JSON"),
        (r#"{"access_token":"x","token_type":"N_A"}"#, "type N_A"),
    ] {
        let error = failed(200, None, body).await;
        assert!(matches!(&error, PolicyError::Other(text) if text.contains(said)), "{body}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_traded_anew_and_then_no_more() {
    let bench = site(config(), 200, None, GIVEN);
    let auth = auth(&bench).await;
    for attempt in 1..=3 {
        auth.authenticate(&Challenge { attempt, ..challenge(Scheme::Bearer) }).await.unwrap();
    }
    let last = Challenge { attempt: 4, ..challenge(Scheme::Bearer) };
    assert!(matches!(auth.authenticate(&last).await.unwrap_err().error, PolicyError::Denied(_)));
    assert_eq!(bench.services.asked.lock().unwrap().len(), 3);
    let error = auth.authenticate(&challenge(Scheme::Basic)).await.unwrap_err();
    assert!(matches!(error.error, PolicyError::Unsupported(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_s_identity_serves_whom_the_site_names_and_checks_no_login() {
    let mut config = config();
    config["callers"] = json!(["uid:0"]);
    let bench = site(config, 200, None, GIVEN);
    let auth = auth(&bench).await;
    let error = auth.authenticate(&challenge(Scheme::Bearer)).await.unwrap_err();
    assert!(matches!(&error.error, PolicyError::Denied(t) if t.contains("uid:1000")), "{error}");
    assert!(bench.services.asked.lock().unwrap().is_empty());
    let root = Challenge { caller: Caller("uid:0".to_owned()), ..challenge(Scheme::Bearer) };
    assert_eq!(auth.authenticate(&root).await.unwrap(), given());
    let password = Credential {
        server: "registry.example".to_owned(),
        user: Some("ada".to_owned()),
        kind: CredentialKind::Password,
        secret: Secret::new("pw"),
    };
    let login = Challenge { repository: None, actions: Vec::new(), offered: Some(password), ..root };
    assert!(matches!(auth.authenticate(&login).await.unwrap_err().error, PolicyError::Denied(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_s_token_goes_to_the_granted_server_alone_and_never_in_the_clear() {
    let bench = site(config(), 200, None, GIVEN);
    for (rights, said) in [
        ("http = [\"https://other.example\"]\nsecrets = [\"site-token\"]", "http https://sts.example"),
        ("http = [\"https://sts.example\"]", "secret \"site-token\""),
    ] {
        let auth = bench.granted("token-exchange", rights).await.registry_auth().unwrap();
        let error = auth.authenticate(&challenge(Scheme::Bearer)).await.unwrap_err();
        assert!(matches!(&error.error, PolicyError::Denied(text) if text.contains(said)), "{error}");
    }
    for server in ["http://sts.example/token", "sts.example", "http://localhost@sts.example/"] {
        *bench.services.config.lock().unwrap() = json!({ "exchange": server, "secret": "site-token" });
        let error = auth(&bench).await.authenticate(&challenge(Scheme::Bearer)).await.unwrap_err();
        assert!(matches!(error.error, PolicyError::Invalid(_)), "{server}: {error}");
    }
    assert!(bench.services.asked.lock().unwrap().is_empty());
}
