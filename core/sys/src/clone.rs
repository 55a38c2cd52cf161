//! `clone3(2)`: a child with namespaces and a cgroup of its own, named by a pidfd.

use crate::checked;
use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Where a call to [`clone3`] came back.
#[derive(Debug)]
pub enum Cloned {
    /// In the new process.
    Child,
    /// In the old one.
    Parent {
        /// The child's id, as the parent's pid namespace counts.
        pid: i32,
        /// The child, whatever its number is reused for.
        pidfd: OwnedFd,
    },
}

/// Forks with the namespaces of `flags` (`CLONE_NEW*`), into the cgroup v2 folder `cgroup` where one is given.
///
/// # Safety
/// The calling process has exactly one thread: the child gets a copy of every lock as it stood.
pub unsafe fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut pidfd: libc::c_int = -1;
    // SAFETY: `clone_args` is plain numbers, all zeroes are valid.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | u64::from(libc::CLONE_PIDFD.unsigned_abs());
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    if let Some(dir) = cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = u64::from(dir.as_raw_fd().unsigned_abs());
    }
    // SAFETY: the arguments live until the call returns, no stack and no shared memory is asked for, so the child runs
    // on its own copy; the caller promises one thread.
    let pid = checked(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: the kernel put a new descriptor there, and nobody else knows its number.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = i32::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ERANGE))?;
    Ok(Cloned::Parent { pid, pidfd })
}
