//! Credentials and transfers: what is kept, what is sent, what is shown.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    dead_code,
    missing_docs,
    missing_debug_implementations,
    reason = "a test, with shared parts"
)]

mod fake;
mod script;

use davit_api_types::auth::RegistryAuth;
use fake::{Answer, Fake, Request, err, ok, out, refused};
use serde_json::{Value, json};
use std::{io::Write, os::unix::fs::PermissionsExt, process::Stdio};

fn lines(lines: &[Value]) -> Answer {
    Answer::Bytes("application/json", lines.iter().flat_map(|l| format!("{l}\r\n").into_bytes()).collect())
}

fn daemon() -> Fake {
    Fake::new(|request: &Request| match request.target.split('?').next().unwrap() {
        "/auth" if request.body["password"] == "right" => ok(json!({"Status": "Login Succeeded"})),
        "/auth" => refused(401, "login to 127.0.0.1:5000: unauthorized: authentication required"),
        "/images/create" if request.target.contains("corrupt") => lines(&[
            json!({"status": "Pulling fs layer", "id": "aa", "progressDetail": {}}),
            json!({"errorDetail": {"message": "layer aa: digest mismatch"}, "error": "layer aa: digest mismatch"}),
        ]),
        "/images/create" => lines(&[
            json!({"status": "Pulling from demo/x", "id": "1"}),
            json!({"status": "Pulling fs layer", "id": "aa", "progressDetail": {}}),
            json!({"status": "Downloading", "id": "aa", "progressDetail": {"current": 1, "total": 2}}),
            json!({"status": "Download complete", "id": "aa", "progressDetail": {}}),
            json!({"status": "Digest: sha256:ff"}),
        ]),
        "/images/127.0.0.1:5000/demo/x/push" => lines(&[
            json!({"status": "The push refers to repository [127.0.0.1:5000/demo/x]"}),
            json!({"status": "Pushed", "id": "aa", "progressDetail": {}}),
            json!({"status": "1: digest: sha256:ff size: 529"}),
            json!({"aux": {"Tag": "1", "Digest": "sha256:ff", "Size": 529}}),
        ]),
        _ => refused(404, "page not found"),
    })
}

fn login(daemon: &Fake, password: &str) -> std::process::Output {
    let mut child = daemon
        .davit(&["login", "-u", "alice", "--password-stdin", "127.0.0.1:5000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_credential_is_tried_kept_for_its_owner_alone_sent_and_forgotten() {
    let daemon = daemon();
    let output = login(&daemon, "right");
    assert_eq!((out(&output).as_str(), output.status.code()), ("Login Succeeded\n", Some(0)), "{}", err(&output));
    let file = daemon.dir.path().join(".davit/config.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);

    daemon.run(&["pull", "-q", "127.0.0.1:5000/demo/x:1"]);
    let sent = RegistryAuth::decode(&daemon.request("/images/create").headers["x-registry-auth"]).unwrap();
    assert_eq!(
        (sent.username.as_str(), sent.password.as_str(), sent.serveraddress.as_str()),
        ("alice", "right", "127.0.0.1:5000")
    );

    assert!(out(&daemon.run(&["logout", "127.0.0.1:5000"])).contains("Removing"));
    assert!(!std::fs::read_to_string(&file).unwrap().contains("127.0.0.1:5000"));
}

#[test]
fn a_wrong_password_is_told_and_not_kept() {
    let daemon = daemon();
    let output = login(&daemon, "wrong");
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).starts_with("davit: login to 127.0.0.1:5000: unauthorized"), "{}", err(&output));
    assert!(err(&output).contains("\n  check the user name and the password"), "{}", err(&output));
    assert!(!daemon.dir.path().join(".davit").exists());
}

#[test]
fn dockers_own_file_is_read_where_we_have_none() {
    let daemon = daemon();
    std::fs::create_dir(daemon.dir.path().join(".docker")).unwrap();
    std::fs::write(
        daemon.dir.path().join(".docker/config.json"),
        r#"{"auths":{"127.0.0.1:5000":{"auth":"Ym9iOnB3"}}}"#,
    )
    .unwrap();
    daemon.run(&["pull", "127.0.0.1:5000/demo/x:1"]);
    let sent = RegistryAuth::decode(&daemon.request("/images/create").headers["x-registry-auth"]).unwrap();
    assert_eq!((sent.username.as_str(), sent.password.as_str()), ("bob", "pw"));
}

#[test]
fn a_credential_is_never_sent_for_another_registry() {
    let daemon = daemon();
    login(&daemon, "right");
    daemon.run(&["pull", "busybox"]);
    let sent = RegistryAuth::decode(&daemon.request("/images/create").headers["x-registry-auth"]).unwrap();
    assert!(sent.is_anonymous());
}

#[test]
fn a_credential_helper_of_docker_is_asked() {
    let daemon = daemon();
    let helper = daemon.dir.path().join("docker-credential-test");
    script::write(&helper, "read server\necho '{\"Username\":\"carol\",\"Secret\":\"'$server'\"}'");
    std::fs::create_dir(daemon.dir.path().join(".docker")).unwrap();
    std::fs::write(daemon.dir.path().join(".docker/config.json"), r#"{"credsStore":"test"}"#).unwrap();
    let path = format!("{}:/usr/bin:/bin", daemon.dir.path().display());
    daemon.davit(&["pull", "127.0.0.1:5000/demo/x:1"]).env("PATH", path).output().unwrap();
    let sent = RegistryAuth::decode(&daemon.request("/images/create").headers["x-registry-auth"]).unwrap();
    assert_eq!((sent.username.as_str(), sent.password.as_str()), ("carol", "127.0.0.1:5000"));
}

#[test]
fn a_pull_without_a_terminal_is_told_in_lines() {
    let daemon = daemon();
    let output = daemon.run(&["pull", "127.0.0.1:5000/demo/x"]);
    insta::assert_snapshot!(out(&output), @r"
    Using default tag: latest
    1: Pulling from demo/x
    aa: Pulling fs layer
    aa: Download complete
    Digest: sha256:ff
    127.0.0.1:5000/demo/x:latest
    ");
    assert_eq!(err(&output), "");
    assert_eq!(out(&daemon.run(&["pull", "-q", "busybox"])), "docker.io/library/busybox:latest\n");
}

#[test]
fn an_error_amid_a_pull_ends_it() {
    let output = daemon().run(&["pull", "corrupt:1"]);
    assert_eq!((err(&output).as_str(), output.status.code()), ("davit: layer aa: digest mismatch\n", Some(1)));
}

#[test]
fn a_push_is_told_in_lines() {
    insta::assert_snapshot!(out(&daemon().run(&["push", "127.0.0.1:5000/demo/x:1"])), @r"
    The push refers to repository [127.0.0.1:5000/demo/x]
    aa: Pushed
    1: digest: sha256:ff size: 529
    ");
}
