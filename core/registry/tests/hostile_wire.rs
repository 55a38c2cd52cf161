//! Networks that break and servers that misbehave: the client resumes, gives up in time, and says what happened.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use davit_model::{
    auth::{Answer, Scheme},
    error::PolicyError,
};
use davit_registry::{ErrorKind, Options, Registry};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use support::{
    Blobs, FakePolicy, FlakyProxy, Image, Kept, OCI_INDEX, OCI_MANIFEST, RealRegistry, Reply, Scripted, answer,
    answers, client, layer_bytes, options, quiet, reference, session, with_layer,
};

#[tokio::test]
async fn a_blob_survives_connections_that_are_cut_at_any_place() {
    let (server, image, layer) = with_layer(4 << 20).await;
    // Between nothing at all and 700 kB for each connection, so that some are cut in an answer's head.
    let seed = AtomicUsize::new(usize::try_from(std::process::id()).unwrap());
    let lifetime = move |n: usize| {
        let dice = seed.fetch_add(n, Ordering::SeqCst).wrapping_mul(2_654_435_761);
        if n % 5 == 4 { 40 } else { 1 + dice % 700_000 }
    };
    let proxy = FlakyProxy::before(&server.address, lifetime).await;
    let name = reference(&proxy.address.to_string(), "x:1");
    let mut sink = Kept::default();
    let fetched =
        client().fetch_blob(&session(answers::anonymous()), &name, &layer, &mut sink, &quiet()).await.unwrap();
    assert!(sink.bytes == image.source.bytes(&layer.digest));
    assert!(proxy.cuts.load(Ordering::SeqCst) > 3, "it was cut");
    assert_eq!((fetched.received, fetched.checked, sink.resets), (4 << 20, true, 0), "and nothing came twice");
}

#[tokio::test]
async fn a_dropped_fetch_is_continued_by_the_next_one() {
    let (server, image, layer) = with_layer(2 << 20).await;
    let name = reference(&server.address, "x:1");
    let (client, session) = (client(), session(answers::anonymous()));
    let mut sink = Kept::default();
    let cut = std::sync::Arc::new(tokio::sync::Notify::new());
    let at_some = {
        let cut = cut.clone();
        move |n: u64| {
            if n > 500_000 {
                cut.notify_one();
            }
        }
    };
    tokio::select! {
        biased;
        () = cut.notified() => {}
        done = client.fetch_blob(&session, &name, &layer, &mut sink, &at_some) => { done.unwrap(); }
    }
    let had = sink.bytes.len();
    assert!(had > 0 && had < 2 << 20, "{had}");
    let fetched = client.fetch_blob(&session, &name, &layer, &mut sink, &quiet()).await.unwrap();
    assert!(sink.bytes == image.source.bytes(&layer.digest));
    assert_eq!((fetched.received, fetched.checked), ((2 << 20) - had as u64, false));
}

#[tokio::test]
async fn a_server_without_ranges_is_read_from_the_start_again() {
    let content = layer_bytes(22, 1000);
    let layer = Blobs::default().add("application/octet-stream", content.clone());
    let body = content.clone();
    let server = Scripted::start(move |_| Reply::Send(answer("200 OK", &[], &body))).await;
    let name = reference(&server.address.to_string(), "x:1");
    let mut sink = Kept { bytes: vec![0; 400], resets: 0 };
    let fetched =
        client().fetch_blob(&session(answers::anonymous()), &name, &layer, &mut sink, &quiet()).await.unwrap();
    assert_eq!((sink.bytes, sink.resets, fetched.checked), (content, 1, true));
    assert!(server.heads.lock().unwrap().iter().any(|h| h.to_lowercase().contains("range: bytes=400-")));
}

#[tokio::test]
async fn a_blob_longer_than_its_descriptor_is_cut_off() {
    let layer = Blobs::default().add("application/octet-stream", vec![1; 1000]);
    let server = Scripted::start(|_| Reply::Send(answer("200 OK", &[], &[1; 5000]))).await;
    let name = reference(&server.address.to_string(), "x:1");
    let mut sink = Kept::default();
    let e = client().fetch_blob(&session(answers::anonymous()), &name, &layer, &mut sink, &quiet()).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::SizeMismatch { expected: 1000, .. }), "{e}");
    assert!(sink.bytes.is_empty());
}

