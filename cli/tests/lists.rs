//! What lists, looks and errors look like, against a daemon that answers recorded JSON.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    dead_code,
    missing_docs,
    missing_debug_implementations,
    reason = "a test, with shared parts"
)]

mod fake;

use fake::{Answer, Fake, Request, err, ok, out, refused};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

fn seconds_ago(seconds: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - seconds
}

fn containers() -> Value {
    json!([
        {
            "Id": "4c01db0b339c8a0d1d9e7c2f5e3b6a7d8c9e0f1a2b3c4d5e6f708192a3b4c5d6", "Names": ["/web"],
            "Image": "127.0.0.1:5000/demo/web:1", "ImageID": "sha256:aa", "Command": "httpd -f -p 8080 -h /www/with/a/long/path",
            "Created": seconds_ago(125), "State": "running", "Status": "Up 2 minutes",
            "Ports": [{"IP": "0.0.0.0", "PrivatePort": 8080, "PublicPort": 18080, "Type": "tcp"}],
            "Labels": {"tier": "front"}, "Mounts": [], "NetworkSettings": {"Networks": {"bridge": {}}},
        },
        {
            "Id": "d9b100f2f636d9b100f2f636d9b100f2f636d9b100f2f636d9b100f2f636aaaa", "Names": ["/evil\u{1b}[2J"],
            "Image": "busybox", "Command": "sh", "Created": seconds_ago(90_000), "State": "exited",
            "Status": "Exited (0) 3 hours ago", "Ports": [], "Labels": null, "Mounts": null,
        },
    ])
}

fn daemon() -> Fake {
    Fake::new(|request: &Request| match (request.method.as_str(), request.target.split('?').next().unwrap()) {
        ("GET", "/containers/json") => ok(containers()),
        ("GET", "/images/json") => ok(json!([
            {"Id": "sha256:0123456789abcdef0123", "RepoTags": ["busybox:latest", "127.0.0.1:5000/x:1"], "RepoDigests": ["busybox@sha256:ff"],
             "Created": seconds_ago(86400 * 20), "Size": 4_261_550, "SharedSize": -1, "Containers": -1, "Labels": {}},
            {"Id": "sha256:feedfeedfeedfeed", "RepoTags": [], "RepoDigests": null, "Created": seconds_ago(7300), "Size": 0, "Containers": 0},
        ])),
        ("GET", "/version") => ok(json!({
            "Version": "0.1.0", "ApiVersion": "1.51", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64", "KernelVersion": "6.1.0",
            "Components": [{"Name": "Engine", "Version": "0.1.0"}, {"Name": "davit-runtime", "Version": "0.1.0"}],
        })),
        ("GET", "/info") => ok(
            json!({"Containers": 2, "ContainersRunning": 1, "Images": 3, "Driver": "overlay", "DriverStatus": [["Tier", "lowerdir+"]],
            "CgroupVersion": "2", "KernelVersion": "6.1.0", "NCPU": 2, "MemTotal": 8_000_000_000u64, "Warnings": ["no swap limit"]}),
        ),
        ("GET", "/containers/web/json") => ok(
            json!({"Id": "4c01", "Name": "/web", "State": {"Status": "running", "Pid": 7}, "Config": {"Labels": {"a": "b"}},
            "NewerThanWe": {"Are": true}, "NetworkSettings": {"Ports": {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}], "53/udp": null}}}),
        ),
        ("GET", "/containers/web/top") => {
            ok(json!({"Titles": ["UID", "PID", "CMD"], "Processes": [["root", "7", "httpd -f"]]}))
        }
        ("GET", "/images/busybox/json") => ok(json!({"Id": "sha256:0123"})),
        ("DELETE", "/images/busybox") => ok(json!([{"Untagged": "busybox:latest"}, {"Deleted": "sha256:0123"}])),
        ("POST", "/containers/web/stop") => Answer::Json(204, Value::Null),
        ("POST", "/containers/idle/stop") => Answer::Json(304, Value::Null),
        ("DELETE", "/containers/web") => refused(409, "cannot remove container \"web\": container is running"),
        ("GET", "/davit/v1/plugins") => ok(
            json!([{"Name": "overlay", "Version": "0.1.0", "Kinds": ["storage"], "State": "ready", "UsedAs": ["storage driver"], "Calls": 4}]),
        ),
        ("GET", "/davit/v1/plugins/overlay") => ok(json!({"Name": "overlay", "Calls": 4})),
        ("POST", "/davit/v1/reload") => {
            ok(json!({"File": "/etc/davit/config.toml", "Changes": ["storage driver: overlay -> vfs"], "Warnings": []}))
        }
        ("POST", path) if path.ends_with("/tag") => Answer::Json(201, Value::Null),
        (_, path) if path.starts_with("/images") => refused(404, "No such image: nope"),
        _ => refused(404, "No such container: nope"),
    })
}

