//! Bearer tokens, against a real token server before a real registry.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use davit_model::{
    auth::{Credential, CredentialKind, RegistryAuth},
    id::Caller,
    secret::Secret,
};
use davit_registry::{ErrorKind, Session};
use davit_token_server::{Config, Event, Grant, Running, User};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use support::{Image, Kept, RealRegistry, TokenPolicy, client, layer_bytes, quiet, reference};

/// A registry with tokens: `ann` may do everything, `bob` may pull `shared/*`.
async fn start(change: impl FnOnce(&mut Config)) -> (RealRegistry, Running) {
    let behind = RealRegistry::open();
    let mut config = Config::before(format!("http://{}", behind.address));
    let user = |name: &str, grant: Grant| User {
        name: name.into(),
        password: format!("{name}-password"),
        refresh_tokens: vec![format!("{name}-refresh")],
        grants: vec![grant],
    };
    config.users = vec![user("ann", Grant::all()), user("bob", "shared/*=pull".parse().unwrap())];
    change(&mut config);
    let running = Running::start(config).await.unwrap();
    (behind, running)
}

fn session(auth: Arc<dyn RegistryAuth>, running: &Running, user: &str, kind: CredentialKind) -> Session {
    let secret = match kind {
        CredentialKind::IdentityToken => format!("{user}-refresh"),
        _ => format!("{user}-password"),
    };
    let offered = Credential {
        server: running.registry.to_string(),
        user: (kind == CredentialKind::Password).then(|| user.to_owned()),
        kind,
        secret: Secret::new(secret),
    };
    Session::new(auth, Caller("uid:1000".into()), Some(offered))
}

async fn push(session: &Session, running: &Running, name: &str) -> Image {
    let image = Image::of(&[layer_bytes(11, 200_000), layer_bytes(12, 100)]);
    let name = reference(&running.registry.to_string(), name);
    client().push(session, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    image
}

#[tokio::test]
async fn one_token_serves_a_whole_pull_and_the_next_one() {
    let (_behind, running) = start(|_| {}).await;
    let auth = Arc::new(TokenPolicy::default());
    let ann = session(auth.clone(), &running, "ann", CredentialKind::Password);
    let image = push(&ann, &running, "shared/app:1").await;
    let name = reference(&running.registry.to_string(), "shared/app:1");
    for kind in [CredentialKind::Password, CredentialKind::IdentityToken] {
        let client = client();
        let before = auth.fetched.load(Ordering::SeqCst);
        for _ in 0..2 {
            let bob = session(auth.clone(), &running, "bob", kind);
            let found = client.resolve(&bob, &name, None).await.unwrap();
            assert_eq!(found.document, image.document);
            for layer in &found.manifest.layers {
                let mut sink = Kept::default();
                client.fetch_blob(&bob, &name, layer, &mut sink, &quiet()).await.unwrap();
                assert_eq!(sink.bytes, image.source.bytes(&layer.digest));
            }
        }
        assert_eq!(auth.fetched.load(Ordering::SeqCst), before + 1);
    }
    let by_refresh = |e: &Event| matches!(e, Event::Issued { grant, .. } if grant == "refresh_token");
    assert!(running.events().iter().any(by_refresh));
}

#[tokio::test]
async fn a_token_that_ended_is_fetched_anew() {
    let (_behind, running) = start(|c| c.valid = Duration::from_secs(3)).await;
    let auth = Arc::new(TokenPolicy::default());
    let ann = session(auth.clone(), &running, "ann", CredentialKind::Password);
    push(&ann, &running, "x:1").await;
    let (client, name) = (client(), reference(&running.registry.to_string(), "x:1"));
    client.resolve(&ann, &name, None).await.unwrap();
    let before = auth.fetched.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    client.resolve(&ann, &name, None).await.unwrap();
    assert_eq!(auth.fetched.load(Ordering::SeqCst), before + 1, "its own time, less a margin, was over");
    running.expire_all();
    client.resolve(&ann, &name, None).await.unwrap();
    assert_eq!(auth.fetched.load(Ordering::SeqCst), before + 2, "the registry refused it before its time");
}

#[tokio::test]
async fn a_token_of_too_little_scope_ends_in_a_refusal_after_a_few_tries() {
    let (_behind, running) = start(|_| {}).await;
    let auth = Arc::new(TokenPolicy::default());
    let ann = session(auth.clone(), &running, "ann", CredentialKind::Password);
    push(&ann, &running, "private/app:1").await;
    let bob_auth = Arc::new(TokenPolicy::default());
    let bob = session(bob_auth.clone(), &running, "bob", CredentialKind::Password);
    let name = reference(&running.registry.to_string(), "private/app:1");
    let e = client().resolve(&bob, &name, None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Unauthorized(_)), "{e}");
    assert!(e.to_string().starts_with("pull access denied for"), "{e}");
    assert_eq!(bob_auth.fetched.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_wrong_password_is_the_policys_refusal() {
    let (_behind, running) = start(|_| {}).await;
    let auth = Arc::new(TokenPolicy::default());
    let mut ann = session(auth, &running, "ann", CredentialKind::Password);
    if let Some(c) = &mut ann.offered {
        c.secret = Secret::new("wrong");
    }
    let e = client().login(&ann, &running.registry.to_string()).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Policy(_)), "{e}");
    assert!(e.to_string().contains("incorrect username or password"), "{e}");
}

