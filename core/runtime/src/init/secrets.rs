//! Secrets of the site as files of the container: written to a tmpfs that nobody else has, never to a disk, and attached
//! read-only, each at its own path. It does not know where they come from.

use super::{mounts, resolve::TargetKind, root::Root};
use crate::failure::{At, Failure, Stage};
use crate::spec::SecretContent;
use davit_sys::mount::{self as attr, MountAttr};
use nix::libc;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::mount::{OpenTreeFlags, UnmountFlags};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const ATTRIBUTES: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;

/// Gives the container its secrets. The root is writable still, so that missing mount points can be made.
pub(super) fn give(root: &Root, secrets: &[SecretContent]) -> Result<(), Failure> {
    if secrets.is_empty() {
        return Ok(());
    }
    let memory = memory().at(Stage::Mount, || "make a tmpfs for secrets")?;
    // A mount that is attached nowhere cannot be cloned from before Linux 6.15: it lies over the root meanwhile, where
    // descriptors of the root do not see it.
    mounts::move_to(&memory, root.as_fd()).at(Stage::Mount, || "attach the tmpfs for secrets")?;
    let given = secrets.iter().enumerate().try_for_each(|(number, secret)| {
        let at = || format!("put a secret at {}", secret.at.display());
        let file = written(memory.as_fd(), &number.to_string(), secret).at(Stage::Mount, at)?;
        mounts::attach(root.as_fd(), &file, &secret.at, TargetKind::File).at(Stage::Mount, at)
    });
    let let_go = || -> io::Result<()> {
        rustix::process::fchdir(&memory)?;
        rustix::mount::unmount(".", UnmountFlags::DETACH)?;
        Ok(rustix::process::fchdir(root.as_fd())?)
    };
    given.and(let_go().at(Stage::Mount, || "let the tmpfs for secrets go"))
}

/// A tmpfs that is not swapped out where the kernel can say so (Linux 6.4).
fn memory() -> io::Result<OwnedFd> {
    let options = [("mode".to_owned(), Some("0700".to_owned())), ("noswap".to_owned(), None)];
    match mounts::fresh("tmpfs", &options, ATTRIBUTES) {
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => mounts::fresh("tmpfs", &options[..1], ATTRIBUTES),
        other => other,
    }
}

/// Writes one secret and answers a mount of its file alone.
fn written(memory: BorrowedFd<'_>, name: &str, secret: &SecretContent) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(memory, name, flags, Mode::RUSR)?);
    file.write_all(secret.content.reveal().as_bytes())?;
    rustix::fs::fchown(&file, Some(Uid::from_raw(secret.uid)), Some(Gid::from_raw(secret.gid)))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(secret.mode & 0o777))?;
    let tree =
        rustix::mount::open_tree(memory, name, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    let read_only = MountAttr { set: libc::MOUNT_ATTR_RDONLY, propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    attr::set_attr(tree.as_fd(), false, read_only)?;
    Ok(tree)
}
