//! `run`, `exec`, `start` and `logs` against a daemon that plays a container.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    dead_code,
    missing_docs,
    missing_debug_implementations,
    reason = "a test, with shared parts"
)]

mod fake;

use fake::{Answer, Fake, Request, davit, err, frame, ok, out, refused};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::Stdio,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

type Streams = Box<dyn FnOnce(&mut UnixStream) + Send>;

/// What a played container does.
struct Play {
    create: fn(usize) -> Answer,
    start: fn() -> Answer,
    status: Value,
    streams: Mutex<Option<Streams>>,
    creates: Mutex<usize>,
    ended: Mutex<Option<mpsc::Sender<Value>>>,
    /// Dropped when the container starts, which the receiver sees.
    not_started: Mutex<Option<mpsc::Sender<()>>>,
    started: Mutex<Option<mpsc::Receiver<()>>>,
}

fn created(_: usize) -> Answer {
    Answer::Json(201, json!({"Id": "c0ffee", "Warnings": []}))
}

fn no_content() -> Answer {
    Answer::Json(204, Value::Null)
}

impl Play {
    fn new(status: i64, streams: impl FnOnce(&mut UnixStream) + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        Self {
            create: created,
            start: no_content,
            status: json!({ "StatusCode": status }),
            streams: Mutex::new(Some(Box::new(streams))),
            creates: Mutex::new(0),
            ended: Mutex::new(None),
            not_started: Mutex::new(Some(sender)),
            started: Mutex::new(Some(receiver)),
        }
    }

    fn fake(self) -> Fake {
        let play = Arc::new(self);
        Fake::new(move |request| play.answer(request))
    }

    fn answer(self: &Arc<Self>, request: &Request) -> Answer {
        let path = request.target.split('?').next().unwrap();
        match (request.method.as_str(), path) {
            ("POST", "/containers/create") => {
                let mut creates = self.creates.lock().unwrap();
                *creates += 1;
                (self.create)(*creates)
            }
            ("POST", "/images/create") => {
                let lines = [
                    json!({"status": "Pulling from demo/x", "id": "1"}),
                    json!({"status": "Downloading", "id": "aa", "progressDetail": {"current": 1, "total": 2}}),
                    json!({"status": "Pull complete", "id": "aa", "progressDetail": {}}),
                    json!({"status": "Status: Downloaded newer image for 127.0.0.1:5000/demo/x:1"}),
                ];
                Answer::Bytes("application/json", lines.iter().flat_map(|l| format!("{l}\r\n").into_bytes()).collect())
            }
            ("GET", "/containers/c0ffee/json") => ok(
                json!({"Id": "c0ffee", "Config": {"Tty": false, "OpenStdin": true}, "HostConfig": {"AutoRemove": false}, "State": {"Running": true}}),
            ),
            ("POST", "/containers/c0ffee/attach") => self.hijack(true),
            ("POST", "/containers/c0ffee/wait") => {
                let (sender, receiver) = mpsc::channel();
                *self.ended.lock().unwrap() = Some(sender);
                Answer::Later(receiver)
            }
            ("POST", "/containers/c0ffee/start") => {
                let answer = (self.start)();
                match &answer {
                    Answer::Json(204, _) => {
                        self.not_started.lock().unwrap().take();
                    }
                    _ => self.end(),
                }
                answer
            }
            ("POST", "/containers/c0ffee/exec") => Answer::Json(201, json!({"Id": "e1"})),
            ("POST", "/exec/e1/start") => self.hijack(false),
            ("GET", "/exec/e1/json") => ok(json!({"Running": false, "ExitCode": self.status["StatusCode"]})),
            ("POST", path) if path.ends_with("/kill") || path.ends_with("/resize") => no_content(),
            _ => refused(404, "page not found"),
        }
    }

    fn end(&self) {
        if let Some(ended) = self.ended.lock().unwrap().take() {
            let _ = ended.send(self.status.clone());
        }
    }

