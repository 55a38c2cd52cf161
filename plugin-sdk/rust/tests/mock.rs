//! The mock host refuses what the real one refuses, keeps what a plugin says, and belongs to one test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use davit_plugin_sdk::{
    Error,
    auth::{Answer, Challenge, Credential, Endpoints, ManifestView, Request},
    host::{check_settings, clock, config, http, log, secrets, state},
    lifecycle::{Adjustment, Operation},
    mock::{
        Body, Reply, Site,
        auth::{Login, Manifest},
        json,
        lifecycle::Asked,
        network::Network,
        storage::{Mount, Rooted},
    },
    network::{EndpointPlan, NetworkPlan, NetworkRequest, Port},
    storage::{Facts, Layer, Root, Steps, Unpack},
};

fn is_invalid<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
}

fn is_denied<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Denied(_))), "{result:?}");
}

fn is_conflict<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Conflict(_))), "{result:?}");
}

fn is_unsupported<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Unsupported(_))), "{result:?}");
}

#[test]
fn a_site_is_there_for_one_test() {
    let site = Site::new();
    site.config(json!({"a": {"b": "text", "c": [1]}}));
    site.now_ms(7);
    assert_eq!(config::get("a.b"), Ok(Some("text".to_owned())));
    assert_eq!(config::get("a.c"), Ok(Some("[1]".to_owned())));
    assert_eq!(config::get("a.d"), Ok(None));
    assert_eq!(clock::now_ms(), 7);
    assert!(clock::monotonic_ns() <= clock::monotonic_ns());
    log::write(log::Level::Warn, "line");
    assert_eq!(site.lines(), [(log::Level::Warn, "line".to_owned())]);
    drop(site);
    assert_eq!((config::section_json(), clock::now_ms()), (Ok("{}".to_owned()), 0));
}

#[test]
fn a_setting_that_nobody_reads_is_refused_by_its_name() {
    let site = Site::new();
    assert_eq!(check_settings(&["size"]), Ok(()));
    site.config(json!({"size": "1GiB"}));
    assert_eq!(check_settings(&["mode", "size"]), Ok(()));
    site.config(json!({"siez": "1GiB"}));
    let says = |known: &[&str], text: &str| {
        let refused = check_settings(known);
        assert!(matches!(&refused, Err(Error::Invalid(said)) if said.contains(text)), "{refused:?}");
    };
    says(&["mode", "size"], "unknown key \"siez\" (there are: mode, size)");
    says(&[], "unknown key \"siez\" (there are: none)");
}

#[test]
fn state_is_swapped_only_by_who_knows_it() {
    let site = Site::new();
    assert_eq!(state::swap("k", None, Some(b"1")), Ok(true));
    assert_eq!(state::swap("k", None, Some(b"2")), Ok(false));
    assert_eq!(state::get("k"), Ok(Some(b"1".to_vec())));
    assert_eq!((state::keys("k"), state::keys("x")), (Ok(vec!["k".to_owned()]), Ok(Vec::new())));
    assert_eq!(state::swap("k", Some(b"1"), None), Ok(true));
    assert!(site.kept().is_empty());
    is_invalid(state::get(""));
    is_invalid(state::swap(&"k".repeat(257), None, None));
    site.refuse("state");
    is_denied(state::keys(""));
}

#[test]
fn a_secret_goes_where_it_is_meant_for_and_answers_to_it_stay_closed() {
    let site = Site::new();
    site.secret("key", "s3cret");
    site.answers("POST", "https://a.example/login", Reply::json(200, &json!({"token": "t", "n": 1, "user": "me"})));
    let key = secrets::named("key").unwrap();
    assert!(matches!(secrets::named("other"), Err(Error::NotFound(_))));
    assert_eq!(key.hmac_sha256(b"x").unwrap().len(), 32);
    let request = Request::new("POST", "https://a.example/login");
    request.form_secret("key", &key).unwrap();
    let answer = request.send().unwrap();
    assert_eq!(site.sent().last().unwrap().body, Body::Form(vec![("key".to_owned(), "s3cret".to_owned())]));
    is_invalid(request.send());
    is_denied(answer.body());
    is_denied(answer.json("/user"));
    assert_eq!(answer.json("/n"), Ok(Some("1".to_owned())));
    let token = answer.take_secret("/token").unwrap();
    is_denied(token.hmac_sha256(b"x"));
    let elsewhere = Request::new("GET", "https://b.example/");
    elsewhere.bearer(&token).unwrap();
    is_denied(elsewhere.send());
    let back = Request::new("GET", "https://a.example/unscripted");
    back.bearer(&token).unwrap();
    assert!(matches!(back.send(), Err(Error::Unavailable(_))));
    site.refuse("http");
    is_denied(Request::new("GET", "https://a.example/login").send());
}

