//! End-to-end tests: the built programs, a real registry, real images, real clients. What every test begins with.

pub mod plugin;

use anyhow::{Context as _, Result, bail};
use davit_fixtures::{
    daemon::Daemon,
    image::{self, Config},
    registry::Registry,
};
use std::{
    io::Write as _,
    os::unix::fs::FileExt as _,
    process::{Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// A registry with images, and a daemon.
#[derive(Debug)]
pub struct World {
    /// The daemon; dropped first.
    pub daemon: Daemon,
    /// The registry; it wants no login.
    pub registry: Registry,
    /// busybox with a shell, `HOST/test/busybox:1`.
    pub busybox: String,
    /// A web server as a user of its own, `HOST/test/web:1`, with the greeting that it serves.
    pub web: String,
    _dir: TempDir,
}

impl World {
    /// With the shipped site file.
    pub fn start() -> Result<Self> {
        Self::with_site(None)
    }

    /// With a site file of the test's own.
    pub fn with_site(site: Option<&str>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("davit-e2e-").tempdir()?;
        let registry = Registry::start(dir.path(), None)?;
        let busybox = format!("{}/test/busybox:1", registry.host);
        let web = format!("{}/test/web:1", registry.host);
        image::make(&dir.path().join("busybox"), &Config::shell())?.push(&busybox, None)?;
        image::make(&dir.path().join("web"), &Config::default())?.push(&web, None)?;
        let daemon = Daemon::with_site(site)?;
        Ok(Self { daemon, registry, busybox, web, _dir: dir })
    }

    /// `davit ARGS`, with `IMAGE` standing for busybox.
    pub fn davit(&self, args: &[&str]) -> Result<Done> {
        davit(&self.daemon, &self.named(args))
    }

    /// As [`World::davit`], with standard input.
    pub fn davit_with_input(&self, args: &[&str], input: &[u8]) -> Result<Done> {
        davit_with_input(&self.daemon, &self.named(args), input)
    }

    fn named<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        args.iter().map(|a| if *a == "IMAGE" { self.busybox.as_str() } else { a }).collect()
    }

    /// Pulls both images, so that runs do not tell of it.
    pub fn pull(&self) -> Result<()> {
        for image in [&self.busybox, &self.web] {
            self.davit(&["pull", "-q", image])?.success()?;
        }
        Ok(())
    }
}

/// `davit ARGS` towards a daemon.
pub fn davit(daemon: &Daemon, args: &[&str]) -> Result<Done> {
    let mut command = daemon.davit();
    command.args(args);
    run(command, None)
}

/// As [`davit`], with standard input.
pub fn davit_with_input(daemon: &Daemon, args: &[&str], input: &[u8]) -> Result<Done> {
    let mut command = daemon.davit();
    command.args(args);
    run(command, Some(input))
}

/// The children of a process, whichever of its threads started them.
pub fn children(pid: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    // A thread may end meanwhile.
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|l| l.split_whitespace().filter_map(|c| c.parse().ok()).collect::<Vec<i32>>()).collect()
}

/// The outer and the inner process of a daemon's plugin host; none while none runs.
pub fn plugin_host(daemon: &Daemon) -> Option<(i32, i32)> {
    let is_host = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|w| w.contains("\0plugin-host\0"))
    };
    let outer = children(daemon.pid()).into_iter().find(is_host)?;
    Some((outer, *children(outer).first()?))
}

/// Whether a process has a text anywhere in its memory.
pub fn memory_holds(pid: i32, text: &str) -> Result<bool> {
    const AT_A_TIME: usize = 1 << 20;
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).context("cannot read the process's memory")?;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut buffer = vec![0; AT_A_TIME + text.len()];
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        let Some((start, end)) = range.split_once('-').filter(|_| rights.starts_with('r')) else { continue };
        let (mut at, end) = (u64::from_str_radix(start, 16)?, u64::from_str_radix(end, 16)?);
        while at < end {
            // What the kernel keeps for itself cannot be read.
            let Ok(read) = memory.read_at(&mut buffer, at) else { break };
            let found = buffer.get(..read).is_some_and(|b| b.windows(text.len()).any(|w| w == text.as_bytes()));
            if found {
                return Ok(true);
            }
            // The pieces overlap, so that nothing is cut.
            at += u64::try_from(read.clamp(1, AT_A_TIME))?;
        }
    }
    Ok(false)
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Exit status; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Done {
    /// Fails where the command did.
    pub fn success(self) -> Result<Self> {
        if self.code != 0 {
            bail!("ended with {}: {}{}", self.code, self.stdout, self.stderr);
        }
        Ok(self)
    }

    /// Standard output without white space around it.
    pub fn out(&self) -> &str {
        self.stdout.trim()
    }
}

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command to its end, with a deadline.
pub fn run(command: Command, input: Option<&[u8]>) -> Result<Done> {
    run_within(command, input, PATIENCE)
}

/// Runs a command that may take longer than others.
pub fn run_within(mut command: Command, input: Option<&[u8]>, patience: Duration) -> Result<Done> {
    let shown = format!("{command:?}");
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id())?);
    let feeder = child.stdin.take().zip(input.map(<[u8]>::to_vec)).map(|(mut stdin, input)| {
        // An error means that the command did not want it all; its outcome tells.
        std::thread::spawn(move || drop(stdin.write_all(&input)))
    });
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let output: Output = match told.recv_timeout(patience) {
        Ok(output) => output.with_context(|| shown.clone())?,
        Err(_) => {
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)?;
            bail!("{shown} did not end within {} s", patience.as_secs());
        }
    };
    if let Some(feeder) = feeder {
        let _ = feeder.join();
    }
    Ok(Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The body of what an address on loopback serves; none where nothing answers.
pub fn http_get(address: &str) -> Option<String> {
    use std::{io::Read as _, net::TcpStream};
    let address = address.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(3)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}