    fn hijack(self: &Arc<Self>, after_start: bool) -> Answer {
        let play = Arc::clone(self);
        Answer::Hijack(Box::new(move |mut stream| {
            if after_start {
                // The sender is dropped when the container starts.
                let started = play.started.lock().unwrap().take().unwrap();
                assert!(matches!(
                    started.recv_timeout(Duration::from_secs(20)),
                    Err(mpsc::RecvTimeoutError::Disconnected)
                ));
            }
            let streams = play.streams.lock().unwrap().take().unwrap();
            streams(&mut stream);
            let _ = stream.shutdown(std::net::Shutdown::Both);
            play.end();
        }))
    }
}

fn quiet(_: &mut UnixStream) {}

#[test]
fn streams_are_told_apart_and_the_status_is_the_container_s() {
    let daemon = Play::new(7, |stream| {
        stream.write_all(&[frame(1, "out\n"), frame(2, "err\n"), frame(1, "more\n")].concat()).unwrap();
    })
    .fake();
    let output = daemon.run(&["run", "--rm", "busybox", "sh", "-c", "exit 7"]);
    assert_eq!((out(&output).as_str(), err(&output).as_str(), output.status.code()), ("out\nmore\n", "err\n", Some(7)));
    let request = daemon.request("/containers/create");
    assert_eq!(request.body["Cmd"], json!(["sh", "-c", "exit 7"]));
    assert_eq!(request.body["HostConfig"]["AutoRemove"], true);
    assert_eq!(
        daemon.calls(),
        [
            "POST /containers/create",
            "POST /containers/c0ffee/attach?stream=1&stdin=0&stdout=1&stderr=1",
            "POST /containers/c0ffee/wait?condition=removed",
            "POST /containers/c0ffee/start",
        ]
    );
}

