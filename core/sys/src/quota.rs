//! Project quotas: files carry a number, and the file system keeps one limit for each number (quotactl_fd(2),
//! ioctl_xfs_fssetxattr(2)). Only where the file system was mounted with `prjquota`; Linux 5.14.

use crate::checked;
use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const PROJECT: u32 = 2;
/// What is made in such a folder gets the folder's number.
const INHERIT: u32 = 0x200;

/// `struct fsxattr`.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    cow_extent_size: u32,
    unused: [u8; 8],
}

const _: () = assert!(size_of::<Attributes>() == 28);

fn attributes(file: BorrowedFd<'_>) -> io::Result<Attributes> {
    let mut found = Attributes::default();
    let request = nix::request_code_read!(b'X', 31, size_of::<Attributes>());
    // SAFETY: the kernel writes one structure of this size, which lives until the call returns.
    checked(unsafe { libc::ioctl(file.as_raw_fd(), request, &raw mut found) }.into())?;
    Ok(found)
}

/// The number that a file or folder carries; 0: none.
pub fn project(file: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(attributes(file)?.project)
}

/// Gives a file or folder a number; a folder hands it on to what is made in it from then on.
pub fn set_project(file: BorrowedFd<'_>, project: u32, is_folder: bool) -> io::Result<()> {
    let mut wanted = attributes(file)?;
    wanted.project = project;
    if is_folder {
        wanted.flags = if project == 0 { wanted.flags & !INHERIT } else { wanted.flags | INHERIT };
    }
    let request = nix::request_code_write!(b'X', 32, size_of::<Attributes>());
    // SAFETY: the kernel reads one structure of this size, and keeps no pointer to it.
    checked(unsafe { libc::ioctl(file.as_raw_fd(), request, &raw const wanted) }.into())?;
    Ok(())
}

fn quotactl<T>(at: BorrowedFd<'_>, command: u32, project: u32, data: &mut T) -> io::Result<()> {
    let command = (command << 8) | PROJECT;
    // SAFETY: the kernel reads or writes the structure that the command asks for, which `data` is at each call here.
    checked(unsafe { libc::syscall(libc::SYS_quotactl_fd, at.as_raw_fd(), command, project, &raw mut *data) })?;
    Ok(())
}

/// Whether the file system beneath a folder holds to limits of projects.
pub fn enforced(at: BorrowedFd<'_>) -> io::Result<bool> {
    const GET_STATE: u32 = 0x5808;
    const ENFORCED: u16 = 1 << 5;
    /// `struct fs_quota_statv`; what is not read here is left out of its fields.
    #[repr(C)]
    #[derive(Default)]
    struct State {
        version: i8,
        unused: u8,
        flags: u16,
        more: [u32; 1],
        rest: [u64; 19],
    }
    const _: () = assert!(size_of::<State>() == 160);
    let mut state = State { version: 1, ..State::default() };
    match quotactl(at, GET_STATE, 0, &mut state) {
        Ok(()) => Ok(state.flags & ENFORCED != 0),
        // No quota at all, on this file system or in this kernel.
        Err(e)
            if matches!(
                e.raw_os_error(),
                Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::ENOTTY | libc::ESRCH | libc::EINVAL)
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// `struct if_dqblk`.
#[repr(C)]
#[derive(Default)]
struct Block {
    hard_limit: u64,
    soft_limit: u64,
    space: u64,
    inode_limits: [u64; 2],
    inodes: u64,
    times: [u64; 2],
    valid: u32,
}

const _: () = assert!(size_of::<Block>() == 72);
/// The unit of limits; space is in bytes.
const UNIT: u64 = 1024;

/// Limits all that carries a number to so many bytes; 0: no limit.
pub fn limit(at: BorrowedFd<'_>, project: u32, bytes: u64) -> io::Result<()> {
    const SET: u32 = 0x80_0008;
    const LIMITS: u32 = 1;
    let mut block = Block { hard_limit: bytes.div_ceil(UNIT), valid: LIMITS, ..Block::default() };
    quotactl(at, SET, project, &mut block)
}

/// Whether anything carries a number, or a limit is kept for it.
pub fn is_used(at: BorrowedFd<'_>, project: u32) -> io::Result<bool> {
    const GET: u32 = 0x80_0007;
    let mut block = Block::default();
    match quotactl(at, GET, project, &mut block) {
        Ok(()) => Ok(block.space > 0 || block.inodes > 0 || block.hard_limit > 0 || block.soft_limit > 0),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(e) => Err(e),
    }
}
