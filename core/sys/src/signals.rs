//! Signals of a process that is about to become another program.

use nix::libc;
use std::io;

/// Gives every signal its default disposition and unblocks all of them.
pub fn reset() -> io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: a default disposition runs no code of ours. SIGKILL, SIGSTOP and libc's own two answer EINVAL.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    nix::sys::signal::SigSet::empty().thread_set_mask().map_err(io::Error::from)
}
