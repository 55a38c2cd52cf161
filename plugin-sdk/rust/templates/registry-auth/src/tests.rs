//! The login over the mock host, whose registry and token server say what each test writes down.

use super::MyPlugin;
use davit_plugin_sdk::{
    Unavailability,
    auth::{
        Answer, Challenge, Credential, Endpoints, Error, ManifestView, RegistryAuth as _, Resolver as _, Verifier as _,
    },
    mock::{
        Authorization, Body, Reply, Sent, Site,
        auth::{Answered, Login, Manifest},
        json,
    },
};

const REALM: &str = "https://auth.example/token";
/// What a token is asked for with, for a pull of `team/app` from a registry that is the service `r`.
const ANONYMOUS: &str = "https://auth.example/token?service=r&scope=repository%3Ateam%2Fapp%3Apull&client_id=davit";

fn login(scheme: &str) -> Login {
    let login = Login::pull("r.example", "team/app", scheme);
    if scheme == "bearer" { login.param("realm", REALM).param("service", "r") } else { login }
}

fn answered(login: Login) -> Result<Option<Answered>, Error> {
    let answer = Answer::new();
    MyPlugin::authenticate(&Challenge::from(login), &answer)?;
    Ok(answer.recorded())
}

fn bearer(token: &str, seconds: u32) -> Result<Option<Answered>, Error> {
    Ok(Some(Answered::Bearer { token: token.to_owned(), seconds }))
}

#[test]
fn nothing_is_sent_before_it_is_asked_for() {
    let login = login("none").offering(Credential::password("me", "secret"));
    assert_eq!(answered(login), Ok(Some(Answered::Anonymous)));
}

#[test]
fn basic_takes_the_callers_password_until_it_is_refused() {
    let offering = || login("basic").offering(Credential::password("me", "secret"));
    let wanted = Answered::Basic { user: "me".to_owned(), password: "secret".to_owned() };
    assert_eq!(answered(offering()), Ok(Some(wanted)));
    let refused = answered(Login { attempt: 3, ..offering() });
    assert_eq!(refused, Err(Error::Denied("r.example refused the credential".to_owned())));
    let text = "r.example wants a login, and there is no credential for it; run: davit login r.example";
    assert_eq!(answered(login("basic")), Err(Error::Denied(text.to_owned())));
}

#[test]
fn a_token_is_fetched_from_the_realm_without_and_with_a_password() {
    let site = Site::new();
    site.answers("GET", ANONYMOUS, Reply::json(200, &json!({"token": "t1", "expires_in": 300})));
    assert_eq!(answered(login("bearer")), bearer("t1", 295));
    assert_eq!(site.sent(), [Sent { method: "GET".to_owned(), url: ANONYMOUS.to_owned(), ..Sent::default() }]);

    let named = ANONYMOUS.replace("&client_id", "&account=me%40example&client_id");
    site.answers("GET", &named, Reply::json(200, &json!({"access_token": "t2"})));
    let offering = login("bearer").offering(Credential::password("me@example", "secret"));
    assert_eq!(answered(offering), bearer("t2", 55));
    let password = Authorization::Basic { user: "me@example".to_owned(), password: "secret".to_owned() };
    assert_eq!(site.sent().last().unwrap().authorization, Some(password));
}

#[test]
fn an_identity_token_is_posted_and_a_registry_token_needs_nobody() {
    let site = Site::new();
    site.answers("POST", REALM, Reply::json(200, &json!({"token": "t3"})));
    assert_eq!(answered(login("bearer").offering(Credential::identity_token("refresh"))), bearer("t3", 55));
    let field = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let form = vec![
        field("grant_type", "refresh_token"),
        field("client_id", "davit"),
        field("service", "r"),
        field("scope", "repository:team/app:pull"),
        field("refresh_token", "refresh"),
    ];
    assert_eq!(site.sent().last().unwrap().body, Body::Form(form));
    assert_eq!(answered(login("bearer").offering(Credential::registry_token("ready"))), bearer("ready", 0));
    assert_eq!(site.sent().len(), 1);
}

#[test]
fn what_the_token_server_says_is_said_on() {
    let site = Site::new();
    let said = |reply: Reply| {
        site.answers("GET", ANONYMOUS, reply);
        answered(login("bearer")).unwrap_err()
    };
    let busy = Unavailability { retry_ms: 7000, message: format!("the token server {REALM} answered 503") };
    assert_eq!(said(Reply::status(503).header("Retry-After", "7")), Error::Unavailable(busy));
    assert_eq!(said(Reply::status(401)), Error::Denied(format!("the token server {REALM} refused the credential")));
    assert_eq!(said(Reply::status(404)), Error::Other(format!("the token server {REALM} answered 404")));
    assert!(matches!(said(Reply::status(200)), Error::Invalid(_)), "an answer that is no JSON");
    let text = format!("r.example refuses the tokens of {REALM}: the account may lack pull");
    assert_eq!(answered(Login { attempt: 4, ..login("bearer") }), Err(Error::Denied(text)));
}

#[test]
fn other_challenges_are_refused() {
    let text = "r.example asks for a token and names no realm";
    let without = Login::pull("r.example", "team/app", "bearer");
    assert_eq!(answered(without), Err(Error::Invalid(text.to_owned())));
    let site = Site::new();
    let refused = answered(login("negotiate"));
    assert_eq!(refused, Err(Error::Unsupported("the authentication scheme \"negotiate\"".to_owned())));
    assert_eq!(site.lines().len(), 1);
}

#[test]
fn the_site_may_name_a_mirror_and_want_digests() {
    let site = Site::new();
    let mirrors = || {
        let endpoints = Endpoints::new();
        MyPlugin::resolve("r.example", "team/app", &endpoints).unwrap();
        endpoints.recorded()
    };
    let verified = |reference: &str| {
        let digest = "sha256:11".to_owned();
        let manifest = Manifest { reference: reference.to_owned(), digest, ..Manifest::default() };
        MyPlugin::verify(&ManifestView::from(manifest))
    };
    assert_eq!(mirrors(), []);
    assert_eq!(verified("r.example/team/app:1"), Ok(()));
    site.config(json!({"mirror": "https://mirror.example", "digest": "required"}));
    assert_eq!(mirrors(), [("https://mirror.example".to_owned(), String::new())]);
    assert_eq!(verified("r.example/team/app@sha256:11"), Ok(()));
    let text = "r.example/team/app:1 is not pinned by a digest; it is sha256:11 now";
    assert_eq!(verified("r.example/team/app:1"), Err(Error::Denied(text.to_owned())));
}
