//! A child program that the kernel ends with whoever waits for it, with a few descriptors of its parent's.

use crate::checked;
use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The program gets `keep`, under the numbers that they have here, and a SIGKILL when the thread that spawns it ends:
/// that thread must wait for it.
pub fn tied(command: &mut Command, keep: Vec<OwnedFd>) -> &mut Command {
    let parent = std::process::id();
    let prepare = move || {
        // SAFETY: a number and a signal, no memory.
        checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }.into())?;
        // SAFETY: it has no condition.
        if unsafe { libc::getppid() }.unsigned_abs() != parent {
            // The parent ended before the line above.
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        for fd in &keep {
            // SAFETY: the descriptor is open: the closure owns it. No flag is set, so that it stays open at exec.
            checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) }.into())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made, nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(prepare) }
}
