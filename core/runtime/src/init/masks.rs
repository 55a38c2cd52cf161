//! Paths that are hidden (an empty read-only tmpfs over a folder, `/dev/null` over a file) or made read-only.

use super::devices;
use super::mounts::{fresh, move_to};
use super::resolve;
use super::root::Root;
use crate::failure::{At, Failure, Stage};
use davit_sys::mount::{self, MountAttr};
use nix::libc;
use rustix::fs::FileType;
use rustix::mount::OpenTreeFlags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Makes each path read-only with all that is mounted beneath; those that do not exist are passed over.
pub(super) fn read_only(root: &Root, paths: &[String]) -> Result<(), Failure> {
    for path in paths {
        let Some(target) = find(root, path)? else { continue };
        bind_read_only(target.as_fd()).at(Stage::Mount, || format!("make {path} read-only"))?;
    }
    Ok(())
}

fn bind_read_only(target: BorrowedFd<'_>) -> io::Result<()> {
    let clone = clone(target, OpenTreeFlags::AT_RECURSIVE)?;
    let attr = MountAttr { set: libc::MOUNT_ATTR_RDONLY, propagation: libc::MS_PRIVATE, clear: 0 };
    mount::set_attr(clone.as_fd(), true, attr)?;
    move_to(&clone, target)
}

/// Hides each path; those that do not exist are passed over.
pub(super) fn mask(root: &Root, paths: &[String]) -> Result<(), Failure> {
    let mut hidden: Option<OwnedFd> = None;
    for path in paths {
        let Some(target) = find(root, path)? else { continue };
        let what = || format!("mask {path}");
        if resolve::is_folder(target.as_fd()).at(Stage::Mount, what)? {
            // One empty file system serves all folders: the first is mounted, the others are clones of it.
            let cover = match &hidden {
                Some(first) => clone(first.as_fd(), OpenTreeFlags::empty()),
                None => fresh("tmpfs", &[("nr_inodes".into(), Some("2".into()))], libc::MOUNT_ATTR_RDONLY),
            };
            let cover = cover.at(Stage::Mount, what)?;
            move_to(&cover, target.as_fd()).at(Stage::Mount, what)?;
            hidden.get_or_insert(cover);
        } else {
            let cover = null_device(root).at(Stage::Mount, what)?;
            move_to(&cover, target.as_fd()).at(Stage::Mount, what)?;
        }
    }
    Ok(())
}

/// A clone of the container's `/dev/null`, checked by descriptor to be that device (CVE-2025-31133).
fn null_device(root: &Root) -> io::Result<OwnedFd> {
    let null = resolve::without_symlinks(root.as_fd(), Path::new("/dev/null"))?;
    let clone = clone(null.as_fd(), OpenTreeFlags::empty())?;
    if devices::is_device(clone.as_fd(), FileType::CharacterDevice, rustix::fs::makedev(1, 3))? {
        Ok(clone)
    } else {
        Err(io::Error::from_raw_os_error(libc::ENODEV))
    }
}

fn clone(of: BorrowedFd<'_>, flags: OpenTreeFlags) -> io::Result<OwnedFd> {
    let flags =
        flags | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(rustix::mount::open_tree(of, "", flags)?)
}

/// Symlinks are not followed: a mask must not land where the image points.
fn find(root: &Root, path: &str) -> Result<Option<OwnedFd>, Failure> {
    match resolve::without_symlinks(root.as_fd(), Path::new(path)) {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
        Err(e) => Err(e).at(Stage::Mount, || format!("open {path}")),
    }
}
