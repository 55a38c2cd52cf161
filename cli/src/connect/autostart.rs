//! A daemon where there is none: under a lock, in a session of its own, with a clean environment, and said once.

use crate::{
    daemon,
    error::{Error, Result},
    printer::Printer,
};
use nix::fcntl::{Flock, FlockArg};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::net::UnixStream;

/// How long a daemon may take to come up, its plugins compiled.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the socket is tried meanwhile.
const BEAT: Duration = Duration::from_millis(10);
/// All that a daemon inherits of our environment.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where a daemon keeps its data when nothing else is said.
const DATA_ROOT: &str = "/var/lib/davit";

/// Roots of a daemon that are not the default ones, from `DAVIT_DATA_ROOT` and its kin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    pub(crate) data: Option<PathBuf>,
    pub(crate) exec: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
}

impl Roots {
    /// The daemon's own words for them.
    pub(crate) fn words(&self) -> Vec<OsString> {
        [("--data-root", &self.data), ("--exec-root", &self.exec), ("--config-file", &self.config)]
            .into_iter()
            .filter_map(|(flag, path)| Some([OsString::from(flag), path.clone()?.into_os_string()]))
            .flatten()
            .collect()
    }
}

/// The right to start a daemon at a socket.
#[derive(Debug)]
pub(crate) struct Autostart {
    pub(crate) socket: PathBuf,
    pub(crate) roots: Roots,
    pub(crate) out: Printer,
}

impl Autostart {
    /// Starts a daemon, or waits for the one that somebody else is starting.
    pub(crate) async fn start(&self) -> Result<()> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Error::Start(format!("only root may start it; there is none at {}", self.socket.display())));
        }
        start(&self.socket, &self.roots, &[], &self.out).await
    }
}

/// Starts a daemon at `socket` with further words for it; returns when it answers.
pub(crate) async fn start(socket: &Path, roots: &Roots, words: &[OsString], out: &Printer) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let dir = socket.parent().unwrap_or(Path::new("/"));
    // Everybody may pass through to the socket, whose own mode and group decide; nobody may list.
    make_dir(dir, 0o711)?;
    let _lock = lock(&socket.with_extension("lock"), until).await?;
    if UnixStream::connect(socket).await.is_ok() {
        return Ok(());
    }

    let data = roots.data.clone().unwrap_or_else(|| PathBuf::from(DATA_ROOT));
    make_dir(&data, 0o711)?;
    let log_path = data.join("davitd.log");
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(&log_path)
        .map_err(Error::io("open", log_path.display().to_string()))?;
    let from = log.metadata().map(|m| m.len()).unwrap_or(0);
    let mut child = spawn(socket, roots, words, &log)?;
    out.note(&format!(
        "davit: started davitd (process {}) at {}; log: {}",
        child.id(),
        socket.display(),
        log_path.display()
    ));

    loop {
        if UnixStream::connect(socket).await.is_ok() {
            return Ok(());
        }
        if let Ok(Some(status)) = child.try_wait() {
            let said = last_lines(&log_path, from);
            return Err(Error::Start(format!("{status}; its log {} ends with: {said}", log_path.display())));
        }
        if Instant::now() > until {
            return Err(Error::Start(format!(
                "process {} does not listen at {} after {} s; see {}",
                child.id(),
                socket.display(),
                PATIENCE.as_secs(),
                log_path.display()
            )));
        }
        tokio::time::sleep(BEAT).await;
    }
}

fn spawn(socket: &Path, roots: &Roots, words: &[OsString], log: &File) -> Result<Child> {
    let davitd = daemon::find()?;
    let own = std::env::current_exe().map_err(Error::io("find", "our own binary"))?;
    let copy = || log.try_clone().map(Stdio::from).map_err(Error::io("duplicate", "the log's descriptor"));
    // Through ourselves: only a process that leads no group can make a session, and `exec` keeps the number.
    Command::new(own)
        .arg("daemon")
        .arg("--own-session")
        .arg("--")
        .arg("-H")
        .arg(format!("unix://{}", socket.display()))
        .args(roots.words())
        .args(words)
        .env_clear()
        .env("PATH", PATH)
        .env(daemon::BINARY, davitd)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(copy()?)
        .stderr(copy()?)
        .spawn()
        .map_err(Error::io("start", "davitd"))
}

async fn lock(path: &Path, until: Instant) -> Result<Flock<File>> {
    let open = || {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)
    };
    let mut file = open().map_err(Error::io("open", path.display().to_string()))?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < until => file = back,
            Err((_, errno)) => return Err(Error::io("lock", path.display().to_string())(errno.into())),
        }
        tokio::time::sleep(BEAT).await;
    }
}

fn make_dir(path: &Path, mode: u32) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(Error::io("make directory", path.display().to_string()))
}

/// The end of what the daemon wrote since `from`, on one line.
fn last_lines(path: &Path, from: u64) -> String {
    let mut text = Vec::new();
    if let Ok(mut log) = File::open(path) {
        let end = log.metadata().map(|m| m.len()).unwrap_or(0);
        let begin = from.max(end.saturating_sub(2000));
        if log.seek(SeekFrom::Start(begin)).is_ok() {
            // A log that cannot be read is as good as an empty one: its path is in the message.
            let _ = log.take(2000).read_to_end(&mut text);
        }
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let tail = lines.get(lines.len().saturating_sub(3)..).unwrap_or(&[]);
    if tail.is_empty() { "(nothing)".to_owned() } else { tail.join(" | ") }
}
