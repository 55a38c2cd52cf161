//! Process descriptors: `PIDFD_GET_INFO` (Linux 6.13; exit status from 6.15), what the kernel knows of a process that may
//! be gone, and `pidfd_send_signal` (Linux 5.1) by number.

use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct pidfd_info` in its second size (72 bytes: with `coredump_mask`), of `linux/pidfd.h`.
#[repr(C)]
#[derive(Default)]
struct RawInfo {
    mask: u64,
    cgroup_id: u64,
    ids: [u32; 11],
    exit_code: i32,
    coredump: [u32; 2],
}

const MASK_EXIT: u64 = 1 << 3;
/// `_IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info)` for the size above.
const GET_INFO: libc::c_ulong = (3 << 30) | ((size_of::<RawInfo>() as libc::c_ulong) << 16) | (0xFF << 8) | 11;

/// The wait status (as `wait(2)` encodes it) of a process that has been reaped by someone else; none while it runs.
/// `ENOTTY` or `EINVAL` where the kernel has no such question.
pub fn exit_status(pidfd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut info = RawInfo { mask: MASK_EXIT, ..RawInfo::default() };
    // SAFETY: the request's number carries the structure's size, and the structure lives until the call returns.
    if unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, &raw mut info) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((info.mask & MASK_EXIT != 0).then_some(info.exit_code))
}

/// Sends the signal of this number, a real-time one (32 to 64) too; 0 only asks whether the process is there.
/// `ESRCH`: it has ended. `EINVAL`: no such signal.
pub fn send_signal(pidfd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    let (info, flags) = (std::ptr::null::<libc::siginfo_t>(), 0);
    // SAFETY: the call reads nothing of this process: without a `siginfo_t` the kernel fills one in as `kill(2)` does.
    // A signal, whichever it is, goes to the process behind the descriptor and to no number that could have been reused.
    if unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), number, info, flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