#[test]
fn input_goes_in_and_its_end_is_the_container_s() {
    let daemon = Play::new(0, |stream| {
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        stream.write_all(&frame(1, &format!("got {all}"))).unwrap();
    })
    .fake();
    let mut child =
        daemon.davit(&["run", "-i", "busybox", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"some words").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((out(&output).as_str(), output.status.code()), ("got some words", Some(0)));
}

#[test]
fn a_megabyte_comes_through_whole() {
    let daemon = Play::new(0, |stream| {
        let text = "x".repeat(100_000);
        for _ in 0..10 {
            stream.write_all(&frame(1, &text)).unwrap();
        }
    })
    .fake();
    assert_eq!(daemon.run(&["run", "busybox"]).stdout.len(), 1_000_000);
}

#[test]
fn a_missing_image_is_pulled_with_its_story_on_standard_error() {
    let mut play = Play::new(0, |stream| stream.write_all(&frame(1, "hello\n")).unwrap());
    play.create = |n| if n == 1 { refused(404, "No such image: 127.0.0.1:5000/demo/x:1") } else { created(n) };
    let daemon = play.fake();
    let output = daemon.run(&["run", "127.0.0.1:5000/demo/x:1"]);
    assert_eq!(out(&output), "hello\n");
    insta::assert_snapshot!(err(&output), @r"
    Unable to find image '127.0.0.1:5000/demo/x:1' locally
    1: Pulling from demo/x
    aa: Pull complete
    Status: Downloaded newer image for 127.0.0.1:5000/demo/x:1
    ");
    assert_eq!(
        daemon.calls()[..3],
        [
            "POST /containers/create",
            "POST /images/create?fromImage=127.0.0.1%3A5000%2Fdemo%2Fx&tag=1",
            "POST /containers/create",
        ]
    );
}

#[test]
fn without_pulling_a_missing_image_is_an_error() {
    let mut play = Play::new(0, quiet);
    play.create = |_| refused(404, "No such image: x:latest");
    let daemon = play.fake();
    let output = daemon.run(&["run", "--pull", "never", "x"]);
    insta::assert_snapshot!(err(&output), @r"
    davit: No such image: x:latest
      `davit images` lists the images that are here; `davit pull` fetches one
    ");
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(daemon.calls().len(), 1);
}

#[test]
fn a_command_that_is_not_there_ends_with_127_and_one_that_cannot_run_with_126() {
    for (start, code) in [
        ((|| refused(400, "exec: \"nope\": executable file not found in $PATH")) as fn() -> Answer, 127),
        (|| refused(400, "exec: \"/etc\": permission denied"), 126),
        (|| refused(500, "port 80 is already allocated"), 125),
    ] {
        for words in [&["run", "--rm", "x"][..], &["run", "-d", "x"]] {
            let mut play = Play::new(127, quiet);
            play.start = start;
            let output = play.fake().run(words);
            assert_eq!(output.status.code(), Some(code), "{words:?}: {}", err(&output));
        }
    }
}

#[test]
fn a_signal_s_end_is_128_and_its_number() {
    assert_eq!(Play::new(137, quiet).fake().run(&["run", "x"]).status.code(), Some(137));
}

#[test]
fn in_the_background_the_identifier_is_all() {
    let daemon = Play::new(0, quiet).fake();
    let id_file = daemon.dir.path().join("id");
    let output = daemon.run(&["run", "-d", "--name", "web", "--cidfile", id_file.to_str().unwrap(), "x"]);
    assert_eq!(out(&output), "c0ffee\n");
    assert_eq!(std::fs::read_to_string(&id_file).unwrap(), "c0ffee");
    assert_eq!(daemon.calls(), ["POST /containers/create?name=web", "POST /containers/c0ffee/start"]);
    let again = daemon.run(&["run", "-d", "--cidfile", id_file.to_str().unwrap(), "x"]);
    assert_eq!(again.status.code(), Some(125));
    assert!(err(&again).contains("exists"), "{}", err(&again));
}

#[test]
fn ctrl_c_goes_to_the_container() {
    let (ending, end) = mpsc::channel::<()>();
    let daemon = Play::new(130, move |_| end.recv_timeout(Duration::from_secs(20)).unwrap()).fake();
    let mut child = daemon.davit(&["run", "x"]).spawn().unwrap();
    daemon.wait_for("/start");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    daemon.wait_for("/containers/c0ffee/kill?signal=INT");
    ending.send(()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn the_third_ctrl_c_leaves_a_container_that_ignores_them() {
    let (_ending, end) = mpsc::channel::<()>();
    let daemon = Play::new(0, move |_| {
        let _ = end.recv_timeout(Duration::from_secs(20));
    })
    .fake();
    let mut child = daemon.davit(&["run", "x"]).stderr(Stdio::piped()).spawn().unwrap();
    daemon.wait_for("/start");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    for asked in 1..=3 {
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        while daemon.calls().iter().filter(|c| c.contains("kill")).count() < asked {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn exec_ends_as_its_process_did() {
    let daemon = Play::new(3, |stream| stream.write_all(&frame(1, "there\n")).unwrap()).fake();
    let output = daemon.run(&["exec", "-e", "A=1", "-w", "/tmp", "-u", "1", "c0ffee", "ls", "-la"]);
    assert_eq!((out(&output).as_str(), output.status.code()), ("there\n", Some(3)));
    let body = daemon.request("/containers/c0ffee/exec").body;
    assert_eq!(
        (&body["Cmd"], &body["Env"], &body["WorkingDir"], &body["User"]),
        (&json!(["ls", "-la"]), &json!(["A=1"]), &json!("/tmp"), &json!("1"))
    );
}

#[test]
fn start_attached_joins_a_container_that_exists() {
    let daemon = Play::new(4, |stream| stream.write_all(&frame(1, "back\n")).unwrap()).fake();
    let output = daemon.run(&["start", "-a", "c0ffee"]);
    assert_eq!((out(&output).as_str(), output.status.code()), ("back\n", Some(4)));
    assert!(daemon.calls().contains(&"POST /containers/c0ffee/wait?condition=next-exit".to_owned()));
}

#[test]
fn a_daemon_that_goes_amid_a_run_is_told() {
    let daemon = Fake::new(|request| match request.target.split('?').next().unwrap() {
        "/containers/create" => created(1),
        "/containers/c0ffee/attach" => Answer::Hijack(Box::new(|stream| {
            std::thread::sleep(Duration::from_millis(200));
            drop(stream);
        })),
        "/containers/c0ffee/wait" => Answer::Bytes("application/json", Vec::new()),
        _ => no_content(),
    });
    let output = daemon.run(&["run", "x"]);
    assert_eq!(output.status.code(), Some(125));
    assert!(err(&output).contains("wait: unexpected answer"), "{}", err(&output));
}

#[test]
fn a_terminal_is_demanded_where_one_is_asked_for() {
    let daemon = Play::new(0, quiet).fake();
    let output = daemon.davit(&["run", "-it", "x"]).stdin(Stdio::null()).output().unwrap();
    insta::assert_snapshot!(err(&output), @"davit: the input device is not a TTY: leave out -t, or run it in a terminal");
    assert_eq!(output.status.code(), Some(1));
    assert!(daemon.calls().is_empty());
}

#[test]
fn flags_become_dockers_request() {
    let daemon = Play::new(0, quiet).fake();
    let words = "run -d -e A=1 -v /h:/c:ro -v /anon -p 127.0.0.1:8080:80 -P --expose 9/udp -w /w -u 1:2 --entrypoint /e -m 64m --cpus 1.5 \
        --pids-limit 50 --net front --network-alias a --ip 10.0.0.9 --mac-address 02:00:00:00:00:01 -l x=y -h host --read-only --privileged \
        --cap-add NET_ADMIN --cap-drop ALL --security-opt no-new-privileges --tmpfs /run:size=1m --ulimit nofile=64:128 --add-host a:1.2.3.4 \
        --dns 9.9.9.9 --stop-signal INT --stop-timeout 3 --restart on-failure:2 --platform linux/amd64 --init --shm-size 1m --sysctl net.x=1 \
        --device /dev/fuse --group-add 7 --oom-score-adj -5 --mount type=bind,src=/a,dst=/b --storage-driver vfs image --flag -x";
    let output = daemon.run(&words.split_whitespace().collect::<Vec<_>>());
    assert!(output.status.success(), "{}", err(&output));
    insta::assert_json_snapshot!("create", daemon.request("/containers/create?platform=linux%2Famd64").body);
}

#[test]
fn logs_are_told_apart_and_their_window_is_passed_on() {
    let daemon = Fake::new(|request| match request.target.split('?').next().unwrap() {
        "/containers/web/json" => ok(json!({"Config": {"Tty": false}})),
        "/containers/web/logs" => {
            Answer::Bytes("application/vnd.docker.multiplexed-stream", [frame(1, "a\n"), frame(2, "b\n")].concat())
        }
        _ => refused(404, "page not found"),
    });
    let output = daemon.run(&["logs", "-f", "-t", "--tail", "5", "--since", "2023-11-14T22:13:20Z", "web"]);
    assert_eq!((out(&output).as_str(), err(&output).as_str()), ("a\n", "b\n"));
    let asked = "/containers/web/logs?stdout=1&stderr=1&tail=5&follow=true&timestamps=true&since=1700000000.000000000";
    daemon.request(asked);
    assert_eq!(daemon.run(&["logs", "--tail", "some", "web"]).status.code(), Some(1));
}

#[test]
fn a_reader_of_ours_that_goes_is_no_error_to_tell() {
    let daemon = Fake::new(|_| ok(json!([{"Id": "aa", "Names": ["/a"]}])));
    let mut child = daemon.davit(&["ps"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((err(&output).as_str(), output.status.code()), ("", Some(141)));
}

#[test]
fn a_verb_without_a_home_still_says_what_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    let output = davit(home.path()).env_remove("HOME").args(["-H", "unix:///x", "ps"]).output().unwrap();
    assert!(err(&output).contains("HOME is not set"), "{}", err(&output));
}
