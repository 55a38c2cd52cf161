//! The mounts of the specification, by descriptor: sources are opened while the host is still visible, targets are
//! resolved inside the new root, and a mount is finished before it is attached.

use super::cgroup_view::CgroupView;
use super::options::{Bind, Options};
use super::resolve::{self, TargetKind};
use super::root::Root;
use crate::failure::{At, Failure, Stage};
use davit_sys::mount::{self as attr, MountAttr};
use nix::libc;
use oci_spec::runtime::Mount;
use rustix::fs::CWD;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A mount that is ready to be attached.
#[derive(Debug)]
pub(super) struct Source {
    mount: OwnedFd,
    kind: TargetKind,
}

/// Opens the sources of all binds, in order; none where the mount is no bind.
pub(super) fn open_sources(mounts: &[Mount]) -> Result<Vec<Option<Source>>, Failure> {
    mounts.iter().map(open_source).collect()
}

fn open_source(mount: &Mount) -> Result<Option<Source>, Failure> {
    let options = Options::parse(mount.options().as_deref().unwrap_or_default());
    let Some(bind) = options.bind.or_else(|| (mount.typ().as_deref() == Some("bind")).then_some(Bind::Single)) else {
        return Ok(None);
    };
    let path = mount.source().as_deref().filter(|p| p.is_absolute()).ok_or_else(|| {
        Failure::new(Stage::Mount, format!("bind on {}: the source must be an absolute path", target_of(mount)))
    })?;
    let what = || format!("bind {} on {}", path.display(), target_of(mount));
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if bind == Bind::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = rustix::mount::open_tree(CWD, path, flags).at(Stage::Mount, what)?;
    let kind =
        if resolve::is_folder(tree.as_fd()).at(Stage::Mount, what)? { TargetKind::Folder } else { TargetKind::File };
    set_attributes(tree.as_fd(), &options, bind == Bind::Recursive).at(Stage::Mount, what)?;
    Ok(Some(Source { mount: tree, kind }))
}

fn set_attributes(tree: BorrowedFd<'_>, options: &Options, recursive: bool) -> io::Result<()> {
    // Private unless asked otherwise: the clone of a shared mount would be of the host's peer group.
    let (propagation, whole) = options.propagation.unwrap_or((libc::MS_PRIVATE, recursive));
    attr::set_attr(tree, whole, MountAttr { propagation, ..MountAttr::default() })?;
    for (attributes, recursive) in [(options.recursive, true), (options.attr, false)] {
        if attributes != MountAttr::default() {
            attr::set_attr(tree, recursive, attributes)?;
        }
    }
    Ok(())
}

/// A procfs of the container's pid namespace that nothing inside can shadow: kernel settings are written through it.
pub(super) fn own_procfs() -> Result<OwnedFd, Failure> {
    fresh("proc", &[], 0).at(Stage::Mount, || "mount a procfs of our own")
}

/// Attaches all mounts of the specification in order.
pub(super) fn mount_all(
    root: &Root,
    mounts: &[Mount],
    sources: Vec<Option<Source>>,
    cgroups: &CgroupView,
) -> Result<(), Failure> {
    for (mount, source) in mounts.iter().zip(sources) {
        let what = || format!("mount {} on {}", mount.typ().as_deref().unwrap_or("bind"), target_of(mount));
        match source {
            Some(source) => {
                attach(root.as_fd(), &source.mount, mount.destination(), source.kind).at(Stage::Mount, what)?
            }
            None => mount_new(root, mount, cgroups)?,
        }
    }
    Ok(())
}

fn mount_new(root: &Root, mount: &Mount, cgroups: &CgroupView) -> Result<(), Failure> {
    let fs_type = mount.typ().as_deref().unwrap_or_default();
    let what = || format!("mount {fs_type} on {}", target_of(mount));
    let options = Options::parse(mount.options().as_deref().unwrap_or_default());
    let attributes = options.attr.set;
    let destination = mount.destination();
    if options.copy_up {
        return Err(Failure::new(Stage::Mount, format!("{}: tmpcopyup is not supported yet", what())));
    }
    match fs_type {
        "proc" | "sysfs" => {
            // A symlink here would put masks and labels somewhere else (CVE-2019-19921).
            if let Err(e) = resolve::without_symlinks(root.as_fd(), destination)
                && e.raw_os_error() == Some(libc::ELOOP)
            {
                return Err(e).at(Stage::Mount, || format!("{}: the target is or crosses a symlink", what()));
            }
            let fs = fresh(fs_type, &options.own, attributes).at(Stage::Mount, what)?;
            attach(root.as_fd(), &fs, destination, TargetKind::Folder)
        }
        "tmpfs" | "devpts" | "mqueue" => {
            let fs = fresh(fs_type, &options.own, attributes).at(Stage::Mount, what)?;
            attach(root.as_fd(), &fs, destination, TargetKind::Folder)
        }
        "cgroup" | "cgroup2" => cgroups.mount(root, mount, attributes),
        other => return Err(Failure::new(Stage::Mount, format!("{}: file system {other:?} is not supported", what()))),
    }
    .at(Stage::Mount, what)?;
    if let Some((propagation, whole)) = options.propagation {
        let target = resolve::existing(root.as_fd(), destination).at(Stage::Mount, what)?;
        attr::set_attr(target.as_fd(), whole, MountAttr { propagation, ..MountAttr::default() })
            .at(Stage::Mount, what)?;
    }
    Ok(())
}

/// A new instance of a file system, detached.
pub(super) fn fresh(fs_type: &str, options: &[(String, Option<String>)], attributes: u64) -> io::Result<OwnedFd> {
    let fs = rustix::mount::fsopen(fs_type, FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(fs.as_fd(), "source", fs_type)?;
    for (key, value) in options {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(fs.as_fd(), key.as_str(), value.as_str())?,
            None => rustix::mount::fsconfig_set_flag(fs.as_fd(), key.as_str())?,
        }
    }
    rustix::mount::fsconfig_create(fs.as_fd())?;
    let attributes = MountAttrFlags::from_bits_retain(u32::try_from(attributes).unwrap_or_default());
    Ok(rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

pub(super) fn attach(root: BorrowedFd<'_>, mount: &OwnedFd, destination: &Path, kind: TargetKind) -> io::Result<()> {
    let target = resolve::target(root, destination, kind)?;
    let allowed = if destination == Path::new("/proc") {
        is_procfs(mount.as_fd())?
    } else {
        !is_procfs(target.as_fd())? || of_numbers(destination)
    };
    if !allowed {
        // What the container's programs, and we, believe of /proc is the kernel's word.
        let why = "only a procfs is mounted on /proc, and nothing inside it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    move_to(mount, target.as_fd())
}

fn is_procfs(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::fs::fstatfs(fd)?.f_type == libc::PROC_SUPER_MAGIC)
}

/// The files of numbers that lxcfs shows a container its own of.
fn of_numbers(destination: &Path) -> bool {
    let numbers = ["cpuinfo", "diskstats", "loadavg", "meminfo", "slabinfo", "stat", "swaps", "uptime"];
    destination.strip_prefix("/proc").is_ok_and(|inside| numbers.iter().any(|name| inside == Path::new(name)))
}

/// Attaches a detached mount to what `target` refers to.
pub(super) fn move_to(mount: &OwnedFd, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(mount, "", target, "", flags)?)
}

fn target_of(mount: &Mount) -> String {
    mount.destination().display().to_string()
}
