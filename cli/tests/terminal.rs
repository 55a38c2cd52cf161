//! A terminal joined to a container: raw keys, size, the way out, and the terminal as it was before.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    dead_code,
    missing_docs,
    missing_debug_implementations,
    reason = "a test, with shared parts"
)]

mod fake;

use fake::{Answer, Fake, ok, refused};
use nix::{
    pty::{OpenptyResult, Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, Termios, tcgetattr},
    },
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

/// A daemon whose container's terminal echoes in capitals; `status` comes when its input holds `q`.
fn daemon() -> Fake {
    let (sender, receiver) = mpsc::channel();
    let (sender, receiver) = (Mutex::new(Some(sender)), Mutex::new(Some(receiver)));
    let sender = Arc::new(sender);
    Fake::new(move |request| match request.target.split('?').next().unwrap() {
        "/containers/create" => Answer::Json(201, json!({"Id": "c0ffee"})),
        "/containers/c0ffee/attach" => {
            let sender = Arc::clone(&sender);
            Answer::Hijack(Box::new(move |stream| {
                if shout(stream) {
                    sender.lock().unwrap().take().unwrap().send(json!({"StatusCode": 5})).unwrap();
                }
            }))
        }
        "/containers/c0ffee/wait" => Answer::Later(receiver.lock().unwrap().take().unwrap()),
        "/containers/c0ffee/start" | "/containers/c0ffee/kill" => Answer::Json(204, Value::Null),
        "/containers/c0ffee/resize" => ok(Value::Null),
        _ => refused(404, "page not found"),
    })
}

fn shout(mut stream: UnixStream) -> bool {
    let mut buffer = [0; 64];
    loop {
        let Ok(n @ 1..) = stream.read(&mut buffer) else { return false };
        stream.write_all(&buffer[..n].to_ascii_uppercase()).unwrap();
        if buffer[..n].contains(&b'q') {
            stream.shutdown(std::net::Shutdown::Both).unwrap();
            return true;
        }
    }
}

struct Terminal {
    keys: File,
    ours: std::os::fd::OwnedFd,
    before: Termios,
    child: Child,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn run(daemon: &Fake, words: &[&str]) -> Self {
        Self::of(daemon.davit(words))
    }

    /// The terminal is the command's own, so that its Ctrl-C is a signal.
    fn run_in_front(daemon: &Fake, words: &[&str]) -> Self {
        let davit = daemon.davit(words);
        let mut command = Command::new("setsid");
        command.env_clear().args(["--ctty", "--wait"]).arg(davit.get_program()).args(davit.get_args());
        for (name, value) in davit.get_envs() {
            command.envs(value.map(|value| (name, value)));
        }
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let size = Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        let copy = || Stdio::from(slave.try_clone().unwrap());
        let before = tcgetattr(&slave).unwrap();
        let child = command.env("TERM", "xterm").stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
        let keys = File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shown) = (keys.try_clone().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut buffer = [0; 256];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                shown.lock().unwrap().extend(&buffer[..n]);
            }
        });
        Self { keys, ours: slave, before, child, screen }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.ours).unwrap().local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    fn until(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < until, "{what}; the screen shows {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    fn type_keys(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    /// The exit status, once the terminal is as it was.
    fn end(mut self) -> Option<i32> {
        let status = self.child.wait().unwrap();
        let after = tcgetattr(&self.ours).unwrap();
        assert_eq!(after.local_flags, self.before.local_flags, "the terminal is as it was");
        assert_eq!(after.input_flags, self.before.input_flags);
        assert_eq!(after.output_flags, self.before.output_flags);
        status.code()
    }
}

#[test]
fn keys_go_in_raw_and_the_terminal_is_put_back_at_the_end() {
    let daemon = daemon();
    let mut terminal = Terminal::run(&daemon, &["run", "-it", "x"]);
    terminal.until("raw mode", Terminal::is_raw);
    terminal.type_keys(b"ab\x03");
    terminal.until("an echo", |t| t.shown().contains("AB\u{3}"));
    terminal.type_keys(b"q");
    assert_eq!(terminal.end(), Some(5));
    assert_eq!(daemon.request("/containers/create").body["HostConfig"]["ConsoleSize"], json!([33, 77]));
    daemon.wait_for("/containers/c0ffee/resize?h=33&w=77");
}

