//! Network namespaces: made by a thread, held as a bare descriptor, never mounted; and a pool of them.

use crate::{
    channel::{Channel, Family},
    error::{NetError, Result},
    link,
};
use nix::sched::{CloneFlags, setns, unshare};
use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

/// A network namespace. It ends with its last descriptor and process.
#[derive(Debug)]
pub struct Netns {
    descriptor: OwnedFd,
}

impl Netns {
    /// A new namespace with its loopback up.
    pub fn create() -> Result<Self> {
        let made = thread::Builder::new()
            .name("netns".into())
            .spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).map_err(|e| NetError::io("create", "network namespace", e))?;
                let namespace = Self::current()?;
                link::up(&mut Channel::open(Family::Route)?, "lo")?;
                Ok(namespace)
            })
            .map_err(|e| NetError::io("start thread for", "network namespace", e))?;
        join(made.join())
    }

    /// The calling thread's own namespace.
    pub fn current() -> Result<Self> {
        let file =
            File::open("/proc/thread-self/ns/net").map_err(|e| NetError::io("open", "/proc/thread-self/ns/net", e))?;
        Ok(Self { descriptor: file.into() })
    }

    /// Runs `work` on a thread of its own inside the namespace.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        inside(self.as_fd(), work)
    }
}

impl From<OwnedFd> for Netns {
    fn from(descriptor: OwnedFd) -> Self {
        Self { descriptor }
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Runs `work` on a thread of its own inside the namespace behind `descriptor`.
pub(crate) fn inside<T: Send>(descriptor: BorrowedFd<'_>, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("netns".into())
            .spawn_scoped(scope, || {
                setns(descriptor, CloneFlags::CLONE_NEWNET)
                    .map_err(|e| NetError::io("enter", "network namespace", e))?;
                work()
            })
            .map_err(|e| NetError::io("start thread for", "network namespace", e))?;
        join(thread.join())
    })
}

fn join<T>(ended: thread::Result<Result<T>>) -> Result<T> {
    ended.unwrap_or_else(|_| {
        Err(NetError::io("work in", "network namespace", std::io::Error::other("the thread panicked")))
    })
}

/// Namespaces made ahead of need, so that a start does not wait for one.
#[derive(Debug)]
pub struct Pool {
    size: usize,
    ready: Mutex<Vec<Netns>>,
}

impl Pool {
    /// An empty pool that [`Pool::fill`] brings to `size`.
    pub fn new(size: usize) -> Self {
        Self { size, ready: Mutex::new(Vec::new()) }
    }

    /// A ready namespace, or a new one where none is.
    pub fn take(&self) -> Result<Netns> {
        let ready = self.lock().pop();
        ready.map_or_else(Netns::create, Ok)
    }

    /// Makes namespaces until `size` are ready; for a thread in the background.
    pub fn fill(&self) -> Result<()> {
        while self.ready() < self.size {
            let one = Netns::create()?;
            self.lock().push(one);
        }
        Ok(())
    }

    /// How many are ready.
    pub fn ready(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Netns>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
