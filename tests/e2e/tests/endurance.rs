//! Plugins are called again and again, many at once, and by a process that hangs: nothing grows, nobody is forgotten.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::{World, plugin_host};
use davit_fixtures::process::until;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

const CALLS: u32 = 10_000;

/// A policy that is asked about everything, and a driver that is asked for each root.
const SITE: &str = r#"[storage]
driver = "overlay"
[[auth]]
pattern = "*"
plugin = "docker-config"
[network]
default = "none"
drivers = ["none"]
[[lifecycle]]
plugin = "image-policy"
fail = "closed"
[plugins.image-policy.config]
allow = ["*"]
"#;

/// One connection to the daemon's API, kept open.
struct Api(BufReader<UnixStream>);

impl Api {
    fn connect(world: &World) -> Result<Self> {
        let stream = UnixStream::connect(world.daemon.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The status and the body.
    fn ask(&mut self, method: &str, path: &str) -> Result<(u16, String)> {
        let head = format!("{method} /v1.51{path} HTTP/1.1\r\nHost: davit\r\nContent-Length: 0\r\n\r\n");
        self.0.get_mut().write_all(head.as_bytes())?;
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            ensure!(self.0.read_line(&mut line)? > 0, "the daemon closed the connection");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().unwrap_or_default().parse()?;
            }
            if let Some(rest) = line.strip_prefix("content-length:") {
                length = rest.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Holds {
    kib: u64,
    descriptors: usize,
    threads: usize,
}

fn holds(pid: i32) -> Result<Holds> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(Holds {
        kib: line.split_whitespace().next().context("no number")?.parse()?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
        threads: fs::read_dir(format!("/proc/{pid}/task"))?.count(),
    })
}

/// The process in which the daemon's plugins run.
fn host(world: &World) -> Result<i32> {
    until(Duration::from_secs(10), "the plugin host runs", || Ok(plugin_host(&world.daemon).map(|(_, inner)| inner)))
}

/// How often the policy was called.
fn calls(world: &World) -> Result<u64> {
    let words = ["plugin", "inspect", "--format", "{{.Calls.Answered}} {{.Calls.Refused}}", "image-policy"];
    let said = world.davit(&words)?.success()?;
    said.out().split(' ').map(|n| Ok(n.parse::<u64>()?)).sum()
}

#[test]
fn ten_thousand_calls_leave_nothing_behind() -> Result<()> {
    let world = World::with_site(Some(SITE))?;
    world.pull()?;
    let name = world.busybox.replace('/', "%2F");
    let mut api = Api::connect(&world)?;
    let mut rounds = |times: u32| -> Result<()> {
        for _ in 0..times {
            let (status, body) = api.ask("POST", &format!("/images/{name}/tag?repo=endurance/app&tag=often"))?;
            ensure!(status == 201, "{status} {body}");
        }
        Ok(())
    };
    // What is made once and kept is made in the first ones.
    rounds(1000)?;
    let (daemon, host) = (world.daemon.pid(), host(&world)?);
    let (daemon_before, host_before) = (holds(daemon)?, holds(host)?);
    let (began, called) = (Instant::now(), calls(&world)?);
    rounds(CALLS)?;
    let took = began.elapsed();
    let called = calls(&world)? - called;
    ensure!(called >= u64::from(CALLS), "the policy was called {called} times");
    let (daemon_after, host_after) = (holds(daemon)?, holds(host)?);
    println!(
        "{called} calls in {:.1} s; daemon {daemon_before:?}, {daemon_after:?}; host {host_before:?}, {host_after:?}",
        took.as_secs_f64()
    );
    for (who, before, after) in [("daemon", daemon_before, daemon_after), ("host", host_before, host_after)] {
        // The allocator's own habits are worth a few megabytes; a kilobyte a call would be ten.
        ensure!(after.kib < before.kib + 5 * 1024, "the {who}'s memory: {before:?}, {after:?}");
        ensure!(after.descriptors <= before.descriptors + 4, "the {who}'s descriptors: {before:?}, {after:?}");
        ensure!(after.threads <= before.threads + 4, "the {who}'s threads: {before:?}, {after:?}");
    }
    world.daemon.finish()
}

#[test]
fn fifty_callers_at_once_are_all_answered() -> Result<()> {
    let world = World::with_site(Some(SITE))?;
    world.pull()?;
    let name = world.busybox.replace('/', "%2F");
    let called = calls(&world)?;
    std::thread::scope(|scope| -> Result<()> {
        let callers: Vec<_> = (0..50)
            .map(|caller| {
                let (world, name) = (&world, &name);
                scope.spawn(move || -> Result<()> {
                    let mut api = Api::connect(world)?;
                    for round in 0..20 {
                        let path = format!("/images/{name}/tag?repo=endurance/caller{caller}&tag=round{round}");
                        let (status, body) = api.ask("POST", &path)?;
                        ensure!(status == 201, "caller {caller}, round {round}: {status} {body}");
                    }
                    Ok(())
                })
            })
            .collect();
        callers.into_iter().try_for_each(|c| c.join().map_err(|_| anyhow::anyhow!("a caller panicked"))?)
    })?;
    ensure!(calls(&world)? - called >= 1000);
    world.daemon.finish()
}

#[test]
fn a_host_that_hangs_is_ended_and_started_again() -> Result<()> {
    let world = World::with_site(Some(SITE))?;
    world.pull()?;
    let running = world.davit(&["run", "-d", "IMAGE", "sleep", "300"])?.success()?;
    let hung = host(&world)?;
    kill(Pid::from_raw(hung), Signal::SIGSTOP)?;
    let began = Instant::now();
    let refused = world.davit(&["tag", "IMAGE", "endurance/app:1"])?;
    let took = began.elapsed();
    println!("refused after {:.1} s", took.as_secs_f64());
    // It is asked whether it listens: nobody waits for the longest deadline that any call may have.
    ensure!(took < Duration::from_secs(30), "refused only after {took:?}");
    ensure!(refused.code == 1 && refused.stderr.contains("unavailable"), "{refused:?}");
    ensure!(refused.stderr.contains("plugin image-policy@"), "{refused:?}");
    // The next one finds another process, and who ran has not noticed.
    world.davit(&["tag", "IMAGE", "endurance/app:1"])?.success()?;
    ensure!(host(&world)? != hung, "it is the same process");
    let state = world.davit(&["inspect", "-f", "{{.State.Running}}", running.out()])?.success()?;
    ensure!(state.out() == "true", "{state:?}");
    world.daemon.finish()
}
