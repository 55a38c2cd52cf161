//! Which namespaces are the container's own: not those of whoever starts it, by whatever path or descriptor they were
//! joined.

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Identity of a namespace: device and inode of its file (namespaces(7)); none where the kernel has no such kind.
type Identity = Option<(u64, u64)>;

/// The namespaces of whoever starts a container, looked at before its first process is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    network: Identity,
    ipc: Identity,
    uts: Identity,
}

/// Which of the container's namespaces are others than those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) network: bool,
    pub(super) ipc: bool,
    pub(super) uts: bool,
}

impl Surroundings {
    /// Those of the calling process.
    pub(crate) fn here() -> io::Result<Self> {
        let proc = rustix::fs::openat(CWD, "/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Self::of_caller(&proc)
    }

    fn of_caller(procfs: &OwnedFd) -> io::Result<Self> {
        let identity =
            |kind: &str| match rustix::fs::statat(procfs.as_fd(), format!("self/ns/{kind}"), AtFlags::empty()) {
                Ok(stat) => Ok(Some((stat.st_dev, stat.st_ino))),
                Err(rustix::io::Errno::NOENT) => Ok(None),
                Err(e) => Err(io::Error::from(e)),
            };
        Ok(Self { network: identity("net")?, ipc: identity("ipc")?, uts: identity("uts")? })
    }

    /// What the calling process has of its own, as its procfs says.
    pub(super) fn left(&self, procfs: &OwnedFd) -> io::Result<Own> {
        let now = Self::of_caller(procfs)?;
        let own = |before: Identity, now: Identity| now.is_some() && now != before;
        Ok(Own { network: own(self.network, now.network), ipc: own(self.ipc, now.ipc), uts: own(self.uts, now.uts) })
    }
}
