//! Read-only file-system images, mounted from a file: straight where the kernel can (erofs, Linux 6.12), else by a loop
//! device that ends with the mount. What comes out is a detached mount.

use crate::checked;
use nix::libc;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Whether the kernel has a file system of that name; it loads the module where there is one.
pub fn known(format: &str) -> io::Result<bool> {
    match rustix::mount::fsopen(format, FsOpenFlags::FSOPEN_CLOEXEC) {
        Ok(_) => Ok(true),
        Err(rustix::io::Errno::NODEV) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// The format of an image, told by its superblock; none where it is of no format that is known here.
pub fn format(file: BorrowedFd<'_>) -> io::Result<Option<&'static str>> {
    const EROFS_MAGIC: [u8; 4] = 0xE0F5_E1E2_u32.to_le_bytes();
    let mut magic = [0; 4];
    let read = rustix::io::pread(file, &mut magic, 1024)?;
    Ok((read == magic.len() && magic == EROFS_MAGIC).then_some("erofs"))
}

/// Mounts the image that `file`, open for reading, holds. Needs `/proc`, and `/dev` where a loop device is needed.
pub fn mount(file: BorrowedFd<'_>, format: &str) -> io::Result<OwnedFd> {
    match from_source(format, &format!("/proc/self/fd/{}", file.as_raw_fd())) {
        Err(e) if e.raw_os_error() == Some(libc::ENOTBLK) => by_loop(file, format),
        other => other,
    }
}

fn from_source(format: &str, source: &str) -> io::Result<OwnedFd> {
    let fs = rustix::mount::fsopen(format, FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(fs.as_fd(), "source", source)?;
    rustix::mount::fsconfig_set_flag(fs.as_fd(), "ro")?;
    rustix::mount::fsconfig_create(fs.as_fd())?;
    let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY;
    Ok(rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, read_only)?)
}

/// As [`mount`], by a loop device whatever the kernel can.
pub fn by_loop(file: BorrowedFd<'_>, format: &str) -> io::Result<OwnedFd> {
    const GET_FREE: libc::Ioctl = 0x4C82;
    let open = |path: &str| rustix::fs::openat(CWD, path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let control = open("/dev/loop-control")?;
    let mut tries = 0;
    loop {
        // SAFETY: this call takes no argument and answers a number.
        let number = checked(unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE) }.into())?;
        let path = format!("/dev/loop{number}");
        let device = open(&path)?;
        match configure(device.as_fd(), file) {
            Ok(()) => return from_source(format, &path),
            // Another process took it meanwhile.
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) && tries < 64 => tries += 1,
            Err(e) => return Err(e),
        }
    }
}

/// Binds a loop device to a file, read-only, until nobody has the device open or mounted.
fn configure(device: BorrowedFd<'_>, file: BorrowedFd<'_>) -> io::Result<()> {
    const CONFIGURE: libc::Ioctl = 0x4C0A;
    const READ_ONLY: u32 = 1;
    const AUTO_CLEAR: u32 = 4;
    /// `struct loop_config` with its `struct loop_info64`; what is zero is not asked for.
    #[repr(C)]
    struct Config {
        file: u32,
        block_size: u32,
        places: [u64; 5],
        numbers: [u32; 3],
        flags: u32,
        names: [u8; 160],
        unused: [u64; 10],
    }
    const _: () = assert!(size_of::<Config>() == 304);
    let config = Config {
        file: file.as_raw_fd().unsigned_abs(),
        block_size: 0,
        places: [0; 5],
        numbers: [0; 3],
        flags: READ_ONLY | AUTO_CLEAR,
        names: [0; 160],
        unused: [0; 10],
    };
    // SAFETY: the kernel reads one structure of this size, and keeps no pointer to it.
    checked(unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE, &raw const config) }.into())?;
    Ok(())
}
