//! `/dev`: the devices that every container has (OCI runtime-spec, "Default Devices"), those asked for, and links.

use super::resolve;
use super::root::Root;
use crate::failure::{At, Failure, Stage};
use nix::libc;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Mount};
use rustix::fs::{FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

const DEFAULTS: &[(&str, u32, u32)] =
    &[("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Fills `/dev`, unless the specification binds one of the host's there. The caller has cleared the umask.
pub(super) fn make(root: &Root, asked: &[LinuxDevice], mounts: &[Mount]) -> Result<(), Failure> {
    let bound = mounts.iter().any(|m| m.destination() == Path::new("/dev") && m.typ().as_deref() != Some("tmpfs"));
    if bound {
        return Ok(());
    }
    // A symlinked /dev would put device nodes somewhere else (CVE-2026-41579).
    let dev = resolve::without_symlinks(root.as_fd(), Path::new("/dev")).at(Stage::Device, || "open /dev")?;
    for (name, major, minor) in DEFAULTS {
        let number = rustix::fs::makedev(*major, *minor);
        node(dev.as_fd(), name, FileType::CharacterDevice, number, 0o666, None)
            .at(Stage::Device, || format!("make device /dev/{name}"))?;
    }
    for (name, to) in LINKS {
        match rustix::fs::symlinkat(*to, &dev, *name) {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            other => other,
        }
        .at(Stage::Device, || format!("link /dev/{name}"))?;
    }
    for device in asked {
        make_asked(root, device).at(Stage::Device, || format!("make device {}", device.path().display()))?;
    }
    Ok(())
}

fn make_asked(root: &Root, device: &LinuxDevice) -> io::Result<()> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let (kind, number) = match device.typ() {
        LinuxDeviceType::P => (FileType::Fifo, 0),
        LinuxDeviceType::B | LinuxDeviceType::C | LinuxDeviceType::U => {
            let part = |n: i64| u32::try_from(n).map_err(|_| invalid());
            let number = rustix::fs::makedev(part(device.major())?, part(device.minor())?);
            let block = device.typ() == LinuxDeviceType::B;
            (if block { FileType::BlockDevice } else { FileType::CharacterDevice }, number)
        }
        LinuxDeviceType::A => return Err(invalid()),
    };
    let (Some(parent), Some(name)) = (device.path().parent(), device.path().file_name().and_then(|n| n.to_str()))
    else {
        return Err(invalid());
    };
    let parent = resolve::folder(root.as_fd(), parent)?;
    let owner = (device.uid().unwrap_or(0), device.gid().unwrap_or(0));
    node(parent.as_fd(), name, kind, number, device.file_mode().unwrap_or(0o666) & 0o7777, Some(owner))
}

/// Makes a node and checks by descriptor that what is there now is that device; one that was there must be the same.
fn node(
    folder: BorrowedFd<'_>,
    name: &str,
    kind: FileType,
    number: u64,
    mode: u32,
    owner: Option<(u32, u32)>,
) -> io::Result<()> {
    let made = match rustix::fs::mknodat(folder, name, kind, Mode::from_raw_mode(mode), number) {
        Err(rustix::io::Errno::EXIST) => false,
        other => other.map(|()| true)?,
    };
    let flags = OFlags::PATH | OFlags::NOFOLLOW;
    let node = resolve::open(folder, Path::new(name), flags, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?;
    if !is_device(node.as_fd(), kind, number)? {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    if let (true, Some((uid, gid))) = (made, owner) {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::fs::chownat(&node, "", Some(uid), Some(gid), rustix::fs::AtFlags::EMPTY_PATH)?;
    }
    Ok(())
}

/// Whether the descriptor refers to that device and nothing else.
pub(super) fn is_device(fd: BorrowedFd<'_>, kind: FileType, number: u64) -> io::Result<bool> {
    let stat = rustix::fs::fstat(fd)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == kind && (kind == FileType::Fifo || stat.st_rdev == number))
}
