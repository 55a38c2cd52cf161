//! Subvolumes of btrfs (btrfs-ioctl(2)), by descriptor: made, snapshotted, destroyed; which ones are within.

use crate::checked;
use nix::libc;
use std::ffi::CStr;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// What `statfs(2)` says of a btrfs.
pub const MAGIC: i64 = 0x9123_683e;
/// The inode number of every subvolume's own folder; in a btrfs no other folder has it.
pub const ROOT_INODE: u64 = 256;

const IOCTLS: u8 = 0x94;
const READ_ONLY: u64 = 1 << 1;

/// `struct btrfs_ioctl_vol_args` and `…_v2`: both are one page, and end with a name.
#[repr(C)]
struct Named<const HEAD: usize, const NAME: usize> {
    source: i64,
    head: [u64; HEAD],
    name: [u8; NAME],
}

type First = Named<0, 4088>;
type Second = Named<6, 4040>;

const _: () = assert!(size_of::<First>() == 4096 && size_of::<Second>() == 4096 && offset_of!(Second, name) == 56);

impl<const HEAD: usize, const NAME: usize> Named<HEAD, NAME> {
    fn new(source: RawFd, name: &CStr) -> io::Result<Self> {
        let mut filled = [0; NAME];
        let bytes = name.to_bytes_with_nul();
        let Some(room) = filled.get_mut(..bytes.len()) else {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        };
        room.copy_from_slice(bytes);
        Ok(Self { source: source.into(), head: [0; HEAD], name: filled })
    }

    fn ioctl(&self, dir: BorrowedFd<'_>, number: u8) -> io::Result<()> {
        let request = nix::request_code_write!(IOCTLS, number, size_of::<Self>());
        // SAFETY: the kernel reads one page, which the structure is, and keeps no pointer to it.
        checked(unsafe { libc::ioctl(dir.as_raw_fd(), request, &raw const *self) }.into())?;
        Ok(())
    }
}

/// Makes an empty subvolume `name` in `dir`.
pub fn create(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    Second::new(0, name)?.ioctl(dir, 24)
}

/// Makes a writable snapshot `name` in `dir` of the subvolume whose own folder `source` is.
pub fn snapshot(source: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    Second::new(source.as_raw_fd(), name)?.ioctl(dir, 23)
}

/// Destroys the subvolume `name` in `dir` with all that is in it: `EINVAL` where it is none, `ENOTEMPTY` where another
/// subvolume is within, `ENOTTY` on other file systems.
pub fn destroy(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    First::new(0, name)?.ioctl(dir, 15)
}

/// Lets a subvolume be written to that was made read-only.
pub fn make_writable(subvolume: BorrowedFd<'_>) -> io::Result<()> {
    let mut flags = 0u64;
    // SAFETY: the kernel writes one u64, which lives until the call returns.
    let got = unsafe {
        libc::ioctl(subvolume.as_raw_fd(), nix::request_code_read!(IOCTLS, 25, size_of::<u64>()), &raw mut flags)
    };
    checked(got.into())?;
    if flags & READ_ONLY == 0 {
        return Ok(());
    }
    flags &= !READ_ONLY;
    // SAFETY: the kernel reads one u64, which lives until the call returns.
    let set = unsafe {
        libc::ioctl(subvolume.as_raw_fd(), nix::request_code_write!(IOCTLS, 26, size_of::<u64>()), &raw const flags)
    };
    checked(set.into())?;
    Ok(())
}

/// Whether any subvolume is directly within the one whose own folder `subvolume` is.
pub fn has_nested(subvolume: BorrowedFd<'_>) -> io::Result<bool> {
    /// `struct btrfs_ioctl_get_subvol_rootref_args`.
    #[repr(C)]
    struct References {
        first_tree: u64,
        found: [[u64; 2]; 255],
        count: u8,
        unused: [u8; 7],
    }
    let mut found = References { first_tree: 0, found: [[0; 2]; 255], count: 0, unused: [0; 7] };
    let request = nix::request_code_readwrite!(IOCTLS, 61, size_of::<References>());
    // SAFETY: the kernel reads and writes one structure of this size, and keeps no pointer to it.
    let got = unsafe { libc::ioctl(subvolume.as_raw_fd(), request, &raw mut found) };
    match checked(got.into()) {
        // More than fit in: there are some.
        Err(e) if e.raw_os_error() == Some(libc::EOVERFLOW) => Ok(true),
        other => other.map(|_| found.count > 0),
    }
}
