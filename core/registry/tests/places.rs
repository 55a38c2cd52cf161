//! Where an image is read from: mirrors in their order, the registry itself last, and whose credential each of them sees.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use davit_model::{
    auth::{Answer, Credential, CredentialKind, Endpoint},
    id::Caller,
    secret::Secret,
};
use davit_registry::{ErrorKind, Session};
use std::sync::Arc;
use support::{FakePolicy, Kept, Reply, Scripted, answer, client, quiet, reference, session, with_layer};

fn at(origin: &impl std::fmt::Display) -> Endpoint {
    Endpoint { origin: format!("http://{origin}"), prefix: String::new() }
}

async fn knows_nothing() -> Scripted {
    Scripted::start(|_| Reply::Send(answer("404 Not Found", &[], b""))).await
}

#[tokio::test]
async fn mirrors_serve_in_order_and_see_no_credential_of_the_registry() {
    let (server, image, layer) = with_layer(1000).await;
    let dead = knows_nothing().await;
    let mut auth = FakePolicy::new(|_| Ok(Answer::Anonymous));
    auth.mirrors = vec![at(&dead.address), at(&server.address)];
    let auth = Arc::new(auth);
    let offered = Credential {
        server: "registry.example".into(),
        user: Some("ann".into()),
        kind: CredentialKind::Password,
        secret: Secret::new("secret"),
    };
    let session = Session::new(auth.clone(), Caller("uid:1".into()), Some(offered));
    let name = reference("registry.example", "x:1");
    let client = client();
    assert_eq!(client.resolve(&session, &name, None).await.unwrap().document, image.document);
    client.fetch_blob(&session, &name, &layer, &mut Kept::default(), &quiet()).await.unwrap();
    assert!(!dead.heads.lock().unwrap().is_empty());
    assert!(auth.asked.lock().unwrap().iter().all(|c| c.offered.is_none()));

    let mut remote = FakePolicy::new(|_| Ok(Answer::Anonymous));
    remote.mirrors = vec![at(&"mirror.example")];
    let session = support::session(Arc::new(remote));
    let e = client.resolve(&session, &name, None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Refused(_)), "{e}");
}

#[tokio::test]
async fn the_registry_itself_serves_what_no_mirror_has() {
    let (server, image, layer) = with_layer(1000).await;
    let empty = knows_nothing().await;
    let mut auth = FakePolicy::new(|_| Ok(Answer::Anonymous));
    auth.mirrors = vec![at(&empty.address)];
    let session = session(Arc::new(auth));
    let (client, name) = (client(), reference(&server.address, "x:1"));
    assert_eq!(client.resolve(&session, &name, None).await.unwrap().document, image.document);
    let mut sink = Kept::default();
    client.fetch_blob(&session, &name, &layer, &mut sink, &quiet()).await.unwrap();
    assert_eq!(sink.bytes, image.source.bytes(&layer.digest));
    let asked = empty.heads.lock().unwrap().clone();
    assert!(
        asked.iter().any(|h| h.contains("/manifests/")) && asked.iter().any(|h| h.contains("/blobs/")),
        "{asked:?}"
    );
    let e = client.resolve(&session, &reference(&server.address, "nothing:1"), None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::NotFound(_)), "and its word is the last: {e}");
}

#[tokio::test]
async fn a_registry_that_is_down_is_not_missed_while_its_mirror_serves() {
    let (server, image, _) = with_layer(1000).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut auth = FakePolicy::new(|_| Ok(Answer::Anonymous));
    auth.mirrors = vec![at(&server.address)];
    let name = reference(&format!("127.0.0.1:{port}"), "x:1");
    assert_eq!(client().resolve(&session(Arc::new(auth)), &name, None).await.unwrap().document, image.document);
}
