//! The launcher's loop: fork a monitor for each request, reap what ends, and record what no monitor is left to record.

use super::kept::Kept;
use super::request::{HEAD, Request, Role};
use crate::monitor;
use crate::record::{self, ExitRecord, InitRecord};
use crate::socket;
use davit_sys::clone::{self, Cloned};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, WaitOptions};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Most ends of strangers that are remembered: a first process may be reaped before the monitor it belonged to.
const REMEMBERED: usize = 256;

/// A container whose monitor this launcher forked.
#[derive(Debug)]
struct Watched {
    /// The monitor, while it lives.
    monitor: Option<i32>,
    run_dir: OwnedFd,
    output: Kept,
    /// The first process, once its monitor died.
    orphan: Option<i32>,
}

#[derive(Debug, Default)]
struct Children {
    watched: Vec<Watched>,
    strangers: VecDeque<(i32, ExitRecord)>,
    /// Monitors of processes that were run in a container: nothing is to be recorded for them.
    others: BTreeSet<i32>,
}

/// Serves the engine on standard input (a SOCK_SEQPACKET socket) until it is gone and no container is left to watch.
pub fn serve() -> io::Result<()> {
    let engine = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC, 0.into())?;
    davit_sys::process::install_standard(null.as_fd(), 0)?;
    drop(null);
    // Fails only where it leads a session already.
    rustix::process::setsid().ok();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    set.thread_block()?;
    let ended = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;

    let mut children = Children::default();
    let mut engine = Some(engine);
    while engine.is_some() || !children.watched.is_empty() || !children.others.is_empty() {
        let mut polls = vec![PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN)];
        polls.extend(engine.as_ref().map(|e| PollFd::new(e, PollFlags::IN)));
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut polls, None))?;
        let asked = polls.get(1).is_some_and(|p| !p.revents().is_empty());
        while ended.read_signal()?.is_some() {}
        children.reap()?;
        if asked && !engine.as_ref().is_some_and(|socket| children.accept(socket)) {
            engine = None;
        }
    }
    Ok(())
}

impl Children {
    /// Takes one request; no: the engine is gone.
    fn accept(&mut self, engine: &OwnedFd) -> bool {
        let mut head = [0; HEAD];
        let (length, fds) = match socket::receive(engine.as_fd(), &mut head) {
            Ok((0, _)) => return false,
            Ok(got) => got,
            Err(e) => return e.kind() != io::ErrorKind::ConnectionReset,
        };
        // A request that makes no sense is dropped: the report socket closes with it, which the engine sees.
        let Ok(request) = Request::decode(head.get(..length).unwrap_or_default(), fds) else { return true };
        let run_dir = request.fds.iter().find(|(role, _)| *role == Role::RunDir).map(|(_, fd)| fd.try_clone());
        let kind = request.head.kind;
        let output = Kept::of(&request);
        match fork() {
            Ok(Cloned::Child) => monitor::start(request),
            Ok(Cloned::Parent { pid, .. }) => match run_dir {
                Some(Ok(run_dir)) if kind == super::request::Kind::Start => {
                    self.watched.push(Watched { monitor: Some(pid), run_dir, output, orphan: None });
                }
                Some(Ok(run_dir)) if kind == super::request::Kind::Adopt => {
                    self.adopted(pid, request.head.pid, run_dir, output);
                }
                _ => {
                    self.others.insert(pid);
                }
            },
            // Likewise: the engine sees its report socket close.
            Err(_) => {}
        }
        true
    }

    /// A monitor was forked for a container whose own died. The engine may know of that death before it can be reaped
    /// here, since sockets close first: a container is one entry, whoever attended it before.
    fn adopted(&mut self, monitor: i32, orphan: i32, run_dir: OwnedFd, output: Kept) {
        let known = self.watched.iter().position(|w| w.orphan == Some(orphan) || same(&w.run_dir, &run_dir));
        let at = known.unwrap_or_else(|| {
            self.watched.push(Watched { monitor: None, run_dir, output, orphan: None });
            self.watched.len() - 1
        });
        if let Some(watched) = self.watched.get_mut(at) {
            (watched.monitor, watched.orphan) = (Some(monitor), Some(orphan));
        }
        if let Some(record) = self.stranger(orphan) {
            self.orphan_ended(at, record);
        }
    }

    /// The end of a process that was reaped before it was known whose it was.
    fn stranger(&mut self, pid: i32) -> Option<ExitRecord> {
        let at = self.strangers.iter().position(|(stranger, _)| *stranger == pid)?;
        self.strangers.remove(at).map(|(_, record)| record)
    }

