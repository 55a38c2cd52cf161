//! The exit status of every kind of mistake. The numbers were recorded from the docker command line (28.2) with the same
//! words, towards the same daemon.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    dead_code,
    missing_docs,
    missing_debug_implementations,
    reason = "a test, with shared parts"
)]

mod fake;

use fake::{Answer, Fake, err, ok, refused};
use serde_json::{Value, json};
use std::process::Stdio;

/// A daemon with one container, `web`, and one image, `img`.
fn daemon() -> Fake {
    Fake::new(|request| match request.target.split('?').next().unwrap() {
        "/containers/create" if request.target.contains("name=web") => {
            refused(409, "Conflict. The container name \"/web\" is already in use by container \"c0ffee\"")
        }
        "/containers/create" if request.body["Image"] == "img" => Answer::Json(201, json!({"Id": "c0ffee"})),
        "/containers/create" => refused(404, "No such image: nosuch:latest"),
        "/containers/c0ffee/start" => Answer::Json(204, Value::Null),
        "/containers/json" => ok(json!([{"Id": "c0ffee", "Names": ["/web"], "Image": "img"}])),
        "/images/json" => ok(json!([{"Id": "sha256:aa", "RepoTags": ["img:latest"]}])),
        "/containers/web/json" => ok(json!({"Id": "c0ffee", "Name": "/web", "Config": {"Tty": false}})),
        "/info" => ok(json!({"Name": "host"})),
        "/version" => ok(json!({"Version": "1"})),
        "/auth" => refused(401, "login to r.example: unauthorized: authentication required"),
        _ => refused(404, "page not found"),
    })
}