#[tokio::test]
async fn a_server_that_falls_silent_hits_the_deadline() {
    let mut settings = options();
    settings.timeouts.stall = Duration::from_millis(300);
    settings.timeouts.response = Duration::from_millis(400);
    settings.retries = 1;
    let client = Registry::new(settings).unwrap();
    let layer = Blobs::default().add("application/octet-stream", vec![1; 1000]);
    let session = session(answers::anonymous());
    let in_the_body = |_: &str| Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome".to_vec());
    let before_the_head = |head: &str| match head.starts_with("HEAD") {
        true => Reply::Send(answer("200 OK", &[], b"")),
        false => Reply::Stall(Vec::new()),
    };
    for server in [Scripted::start(in_the_body).await, Scripted::start(before_the_head).await] {
        let name = reference(&server.address.to_string(), "x:1");
        let began = Instant::now();
        let e = client.fetch_blob(&session, &name, &layer, &mut Kept::default(), &quiet()).await.unwrap_err();
        assert!(matches!(*e.kind, ErrorKind::Timeout { .. }), "{e}");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_within_reason() {
    let server = RealRegistry::open();
    let image = Image::of(&[]);
    let name = reference(&server.address, "x:1");
    let (client, own) = (client(), session(answers::anonymous()));
    client.push(&own, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    let document = image.document.clone();
    let times = AtomicUsize::new(0);
    let limited = Scripted::start(move |_| match times.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Send(answer("429 Too Many Requests", &[("retry-after", "1")], b"")),
        _ => Reply::Send(answer("200 OK", &[("content-type", OCI_MANIFEST)], &document.bytes)),
    })
    .await;
    let began = Instant::now();
    let name = reference(&limited.address.to_string(), "x:1");
    assert_eq!(client.resolve(&own, &name, None).await.unwrap().document, image.document);
    assert!(began.elapsed() >= Duration::from_secs(1));
    let headers = [("retry-after", "3600")];
    let closed = Scripted::start(move |_| Reply::Send(answer("429 Too Many Requests", &headers, b""))).await;
    let e = client.resolve(&own, &reference(&closed.address.to_string(), "x:1"), None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::RateLimited { retry_after: Some(d) } if d.as_secs() == 3600), "{e}");
    assert!(e.to_string().contains("toomanyrequests"), "{e}");
}

#[tokio::test]
async fn redirects_end_and_carry_no_password_elsewhere() {
    let elsewhere =
        Scripted::start(|_| Reply::Send(answer("401 Unauthorized", &[("www-authenticate", "Basic realm=\"x\"")], b"")))
            .await;
    let to = format!("http://{}/stolen", elsewhere.address);
    let server = Scripted::start(move |head| {
        if head.starts_with("HEAD") {
            return Reply::Send(answer("200 OK", &[], b""));
        }
        match head.to_lowercase().contains("authorization: basic") {
            true => Reply::Send(answer("307 Temporary Redirect", &[("location", &to)], b"")),
            false => Reply::Send(answer("401 Unauthorized", &[("www-authenticate", "Basic realm=\"x\"")], b"")),
        }
    })
    .await;
    let name = reference(&server.address.to_string(), "x:1");
    let auth = answers::basic("ann", "secret");
    client().resolve(&session(auth.clone()), &name, None).await.unwrap_err();
    let heads = elsewhere.heads.lock().unwrap().clone();
    assert_eq!(heads.len(), 1, "its challenge is not answered");
    assert!(!heads[0].to_lowercase().contains("authorization"), "{heads:?}");
    assert_eq!(auth.challenges(), 1);

    let circle = Scripted::start(|_| Reply::Send(answer("302 Found", &[("location", "/v2/again")], b""))).await;
    let name = reference(&circle.address.to_string(), "x:1");
    let e = client().resolve(&session(answers::anonymous()), &name, None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Refused(_)) && e.to_string().contains("redirects"), "{e}");
}

#[tokio::test]
async fn a_document_that_is_two_things_or_too_large_is_refused() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let part = json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1});
    let both = json!({"schemaVersion": 2, "config": part, "layers": [part], "manifests": [part]}).to_string();
    let large = vec![b' '; (4 << 20) + 1];
    for (body, kind) in [(both.into_bytes(), "at once"), (large, "size mismatch")] {
        let server =
            Scripted::start(move |_| Reply::Send(answer("200 OK", &[("content-type", OCI_INDEX)], &body))).await;
        let name = reference(&server.address.to_string(), "x:1");
        let e = client().resolve(&session(answers::anonymous()), &name, None).await.unwrap_err();
        assert!(e.to_string().contains(kind), "{e}");
    }
}

