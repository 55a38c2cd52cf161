//! Namespaces of one's own for the demo and the benches: processes, mounts and network. Nothing that happens in there
//! reaches the machine's network or another Davit, and the last of it goes with the first process. What is shared with
//! the machine is the folder that the caller gives, and control groups; these the caller removes.

use crate::{command, workspace};
use anyhow::{Context as _, Result, bail};
use davit_fixtures::leftovers;
use nix::{
    errno::Errno,
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitStatus, wait},
    },
    unistd::Pid,
};
use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

/// How long processes that were killed may take to end.
const A_MOMENT: Duration = Duration::from_secs(15);

/// What is run as the first process in there.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The words of the verb.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

/// Signals that end a run from outside.
fn ending() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect()
}

/// Runs `cargo xtask WORDS` in namespaces of its own with `work` for its temporary files, and looks afterwards for what
/// is left on the machine. `work` is removed.
pub(crate) fn run(words: &[OsString], work: tempfile::TempDir) -> Result<()> {
    let signals = ending();
    signals.thread_block().context("cannot hold signals back")?;
    let told = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let mut inside = Command::new("unshare");
    inside
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--net", "--ipc", "--"])
        .arg(workspace::this_program()?)
        .args(["enclosed", "--"])
        .args(words)
        .env("TMPDIR", work.path());
    let ended = until_end(&mut inside, &told)?;
    let left = left(work.path());
    let place = work.path().display().to_string();
    work.close().with_context(|| format!("cannot remove {place}"))?;
    if !left.is_empty() {
        bail!("left on the machine: {}", left.join(", "));
    }
    match ended {
        None => bail!("ended by a signal; everything is removed"),
        Some(status) if status.success() => Ok(()),
        Some(_) => bail!("it did not succeed; what failed is said above"),
    }
}

/// What is left of the daemons that ran in `work`. Where their first process was killed the kernel ends the others after
/// it, which takes a moment.
fn left(work: &Path) -> Vec<String> {
    let tags = tags(work);
    let until = Instant::now() + A_MOMENT;
    loop {
        let groups = tags.iter().filter_map(|tag| leftovers::groups(tag).err()).map(|e| format!("{e:#}"));
        let left: Vec<String> = groups.chain(tags.iter().flat_map(|tag| leftovers::of(tag, work))).collect();
        if left.is_empty() || Instant::now() > until {
            return left;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The end of the command; none where a signal ended it before.
fn until_end(inside: &mut Command, told: &SignalFd) -> Result<Option<ExitStatus>> {
    let mut child = inside.spawn().context("cannot start unshare, of Debian's package util-linux")?;
    loop {
        let ended = child.try_wait()?;
        let told = told.read_signal()?.is_some();
        if let Some(status) = ended {
            // A terminal's Ctrl-C goes to everybody at once: who ended first says nothing.
            return Ok((!told).then_some(status));
        }
        if told {
            // The first process in there goes with it, and all others with that.
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The tags of all daemons that ran in `work`, which lie beside their databases.
fn tags(work: &Path) -> Vec<String> {
    let dirs = fs::read_dir(work).into_iter().flatten().flatten();
    dirs.filter_map(|dir| leftovers::tag(&dir.path().join("data"))).collect()
}

/// The first process: raises loopback, starts the verb, and takes in whoever loses a parent.
pub(crate) fn first(options: &Options) -> Result<()> {
    if std::process::id() != 1 {
        bail!("this verb is for the first process of namespaces that another verb makes");
    }
    ending().thread_unblock()?;
    command::run(Command::new("ip").args(["link", "set", "lo", "up"]), "the package iproute2 brings ip")?;
    let verb =
        Command::new(workspace::this_program()?).args(&options.words).spawn().context("cannot start the verb")?;
    let verb = Pid::from_raw(i32::try_from(verb.id())?);
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, 0)) if pid == verb => return Ok(()),
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) if pid == verb => bail!("the verb failed"),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e).context("cannot wait"),
        }
    }
}
