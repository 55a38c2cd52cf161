//! The program as other tests start it: says where it listens, challenges, ends when its standard input is closed.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
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

#[test]
fn a_flag_that_makes_no_sense_is_refused() {
    let out = Command::new(env!("CARGO_BIN_EXE_davit-token-server"))
        .args(["--upstream", "http://127.0.0.1:1", "--refresh-token", "nobody:x"])
        .output()
        .unwrap();
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("there is no user"));
}
