//! The control groups as a container sees them, at the target of its `cgroup` mount.
//!
//! In a cgroup namespace of its own a new mount shows the container's group as its root. Without one it would show the whole
//! host; a new mount of the unified hierarchy would also put its options in force for the host's own (`nsdelegate` off), and
//! wait for a grace period to do so (10 ms). So the container's group is then bound from the host's mounts instead.

use super::mounts::{attach, fresh, move_to};
use super::resolve::{self, TargetKind};
use super::root::Root;
use crate::cgroup::Hierarchies;
use crate::failure::{At, Failure, Stage, chain};
use davit_sys::mount::{self, MountAttr};
use nix::libc;
use oci_spec::runtime::{Linux, LinuxNamespaceType, Mount};
use rustix::mount::OpenTreeFlags;
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// One hierarchy.
#[derive(Debug)]
struct Hierarchy {
    /// Its controllers, or `name=…`; empty: the unified one.
    name: String,
    /// The container's group, to bind: a clone for each mount that is asked for, because kernels before 6.15 do not clone
    /// what is not attached yet. None: a new mount shows it.
    group: Option<RefCell<Vec<OwnedFd>>>,
}

/// What there is to be seen. Looked at while the host is still visible, and once the process is in its group.
#[derive(Debug, Default)]
pub(super) struct CgroupView(Vec<Hierarchy>);

/// Whether a mount is one of control groups.
pub(super) fn is_cgroup(mount: &Mount) -> bool {
    matches!(mount.typ().as_deref(), Some("cgroup" | "cgroup2"))
}

impl CgroupView {
    /// Looks at the host's own way, where the specification wants control groups mounted.
    pub(super) fn detect(mounts: &[Mount], linux: &Linux) -> Result<Self, Failure> {
        if !mounts.iter().any(is_cgroup) {
            return Ok(Self::default());
        }
        let what = "look for the control groups to mount";
        let mut own = linux.namespaces().iter().flatten();
        if own.any(|ns| ns.typ() == LinuxNamespaceType::Cgroup) {
            let text = std::fs::read_to_string("/proc/self/cgroup").at(Stage::Mount, || what)?;
            let names = text.lines().filter_map(|l| Some(l.split(':').nth(1)?.to_owned()));
            return Ok(Self(names.map(|name| Hierarchy { name, group: None }).collect()));
        }
        let failed = |e| Failure::new(Stage::Mount, format!("{what}: {}", chain(&e)));
        let groups = Hierarchies::detect().and_then(|all| all.own_groups()).map_err(failed)?;
        let times = mounts.iter().filter(|mount| is_cgroup(mount)).count();
        let clones = |dir| (0..times).map(|_| clone(&dir)).collect::<io::Result<_>>();
        let bound =
            groups.into_iter().map(|(name, dir)| Ok(Hierarchy { name, group: Some(RefCell::new(clones(dir)?)) }));
        bound.collect::<io::Result<_>>().map(Self).at(Stage::Mount, || "clone the container's control group")
    }

    /// Attaches what the mount asks for: `cgroup2` is the unified hierarchy; `cgroup` is that one where there is no other,
    /// else a tmpfs with a folder for each.
    pub(super) fn mount(&self, root: &Root, mount: &Mount, attributes: u64) -> io::Result<()> {
        let split = self.0.iter().any(|h| !h.name.is_empty());
        if split && mount.typ().as_deref() == Some("cgroup") {
            return self.mount_split(root, mount.destination(), attributes);
        }
        let unified = self.0.iter().find(|h| h.name.is_empty()).ok_or(io::Error::from_raw_os_error(libc::ENODEV))?;
        attach(root.as_fd(), &unified.open(attributes)?, mount.destination(), TargetKind::Folder)
    }

    fn mount_split(&self, root: &Root, destination: &Path, attributes: u64) -> io::Result<()> {
        let tmpfs = fresh("tmpfs", &[("mode".into(), Some("755".into()))], attributes & !libc::MOUNT_ATTR_RDONLY)?;
        attach(root.as_fd(), &tmpfs, destination, TargetKind::Folder)?;
        for hierarchy in &self.0 {
            let folder = match hierarchy.name.as_str() {
                "" => "unified",
                name => name.trim_start_matches("name="),
            };
            let fs = match hierarchy.open(attributes) {
                Ok(fs) => fs,
                // A hierarchy that exists but is not mounted on the host needs rights over the initial namespace.
                Err(e) if matches!(e.raw_os_error(), Some(libc::EPERM | libc::EBUSY | libc::EINVAL)) => continue,
                Err(e) => return Err(e),
            };
            let target = resolve::target(tmpfs.as_fd(), Path::new(folder), TargetKind::Folder)?;
            move_to(&fs, target.as_fd())?;
            for alias in folder.split(',').filter(|alias| *alias != folder) {
                rustix::fs::symlinkat(folder, &tmpfs, alias)?;
            }
        }
        let read_only = MountAttr { set: attributes & libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
        mount::set_attr(tmpfs.as_fd(), false, read_only)
    }
}

impl Hierarchy {
    /// A mount with these attributes, ready to be attached.
    fn open(&self, attributes: u64) -> io::Result<OwnedFd> {
        if let Some(group) = &self.group {
            let mount = group.borrow_mut().pop().ok_or(io::Error::from_raw_os_error(libc::ENODEV))?;
            let attr = MountAttr { set: attributes, clear: 0, propagation: libc::MS_PRIVATE };
            mount::set_attr(mount.as_fd(), false, attr)?;
            return Ok(mount);
        }
        let flag = |name: &str| (name.to_owned(), None);
        match self.name.as_str() {
            "" => fresh("cgroup2", &[], attributes),
            name => match name.strip_prefix("name=") {
                Some(name) => fresh("cgroup", &[flag("none"), ("name".to_owned(), Some(name.to_owned()))], attributes),
                None => fresh("cgroup", &name.split(',').map(flag).collect::<Vec<_>>(), attributes),
            },
        }
    }
}

fn clone(of: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(rustix::mount::open_tree(of, "", flags)?)
}
