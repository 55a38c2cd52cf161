//! The same decision elsewhere: in this program, behind HTTP on a unix socket, and by a program that is started for it.

use super::plugins::each;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::{
    hint::black_box,
    io::{BufRead, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

const IMAGE: &str = "registry.example/team/app:1.2";
const REFUSED: [&str; 2] = ["docker.io/", "registry.example/old/"];

fn permitted(image: &str, refused: &[&str]) -> bool {
    !refused.iter().any(|start| image.starts_with(start))
}

/// As a function of this program. One call is too quick to be timed alone: each time is a thousandth of a thousand.
pub(super) fn native(calls: u32) -> Vec<Duration> {
    let thousand = || {
        for _ in 0..1000 {
            black_box(permitted(black_box(IMAGE), black_box(&REFUSED)));
        }
        Ok(())
    };
    each(calls, thousand).unwrap_or_default().into_iter().map(|time| time / 1000).collect()
}

/// A service in a thread of its own, one connection kept open, as an authorisation plugin of docker's has it.
pub(super) struct Http(UnixStream);

impl Http {
    pub(super) fn start(at: &Path) -> Result<Self> {
        let listener = UnixListener::bind(at).with_context(|| format!("cannot listen on {}", at.display()))?;
        thread::spawn(move || {
            // It ends with the connection.
            if let Ok((stream, _)) = listener.accept() {
                let _ = serve(&stream);
            }
        });
        Ok(Self(UnixStream::connect(at)?))
    }

    pub(super) fn ask(self, calls: u32) -> Result<Vec<Duration>> {
        let mut stream = &self.0;
        let mut reader = BufReader::new(&self.0);
        each(calls, || {
            let body = json!({ "kind": "image.pull", "caller": "uid:1000", "image": IMAGE }).to_string();
            write!(stream, "POST /admit HTTP/1.1\r\nHost: policy\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            let answer: Value = serde_json::from_slice(&message(&mut reader)?)?;
            ensure!(answer.get("permitted") == Some(&Value::Bool(true)), "it answered {answer}");
            Ok(())
        })
    }
}

fn serve(stream: &UnixStream) -> Result<()> {
    let mut writer = stream;
    let mut reader = BufReader::new(stream);
    loop {
        let asked: Value = serde_json::from_slice(&message(&mut reader)?)?;
        let image = asked.get("image").and_then(Value::as_str).unwrap_or_default();
        let body = json!({ "permitted": permitted(image, &REFUSED) }).to_string();
        write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    }
}

/// The body of one message.
fn message(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line)? > 0, "the connection ended");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

/// `host-local` of Debian's containernetworking-plugins.
pub(super) struct Cni {
    program: PathBuf,
    config: String,
}

impl Cni {
    /// None where it is not installed.
    pub(super) fn new(dir: &Path) -> Result<Option<Self>> {
        let program = PathBuf::from("/usr/lib/cni/host-local");
        if !program.exists() {
            return Ok(None);
        }
        let config = json!({
            "cniVersion": "1.0.0", "name": "bench", "type": "host-local",
            "ipam": {
                "type": "host-local", "dataDir": dir.join("cni"),
                "ranges": [[{ "subnet": "10.99.0.0/16" }]],
            },
        });
        Ok(Some(Self { program, config: config.to_string() }))
    }

    pub(super) fn ask(&self, calls: u32) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for number in 0..calls {
            let container = format!("bench{number}");
            times.extend(each(1, || self.run("ADD", &container))?);
            self.run("DEL", &container)?;
        }
        Ok(times)
    }

    fn run(&self, command: &str, container: &str) -> Result<()> {
        let mut child = Command::new(&self.program)
            .env_clear()
            .envs([("CNI_COMMAND", command), ("CNI_CONTAINERID", container), ("CNI_IFNAME", "eth0")])
            .envs([("CNI_NETNS", "/proc/self/ns/net"), ("CNI_PATH", "/usr/lib/cni")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        stdin.write_all(self.config.as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "host-local {command}: {}", String::from_utf8_lossy(&output.stdout).trim());
        Ok(())
    }
}
