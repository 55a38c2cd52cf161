//! The server over a real unix socket, spoken to in bytes, as the clients of ten years speak.

use super::Hijack;
use crate::server::{Listener, listen, serve};
use axum::{Router, body::Bytes, routing::get, routing::post};
use std::{path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Sends the request's body, then what the client sends, then `end` when the client ends its sending.
async fn echo(hijack: Hijack, body: Bytes) -> axum::response::Response {
    hijack.accept(false, move |mut wire, _gone| async move {
        wire.write_all(&body).await.unwrap();
        let mut piece = [0; 1024];
        loop {
            match wire.read(&mut piece).await.unwrap() {
                0 => break,
                n => wire.write_all(&piece[..n]).await.unwrap(),
            }
        }
        wire.write_all(b"end").await.unwrap();
        wire.shutdown().await.unwrap();
    })
}

struct Served {
    dir: TempDir,
    stop: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Served {
    async fn new() -> Self {
        let router = Router::new()
            .route("/_ping", get(|| async { "OK" }))
            .route("/containers/{id}/attach", post(echo))
            .route("/exec/gone/start", post(|| async { (axum::http::StatusCode::NOT_FOUND, "gone") }))
            .route("/exec/{id}/start", post(echo))
            .route("/never", get(|| async { std::future::pending::<&str>().await }));
        let dir = tempfile::tempdir().unwrap();
        let listener: Listener = listen(&dir.path().join("s"), None).await.unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(vec![listener], router, stop.clone()));
        Self { dir, stop }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.unwrap()
    }
}

/// Reads until `end` has come.
async fn read_to(stream: &mut UnixStream, end: &str) -> String {
    let mut got = Vec::new();
    let reading = async {
        while !got.ends_with(end.as_bytes()) {
            let mut byte = [0];
            assert_ne!(stream.read(&mut byte).await.unwrap(), 0, "ended: {:?}", String::from_utf8_lossy(&got));
            got.push(byte[0]);
        }
    };
    timeout(Duration::from_secs(5), reading).await.expect("an answer");
    String::from_utf8(got).unwrap()
}

async fn read_all(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    timeout(Duration::from_secs(5), stream.read_to_string(&mut text)).await.expect("an end").unwrap();
    text
}

/// After the head: both directions, and the end of input without the end of output.
async fn talk(mut stream: UnixStream, first: &str) {
    assert_eq!(read_to(&mut stream, first).await, first);
    stream.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
    read_to(&mut stream, "POST / HTTP/1.1\r\n\r\n").await;
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await, "end");
}

#[tokio::test]
async fn with_upgrade_the_answer_is_101_upgraded() {
    let served = Served::new().await;
    let mut stream = served.connect().await;
    stream
        .write_all(
            b"POST /v1.51/containers/a/attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
        )
        .await
        .unwrap();
    let head = read_to(&mut stream, "\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 upgraded\r\n"), "{head}");
    assert!(head.contains("content-type: application/vnd.docker.multiplexed-stream\r\n"), "{head}");
    assert!(head.contains("upgrade: tcp\r\n") && head.contains("api-version: 1.51\r\n"), "{head}");
    talk(stream, "").await;
}

#[tokio::test]
async fn without_upgrade_the_answer_is_200_and_the_connection_is_taken_over() {
    let served = Served::new().await;
    let mut stream = served.connect().await;
    stream.write_all(b"POST /v1.30/containers/a/attach HTTP/1.1\r\nHost: d\r\n\r\nearly").await.unwrap();
    let head = read_to(&mut stream, "\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(head.contains("content-type: application/vnd.docker.raw-stream\r\n"), "{head}");
    assert!(!head.contains("\r\nupgrade:") && !head.contains("\r\nconnection:"), "{head}");
    assert!(!head.contains("content-length") && !head.contains("chunked"), "{head}");
    talk(stream, "early").await;
}

#[tokio::test]
async fn the_body_of_exec_start_is_read_to_its_end_before_input_begins() {
    let served = Served::new().await;
    let bodies = ["Content-Length: 12\r\n\r\n{\"Tty\":false}"[..].to_owned(), {
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"Tty\r\n8\r\n\":false}\r\n0\r\n\r\n".to_owned()
    }];
    for (body, upgrade) in
        bodies.iter().zip(["", "Upgrade: tcp\r\n"]).chain(bodies.iter().zip(["Upgrade: tcp\r\n", ""]))
    {
        let body = body.replace("12", "13");
        let request = format!("POST /exec/a/start HTTP/1.1\r\nHost: d\r\n{upgrade}{body}input");
        for cut in [1, 7, request.len()] {
            let mut stream = served.connect().await;
            for piece in request.as_bytes().chunks(cut) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            read_to(&mut stream, "\r\n\r\n").await;
            talk(stream, "{\"Tty\":false}input").await;
        }
    }
}

#[tokio::test]
async fn a_refused_takeover_leaves_the_connection_in_http() {
    let served = Served::new().await;
    let mut stream = served.connect().await;
    for upgrade in ["", "Connection: Upgrade\r\nUpgrade: tcp\r\n"] {
        let start = format!("POST /exec/gone/start HTTP/1.1\r\nHost: d\r\n{upgrade}Content-Length: 2\r\n\r\n{{}}");
        stream.write_all(start.as_bytes()).await.unwrap();
        let answer = read_to(&mut stream, "\r\n\r\ngone").await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
        read_to(&mut stream, "\r\n\r\nOK").await;
    }
    stream.write_all(b"POST /containers/a/attach HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let head = read_to(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    talk(stream, "").await;
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_and_then_the_takeover() {
    let served = Served::new().await;
    let mut stream = served.connect().await;
    let head = "POST /exec/a/start HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_to(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 100"));
    stream.write_all(b"{}").await.unwrap();
    assert!(read_to(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    talk(stream, "{}").await;
}

#[tokio::test]
async fn heads_that_cannot_be_followed_are_judged_by_hyper_and_end_the_connection() {
    let served = Served::new().await;
    for (request, status) in [
        ("rubbish\r\n\r\n", "400"),
        ("GET /_ping HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        (&format!("GET /_ping HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(600_000)), "431"),
    ] {
        let mut stream = served.connect().await;
        // A server that has seen enough may close before it was told everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.expect("an end");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_clients_read() {
    let served = Served::new().await;
    for (path, status) in [("/_ping", "200"), ("/v1.24/_ping", "200"), ("/v1.99/_ping", "400"), ("/none", "404")] {
        let mut stream = served.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_all(&mut stream).await.to_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{answer}");
        for header in ["api-version: 1.51", "ostype: linux", "docker-experimental: false", "server: davit/"] {
            assert!(answer.contains(&format!("\r\n{header}")), "{path}: {header}: {answer}");
        }
    }
}

#[tokio::test]
async fn shutdown_ends_the_server_though_a_request_never_does() {
    let served = Served::new().await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    served.stop.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(UnixStream::connect(served.path()).await.is_err(), "nobody listens any more");
}