#[test]
fn a_new_size_of_the_window_is_passed_on() {
    let daemon = daemon();
    let mut terminal = Terminal::run(&daemon, &["run", "-it", "x"]);
    daemon.wait_for("/resize?h=33&w=77");
    rustix::termios::tcsetwinsize(
        &terminal.ours,
        rustix::termios::Winsize { ws_row: 10, ws_col: 20, ws_xpixel: 0, ws_ypixel: 0 },
    )
    .unwrap();
    kill(Pid::from_raw(i32::try_from(terminal.child.id()).unwrap()), Signal::SIGWINCH).unwrap();
    daemon.wait_for("/resize?h=10&w=20");
    terminal.type_keys(b"q");
    assert_eq!(terminal.end(), Some(5));
}

#[test]
fn the_detach_keys_leave_the_container_running() {
    let daemon = daemon();
    let mut terminal = Terminal::run(&daemon, &["run", "-it", "x"]);
    terminal.until("raw mode", Terminal::is_raw);
    terminal.type_keys(b"a\x10");
    terminal.type_keys(b"\x11");
    assert_eq!(terminal.end(), Some(0));
    assert!(!daemon.calls().iter().any(|call| call.contains("kill")));
}

#[test]
fn three_signals_put_the_terminal_back_as_well() {
    let daemon = daemon();
    let terminal = Terminal::run(&daemon, &["run", "-it", "x"]);
    terminal.until("raw mode", Terminal::is_raw);
    let pid = Pid::from_raw(i32::try_from(terminal.child.id()).unwrap());
    for asked in 1..=3 {
        kill(pid, Signal::SIGTERM).unwrap();
        terminal.until("a signal passed on", |_| daemon.calls().iter().filter(|c| c.contains("kill")).count() >= asked);
    }
    assert_eq!(terminal.end(), Some(1));
}

#[test]
fn a_password_s_question_that_is_interrupted_leaves_the_terminal_as_it_was() {
    for signal in [None, Some(Signal::SIGINT), Some(Signal::SIGTERM), Some(Signal::SIGHUP)] {
        let daemon = daemon();
        let mut terminal = Terminal::run_in_front(&daemon, &["login", "-u", "alice", "127.0.0.1:5000"]);
        terminal.until("the question, without an echo", |t| {
            t.shown().contains("Password: ") && !tcgetattr(&t.ours).unwrap().local_flags.contains(LocalFlags::ECHO)
        });
        match signal {
            None => terminal.type_keys(b"secr\x03"),
            Some(signal) => kill(Pid::from_raw(i32::try_from(terminal.child.id()).unwrap()), signal).unwrap(),
        }
        assert_eq!(terminal.end(), Some(130), "{signal:?}");
        assert!(daemon.calls().is_empty());
    }
}

#[test]
fn progress_is_drawn_on_a_terminal() {
    let daemon = Fake::new(|_| {
        let lines = [
            json!({"status": "Pulling from demo/x", "id": "1"}),
            json!({"status": "Downloading", "id": "aa11", "progressDetail": {"current": 50, "total": 100}}),
            json!({"status": "Pull complete", "id": "aa11", "progressDetail": {}}),
            json!({"status": "Digest: sha256:ff"}),
        ];
        Answer::Bytes("application/json", lines.iter().flat_map(|l| format!("{l}\r\n").into_bytes()).collect())
    });
    let terminal = Terminal::run(&daemon, &["pull", "127.0.0.1:5000/x:1"]);
    terminal.until("the end", |t| t.shown().contains("127.0.0.1:5000/x:1"));
    let shown = terminal.shown();
    assert!(shown.contains("aa11: Pull complete") && shown.contains("Digest: sha256:ff"), "{shown:?}");
    assert_eq!(terminal.end(), Some(0));
}
