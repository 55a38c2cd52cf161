//! The root mount: made detached, put on top of the old root, pivoted to, and the old root let go.

use super::{image, overlay, resolve};
use crate::failure::{At, Failure, Stage};
use crate::spec::OverlayTier;
use davit_model::storage::RootMount;
use davit_sys::mount::{self, MountAttr};
use nix::libc;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A root file system, and whether it is attached somewhere already.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    attached: bool,
}

impl Root {
    pub(super) fn detached(fd: OwnedFd) -> Self {
        Self { fd, attached: false }
    }

    pub(super) fn attached(fd: OwnedFd) -> Self {
        Self { fd, attached: true }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A root made of names of the storage area, as a descriptor and no more.
pub(crate) fn root_of(root: &RootMount) -> Result<OwnedFd, Failure> {
    Ok(from_area(root, None)?.fd)
}

/// A folder of the host, with what is mounted beneath it.
pub(super) fn tree(path: &Path) -> Result<Root, Failure> {
    clone_tree(rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()), || {
        path.display().to_string()
    })
}

/// A root made of names of the storage area, which is the working directory.
pub(super) fn from_area(root: &RootMount, tier: Option<OverlayTier>) -> Result<Root, Failure> {
    match root {
        RootMount::Overlay { lower, upper, work } => overlay::mount(lower, upper.as_ref(), work.as_ref(), tier),
        RootMount::Tree { at, writable } => {
            let root = clone_tree(resolve::in_area(at.as_str()), || at.to_string())?;
            if !writable {
                read_only(root.as_fd())?;
            }
            Ok(root)
        }
        RootMount::Image { at, format } => image::root(at.as_str(), format).map(Root::detached),
    }
}

fn clone_tree<E: Into<std::io::Error>>(folder: Result<OwnedFd, E>, name: impl Fn() -> String) -> Result<Root, Failure> {
    let folder = folder.at(Stage::Root, || format!("open root file system {}", name()))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(&folder, "", flags)
        .at(Stage::Root, || format!("bind root file system {}", name()))
        .map(Root::detached)
}

/// Makes `root` the root of this mount namespace and lets the old one go.
pub(super) fn pivot(root: &Root, propagation: Option<&str>) -> Result<(), Failure> {
    if propagation.is_some_and(|p| !matches!(p, "" | "private" | "rprivate" | "slave" | "rslave")) {
        // Shared mounts would have to reach the host: the old root is a slave of it here.
        return Err(Failure::new(Stage::Root, "only private and slave propagation of the root is supported"));
    }
    if !root.attached {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(root.as_fd(), "", CWD, "/", flags).at(Stage::Root, || "attach the root")?;
    }
    rustix::process::fchdir(root.as_fd()).at(Stage::Root, || "enter the root")?;
    rustix::process::pivot_root(".", ".").at(Stage::Root, || "pivot to the root")?;
    // The old root now lies over the new one; what is unmounted here must not be unmounted on the host.
    rustix::mount::unmount(".", UnmountFlags::DETACH).at(Stage::Root, || "let the old root go")?;
    rustix::process::chdir("/").at(Stage::Root, || "enter the new root")
}

/// Last touch: propagation of the whole tree, and a read-only root where it was asked for.
pub(super) fn finish(root: &Root, make_read_only: bool, propagation: Option<&str>) -> Result<(), Failure> {
    if matches!(propagation, Some("private" | "rprivate")) {
        let private = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
        mount::set_attr(root.as_fd(), propagation == Some("rprivate"), private)
            .at(Stage::Root, || "set the root's propagation")?;
    }
    if make_read_only { read_only(root.as_fd()) } else { Ok(()) }
}

fn read_only(root: BorrowedFd<'_>) -> Result<(), Failure> {
    let attr = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    mount::set_attr(root, false, attr).at(Stage::Root, || format!("make the root (fd {}) read-only", root.as_raw_fd()))
}
