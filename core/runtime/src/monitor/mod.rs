//! The monitor: one a container, parent of its first process, owner of its exit status, reader of its output.
//!
//! Forked from the launcher, it makes the streams (`stdio`), clones init, keeps numbers and descriptors, and attends
//! (`attend`) until the end: output goes to the log, commands on the control socket (`control`) are answered, the
//! exit is recorded after the last byte is logged. `adopt` takes a running container over from a monitor that died;
//! `exec` is the small monitor of a process that is run in a container later. It outlives engine and launcher.

mod adopt;
mod attend;
mod control;
mod exec;
mod spec;
mod start;
pub(crate) mod stdio;

pub(crate) use control::address;
pub use spec::ExecSpec;

use crate::launcher::request::{Kind, Request};
use davit_sys::process;
use std::os::fd::AsRawFd;

/// Runs a request in the forked child. Never comes back: what is above on the stack is the launcher's.
pub(crate) fn start(request: Request) -> ! {
    let status = match begin(request) {
        Ok(()) => 0,
        // Nobody is left to tell: the report socket has carried what could be said.
        Err(_) => 1,
    };
    davit_sys::exec::exit_now(status)
}

#[allow(unsafe_code, reason = "post-fork code")]
fn begin(request: Request) -> std::io::Result<()> {
    let mut keep: Vec<_> = request.fds.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
    // SAFETY: the launcher's objects stay on the stack below and are never used or dropped in this process.
    unsafe { process::close_all_but(&mut keep) }?;
    rustix::process::setsid().ok();
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    rustix::thread::set_name(c"davit: monitor")?;
    match request.head.kind {
        Kind::Start => start::run(request),
        Kind::Exec => exec::run(request),
        Kind::Adopt => adopt::run(request),
    }
}
