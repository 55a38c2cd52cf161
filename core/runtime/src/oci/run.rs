//! `run`: the whole life of a container in the foreground, without launcher or monitor: this process is init's parent.

use super::confine::{self, Confined};
use super::console::Console;
use super::state::StateDir;
use super::{OciError, Run, bundle, own_image, signals, system};
use crate::failure::Failure;
use crate::init::{self, Channel, FromInit, Input, Surroundings};
use crate::socket;
use davit_sys::clone::{self, Cloned};
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{WaitId, WaitIdOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

pub(super) fn run(root: &Path, args: &Run) -> Result<i32, OciError> {
    own_image::protect()?;
    let _state = StateDir::claim(root, &args.id)?;
    let spec = bundle::load(&args.bundle)?;
    let confined = Confined::make(&spec.oci, &args.id)?;
    let joins = confined.group.joins()?;
    let seccomp = confine::filter(&spec.oci)?;
    let (ours, channel) = Channel::pair().map_err(system("make a socket pair"))?;
    let signals = signals::intercept().map_err(system("block signals"))?;

    let surroundings = Surroundings::here().map_err(system("look at the caller's namespaces"))?;
    let flags = init::clone_flags(spec.oci.linux().as_ref());
    let (pid, process) = match fork(flags, joins.unified.as_ref())? {
        Cloned::Parent { pid, pidfd } => (pid, pidfd),
        Cloned::Child => {
            drop(ours);
            init::run(Input {
                spec,
                area: None,
                netns: None,
                stdio: Vec::new(),
                cgroup_tasks: joins.tasks,
                seccomp,
                channel,
                gate: None,
                surroundings,
            })
        }
    };
    drop(channel);
    if let Some(path) = &args.pid_file {
        std::fs::write(path, pid.to_string()).map_err(|source| OciError::File {
            what: "write",
            path: path.clone(),
            source,
        })?;
    }
    let started = follow_start(&ours);
    let master = match started {
        Ok(master) => master,
        Err(failure) => {
            reap(&process)?;
            return Err(failure.into());
        }
    };
    attend(&process, &signals, master)
}

#[allow(unsafe_code, reason = "forks; the process has one thread")]
fn fork(flags: u64, group: Option<&OwnedFd>) -> Result<Cloned, OciError> {
    // SAFETY: this command never starts a thread.
    unsafe { clone::clone3(flags, group.map(AsFd::as_fd)) }.map_err(system("clone3 the container's first process"))
}

/// Reads what init reports until it has become the program; the answer is the terminal's master side.
fn follow_start(channel: &OwnedFd) -> Result<Option<OwnedFd>, Failure> {
    use crate::failure::{At, Stage};
    let mut master = None;
    loop {
        match socket::receive_json(channel.as_fd()).at(Stage::Clone, || "hear from the container's first process")? {
            None => return Ok(master),
            Some((FromInit::Terminal, mut fds)) => master = fds.pop(),
            Some((FromInit::Ready, _)) => {}
            Some((FromInit::Failed(failure), _)) => return Err(failure),
        }
    }
}

/// Relays signals and terminal until the process ends; its exit status as a shell says it.
fn attend(process: &OwnedFd, signals: &SignalFd, master: Option<OwnedFd>) -> Result<i32, OciError> {
    let mut console = master.map(Console::new).transpose().map_err(system("take the terminal over"))?;
    loop {
        let signals_fd = signals.as_fd();
        let mut polls = vec![PollFd::new(process, PollFlags::IN), PollFd::from_borrowed_fd(signals_fd, PollFlags::IN)];
        polls.extend(console.iter().flat_map(Console::polls));
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut polls, None))
            .map_err(|e| system("wait for the container")(e.into()))?;
        let ready: Vec<bool> = polls.iter().map(|p| !p.revents().is_empty()).collect();
        let is = |n: usize| ready.get(n).copied().unwrap_or(false);
        if is(1)
            && signals::forward(signals, process.as_fd()).map_err(system("hand a signal on"))?
            && let Some(console) = &console
        {
            console.resize().map_err(system("resize the terminal"))?;
        }
        if let Some(console) = &mut console {
            if is(2) {
                console.output().map_err(system("relay the terminal"))?;
            }
            if is(3) {
                console.input().map_err(system("relay the terminal"))?;
            }
        }
        if is(0) {
            if let Some(console) = &console {
                while console.output().map_err(system("relay the terminal"))? {}
            }
            return reap(process);
        }
    }
}

fn reap(process: &OwnedFd) -> Result<i32, OciError> {
    let status = rustix::process::waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED)
        .map_err(|e| system("reap the container's first process")(e.into()))?;
    Ok(status.map_or(255, |s| s.exit_status().unwrap_or_else(|| 128 + s.terminating_signal().unwrap_or(0))))
}
