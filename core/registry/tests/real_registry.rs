//! Against Debian's registry: what is pushed comes back, and what goes wrong is named.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use davit_model::auth::{Answer, Credential, CredentialKind, Scheme};
use davit_model::id::Caller;
use davit_model::secret::Secret;
use davit_registry::{Document, ErrorKind, Platform, PushState, Session};
use serde_json::json;
use std::sync::{Arc, Mutex};
use support::{
    FakePolicy, Image, Kept, OCI_INDEX, RealRegistry, answers, client, layer_bytes, options, quiet, reference, session,
};

#[tokio::test]
async fn a_pushed_image_comes_back_byte_for_byte() {
    let server = RealRegistry::open();
    let (client, session) = (client(), session(answers::anonymous()));
    let image = Image::of(&[layer_bytes(1, 300_000), layer_bytes(2, 5), vec![]]);
    let name = reference(&server.address, "a/b:1");
    let digest = client.push(&session, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    let found = client.resolve(&session, &name, None).await.unwrap();
    assert_eq!((&found.document, &found.digest), (&image.document, &digest));
    for layer in found.manifest.layers.iter().chain([&found.manifest.config]) {
        let mut sink = Kept::default();
        let fetched = client.fetch_blob(&session, &name, layer, &mut sink, &quiet()).await.unwrap();
        assert!(fetched.checked);
        assert_eq!(sink.bytes, image.source.bytes(&layer.digest));
    }
    let by_digest = name.with_digest(digest);
    assert_eq!(client.resolve(&session, &by_digest, None).await.unwrap().document, image.document);
    assert_eq!(client.tags(&session, &name).await.unwrap(), ["1"]);
    client.delete(&session, &by_digest).await.unwrap();
    let gone = client.resolve(&session, &name, None).await.unwrap_err();
    assert!(gone.to_string().contains("not found: manifest unknown"), "{gone}");
}

#[tokio::test]
async fn a_login_opens_the_registry_and_a_wrong_password_says_so() {
    let server = RealRegistry::with_login("ann", "right");
    let client = client();
    let good = answers::basic("ann", "right");
    client.login(&session(good.clone()), &server.address).await.unwrap();
    let image = Image::of(&[layer_bytes(3, 1000)]);
    let name = reference(&server.address, "x:1");
    let own = session(good.clone());
    client.push(&own, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    client.resolve(&session(good), &name, None).await.unwrap();

    let bad = session(answers::basic("ann", "wrong"));
    let e = client.login(&bad, &server.address).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Unauthorized(_)), "{e}");
    assert!(e.to_string().contains("unauthorized: authentication required"), "{e}");
    let client = support::client();
    let e = client.resolve(&bad, &name, None).await.unwrap_err();
    assert!(e.to_string().starts_with("pull access denied for"), "{e}");
    let e = client.resolve(&session(answers::anonymous()), &name, None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Unauthorized(_)), "{e}");
}

#[tokio::test]
async fn a_cached_answer_serves_only_the_caller_that_it_was_made_for() {
    let server = RealRegistry::with_login("ann", "right");
    let client = client();
    // The policy answers by what the caller offers, as a credential file's plugin would.
    let auth = Arc::new(FakePolicy::new(|c| {
        Ok(match (&c.scheme, &c.offered) {
            (Scheme::Basic, Some(o)) => Answer::Basic { user: o.user.clone().unwrap(), password: o.secret.clone() },
            _ => Answer::Anonymous,
        })
    }));
    let with = |caller: &str, server: &str, password: Option<&str>| {
        let offered = password.map(|p| Credential {
            server: server.into(),
            user: Some("ann".into()),
            kind: CredentialKind::Password,
            secret: Secret::new(p),
        });
        Session::new(auth.clone(), Caller(caller.into()), offered)
    };
    let ask = |session: Session| {
        let (client, name) = (client.clone(), reference(&server.address, "x:1"));
        async move {
            match client.tags(&session, &name).await {
                // Let in, and told that there is nothing.
                Err(e) if matches!(*e.kind, ErrorKind::NotFound(_)) => Ok(()),
                other => other.map(drop),
            }
        }
    };
    ask(with("uid:1", &server.address, Some("right"))).await.unwrap();
    let after_first = auth.challenges();
    ask(with("uid:1", &server.address, Some("right"))).await.unwrap();
    assert_eq!(auth.challenges(), after_first, "the second time the answer is there");
    ask(with("uid:2", &server.address, None)).await.unwrap_err();
    ask(with("uid:1", &server.address, Some("wrong"))).await.unwrap_err();
    ask(with("uid:1", "other.example", Some("right"))).await.expect_err("a credential for another server");
    let asked = auth.asked.lock().unwrap();
    assert!(asked.last().unwrap().offered.is_none(), "which the policy does not even see");
}

