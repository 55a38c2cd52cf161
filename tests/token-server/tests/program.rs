//! The program as other tests start it: says where it listens, challenges, ends when its standard input is closed.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

#[test]
fn it_says_where_it_listens_challenges_and_ends_with_its_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_davit-token-server"))
        .args(["--upstream", "http://127.0.0.1:1", "--user", "ann:secret:demo/*=pull,push", "--until-eof"])
        .args(["--refresh-token", "ann:long-lived", "--expires", "5"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let mut stream = TcpStream::connect(ready["registry"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /v2/demo/a/manifests/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let realm = format!("Bearer realm=\"{}\"", ready["realm"].as_str().unwrap());
    assert!(answer.contains(&realm) && answer.contains("scope=\"repository:demo/a:pull\""), "{answer}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// A running program, and where it exchanges tokens.
struct Exchange {
    child: Child,
    address: String,
}

impl Exchange {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_davit-token-server"))
            .args(["--upstream", "http://127.0.0.1:1", "--user", "ann:secret:demo/*=pull", "--until-eof"])
            .args(["--subject-token", "ann:the-workload", "--expires", "30"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let url = ready["exchange"].as_str().unwrap();
        let address = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/exchange")).unwrap();
        Self { child, address: address.to_owned() }
    }

    /// The whole answer to a form.
    fn ask(&self, form: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = "POST /exchange HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        let kind = "content-type: application/x-www-form-urlencoded";
        write!(stream, "{head}{kind}\r\ncontent-length: {}\r\n\r\n{form}", form.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

#[test]
fn a_workload_s_token_is_exchanged_for_a_user_s_and_everything_else_refused() {
    let server = Exchange::start();
    let good = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=the-workload\
                &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&audience=davit-test\
                &scope=repository%3Ademo%2Fa%3Apull%2Cpush";
    let answer = server.ask(good);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for said in ["\"access_token\":\"", "\"token_type\":\"Bearer\"", "\"expires_in\":30", "token-type:access_token"] {
        assert!(answer.contains(said), "{said}: {answer}");
    }
    for (from, to, code) in [
        ("the-workload", "another", "invalid_grant"),
        ("davit-test", "another", "invalid_target"),
        ("Ajwt", "Asaml2", "invalid_request"),
        ("token-exchange", "device_code", "unsupported_grant_type"),
    ] {
        let answer = server.ask(&good.replace(from, to));
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(code), "{code}: {answer}");
    }
}

#[test]
fn a_flag_that_makes_no_sense_is_refused() {
    for flag in ["--refresh-token", "--subject-token"] {
        let out = Command::new(env!("CARGO_BIN_EXE_davit-token-server"))
            .args(["--upstream", "http://127.0.0.1:1", flag, "nobody:x"])
            .output()
            .unwrap();
        assert!(!out.status.success());
        assert!(String::from_utf8_lossy(&out.stderr).contains("there is no user"));
    }
}