    fn reap(&mut self) -> io::Result<()> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    self.ended(pid.as_raw_nonzero().get(), ExitRecord::of_wait_status(status.as_raw()));
                }
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn ended(&mut self, pid: i32, record: ExitRecord) {
        if self.others.remove(&pid) {
            return;
        }
        if let Some(at) = self.watched.iter().position(|w| w.monitor == Some(pid)) {
            self.monitor_ended(at);
        } else if let Some(at) = self.watched.iter().position(|w| w.orphan == Some(pid)) {
            self.orphan_ended(at, record);
        } else {
            self.strangers.push_back((pid, record));
            if self.strangers.len() > REMEMBERED {
                self.strangers.pop_front();
            }
        }
    }

    /// A monitor that did its duty left a record (or never had a process). One that was killed left a process.
    fn monitor_ended(&mut self, at: usize) {
        let Some(watched) = self.watched.get_mut(at) else { return };
        watched.monitor = None;
        let run_dir = watched.run_dir.as_fd();
        let done = matches!(ExitRecord::read(run_dir), Ok(Some(_)));
        let Some(init) = InitRecord::read(run_dir).ok().flatten().filter(|_| !done) else {
            self.watched.remove(at);
            return;
        };
        watched.orphan = Some(init.pid);
        if let Some(record) = self.stranger(init.pid) {
            self.orphan_ended(at, record);
        } else if rustix::process::test_kill_process(Pid::from_raw(init.pid).unwrap_or(Pid::INIT)).is_err() {
            self.orphan_ended(at, ExitRecord::unknown());
        }
    }

    /// Where an adopting monitor lives, it writes the record after the last output; otherwise it is written here.
    fn orphan_ended(&mut self, at: usize, record: ExitRecord) {
        let Some(watched) = self.watched.get_mut(at) else { return };
        if watched.monitor.is_none() {
            watched.output.log();
        }
        let name = if watched.monitor.is_some() { record::ORPHAN_STATUS } else { record::EXIT };
        // A run directory that is gone needs no record.
        record.write(watched.run_dir.as_fd(), name).ok();
        watched.orphan = None;
        if watched.monitor.is_none() {
            self.watched.remove(at);
        }
    }
}

/// Whether two descriptors are of one folder.
fn same(one: &OwnedFd, other: &OwnedFd) -> bool {
    let key = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino)).ok();
    key(one).is_some_and(|one| key(other) == Some(one))
}

#[allow(unsafe_code, reason = "forks; the launcher has one thread")]
fn fork() -> io::Result<Cloned> {
    // SAFETY: the launcher never starts a thread.
    unsafe { clone::clone3(0, None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn open(dir: &std::path::Path) -> OwnedFd {
        fs::File::open(dir).unwrap().into()
    }

    /// A container that a monitor attends, whose first process has this number.
    fn attended(dir: &std::path::Path, monitor: i32) -> Children {
        let watched = Watched { monitor: Some(monitor), run_dir: open(dir), output: Kept::default(), orphan: None };
        Children { watched: vec![watched], ..Children::default() }
    }

    #[test]
    fn a_container_is_forgotten_at_its_end_however_its_monitors_ends_and_adoptions_interleave() {
        let (first, second, third, init) = (i32::MAX - 1, i32::MAX - 2, i32::MAX - 3, i32::MAX - 4);
        let dir = tempfile::tempdir().unwrap();
        // The engine has seen the first monitor's end, and it is adopted, before that can be reaped.
        let mut children = attended(dir.path(), first);
        children.adopted(second, init, open(dir.path()), Kept::default());
        children.ended(first, ExitRecord::unknown());
        assert_eq!(children.watched.len(), 1, "one container is one entry");
        // The second is killed too, and a third takes over; then the container ends, and with it the third.
        children.adopted(third, init, open(dir.path()), Kept::default());
        children.ended(second, ExitRecord::unknown());
        children.ended(init, ExitRecord::unknown());
        assert!(record::read_orphan(open(dir.path()).as_fd()).unwrap().is_some(), "the third is told");
        children.ended(third, ExitRecord::unknown());
        assert!(children.watched.is_empty(), "{children:?}");
    }

    #[test]
    fn an_end_that_was_reaped_before_anybody_was_known_to_wait_for_it_is_told() {
        let (first, second, init) = (i32::MAX - 1, i32::MAX - 2, i32::MAX - 3);
        let dir = tempfile::tempdir().unwrap();
        let mut children = attended(dir.path(), first);
        children.ended(init, ExitRecord::unknown());
        children.adopted(second, init, open(dir.path()), Kept::default());
        assert!(record::read_orphan(open(dir.path()).as_fd()).unwrap().is_some());
        children.ended(first, ExitRecord::unknown());
        children.ended(second, ExitRecord::unknown());
        assert!(children.watched.is_empty(), "{children:?}");
    }
}