#[tokio::test]
async fn a_registry_that_names_another_token_server_gets_no_secret() {
    let (_behind, running) = start(|_| {}).await;
    let (_other_behind, thief) = start(|_| {}).await;
    let auth = Arc::new(TokenPolicy::default());
    let ann = session(auth, &running, "ann", CredentialKind::Password);
    let client = client();
    client.login(&ann, &running.registry.to_string()).await.unwrap();
    running.set_realm(&thief.realm());
    running.expire_all();
    let name = reference(&running.registry.to_string(), "x:1");
    let e = client.resolve(&ann, &name, None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Refused(_)), "{e}");
    assert!(e.to_string().contains("is not the one that"), "{e}");
    assert_eq!(thief.events(), []);
}

#[tokio::test]
async fn a_realm_outside_this_machine_must_be_private() {
    let (_behind, running) = start(|_| {}).await;
    running.set_realm("http://auth.example/token");
    let ann = session(Arc::new(TokenPolicy::default()), &running, "ann", CredentialKind::Password);
    let e = client().login(&ann, &running.registry.to_string()).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Refused(_)) && e.to_string().contains("does not use https"), "{e}");
}

#[tokio::test]
async fn a_redirect_to_another_origin_leaves_the_token_behind() {
    let (_behind, running) = start(|c| c.redirect_blobs = true).await;
    let ann = session(Arc::new(TokenPolicy::default()), &running, "ann", CredentialKind::Password);
    let image = push(&ann, &running, "x:1").await;
    let name = reference(&running.registry.to_string(), "x:1");
    let layer = &image.blobs[1].descriptor;
    let mut sink = Kept::default();
    client().fetch_blob(&ann, &name, layer, &mut sink, &quiet()).await.unwrap();
    assert_eq!(sink.bytes, image.source.bytes(&layer.digest));
    let fetched: Vec<_> = running.events().into_iter().filter(|e| matches!(e, Event::Fetched { .. })).collect();
    assert_eq!(fetched, [Event::Fetched { authorization: false }]);
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories() {
    let (_behind, running) = start(|_| {}).await;
    let ann = session(Arc::new(TokenPolicy::default()), &running, "ann", CredentialKind::Password);
    let mut image = push(&ann, &running, "one:1").await;
    for blob in &mut image.blobs {
        blob.mount_from = vec!["one".into()];
    }
    let two = reference(&running.registry.to_string(), "two:1");
    let mounted = std::sync::atomic::AtomicUsize::new(0);
    let count = |_: &davit_registry::Descriptor, s: davit_registry::PushState| {
        if matches!(s, davit_registry::PushState::Mounted(_)) {
            mounted.fetch_add(1, Ordering::SeqCst);
        }
    };
    client().push(&ann, &two, &image.document, &image.blobs, &image.source, &count).await.unwrap();
    assert_eq!(mounted.load(Ordering::SeqCst), image.blobs.len());
}