#[tokio::test]
async fn a_corrupt_blob_is_refused_and_the_sink_left_empty() {
    let server = RealRegistry::open();
    let (client, session) = (client(), session(answers::anonymous()));
    let image = Image::of(&[layer_bytes(4, 100_000)]);
    let name = reference(&server.address, "x:1");
    client.push(&session, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    let layer = &image.blobs[1].descriptor;
    let file = server.blob(&layer.digest);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[50_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let mut sink = Kept::default();
    let e = client.fetch_blob(&session, &name, layer, &mut sink, &quiet()).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::DigestMismatch { .. }), "{e}");
    assert!(e.to_string().contains(&layer.digest.to_string()), "{e}");
    assert_eq!((sink.bytes.len(), sink.resets), (0, 1));
}

#[tokio::test]
async fn a_corrupt_manifest_is_refused() {
    let server = RealRegistry::open();
    let (client, session) = (client(), session(answers::anonymous()));
    let image = Image::of(&[layer_bytes(4, 10)]);
    let name = reference(&server.address, "x:1");
    client.push(&session, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    let file = server.blob(&image.document.digest);
    let text = std::fs::read_to_string(&file).unwrap().replace("gzip", "gxip");
    std::fs::write(&file, text).unwrap();
    let e = client.resolve(&session, &name, None).await.unwrap_err();
    assert!(!matches!(*e.kind, ErrorKind::NotFound(_)), "{e}");
    assert!(matches!(*e.kind, ErrorKind::DigestMismatch { .. } | ErrorKind::Status { .. }), "{e}");
}

#[tokio::test]
async fn a_push_tells_what_became_of_each_blob_and_mounts_what_another_repository_has() {
    let server = RealRegistry::open();
    let session = session(answers::anonymous());
    // Small chunks, so that the upload takes several requests.
    let client =
        davit_registry::Registry::new(davit_registry::Options { upload_chunk: 64 << 10, ..options() }).unwrap();
    let mut image = Image::of(&[layer_bytes(5, 1_000_000)]);
    let layer = image.blobs[1].descriptor.clone();
    let told = Mutex::new(Vec::new());
    let note = |d: &davit_registry::Descriptor, s: PushState| {
        if d.digest == layer.digest {
            told.lock().unwrap().push(s);
        }
    };
    let (one, two) = (reference(&server.address, "one:1"), reference(&server.address, "two:1"));
    client.push(&session, &one, &image.document, &image.blobs, &image.source, &note).await.unwrap();
    let states = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!((states.first(), states.last()), (Some(&PushState::Waiting), Some(&PushState::Pushed)));
    let sizes: Vec<u64> =
        states.iter().filter_map(|s| if let PushState::Uploading(n) = s { Some(*n) } else { None }).collect();
    assert!(sizes.is_sorted() && sizes.last() == Some(&1_000_000), "{sizes:?}");

    client.push(&session, &one, &image.document, &image.blobs, &image.source, &note).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [PushState::Waiting, PushState::Exists]);
    told.lock().unwrap().clear();

    for blob in &mut image.blobs {
        blob.mount_from = vec!["one".into()];
    }
    client.push(&session, &two, &image.document, &image.blobs, &image.source, &note).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [PushState::Waiting, PushState::Mounted("one".into())]);
    let mut sink = Kept::default();
    client.fetch_blob(&session, &two, &layer, &mut sink, &quiet()).await.unwrap();
    assert_eq!(sink.bytes, image.source.bytes(&layer.digest));
}

#[tokio::test]
async fn an_index_is_pushed_and_the_platform_picked_from_it() {
    let server = RealRegistry::open();
    let (client, session) = (client(), session(answers::anonymous()));
    let name = reference(&server.address, "multi:1");
    let mut entries = Vec::new();
    for (seed, architecture) in [(6, "amd64"), (7, "arm64")] {
        let image = Image::of(&[layer_bytes(seed, 100)]);
        let at = name.with_digest(image.document.digest.clone());
        client.push(&session, &at, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
        let mut entry = image.document.descriptor();
        entry.platform = Some(format!("linux/{architecture}").parse().unwrap());
        entries.push(entry);
    }
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
    let index = Document::new(OCI_INDEX, index.to_string());
    let nothing = support::Blobs::default();
    client.push(&session, &name, &index, &[], &nothing, &|_, _| {}).await.unwrap();
    for (entry, platform) in entries.iter().zip(["linux/amd64", "linux/arm64/v8"]) {
        let platform: Platform = platform.parse().unwrap();
        let found = client.resolve(&session, &name, Some(&platform)).await.unwrap();
        assert_eq!((found.document.digest, found.digest), (entry.digest.clone(), index.digest.clone()));
    }
    let e = client.resolve(&session, &name, Some(&"linux/s390x".parse().unwrap())).await.unwrap_err();
    assert!(e.to_string().contains("the image has linux/amd64, linux/arm64"), "{e}");
}

#[tokio::test]
async fn the_absent_registry_repository_and_tag_are_told_apart() {
    let server = RealRegistry::open();
    let (client, session) = (client(), session(answers::anonymous()));
    let e = client.resolve(&session, &reference(&server.address, "nothing/here:1"), None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::NotFound(_)), "{e}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let down = format!("127.0.0.1:{port}");
    let e = client.resolve(&session, &reference(&down, "a:1"), None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Down { .. }), "{e}");
    assert!(e.to_string().contains(&down) && e.to_string().contains("check"), "{e}");
}
