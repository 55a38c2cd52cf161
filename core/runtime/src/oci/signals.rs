//! Signals that reach the foreground command are handed on to the container's first process.

use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::BorrowedFd;

/// Blocks what is handed on, and gives a descriptor to read it from. SIGCHLD stays ordinary: a pidfd tells of the end.
pub(super) fn intercept() -> io::Result<SignalFd> {
    let mut set = SigSet::all();
    for keep in [Signal::SIGCHLD, Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGABRT] {
        set.remove(keep);
    }
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Hands all that has arrived on to `process`; the answer: whether the terminal changed its size.
pub(super) fn forward(signals: &SignalFd, process: BorrowedFd<'_>) -> io::Result<bool> {
    let mut resized = false;
    while let Some(info) = signals.read_signal()? {
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        if number == libc::SIGWINCH {
            resized = true;
        }
        // Stopping from the terminal would stop the container and leave this command waiting: not handed on.
        let Ok(signal) = Signal::try_from(number) else { continue };
        if matches!(signal, Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU | Signal::SIGURG | Signal::SIGWINCH) {
            continue;
        }
        let Some(signal) = rustix::process::Signal::from_named_raw(number) else { continue };
        match rustix::process::pidfd_send_signal(process, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(resized)
}
