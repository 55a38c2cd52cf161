//! A daemon that starts itself: in its own session, with a clean environment, under a lock, and said once.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    dead_code,
    missing_docs,
    missing_debug_implementations,
    reason = "a test, with shared parts"
)]

mod fake;
mod script;

use fake::{davit, err, out};
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A script in place of davitd.
fn script(dir: &TempDir, text: &str) {
    script::write(&dir.path().join("davitd"), text);
}

fn client(dir: &TempDir, words: &[&str]) -> Command {
    let mut command = davit(dir.path());
    command
        .env("DAVIT_DAEMON", dir.path().join("davitd"))
        .env("DAVIT_DATA_ROOT", dir.path().join("data"))
        .env("DAVIT_EXEC_ROOT", dir.path().join("run"))
        .env("SECRET_OF_THE_CALLER", "1")
        .args(words);
    command
}

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: effective user is {}, only root starts a daemon", nix::unistd::geteuid());
    }
    root
}

fn wait_for(path: &Path) {
    let until = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < until, "{} is not there", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Answers every request with an empty list.
fn listen(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 4096];
            let Ok(1..) = stream.read(&mut buffer) else { continue };
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]");
        }
    });
}

#[test]
fn a_daemon_is_started_apart_from_its_caller() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("note");
    // Field 6 of stat is the session.
    script(
        &dir,
        &format!(
            "{{ echo \"args $*\"; echo \"cwd $(pwd)\"; echo \"session $$ $(cut -d' ' -f6 /proc/$$/stat)\"; echo \"env $(env | cut -d= -f1 | grep -v '^_' | sort | tr '\\n' ' ')\"; \
         echo \"held $(ls -l /proc/$$/fd | grep -c passwd)\"; echo \"umask $(umask)\"; }} > {0}.part; mv {0}.part {0}; exec sleep 2",
            note.display()
        ),
    );
    // The caller holds a file at descriptor 7, without close-on-exec.
    let mut holder = Command::new("/bin/sh");
    holder.args(["-c", "exec \"$0\" \"$@\" 7</etc/passwd"]);
    let inner = client(&dir, &["ps", "-q"]);
    holder.arg(inner.get_program()).args(inner.get_args()).env_clear();
    holder.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let child = holder.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    wait_for(&note);
    listen(&dir.path().join("run/davit.sock"));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(err(&output).lines().count(), 1, "{}", err(&output));
    assert!(err(&output).contains("davit: started davitd (process "), "{}", err(&output));

    let note = fs::read_to_string(note).unwrap();
    let line = |name: &str| note.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim();
    let at = |part: &str| dir.path().join(part).display().to_string();
    assert_eq!(
        line("args "),
        format!("-H unix://{} --data-root {} --exec-root {}", at("run/davit.sock"), at("data"), at("run"))
    );
    assert_eq!(line("cwd "), "/");
    assert_eq!(line("umask "), "0022");
    let session: Vec<&str> = line("session ").split(' ').collect();
    assert_eq!(session[0], session[1], "it leads its session");
    assert!(!line("env ").contains("SECRET") && !line("env ").contains("HOME"), "{}", line("env "));
    assert_eq!(line("held "), "0", "no descriptor of the caller's is open in it");
    assert!(dir.path().join("data/davitd.log").exists());
}

#[test]
fn a_daemon_that_ends_is_told_with_the_end_of_its_log() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    script(&dir, "echo 'plugin overlay: not a component' >&2; exit 3");
    let output = client(&dir, &["ps"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("davitd did not start: exit status: 3"), "{}", err(&output));
    assert!(err(&output).contains("plugin overlay: not a component"), "{}", err(&output));
}

#[test]
fn two_clients_at_once_start_one_daemon() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let starts = dir.path().join("starts");
    script(&dir, &format!("echo x >> {}; exec sleep 2", starts.display()));
    let clients: Vec<_> = (0..4).map(|_| client(&dir, &["ps", "-q"]).spawn().unwrap()).collect();
    wait_for(&starts);
    listen(&dir.path().join("run/davit.sock"));
    for mut client in clients {
        assert!(client.wait().unwrap().success());
    }
    assert_eq!(fs::read_to_string(starts).unwrap(), "x\n");
}

#[test]
fn at_another_address_a_daemon_is_started_only_on_request() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    script(&dir, "exit 3");
    let elsewhere = format!("unix://{}/else.sock", dir.path().display());
    let output = client(&dir, &["-H", &elsewhere, "ps"]).output().unwrap();
    assert!(err(&output).contains("cannot connect"), "{}", err(&output));
    let output = client(&dir, &["-H", &elsewhere, "--autostart", "ps"]).output().unwrap();
    assert!(err(&output).contains("did not start"), "{}", err(&output));
    let output = client(&dir, &["--autostart=false", "ps"]).output().unwrap();
    assert!(err(&output).contains("cannot connect"), "{}", err(&output));
}

#[test]
fn the_daemon_verb_becomes_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    script(&dir, "echo \"$@\"; exit 9");
    let output = client(&dir, &["-H", "unix:///x.sock", "daemon", "--", "--log-level", "debug"]).output().unwrap();
    let at = |part: &str| dir.path().join(part).display().to_string();
    assert_eq!(
        out(&output),
        format!("-H unix:///x.sock --data-root {} --exec-root {} --log-level debug\n", at("data"), at("run"))
    );
    assert_eq!(output.status.code(), Some(9));
}