fn show(words: &[&str]) -> String {
    let output = daemon().run(words);
    let mut text = out(&output);
    for line in err(&output).lines() {
        text += &format!("[stderr] {line}\n");
    }
    text + &format!("[exit] {}", output.status.code().unwrap())
}

#[test]
fn containers_are_listed_as_docker_lists_them() {
    assert_snapshot!(show(&["ps"]), @r#"
    CONTAINER ID   IMAGE                       COMMAND                  CREATED         STATUS                   PORTS                     NAMES
    4c01db0b339c   127.0.0.1:5000/demo/web:1   "httpd -f -p 8080 -h…"   2 minutes ago   Up 2 minutes             0.0.0.0:18080->8080/tcp   web
    d9b100f2f636   busybox                     "sh"                     25 hours ago    Exited (0) 3 hours ago                             evil [2J
    [exit] 0
    "#);
}

#[test]
fn a_container_s_name_cannot_write_to_the_terminal() {
    assert!(!show(&["ps", "-a"]).contains('\u{1b}'));
}

#[test]
fn containers_are_listed_by_identifier_by_template_and_as_json() {
    assert_snapshot!(show(&["ps", "-q"]), @r"
    4c01db0b339c
    d9b100f2f636
    [exit] 0
    ");
    assert_snapshot!(show(&["ps", "--format", "{{.Image}} {{.Label \"tier\"}}"]), @r"
    127.0.0.1:5000/demo/web:1 front
    busybox 
    [exit] 0
    ");
    assert_snapshot!(show(&["ps", "--format", "table {{.ID}}\\t{{.Status}}"]), @r"
    CONTAINER ID   STATUS
    4c01db0b339c   Up 2 minutes
    d9b100f2f636   Exited (0) 3 hours ago
    [exit] 0
    ");
    let json = show(&["container", "ls", "--format", "json", "--no-trunc"]);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["Names"], "web");
    assert_eq!(first["ID"].as_str().unwrap().len(), 64);
}

#[test]
fn filters_and_limits_go_to_the_daemon() {
    let daemon = daemon();
    daemon.run(&["ps", "-a", "-f", "status=exited", "--filter", "label=x=y"]);
    daemon.run(&["ps", "-l"]);
    daemon.run(&["ps", "-n", "3", "-s"]);
    assert_eq!(
        daemon.calls(),
        [
            "GET /containers/json?all=true&filters=%7B%22label%22%3A%5B%22x%3Dy%22%5D%2C%22status%22%3A%5B%22exited%22%5D%7D",
            "GET /containers/json?all=true&limit=1",
            "GET /containers/json?all=true&size=true&limit=3",
        ]
    );
}

#[test]
fn images_are_listed_by_name() {
    assert_snapshot!(show(&["images"]), @r"
    REPOSITORY         TAG       IMAGE ID       CREATED       SIZE
    busybox            latest    0123456789ab   2 weeks ago   4.26MB
    127.0.0.1:5000/x   1         0123456789ab   2 weeks ago   4.26MB
    <none>             <none>    feedfeedfeed   2 hours ago   0B
    [exit] 0
    ");
    assert_snapshot!(show(&["images", "--digests", "-q"]), @r"
    0123456789ab
    feedfeedfeed
    [exit] 0
    ");
    assert_snapshot!(show(&["image", "ls", "--digests"]), @r"
    REPOSITORY         TAG       DIGEST      IMAGE ID       CREATED       SIZE
    busybox            latest    sha256:ff   0123456789ab   2 weeks ago   4.26MB
    127.0.0.1:5000/x   1         <none>      0123456789ab   2 weeks ago   4.26MB
    <none>             <none>    <none>      feedfeedfeed   2 hours ago   0B
    [exit] 0
    ");
}

#[test]
fn version_and_info_speak_of_both_sides() {
    assert_snapshot!(show(&["version"]), @r"
    Client:
     Version:          0.1.0
     API version:      1.51
     OS/Arch:          linux/amd64

    Server:
     Version:          0.1.0
     API version:      1.51 (minimum version 1.24)
     OS/Arch:          linux/amd64
     Kernel:           6.1.0
     davit-runtime:    0.1.0
    [exit] 0
    ");
    assert_snapshot!(show(&["version", "--format", "{{.Server.Version}}"]), @r"
    0.1.0
    [exit] 0
    ");
    assert_snapshot!(show(&["info"]), @r"
    Containers: 2
     Running: 1
     Paused: 0
     Stopped: 0
    Images: 3
    Storage Driver: overlay
     Tier: lowerdir+
    Cgroup Version: 2
    Kernel Version: 6.1.0
    CPUs: 2
    Total Memory: 8GB
    [stderr] WARNING: no swap limit
    [exit] 0
    ");
}

#[test]
fn inspect_shows_what_the_daemon_said_also_what_is_newer_than_we() {
    assert!(show(&["inspect", "web"]).contains("NewerThanWe"));
    assert_snapshot!(show(&["inspect", "-f", "{{.State.Status}} {{json .Config.Labels}}", "web"]), @r#"
    running {"a":"b"}
    [exit] 0
    "#);
    assert_snapshot!(show(&["inspect", "-f", "{{.Id}}", "busybox", "nope"]), @r"
    sha256:0123
    [stderr] davit: No such object: nope
    [exit] 1
    ");
    assert_snapshot!(show(&["inspect", "--type", "image", "-f", "{{.Nope}}", "busybox"]), @r"
    [stderr] davit: invalid --format: map has no entry for key: Nope
    [exit] 1
    ");
}

#[test]
fn ports_and_processes_are_shown() {
    assert_snapshot!(show(&["port", "web"]), @r"
    8080/tcp -> 0.0.0.0:18080
    [exit] 0
    ");
    assert_snapshot!(show(&["port", "web", "8080"]), @r"
    0.0.0.0:18080
    [exit] 0
    ");
    assert_snapshot!(show(&["port", "web", "80"]), @r"
    [stderr] davit: no public port '80/tcp' published for web
    [exit] 1
    ");
    assert_snapshot!(show(&["top", "web", "-o", "pid"]), @r"
    UID       PID       CMD
    root      7         httpd -f
    [exit] 0
    ");
}

#[test]
fn each_of_several_is_tried_and_each_error_told() {
    assert_snapshot!(show(&["stop", "-t", "1", "web", "nope", "idle"]), @r"
    web
    idle
    [stderr] davit: No such container: nope
    [stderr]   `davit ps -a` lists the containers that are there
    [exit] 1
    ");
    assert_snapshot!(show(&["rm", "web"]), @r#"
    [stderr] davit: cannot remove container "web": container is running
    [stderr]   stop it first, or force with -f
    [exit] 1
    "#);
    assert_snapshot!(show(&["rm", "-f", "nope"]), @r"
    [stderr] davit: No such container: nope
    [stderr]   `davit ps -a` lists the containers that are there
    [exit] 0
    ");
    assert_snapshot!(show(&["rmi", "busybox"]), @r"
    Untagged: busybox:latest
    Deleted: sha256:0123
    [exit] 0
    ");
}

#[test]
fn plugins_and_reload_go_over_our_own_routes() {
    assert_snapshot!(show(&["plugin", "ls"]), @r"
    NAME      VERSION   KINDS     STATE     USED AS
    overlay   0.1.0     storage   ready     storage driver
    [exit] 0
    ");
    assert_snapshot!(show(&["plugin", "inspect", "-f", "{{.Calls}}", "overlay"]), @r"
    4
    [exit] 0
    ");
    assert_snapshot!(show(&["reload"]), @r"
    storage driver: overlay -> vfs
    [exit] 0
    ");
}

#[test]
fn a_tag_is_taken_apart_where_the_api_wants_it() {
    let daemon = daemon();
    assert!(daemon.run(&["tag", "busybox", "127.0.0.1:5000/demo/x:2"]).status.success());
    assert_eq!(daemon.calls(), ["POST /images/busybox/tag?repo=127.0.0.1%3A5000%2Fdemo%2Fx&tag=2"]);
}

#[test]
fn words_that_make_no_sense_are_told_in_a_line_with_dockers_status() {
    assert_snapshot!(show(&["ps", "--nope"]), @r"
    [stderr] davit: unexpected argument '--nope' found; usage: davit ps [OPTIONS]
    [exit] 125
    ");
    assert_snapshot!(show(&["ps", "-f", "running"]), @r#"
    [stderr] davit: invalid filter: "running": written as KEY=VALUE
    [exit] 125
    "#);
    assert_snapshot!(show(&["nope"]), @r"
    [stderr] davit: unrecognized subcommand 'nope'; tip: some similar subcommands exist: 'top', 'inspect'; usage: davit [OPTIONS] <COMMAND>
    [exit] 1
    ");
    assert_snapshot!(show(&["stop"]), @r"
    [stderr] davit: the following required arguments were not provided: <CONTAINER>...; usage: davit stop <CONTAINER>...
    [exit] 1
    ");
}

#[test]
fn an_absent_daemon_is_told_with_the_next_step() {
    let home = tempfile::tempdir().unwrap();
    let output = fake::davit(home.path()).args(["-H", "unix:///nowhere/davit.sock", "ps"]).output().unwrap();
    assert_snapshot!(err(&output), @r"
    davit: cannot connect to the davit daemon at unix:///nowhere/davit.sock: No such file or directory (os error 2)
      start the daemon with `davit daemon --detach` as root, or name one with -H
    ");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn completions_know_the_verbs() {
    let daemon = daemon();
    for shell in ["bash", "zsh", "fish"] {
        assert!(out(&daemon.run(&["completion", shell])).contains("reload"), "{shell}");
    }
}

/// The whole reference, as `--help` of each verb says it.
#[test]
fn the_reference_of_all_verbs_is_as_recorded() {
    let home = tempfile::tempdir().unwrap();
    let help = |words: &[&str]| {
        out(&fake::davit(home.path()).args(words).arg("--help").env("COLUMNS", "100").output().unwrap())
    };
    let mut all = help(&[]);
    let verbs = |text: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|l| !l.starts_with("Commands:")).skip(1).take_while(|l| !l.is_empty());
        lines
            .filter(|l| !l.starts_with("     "))
            .filter_map(|l| l.split_whitespace().next().map(str::to_owned))
            .collect()
    };
    for verb in verbs(&all.clone()) {
        let text = help(&[&verb]);
        all += &format!("\n=== davit {verb}\n{text}");
        for inner in verbs(&text) {
            all += &format!("\n=== davit {verb} {inner}\n{}", help(&[&verb, &inner]));
        }
    }
    let all: String = all.lines().map(|l| l.trim_end().to_owned() + "\n").collect();
    insta::assert_snapshot!("reference", all);
}
