//! Namespaces: which are made by `clone3`, which by init itself, which are joined; and the names that live in one.
//!
//! The mount and cgroup namespaces are made by init, after it joined its cgroup (made in `clone3`, the cgroup namespace
//! would be rooted at the launcher's group). A pid namespace can only be made for a child, hence by `clone3`.

use super::own::Own;
use crate::failure::{At, Failure, Stage};
use davit_sys::mount::{self, MountAttr};
use nix::libc;
use nix::sched::CloneFlags;
use oci_spec::runtime::{Linux, LinuxNamespaceType as Kind, Spec};
use rustix::fs::{Mode, OFlags};
use std::os::fd::BorrowedFd;

/// The flags for `clone3`: every new namespace but those that init makes itself.
pub(crate) fn clone_flags(linux: Option<&Linux>) -> u64 {
    let mut flags = 0;
    for ns in linux.and_then(|l| l.namespaces().as_ref()).into_iter().flatten() {
        if ns.path().is_none() && !matches!(ns.typ(), Kind::Mount | Kind::Cgroup) {
            flags |= ns.typ() as u64;
        }
    }
    flags
}

/// Joins the namespaces that have a path or a descriptor, then makes those that are init's to make.
pub(super) fn enter(linux: &Linux, netns: Option<BorrowedFd<'_>>) -> Result<(), Failure> {
    let refuse = |what: &str| Err(Failure::new(Stage::Namespace, what.to_owned()));
    let mut make = CloneFlags::empty();
    let mut own_mounts = false;
    for ns in linux.namespaces().iter().flatten() {
        let kind = ns.typ();
        match (kind, ns.path()) {
            (Kind::User | Kind::Time, _) => return refuse("user and time namespaces are not supported yet"),
            (Kind::Pid | Kind::Mount, Some(_)) => {
                return refuse("joining a pid or mount namespace by path is not supported yet");
            }
            (_, Some(path)) => {
                let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                    .at(Stage::Namespace, || format!("open namespace {}", path.display()))?;
                nix::sched::setns(&file, CloneFlags::from_bits_truncate(kind as i32))
                    .at(Stage::Namespace, || format!("join namespace {}", path.display()))?;
            }
            (Kind::Mount, None) => {
                own_mounts = true;
                make |= CloneFlags::CLONE_NEWNS;
            }
            (Kind::Cgroup, None) => make |= CloneFlags::CLONE_NEWCGROUP,
            (Kind::Pid | Kind::Network | Kind::Ipc | Kind::Uts, None) => {}
        }
    }
    if !own_mounts {
        return refuse("a container without a mount namespace of its own is not supported");
    }
    if let Some(netns) = netns {
        nix::sched::setns(netns, CloneFlags::CLONE_NEWNET).at(Stage::Namespace, || "join the network namespace")?;
    }
    nix::sched::unshare(make).at(Stage::Namespace, || "make mount and cgroup namespaces")?;
    // Nothing that is mounted from here on may reach the host; what the host unmounts still goes away here.
    let slave = MountAttr { propagation: libc::MS_SLAVE, ..MountAttr::default() };
    mount::set_attr_at(c"/", true, slave).at(Stage::Namespace, || "detach mounts from the host's")
}

/// Host and domain name, in the container's own uts namespace.
pub(super) fn set_names(oci: &Spec, own: Own) -> Result<(), Failure> {
    for (name, set) in [
        (oci.hostname(), rustix::system::sethostname as fn(&[u8]) -> rustix::io::Result<()>),
        (oci.domainname(), rustix::system::setdomainname),
    ] {
        let Some(name) = name.as_deref().filter(|n| !n.is_empty()) else { continue };
        if !own.uts {
            return Err(Failure::new(Stage::Namespace, format!("name {name:?} needs a uts namespace of its own")));
        }
        set(name.as_bytes()).at(Stage::Namespace, || format!("set host or domain name {name:?}"))?;
    }
    Ok(())
}
