//! The resolver process: started when the first zone is written, and again when it was killed. One that outlived an
//! earlier daemon is kept: containers go on resolving names while no daemon is there.

use davit_runtime::names;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    process::{Signal, pidfd_send_signal},
};
use std::{
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// The one resolver of this data root.
#[derive(Debug)]
pub(crate) struct ResolverSlot {
    binary: PathBuf,
    exec_root: PathBuf,
    current: Mutex<Option<Resolver>>,
}

#[derive(Debug)]
enum Resolver {
    /// This daemon's child.
    Ours(Child),
    /// An earlier daemon's.
    Inherited(OwnedFd),
}

impl Resolver {
    fn runs(&mut self) -> bool {
        match self {
            Self::Ours(child) => matches!(child.try_wait(), Ok(None)),
            Self::Inherited(process) => {
                // A pidfd is readable once its process has ended (pidfd_open(2)).
                let mut polls = [PollFd::new(process, PollFlags::IN)];
                let now = Timespec { tv_sec: 0, tv_nsec: 0 };
                matches!(rustix::event::poll(&mut polls, Some(&now)), Ok(0))
            }
        }
    }

    fn end(self) {
        match self {
            Self::Ours(mut child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Self::Inherited(process) => {
                let _ = pidfd_send_signal(&process, Signal::KILL);
            }
        }
    }
}

impl ResolverSlot {
    pub(crate) fn new(binary: PathBuf, exec_root: PathBuf) -> Self {
        Self { binary, exec_root, current: Mutex::new(None) }
    }

    /// Starts it where it does not run.
    pub(crate) fn ensure(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_mut().is_some_and(Resolver::runs) {
            return;
        }
        // One that has ended and was not reaped yet still has its process id.
        let inherited = names::holder(&self.exec_root).map(Resolver::Inherited);
        *current = match inherited.and_then(|mut r| r.runs().then_some(r)) {
            Some(resolver) => Some(resolver),
            None => match self.start() {
                Ok(child) => Some(Resolver::Ours(child)),
                Err(e) => {
                    tracing::warn!("names of containers are not resolved: {}: {e}", self.binary.display());
                    None
                }
            },
        };
    }

    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.binary);
        command.arg("names").arg("--exec-root").arg(&self.exec_root);
        command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).spawn()
    }

    /// Ends it: for a daemon that leaves no container behind.
    pub(crate) fn close(&self) {
        let ours = self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Ours may have found another at work and ended.
        let other = names::holder(&self.exec_root).map(Resolver::Inherited);
        ours.into_iter().chain(other).for_each(Resolver::end);
    }
}