#[test]
fn a_request_is_checked_as_it_is_put_together() {
    let _site = Site::new();
    let request = Request::new("GET", "https://a.example");
    is_denied(request.header("Authorization", "x"));
    is_invalid(request.header("a b", "x"));
    request.header("accept", "*/*").unwrap();
    request.body(b"x").unwrap();
    is_invalid(request.form("a", "b"));
    is_invalid(request.body(b"y"));
    for (method, url) in [("", "https://a.example"), ("GET", "/relative"), ("GET", "https://u:p@a.example")] {
        is_invalid(http::Request::new(method, url).send());
    }
}

#[test]
fn a_credential_is_for_its_registry_and_realm() {
    let site = Site::new();
    is_denied(secrets::stored("r.example"));
    let login = Login::pull("r.example", "a", "bearer").param("realm", "https://auth.example/token");
    let challenge = Challenge::from(login.offering(Credential::password("me", "pw")));
    site.stored("r.example", Credential::registry_token("ready"));
    is_denied(secrets::stored("other.example"));
    let stored = secrets::stored("r.example").unwrap().unwrap();
    let answer = Answer::new();
    is_invalid(answer.basic(&stored));
    is_invalid(answer.bearer_credential(&challenge.offered().unwrap(), 1));
    is_invalid(answer.basic(&Credential::password("a:b", "pw")));
    assert_eq!(answer.recorded(), None);
    site.answers("GET", "https://auth.example/token", Reply::status(200));
    for (url, wanted) in [("https://auth.example/token", true), ("https://evil.example/token", false)] {
        let request = Request::new("GET", url);
        request.basic(&challenge.offered().unwrap()).unwrap();
        assert_eq!(request.send().is_ok(), wanted, "{url}");
    }
}

#[test]
fn mirrors_and_manifests_are_as_the_test_says() {
    let site = Site::new();
    let endpoints = Endpoints::new();
    endpoints.add("https://m.example", "cache/").unwrap();
    is_invalid(endpoints.add("m.example", ""));
    is_invalid(endpoints.add("https://m.example", "../"));
    site.refuse("mirrors");
    is_denied(endpoints.add("https://m.example", ""));
    assert_eq!(endpoints.recorded(), [("https://m.example".to_owned(), "cache/".to_owned())]);
    let digest = format!("sha256:{}", "1".repeat(64));
    let manifest = Manifest {
        referrers: vec![("application/x".to_owned(), vec![digest.clone()])],
        blobs: vec![(digest.clone(), b"blob".to_vec())],
        ..Manifest::default()
    };
    let view = ManifestView::from(manifest.clone());
    assert_eq!(view.referrers("application/x"), Ok(vec![digest.clone()]));
    assert_eq!(view.referrers("application/y"), Ok(Vec::new()));
    assert_eq!(view.blob(&digest), Ok(b"blob".to_vec()));
    is_invalid(view.blob("sha256:1"));
    assert!(matches!(view.blob(&digest.replace('1', "2")), Err(Error::NotFound(_))));
    let offline = ManifestView::from(Manifest { offline: true, ..manifest });
    assert!(matches!(offline.blob(&digest), Err(Error::Unavailable(_))));
}

