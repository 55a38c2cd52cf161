//! A process that is run in a container: its own small monitor, which joins the container's namespaces through a pidfd.

use super::spec::ExecSpec;
use super::start::{fork, read_all};
use crate::failure::{At, Failure, Stage};
use crate::init::entry::Entry;
use crate::init::{self, Channel, Filter, FromInit};
use crate::launcher::request::{Request, Role};
use crate::record::ExitRecord;
use crate::report::Report;
use crate::socket;
use davit_sys::clone::Cloned;
use davit_sys::{exec, process, signals};
use nix::sched::CloneFlags;
use rustix::process::{DumpableBehavior, WaitId, WaitIdOptions};
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

pub(super) fn run(mut request: Request) -> io::Result<()> {
    let report = request.take(Role::Report).ok_or(io::ErrorKind::InvalidData)?;
    let ended = match make(&mut request, &report) {
        Ok((channel, child)) => {
            request.fds.clear();
            follow(&channel, &child, &report)
        }
        Err(failure) => Report::Failed(failure),
    };
    socket::send_json(report.as_fd(), &ended, &[])
}

fn make(request: &mut Request, report: &OwnedFd) -> Result<(OwnedFd, OwnedFd), Failure> {
    let target = request.take(Role::Target).ok_or_else(|| Failure::new(Stage::Request, "the request has no target"))?;
    // Of this process only its children are moved: it must itself stay outside, to report.
    nix::sched::setns(&target, CloneFlags::CLONE_NEWPID)
        .at(Stage::Namespace, || "join the container's pid namespace")?;
    let (channel, end) = Channel::pair().at(Stage::Clone, || "make a socket pair")?;
    let group = request.take(Role::CgroupV2);
    match fork(0, group.as_ref()).at(Stage::Clone, || "clone3 the process")? {
        Cloned::Child => {
            drop(channel);
            let Err(failure) = enter(request, &target, &end);
            end.failed(&failure).ok();
            exec::exit_now(failure.exit_code())
        }
        Cloned::Parent { pid, pidfd } => {
            // An engine that is gone does not want to know.
            socket::send_json(report.as_fd(), &Report::Created { pid }, &[]).ok();
            Ok((channel, pidfd))
        }
    }
}

#[allow(unsafe_code, reason = "post-fork code")]
fn enter(request: &mut Request, target: &OwnedFd, channel: &Channel) -> Result<Infallible, Failure> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Stage::Clone, || "hide the process")?;
    rustix::process::setsid().at(Stage::Clone, || "start a session")?;
    signals::reset().at(Stage::Clone, || "reset signals")?;
    process::new_session_keyring()
        .or_else(init::without_keyrings)
        .at(Stage::Identity, || "join a new session keyring")?;
    let text =
        request.take(Role::Spec).ok_or_else(|| Failure::new(Stage::Request, "the request has no specification"))?;
    let text = read_all(text).at(Stage::Request, || "read the specification")?;
    let spec: ExecSpec = serde_json::from_slice(&text)
        .map_err(|e| Failure::new(Stage::Request, format!("read the specification: {e}")))?;
    let seccomp = request
        .take(Role::Seccomp)
        .map(|fd| Filter::decode(&read_all(fd)?))
        .transpose()
        .at(Stage::Request, || "read the filter")?;
    init::join_cgroups(&request.take_all(Role::Tasks))?;
    init::adjust_oom_score(spec.process.oom_score_adj())?;
    let stdio = request.take_all(Role::Stdio);

    // From the moment that this process is inside, it must hold nothing of the host's.
    let mut keep: Vec<_> = stdio.iter().map(AsRawFd::as_raw_fd).collect();
    keep.extend([target.as_raw_fd(), channel.0.as_raw_fd()]);
    // SAFETY: what else was open belongs to objects of the monitor, which this process never drops.
    unsafe { process::close_all_but(&mut keep) }.at(Stage::Clone, || "close descriptors")?;
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    nix::sched::setns(target, all).at(Stage::Namespace, || "join the container's namespaces")?;

    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let root = rustix::fs::open("/", flags, rustix::fs::Mode::empty()).at(Stage::Root, || "open the root")?;
    let mut tty = None;
    if spec.process.terminal().unwrap_or(false) {
        let size = spec.process.console_size();
        let side = |n: Option<u64>| n.and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
        let (rows, cols) = (side(size.map(|s| s.height())), side(size.map(|s| s.width())));
        tty = Some(init::allocate_terminal(root.as_fd(), channel, rows, cols)?);
    }
    Entry {
        process: &spec.process,
        user: spec.user.as_deref(),
        groups: &spec.groups,
        root: root.as_fd(),
        tty,
        stdio: &stdio,
        seccomp: seccomp.as_ref(),
        make_workdir: false,
    }
    .run(channel, None)
}

/// Forwards what the process reports, and waits for its end.
fn follow(channel: &OwnedFd, child: &OwnedFd, report: &OwnedFd) -> Report {
    let tell = |message: &Report, fds: &[OwnedFd]| {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        // An engine that is gone does not want to know.
        socket::send_json(report.as_fd(), message, &fds).ok();
    };
    let mut failed = None;
    loop {
        match socket::receive_json(channel.as_fd()) {
            Ok(Some((FromInit::Terminal, fds))) => tell(&Report::Terminal, &fds),
            Ok(Some((FromInit::Ready, _))) => tell(&Report::Ready, &[]),
            Ok(Some((FromInit::Failed(failure), _))) => {
                failed = Some(failure);
                break;
            }
            Ok(None) | Err(_) => break,
        }
    }
    if failed.is_none() {
        tell(&Report::Running, &[]);
    }
    let status = rustix::process::waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED);
    match (failed, status) {
        (Some(failure), _) => Report::Failed(failure),
        (None, Ok(Some(status))) => Report::Exited(ExitRecord::of(&status)),
        (None, _) => Report::Exited(ExitRecord::unknown()),
    }
}
