//! Ctrl-C during a pull: the store is as it was, and the next pull goes on where this one was.

use anyhow::{Context as _, Result, ensure};
use davit_e2e::davit;
use davit_fixtures::{
    daemon::Daemon,
    image::{self, Config},
    process::{Running, until},
    registry::Registry,
};
use nix::sys::signal::Signal;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The layer that takes a moment.
const BALLAST: usize = 12 << 20;

/// After how much of it nothing comes any more, until the test says so.
const PART: u64 = 5 << 20;

/// What stands between daemon and registry: it lets so many bytes pass, and it counts.
#[derive(Debug)]
struct Between {
    limit: AtomicU64,
    bytes: AtomicU64,
    ranges: AtomicU64,
    /// Connections that wait to send something.
    held: AtomicU64,
}

impl Between {
    /// Serves until the test's process ends; the address that it listens on.
    fn start(self: &Arc<Self>, registry: &str) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (between, registry) = (self.clone(), registry.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (between, registry) = (between.clone(), registry.clone());
                std::thread::spawn(move || between.join(&client, &registry));
            }
        });
        Ok(address)
    }

    /// One connection; where an end goes away, so does the other.
    fn join(self: Arc<Self>, client: &TcpStream, registry: &str) -> Result<()> {
        let server = TcpStream::connect(registry)?;
        let (mut asked, mut to) = (client.try_clone()?, server.try_clone()?);
        let (between, left) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let leaves = left.clone();
        std::thread::spawn(move || {
            // However it ends: the daemon asks nothing more.
            let _ = between.asked(&mut asked, &mut to);
            leaves.store(true, Relaxed);
        });
        let (mut answers, mut to) = (server, client.try_clone()?);
        let mut part = vec![0; 64 << 10];
        loop {
            let n = answers.read(&mut part)?;
            if n == 0 {
                return Ok(to.shutdown(Shutdown::Write)?);
            }
            self.held.fetch_add(1, Relaxed);
            while self.bytes.load(Relaxed) >= self.limit.load(Relaxed) && !left.load(Relaxed) {
                std::thread::sleep(Duration::from_millis(2));
            }
            self.held.fetch_sub(1, Relaxed);
            to.write_all(part.get(..n).unwrap_or_default())?;
            self.bytes.fetch_add(n as u64, Relaxed);
        }
    }

    fn asked(&self, from: &mut TcpStream, to: &mut TcpStream) -> Result<()> {
        let mut part = vec![0; 64 << 10];
        loop {
            let n = from.read(&mut part)?;
            if n == 0 {
                return Ok(to.shutdown(Shutdown::Both)?);
            }
            let part = part.get(..n).unwrap_or_default();
            let head = String::from_utf8_lossy(part).to_ascii_lowercase();
            self.ranges.fetch_add(head.matches("\r\nrange: bytes=").count() as u64, Relaxed);
            to.write_all(part)?;
        }
    }
}

/// The same with SIGINT as it is at a terminal: what a shell starts in its background ignores it, and hands that on.
fn interruptible(davit: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal=INT").arg(davit.get_program()).args(davit.get_args());
    env.envs(davit.get_envs().filter_map(|(name, value)| Some((name, value?))));
    env
}

fn size_of(dir: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(dir)? {
        size += entry?.metadata()?.len();
    }
    Ok(size)
}

#[test]
fn a_pull_that_is_interrupted_changes_nothing_and_the_next_one_goes_on_where_it_was() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let registry = Registry::start(dir.path(), None)?;
    let image = image::make_with_ballast(&dir.path().join("image"), &Config::shell(), BALLAST)?;
    image.push(&format!("{}/test/big:1", registry.host), None)?;
    let (limit, bytes, ranges, held) = (AtomicU64::new(PART), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let between = Arc::new(Between { limit, bytes, ranges, held });
    let reference = format!("{}/test/big:1", between.start(&registry.host)?);
    let daemon = Daemon::start()?;

    let log = dir.path().join("pull.log");
    let mut pull = Running::start(&mut interruptible(daemon.davit().args(["pull", &reference])), &log)?;
    until(Duration::from_secs(60), "a good part has come", || {
        ensure!(pull.alive(), "the pull ended before: {}", std::fs::read_to_string(&log)?);
        Ok((between.bytes.load(Relaxed) >= PART).then_some(()))
    })?;
    pull.signal(Signal::SIGINT)?;
    pull.wait(Duration::from_secs(10))?;
    ensure!(davit(&daemon, &["images", "-q"])?.success()?.out().is_empty(), "there is half an image");

    // The last watcher has left: the work ends, and what has come is kept.
    let ingest = daemon.data_root().join("content/ingest");
    until(Duration::from_secs(20), "the daemon lets go", || Ok((between.held.load(Relaxed) == 0).then_some(())))?;
    let kept = size_of(&ingest)?;
    ensure!(kept > 1 << 20, "only {kept} bytes are kept");

    between.limit.store(u64::MAX, Relaxed);
    let (before, ranges) = (between.bytes.load(Relaxed), between.ranges.load(Relaxed));
    davit(&daemon, &["pull", &reference])?.success()?;
    let came = between.bytes.load(Relaxed) - before;
    let whole = image_size(&image.layout)?;
    ensure!(came + kept / 2 < whole, "{came} bytes came again, of {whole}, although {kept} were there");
    ensure!(between.ranges.load(Relaxed) > ranges, "nothing was asked for from where it was");
    let done = davit(&daemon, &["run", "--rm", &reference, "sh", "-c", "wc -c < /ballast"])?.success()?;
    ensure!(done.out() == BALLAST.to_string(), "{done:?}");

    // Nothing of it stays when the image goes.
    davit(&daemon, &["rmi", &reference])?.success()?;
    ensure!(size_of(&ingest)? == 0, "a blob in flight is left");
    daemon.finish()
}

fn image_size(layout: &Path) -> Result<u64> {
    size_of(&layout.join("blobs/sha256")).context("the image's own folder")
}
