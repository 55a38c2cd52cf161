//! What a process is until it becomes another program: descriptors, keyring, dumpable or not.

use crate::checked;
use nix::libc;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

/// Marks every descriptor from `first` on to be closed at exec.
pub fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    close_range(first.unsigned_abs(), u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes every descriptor from 3 on but those in `keep`, which it also sorts.
///
/// # Safety
/// Nothing in this process that is still used owns a descriptor that is not in `keep`.
pub unsafe fn close_all_but(keep: &mut [RawFd]) -> io::Result<()> {
    keep.sort_unstable();
    let mut first = 3u32;
    for fd in keep.iter().map(|fd| fd.unsigned_abs()).filter(|fd| *fd >= 3) {
        if fd > first {
            close_range(first, fd - 1, 0)?;
        }
        first = first.max(fd + 1);
    }
    close_range(first, u32::MAX, 0)
}

fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: with CLOEXEC nothing is closed now; without it the caller of `close_all_but` gave the promise.
    checked(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) })?;
    Ok(())
}

/// Takes over a descriptor that the parent process put at a number agreed upon.
///
/// # Safety
/// The number is open, and nothing else in this process owns it.
pub unsafe fn inherited(fd: RawFd) -> OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: the caller's promise.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Makes `fd` number 0, 1 or 2 of this process.
pub fn install_standard(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    if !(0..=2).contains(&number) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: 0 to 2 are the standard streams, which no object of this process owns.
    checked(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into())?;
    Ok(())
}

/// Joins a new, empty session keyring, so that no key of the engine's session is reachable.
pub fn new_session_keyring() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) })?;
    Ok(())
}

/// Sets a soft and a hard limit (`u64::MAX`: none) of `resource`, one of `RLIMIT_*`.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the structure lives until the call returns; no old value is asked for.
    checked(unsafe {
        libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const limit, std::ptr::null_mut::<libc::rlimit64>())
    })?;
    Ok(())
}
