//! `mount_setattr(2)`: attributes and propagation of a mount, or of a tree of them.

use crate::checked;
use nix::libc;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What to change: bits of `MOUNT_ATTR_*`, and one of `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`, `MS_UNBINDABLE` or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MountAttr {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear; for the access time, all of `MOUNT_ATTR__ATIME` before a new one is set.
    pub clear: u64,
    /// The new propagation; 0: as it is.
    pub propagation: u64,
}

/// Changes the mount that `dir` (an `O_PATH` descriptor or a detached mount) is on; `recursive`: and all beneath it.
pub fn set_attr(dir: BorrowedFd<'_>, recursive: bool, attr: MountAttr) -> io::Result<()> {
    set(dir.as_raw_fd(), c"", libc::AT_EMPTY_PATH, recursive, attr)
}

/// The same for the mount that an absolute path of ours (never one of a container) is on.
pub fn set_attr_at(path: &CStr, recursive: bool, attr: MountAttr) -> io::Result<()> {
    set(libc::AT_FDCWD, path, 0, recursive, attr)
}

fn set(dir: libc::c_int, path: &CStr, flags: libc::c_int, recursive: bool, attr: MountAttr) -> io::Result<()> {
    let raw =
        libc::mount_attr { attr_set: attr.set, attr_clr: attr.clear, propagation: attr.propagation, userns_fd: 0 };
    let flags = flags | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path and structure live until the call returns, and the size given is the structure's own.
    checked(unsafe {
        libc::syscall(libc::SYS_mount_setattr, dir, path.as_ptr(), flags, &raw const raw, size_of::<libc::mount_attr>())
    })?;
    Ok(())
}