#[test]
fn storage_takes_names_and_known_words_alone() {
    let steps = Steps::new();
    for bad in ["", ".", "..", "a/b", "/a", "-a", &"a".repeat(201)] {
        is_invalid(steps.make_dir(bad));
    }
    is_unsupported(steps.make_image("a", "b", "ext4"));
    assert_eq!(steps.recorded(), []);
    let unpack = &Unpack::new();
    unpack.into("a").unwrap();
    is_invalid(unpack.into("b"));
    is_unsupported(unpack.whiteouts("aufs"));
    let root = Root::new();
    is_invalid(root.overlay(&[], None, None));
    is_invalid(root.overlay(&["a".to_owned()], Some("u"), None));
    root.tree("a", true).unwrap();
    is_invalid(root.image("b", "erofs"));
    let mount = Some(Mount::Tree { at: "a".to_owned(), writable: true });
    assert_eq!(root.recorded(), Rooted { mount, changes: None });
    let layer = Layer::base("a").at("t-a").child("b");
    assert_eq!((layer.place(), layer.parent().and_then(|parent| parent.place())), (None, Some("t-a".to_owned())));
    let facts = Facts::new(&["reflink"], 9);
    assert!(facts.has("reflink") && !facts.has("btrfs") && facts.free_bytes() == 9);
}

#[test]
fn networks_lease_what_is_free() {
    let site = Site::new();
    let plan = NetworkPlan::new();
    is_invalid(plan.subnet(Some("10.1.0.0"), false));
    let subnet = plan.subnet(Some("10.88.0.0/16"), false).unwrap();
    is_conflict(plan.subnet(Some("10.88.3.0/24"), false));
    is_conflict(plan.subnet(None, false));
    is_invalid(NetworkPlan::new().masquerade(&subnet));
    is_invalid(plan.vlan("eth0", 4095));
    is_invalid(plan.vxlan(1 << 24, &[]));
    is_invalid(plan.vxlan(1, &["somewhere".to_owned()]));
    let link = plan.bridge().unwrap();
    let network = plan.made();
    let endpoint = EndpointPlan::on(&network);
    endpoint.veth(&link).unwrap();
    is_invalid(endpoint.share_host());
    is_invalid(endpoint.lease(&subnet, Some("10.89.0.2")));
    assert_eq!(endpoint.lease(&subnet, None), Ok("10.88.0.2".to_owned()));
    is_invalid(endpoint.route("everywhere", None));
    is_denied(endpoint.sysctl("kernel.panic", "1"));
    is_invalid(endpoint.record_name("a b"));
    is_invalid(endpoint.mtu(67));
    assert_eq!(endpoint.publish(&Port::tcp(80).on(80)), Ok(80));
    assert_eq!(endpoint.publish(&Port::udp(80).on(80)), Ok(80), "of another protocol");
    is_conflict(EndpointPlan::on(&network).publish(&Port::tcp(81).on(80)));
    site.refuse("host-network");
    site.refuse("interfaces");
    is_denied(EndpointPlan::on(&network).share_host());
    is_denied(EndpointPlan::on(&network).macvlan("eth0", "bridge"));
    let settings = vec![("mtu".to_owned(), "9000".to_owned())];
    assert_eq!(
        NetworkRequest::from(Network { settings, ..Network::default() }).setting("mtu"),
        Some("9000".to_owned())
    );
}

#[test]
fn adjustments_are_pointers_to_json() {
    let site = Site::new();
    let adjustment = Adjustment::new();
    is_invalid(adjustment.set("labels", "1"));
    is_invalid(adjustment.set("/labels", "{"));
    is_invalid(adjustment.secret_file("key", "run/key", 0o400, None));
    is_invalid(adjustment.secret_file("key", "/run/key", 0o1777, None));
    site.refuse("secret-files");
    is_denied(adjustment.secret_file("key", "/run/key", 0o400, None));
    assert_eq!(adjustment.recorded(), []);
    let request = json!({"image": "a", "labels": {"x": "1"}, "privileged": true, "mounts": [1]});
    let create = Operation::from(Asked::to_create(request));
    assert_eq!((create.kind(), create.image()), ("container.create".to_owned(), Some("a".to_owned())));
    assert_eq!(create.labels(), [("x".to_owned(), "1".to_owned())]);
    assert!(create.privileged());
    assert_eq!((create.field("/labels/x"), create.mounts_json()), (Some("\"1\"".to_owned()), "[1]".to_owned()));
}
