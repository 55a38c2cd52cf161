//! A token endpoint on a loopback socket (distribution token specification and its OAuth2 companion), and a client for
//! it, both no more than these tests need.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use davit_model::{
    error::PolicyError,
    services::{HttpRequest, HttpResponse},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A running endpoint; the thread ends with the test's process.
pub(crate) struct TokenEndpoint {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl TokenEndpoint {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &record);
            }
        });
        Self { port, seen }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn realm(&self) -> String {
        format!("{}/token", self.origin())
    }

    /// Request lines and bodies so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

struct Message {
    first: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn read(stream: &TcpStream) -> std::io::Result<Message> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Message { first, headers, body })
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let Ok(message) = read(&stream) else { return };
    let body = String::from_utf8_lossy(&message.body).into_owned();
    seen.lock().unwrap().push(format!("{} {body}", message.first.trim()));
    let authorization = message.headers.iter().find(|(n, _)| n == "authorization").map(|(_, v)| v.as_str());
    let ada = format!("Basic {}", STANDARD.encode("ada:pw"));
    let (status, extra, answer) = if message.first.contains("/busy") {
        ("503 Busy", "retry-after: 2\r\n", String::new())
    } else if message.first.starts_with("POST") {
        if body.contains("refresh_token=re%2Ffresh%2B") {
            ("200 OK", "", r#"{"access_token":"refreshed"}"#.to_owned())
        } else {
            ("401 Unauthorized", "", String::new())
        }
    } else {
        match authorization {
            None => ("200 OK", "", r#"{"token":"for-nobody","expires_in":300}"#.to_owned()),
            Some(value) if value == ada => ("200 OK", "", r#"{"token":"for-ada","expires_in":300}"#.to_owned()),
            Some(_) => ("401 Unauthorized", "", String::new()),
        }
    };
    let head = format!("HTTP/1.1 {status}\r\n{extra}content-length: {}\r\nconnection: close\r\n\r\n", answer.len());
    let _gone = stream.write_all(format!("{head}{answer}").as_bytes());
}

/// Sends a request as it stands; what `HostServices::http` does, without TLS.
pub(crate) fn send(request: HttpRequest) -> Result<HttpResponse, PolicyError> {
    let down = |e: std::io::Error| PolicyError::Unavailable { retry_ms: 0, message: e.to_string() };
    let rest = request.url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).map_err(down)?;
    let body = request.body.as_ref().map_or("", |b| b.reveal());
    let mut head = format!("{} /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", request.method, body.len());
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(kind) = &request.content_type {
        head.push_str(&format!("content-type: {kind}\r\n"));
    }
    if let Some(value) = &request.authorization {
        head.push_str(&format!("authorization: {}\r\n", value.reveal()));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).map_err(down)?;
    let message = read(&stream).map_err(down)?;
    let status = message.first.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap();
    Ok(HttpResponse { status, headers: message.headers, body: message.body })
}
