//! Becoming another program, and ending without running anything of the parent's.

use nix::libc;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `execve(2)`; returns only with an error.
pub fn execve(path: &CString, args: &[CString], env: &[CString]) -> io::Error {
    let (argv, envp) = (pointers(args), pointers(env));
    // SAFETY: the path and both lists end with a zero and live until the call returns.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// `execveat(2)` of the file that `program` is; returns only with an error. A script needs `program` without CLOEXEC.
pub fn execveat(program: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> io::Error {
    let (argv, envp) = (pointers(args), pointers(env));
    // SAFETY: as in `execve`; the empty path with AT_EMPTY_PATH names the descriptor itself.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// Ends the process at once: no destructor, no exit handler, no buffer of the process it was forked from.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` has no condition.
    unsafe { libc::_exit(status) }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}
