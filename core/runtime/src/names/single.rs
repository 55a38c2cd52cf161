//! One resolver an exec root: a lock file that says which process holds it. The process writes itself down, so that a
//! daemon that was killed right after it started one leaves none that the next daemon cannot find.

use crate::record::InitRecord;
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// The lock file's name in the exec root; its content is an `InitRecord`.
const HOLDER: &str = "names.json";

/// The right to be the resolver, for as long as it lives.
#[derive(Debug)]
pub(super) struct Single {
    _lock: Flock<File>,
}

impl Single {
    /// Takes it; none where another process has it.
    pub(super) fn take(exec_root: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(exec_root.join(HOLDER))?;
        let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, e)) => return Err(e.into()),
        };
        let own = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        let record = serde_json::to_vec(&InitRecord::of(own)?)?;
        lock.set_len(0)?;
        (&*lock).write_all(&record)?;
        Ok(Some(Self { _lock: lock }))
    }
}

/// The process that is the resolver, where there is one and it has written itself down.
pub fn holder(exec_root: &Path) -> Option<std::os::fd::OwnedFd> {
    let record: InitRecord = serde_json::from_slice(&std::fs::read(exec_root.join(HOLDER)).ok()?).ok()?;
    record.open().ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_the_resolver_and_can_be_found() {
        let dir = tempfile::tempdir().unwrap();
        assert!(holder(dir.path()).is_none());
        let first = Single::take(dir.path()).unwrap();
        assert!(first.is_some() && Single::take(dir.path()).unwrap().is_none());
        assert!(holder(dir.path()).is_some(), "this process");
        drop(first);
        assert!(Single::take(dir.path()).unwrap().is_some());
    }
}