#[test]
fn mistakes_end_as_dockers_client_ends() {
    let daemon = daemon();
    #[rustfmt::skip] // a table, a row a line
    let rows: &[(&[&str], i32)] = &[
        // Words that are missing, or too many.
        (&["rm"], 1),
        (&["stop"], 1),
        (&["kill"], 1),
        (&["wait"], 1),
        (&["start"], 1),
        (&["restart"], 1),
        (&["rmi"], 1),
        (&["tag", "a"], 1),
        (&["rename", "a"], 1),
        (&["exec", "web"], 1),
        (&["pull"], 1),
        (&["push"], 1),
        (&["inspect"], 1),
        (&["logs"], 1),
        (&["logs", "a", "b"], 1),
        (&["attach", "a", "b"], 1),
        (&["ps", "extra"], 1),
        (&["container", "ls", "extra"], 1),
        (&["images", "a", "b"], 1),
        (&["logout", "a", "b"], 1),
        (&["volume", "rm"], 1),
        (&["update", "web"], 1),
        (&["run"], 1),
        (&["create"], 1),
        // Verbs that there are not, and none at all.
        (&["nosuch"], 1),
        (&["container", "nosuch"], 1),
        (&["volume", "nosuch"], 1),
        (&["container"], 0),
        (&[], 0),
        // Flags that there are not, or that cannot take their value.
        (&["--nosuch", "ps"], 125),
        (&["ps", "--nosuch"], 125),
        (&["logs", "--nosuch", "web"], 125),
        (&["exec", "--nosuch", "web", "sh"], 125),
        (&["run", "--nosuch", "img"], 125),
        (&["create", "--nosuch", "img"], 125),
        (&["ps", "-n", "x"], 125),
        (&["ps", "-f", "bad"], 125),
        (&["images", "-f", "bad"], 125),
        (&["stop", "-t", "x", "web"], 125),
        (&["login", "-u"], 125),
        (&["update", "--memory", "1x", "web"], 125),
        (&["build", "-t", "bb:", "."], 125),
        (&["create", "--memory", "1x", "img"], 125),
        (&["create", "--cpus", "abc", "img"], 125),
        (&["create", "-p", "abc", "img"], 125),
        (&["create", "-e", "=x", "img"], 125),
        (&["create", "-l", "=x", "img"], 125),
        (&["create", "-l", "", "img"], 125),
        (&["create", "--dns", "bad", "img"], 125),
        (&["create", "--add-host", "bad", "img"], 125),
        (&["create", "--ulimit", "bad", "img"], 125),
        (&["create", "--mount", "type=x", "img"], 125),
        (&["create", "--env-file", "/nonexistent", "img"], 125),
        (&["create", "--pull", "sometimes", "img"], 125),
        (&["create", "--rm", "--restart", "always", "img"], 125),
        (&["create", "-a", "foo", "img"], 125),
        (&["run", "--pids-limit", "lots", "img"], 125),
        (&["run", "-a", "foo", "img"], 125),
        // What `run` refuses, or has refused, is 125; `create` is a verb as all others.
        (&["run", "UPPER"], 125),
        (&["run", "bb:"], 125),
        (&["run", ""], 125),
        (&["run", "-d", "--name", "web", "img"], 125),
        (&["run", "-d", "--pull", "never", "nosuch"], 125),
        (&["run", "--cidfile", "/etc/passwd", "img"], 125),
        (&["run", "--restart", "sometimes", "img"], 125),
        (&["create", "UPPER"], 1),
        (&["create", ""], 1),
        (&["create", "--name", "web", "img"], 1),
        (&["create", "--pull", "never", "nosuch"], 1),
        (&["create", "--cidfile", "/etc/passwd", "img"], 1),
        (&["create", "--restart", "sometimes", "img"], 1),
        (&["update", "--restart", "sometimes", "web"], 1),
        // The two that `run` looks at before all else.
        (&["run", "-it", "img"], 1),
        (&["run", "-d", "-a", "stdout", "img"], 1),
        (&["exec", "-it", "web", "sh"], 1),
        // Names that are none.
        (&["pull", "bb:"], 1),
        (&["pull", "UPPER"], 1),
        (&["push", "bb:"], 1),
        (&["tag", "img", "bb:"], 1),
        (&["tag", "img", "x:y:z"], 1),
        (&["tag", "UPPER", "x"], 1),
        (&["rmi", ""], 1),
        (&["rmi", "UPPER"], 1),
        // Nobody to ask, nobody to tell, and what is no time, keys or address.
        (&["login"], 1),
        (&["login", "--password-stdin"], 1),
        (&["login", "-u", "a", "-p", "b", "--password-stdin"], 1),
        (&["login", "-u", "a", "-p", "b", "r.example"], 1),
        (&["logs", "--since", "garbage", "web"], 1),
        (&["exec", "--detach-keys", "zzz", "web", "true"], 1),
        (&["-H", "unix:///tmp", "ps"], 1),
        // Templates.
        (&["ps", "--format", "{{"], 1),
        (&["ps", "--format", "{{nosuch .}}"], 1),
        (&["ps", "--format", "{{.Nope}}"], 1),
        (&["ps", "--format", "{{.Names}}"], 0),
        (&["images", "--format", "{{"], 1),
        (&["images", "--format", "{{.Nope}}"], 1),
        (&["inspect", "web", "-f", "{{"], 64),
        (&["inspect", "web", "-f", "{{.Nope}}"], 1),
        (&["inspect", "web", "-f", "{{.Nope.Deeper}}"], 1),
        (&["info", "--format", "{{"], 64),
        (&["info", "--format", "{{.Nope}}"], 1),
        (&["version", "--format", "{{"], 64),
        (&["version", "--format", "{{.Nope}}"], 1),
        // A flag may be said twice.
        (&["run", "-d", "--rm", "--rm", "-i", "-i", "img"], 0),
        (&["run", "-d", "--name", "a", "--name", "b", "-e", "A=1", "-e", "B=2", "img"], 0),
    ];
    let mut wrong = Vec::new();
    for (words, code) in rows {
        let output = daemon.davit(words).stdin(Stdio::null()).output().unwrap();
        if output.status.code() != Some(*code) {
            wrong.push(format!("{words:?}: want {code}, got {:?}: {}", output.status.code(), err(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_a_flag_that_is_said_twice_the_last_value_counts_and_of_a_list_each() {
    let daemon = daemon();
    let words = ["run", "-d", "--rm", "--rm", "--name", "a", "--name", "b", "-e", "A=1", "-e", "B=2", "img"];
    assert!(daemon.run(&words).status.success());
    let made = daemon.request("/containers/create");
    assert_eq!(made.target, "/containers/create?name=b");
    assert_eq!(made.body["Env"], json!(["A=1", "B=2"]));
    assert_eq!(made.body["HostConfig"]["AutoRemove"], true);
}

#[test]
fn a_name_that_is_none_is_refused_before_anybody_is_asked_for_it() {
    let daemon = daemon();
    for (image, why) in [
        ("bb:", "the tag is empty"),
        ("bb@", "the digest is empty"),
        (":x", "is empty"),
        ("x/", "is empty"),
        ("", "is empty"),
        ("UPPER", "repository name must be lowercase"),
        ("x:y:z", "not made of lowercase letters"),
    ] {
        for words in
            [&["run", image][..], &["create", image], &["pull", image], &["tag", "img", image], &["rmi", image]]
        {
            let said = err(&daemon.run(words));
            assert!(said.contains("invalid reference format") && said.contains(why), "{words:?}: {said}");
        }
    }
    assert!(daemon.calls().is_empty(), "{:?}", daemon.calls());
}

#[test]
fn a_socket_that_cannot_be_one_is_told_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let said = |address: &str| err(&fake::davit(home.path()).args(["-H", address, "ps"]).output().unwrap());
    let folder = said(&format!("unix://{}", home.path().display()));
    assert!(folder.contains("it is a folder; name the socket in it"), "{folder}");
    let long = said(&format!("unix:///{}", "a".repeat(120)));
    assert!(long.contains("has at most 107 bytes; choose a shorter one") && !long.contains("SUN_LEN"), "{long}");
}
