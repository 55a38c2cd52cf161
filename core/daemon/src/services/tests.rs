//! The services against real files and a real loopback server.

use super::{DaemonServices, Settings};
use davit_model::{
    error::PolicyError,
    services::{HostServices, HttpRequest},
    state::{StateWrite, StateWrites},
};
use davit_plugin_host::Grant;
use std::{os::unix::fs::PermissionsExt, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

fn services() -> DaemonServices {
    DaemonServices::new(Arc::new(davit_engine::Forgetful::default())).unwrap()
}

fn get(url: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        authorization: None,
        body: None,
        content_type: None,
        max_body: 1000,
        timeout_ms: 2000,
        allow_link_local: false,
    }
}

/// Answers every connection with these bytes; the task ends with the test's runtime.
async fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _read = stream.read(&mut head).await;
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn state_is_that_of_the_plugin_that_wrote_it() {
    let services = services();
    let writes = vec![StateWrite { key: "k".into(), expected: None, new: Some(b"1".to_vec()) }];
    let state = StateWrites { plugin: "p".into(), writes };
    services.state_commit(&state).await.unwrap();
    assert!(services.state_commit(&state).await.is_err(), "it is not as expected any more");
    assert_eq!(services.state_get("p", "k").await.unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(services.state_get("q", "k").await.unwrap(), None);
    assert_eq!(services.state_keys("p", "").await.unwrap(), ["k"]);
}

#[tokio::test]
async fn a_secret_is_read_only_where_nobody_else_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "hunter2\n").unwrap();
    let services = services();
    let settings = Settings::of("a = 1".parse().unwrap(), &Grant::default());
    let secrets = [("token".to_owned(), file.display().to_string())].into();
    let before = services;
    let services = before.for_site([("p".to_owned(), settings)].into(), &secrets);
    assert_eq!(before.config("p").await.unwrap(), serde_json::json!({}), "a policy in flight keeps its own");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(services.secret("p", "token").await.unwrap_err(), PolicyError::Denied(_)));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(services.secret("p", "token").await.unwrap().reveal(), "hunter2");
    assert!(matches!(services.secret("p", "other").await.unwrap_err(), PolicyError::NotFound(_)));
    assert_eq!(services.config("p").await.unwrap(), serde_json::json!({"a": 1}));
    assert_eq!(services.config("q").await.unwrap(), serde_json::json!({}));
    assert_eq!(services.stored_credential("p", "x").await.unwrap(), None);
}

#[tokio::test]
async fn http_follows_no_redirect_cuts_the_answer_and_says_what_is_down() {
    let services = services();
    let moved =
        server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let answer = services.http("p", get(&moved.await)).await.unwrap();
    assert_eq!(answer.status, 302);
    let small = server("HTTP/1.1 200 OK\r\nX-Any: y\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await;
    let answer = services.http("p", get(&small)).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hi"[..]));
    assert!(answer.headers.contains(&("x-any".to_owned(), "y".to_owned())));
    let cut = HttpRequest { max_body: 1, ..get(&small) };
    assert!(matches!(services.http("p", cut).await.unwrap_err(), PolicyError::Internal(_)));
    let down = services.http("p", get("http://127.0.0.1:1/")).await.unwrap_err();
    assert!(matches!(down, PolicyError::Unavailable { .. }), "{down}");
}

#[tokio::test]
async fn link_local_addresses_are_refused_in_every_spelling() {
    let services = services();
    for url in
        ["http://169.254.169.254/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/", "http://0xa9fea9fe/"]
    {
        let error = services.http("p", get(url)).await.unwrap_err();
        assert!(matches!(error, PolicyError::Denied(_)), "{url}: {error}");
    }
}
