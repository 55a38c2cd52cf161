//! The last stretch, the same for a container's first process and for one that is run in it later: streams, limits,
//! working directory, identity, filter, exec.

use super::channel::Channel;
use super::filter::Filter;
use super::identity::{self, Sets};
use super::{GATE_DEADLINE, limits, program, workdir};
use crate::failure::{At, Failure, Stage};
use crate::users::{self, Identity};
use davit_sys::process;
use oci_spec::runtime::Process;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Gid, Mode, Uid};
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the process is to be; its root is already this process's.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) process: &'a Process,
    /// Unresolved user; none: that of `process`.
    pub(crate) user: Option<&'a str>,
    /// Supplementary groups beside it.
    pub(crate) groups: &'a [String],
    pub(crate) root: BorrowedFd<'a>,
    /// The terminal's side of the container.
    pub(crate) tty: Option<OwnedFd>,
    /// Standard streams; empty: those that are there.
    pub(crate) stdio: &'a [OwnedFd],
    pub(crate) seccomp: Option<&'a Filter>,
    /// Whether a working directory that is missing is made.
    pub(crate) make_workdir: bool,
}

impl Entry<'_> {
    pub(crate) fn run(mut self, channel: &Channel, gate: Option<BorrowedFd<'_>>) -> Result<Infallible, Failure> {
        let who = self.identity()?;
        self.streams(&who)?;
        limits::set(self.process.rlimits().as_deref().unwrap_or_default())?;
        workdir::enter(self.root, self.process.cwd(), self.make_workdir)?;

        let mut env = self.process.env().clone().unwrap_or_default();
        if !env.iter().any(|e| e.starts_with("HOME=")) {
            env.push(format!("HOME={}", who.home));
        }
        let args = self.process.args().as_deref().unwrap_or_default();
        let program = program::find(args, &env)?;

        channel.ready().at(Stage::Gate, || "report to the monitor")?;
        if let Some(gate) = gate {
            wait(gate, channel)?;
        }

        let umask = self.process.user().umask().unwrap_or(0o022);
        rustix::process::umask(Mode::from_raw_mode(umask & 0o777));
        let sets = Sets::of(self.process.capabilities().as_ref())?;
        let unprivileged = self.process.no_new_privileges().unwrap_or(false);
        process::close_on_exec_from(3).at(Stage::Exec, || "close descriptors")?;
        if unprivileged {
            rustix::thread::set_no_new_privs(true).at(Stage::Identity, || "set no_new_privs")?;
            identity::assume(&who, sets)?;
            self.filter()?;
        } else {
            // Without no_new_privs the filter needs CAP_SYS_ADMIN, which `assume` may give up.
            self.filter()?;
            identity::assume(&who, sets)?;
        }
        Err(program.exec())
    }

    fn filter(&self) -> Result<(), Failure> {
        self.seccomp.map_or(Ok(()), Filter::load)
    }

    fn identity(&self) -> Result<Identity, Failure> {
        if let Some(user) = self.user {
            return users::resolve(self.root, user, self.groups)
                .map_err(|e| Failure::new(Stage::Identity, e.to_string()));
        }
        let user = self.process.user();
        let mut groups = vec![user.gid()];
        groups.extend(user.additional_gids().iter().flatten().filter(|g| **g != user.gid()));
        let home = users::resolve(self.root, &user.uid().to_string(), &[]).map_or_else(|_| "/".to_owned(), |i| i.home);
        Ok(Identity { uid: user.uid(), gid: user.gid(), groups, home })
    }

    /// Puts the streams in place and gives them to the user, who may want to open `/dev/stdout` again.
    fn streams(&mut self, who: &Identity) -> Result<(), Failure> {
        let what = || "set standard streams up";
        if let Some(tty) = self.tty.take() {
            rustix::process::ioctl_tiocsctty(&tty).at(Stage::Streams, || "make the terminal the controlling one")?;
            for number in 0..=2 {
                process::install_standard(tty.as_fd(), number).at(Stage::Streams, what)?;
            }
        } else {
            for (fd, number) in self.stdio.iter().zip(0..=2) {
                process::install_standard(fd.as_fd(), number).at(Stage::Streams, what)?;
            }
        }
        for stream in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
            own(stream, who).at(Stage::Streams, what)?;
        }
        Ok(())
    }
}

/// Pipes and terminals only: a file or device of the host that the caller handed in stays whose it is.
fn own(stream: BorrowedFd<'_>, who: &Identity) -> std::io::Result<()> {
    let Ok(stat) = rustix::fs::fstat(stream) else { return Ok(()) };
    let ours = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => true,
        FileType::CharacterDevice => rustix::fs::major(stat.st_rdev) == 136,
        _ => false,
    };
    if !ours || stat.st_uid == who.uid {
        return Ok(());
    }
    match rustix::fs::fchown(stream, Some(Uid::from_raw(who.uid)), None::<Gid>) {
        // A terminal of another user's that was handed in: it works, it just cannot be opened again.
        Ok(()) | Err(rustix::io::Errno::PERM | rustix::io::Errno::ROFS) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Waits for one packet: leave to start. The engine sees that a start has failed when nobody holds its socket any more, and
/// this process holds it: without its monitor it ends at once.
fn wait(gate: BorrowedFd<'_>, channel: &Channel) -> Result<(), Failure> {
    let deadline = Timespec { tv_sec: i64::try_from(GATE_DEADLINE.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    // Nothing is ever sent to init on its channel: what it shows is that the other end is gone.
    let mut poll = [PollFd::new(&gate, PollFlags::IN), PollFd::new(&channel.0, PollFlags::empty())];
    let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut poll, Some(&deadline)))
        .at(Stage::Gate, || "wait for leave to start")?;
    if !poll[1].revents().is_empty() {
        return Err(Failure::new(Stage::Gate, "the monitor went away"));
    }
    let mut byte = [0u8; 8];
    let got =
        if ready == 0 { 0 } else { rustix::io::read(gate, &mut byte).at(Stage::Gate, || "read leave to start")? };
    if got == 0 {
        return Err(Failure::new(Stage::Gate, "the engine went away before it gave leave to start"));
    }
    Ok(())
}