#[tokio::test]
async fn a_foreign_layers_address_is_never_asked() {
    let trap = Scripted::start(|_| Reply::Send(answer("200 OK", &[], b"x"))).await;
    let mut layer =
        json!(Blobs::default().add("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"x".to_vec()));
    layer["urls"] = json!([format!("http://{}/layer", trap.address)]);
    let document = json!({"schemaVersion": 2, "config": layer, "layers": [layer]}).to_string();
    let server = Scripted::start(move |head| match head.contains("/manifests/") {
        true => Reply::Send(answer("200 OK", &[("content-type", OCI_MANIFEST)], document.as_bytes())),
        false => Reply::Send(answer("404 Not Found", &[], b"")),
    })
    .await;
    let name = reference(&server.address.to_string(), "x:1");
    let (client, session) = (client(), session(answers::anonymous()));
    let found = client.resolve(&session, &name, None).await.unwrap();
    let e = client.fetch_blob(&session, &name, &found.manifest.layers[0], &mut Kept::default(), &quiet()).await;
    assert!(matches!(*e.unwrap_err().kind, ErrorKind::NotFound(_)));
    assert!(trap.heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn policy_may_refuse_a_registry_before_anything_is_sent() {
    let server = Scripted::start(|_| Reply::Send(answer("200 OK", &[], b""))).await;
    let auth = Arc::new(FakePolicy::new(|c| match c.scheme {
        Scheme::None => Err(PolicyError::Denied("this registry is not for us".into())),
        _ => Ok(Answer::Anonymous),
    }));
    let e = client().resolve(&session(auth), &reference(&server.address.to_string(), "x:1"), None).await.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Policy(_)), "{e}");
    assert!(e.to_string().contains("this registry is not for us"), "{e}");
    assert!(server.heads.lock().unwrap().iter().all(|h| h.starts_with("HEAD /v2/ ")), "but the probe for TLS");
}

#[tokio::test]
async fn an_upload_that_leads_elsewhere_leaves_the_password_behind() {
    let elsewhere = Scripted::start(|_| Reply::Send(answer("201 Created", &[], b""))).await;
    let to = format!("http://{}/upload/1", elsewhere.address);
    let server = Scripted::start(move |head| {
        if !head.to_lowercase().contains("authorization: basic") {
            return Reply::Send(answer("401 Unauthorized", &[("www-authenticate", "Basic realm=\"x\"")], b""));
        }
        match head.split(' ').next() {
            Some("HEAD") => Reply::Send(answer("404 Not Found", &[], b"")),
            Some("POST") => Reply::Send(answer("202 Accepted", &[("location", &to)], b"")),
            _ => Reply::Send(answer("201 Created", &[], b"")),
        }
    })
    .await;
    let image = Image::of(&[]);
    let name = reference(&server.address.to_string(), "x:1");
    let own = session(answers::basic("ann", "secret"));
    client().push(&own, &name, &image.document, &image.blobs, &image.source, &|_, _| {}).await.unwrap();
    let heads = elsewhere.heads.lock().unwrap().clone();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with("PUT /upload/1?digest=sha256"), "{heads:?}");
    assert!(!heads[0].to_lowercase().contains("authorization"), "{heads:?}");
}

#[tokio::test]
async fn operations_run_as_tasks_and_side_by_side() {
    let (server, _, layer) = with_layer(500_000).await;
    let client = client();
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (client, layer, name) = (client.clone(), layer.clone(), reference(&server.address, "x:1"));
            tokio::spawn(async move {
                let session = session(answers::anonymous());
                client.resolve(&session, &name, None).await.unwrap();
                let mut sink = Kept::default();
                client.fetch_blob(&session, &name, &layer, &mut sink, &quiet()).await.map(|f| f.checked)
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn an_upload_that_no_one_takes_hits_the_deadline() {
    let mut settings = options();
    settings.timeouts.stall = Duration::from_millis(300);
    settings.retries = 0;
    let client = Registry::new(Options { ..settings }).unwrap();
    let server = Scripted::start(|head| {
        let first = head.lines().next().unwrap_or_default();
        match first.split(' ').next() {
            Some("HEAD") if first.contains("/blobs/") => Reply::Send(answer("404 Not Found", &[], b"")),
            Some("HEAD") => Reply::Send(answer("200 OK", &[], b"")),
            Some("POST") => Reply::Send(answer("202 Accepted", &[("location", "/v2/x/blobs/uploads/1")], b"")),
            // Reads no more than the head: the connection's buffers fill, and then nothing moves.
            _ => Reply::Stall(Vec::new()),
        }
    })
    .await;
    let image = Image::of(&[layer_bytes(24, 32 << 20)]);
    let began = Instant::now();
    let name = reference(&server.address.to_string(), "x:1");
    let session = session(answers::anonymous());
    let e = client.push(&session, &name, &image.document, &image.blobs[1..], &image.source, &|_, _| {}).await;
    let e = e.unwrap_err();
    assert!(matches!(*e.kind, ErrorKind::Timeout { wanted: "take data", .. }), "{e}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_registry_that_policy_denies_sees_no_connection_at_all() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let denied = || Err(PolicyError::Denied("this site does not use that registry".to_owned()));
    let session = session(Arc::new(FakePolicy::new(move |_| denied())));
    let name = reference(&listener.local_addr().unwrap().to_string(), "x:1");
    let client = client();
    let refused = [
        client.resolve(&session, &name, None).await.unwrap_err(),
        client.tags(&session, &name).await.unwrap_err(),
        client.delete(&session, &name).await.unwrap_err(),
        client.login(&session, name.registry()).await.unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(*error.kind, ErrorKind::Policy(_)), "{error}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody knocked");
}
