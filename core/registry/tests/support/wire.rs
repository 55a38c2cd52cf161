//! Servers that misbehave: a proxy that cuts connections, and one that answers by a script.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Hands connections to a registry and cuts each after so many bytes of answers.
#[derive(Debug)]
pub(crate) struct FlakyProxy {
    pub(crate) address: SocketAddr,
    pub(crate) cuts: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl FlakyProxy {
    /// Before `upstream`; the connection `n` is cut after `lifetime(n)` bytes.
    pub(crate) async fn before(upstream: &str, lifetime: impl Fn(usize) -> usize + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (upstream, cuts) = (upstream.to_owned(), Arc::new(AtomicUsize::new(0)));
        let counted = cuts.clone();
        let task = tokio::spawn(async move {
            for n in 0.. {
                let Ok((client, _)) = listener.accept().await else { break };
                let (upstream, cuts, left) = (upstream.clone(), counted.clone(), lifetime(n));
                tokio::spawn(async move {
                    if relay(client, &upstream, left).await.is_none() {
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { address, cuts, task }
    }
}

impl Drop for FlakyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Relays until one side ends; none when the connection was cut.
async fn relay(client: TcpStream, upstream: &str, mut left: usize) -> Option<()> {
    let server = TcpStream::connect(upstream).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 16 << 10];
    let outcome = loop {
        let Ok(n) = from_server.read(&mut buffer).await else { break Some(()) };
        if n == 0 {
            break Some(());
        }
        let now = n.min(left);
        if to_client.write_all(&buffer[..now]).await.is_err() {
            break Some(());
        }
        left -= now;
        if left == 0 {
            break None;
        }
    };
    up.abort();
    outcome
}

/// What a scripted server does after it read a request's head.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Sends these bytes and then nothing, with the connection open.
    Stall(Vec<u8>),
}

/// Answers by a script, one request a connection, and keeps the heads.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// A server that answers each head by `script`; heads that are not HTTP (a TLS greeting) are answered by closing.
    pub(crate) async fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, script) = (heads.clone(), Arc::new(script));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (kept, script) = (kept.clone(), script.clone());
                tokio::spawn(async move {
                    let Some(head) = head(&mut stream).await else {
                        // As Go's server does, so that a client learns that this is no TLS.
                        let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await;
                        return;
                    };
                    kept.lock().unwrap().push(head.clone());
                    match script(&head) {
                        Reply::Send(bytes) => {
                            let _ = stream.write_all(&bytes).await;
                            let _ = stream.shutdown().await;
                        }
                        Reply::Stall(bytes) => {
                            let _ = stream.write_all(&bytes).await;
                            tokio::time::sleep(Duration::from_secs(60)).await;
                        }
                    }
                });
            }
        });
        Self { address, heads, task }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).await.ok()?;
        bytes.extend_from_slice(&buffer[..n]);
        if n == 0 || !bytes.first()?.is_ascii_uppercase() {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            bytes.truncate(end);
            return String::from_utf8(bytes).ok();
        }
    }
}

/// An answer with a length.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
