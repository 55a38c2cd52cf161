//! A daemon that answers what a test tells it to, on a unix socket in a directory of its own.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    process::{Command, Output},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Without the version in front, with the query.
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// What a daemon may answer.
pub enum Answer {
    Json(u16, Value),
    /// A head at once, and the JSON when somebody sends it.
    Later(mpsc::Receiver<Value>),
    /// Bytes, with a content type.
    Bytes(&'static str, Vec<u8>),
    /// 101, and the connection to do with as the test likes.
    Hijack(Box<dyn FnOnce(UnixStream) + Send>),
}

pub fn ok(value: Value) -> Answer {
    Answer::Json(200, value)
}

pub fn refused(status: u16, message: &str) -> Answer {
    Answer::Json(status, serde_json::json!({ "message": message }))
}

pub struct Fake {
    pub dir: TempDir,
    pub socket: PathBuf,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    pub fn new(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("davit.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &log, answer.as_ref()));
            }
        });
        Self { dir, socket, seen }
    }

    /// Our client, with a home of its own.
    pub fn davit(&self, words: &[&str]) -> Command {
        let mut command = davit(self.dir.path());
        command.arg("-H").arg(format!("unix://{}", self.socket.display())).args(words);
        command
    }

    /// Runs our client to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        self.davit(words).output().unwrap()
    }

    /// `METHOD target` of each request, in the order of their arrival.
    pub fn calls(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|r| format!("{} {}", r.method, r.target)).collect()
    }

    /// The first request whose target begins so.
    pub fn request(&self, begins: &str) -> Request {
        let seen = self.seen.lock().unwrap();
        seen.iter().find(|r| r.target.starts_with(begins)).unwrap_or_else(|| panic!("no request for {begins}")).clone()
    }

    /// Waits until a request's line contains `text`.
    pub fn wait_for(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.calls().iter().any(|call| call.contains(text)) {
            assert!(Instant::now() < until, "no request with {text:?} in {:?}", self.calls());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Our client without any of our environment.
pub fn davit(home: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_davit"));
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
    command
}

fn serve(stream: UnixStream, log: &Mutex<Vec<Request>>, answer: &(dyn Fn(&Request) -> Answer + Send + Sync)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some(request) = read(&mut reader) else { return };
    log.lock().unwrap().push(request.clone());
    reply(stream, answer(&request));
}

fn reply(mut stream: UnixStream, answer: Answer) {
    // A client that has gone is part of some tests.
    let _ = match answer {
        Answer::Json(status, value) => {
            let body = if value.is_null() { String::new() } else { value.to_string() };
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        }
        Answer::Later(value) => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).and_then(|()| {
                let Ok(value) = value.recv() else { return Ok(()) };
                stream.write_all(value.to_string().as_bytes())
            })
        }
        Answer::Bytes(kind, bytes) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes))
        }
        Answer::Hijack(take) => {
            let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
            let done = stream.write_all(head.as_bytes());
            take(stream);
            return done.unwrap_or(());
        }
    };
    let _ = stream.shutdown(Shutdown::Both);
}

fn read(reader: &mut BufReader<UnixStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let target = target.strip_prefix("/v1.51").unwrap_or(target).to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((key, value)) = line.trim().split_once(':') else { break };
        headers.insert(key.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |n| n.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Request { method, target, headers, body })
}

/// One frame of output (1) or error (2).
pub fn frame(stream: u8, text: &str) -> Vec<u8> {
    let mut frame = vec![stream, 0, 0, 0];
    frame.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend(text.as_bytes());
    frame
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
