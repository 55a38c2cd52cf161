//! Kernel settings (`net.ipv4.ip_forward`), written through a procfs of our own; those of a namespace that is the
//! container's own, and no other: all others are the host's.

use super::own::Own;
use super::resolve;
use crate::failure::{At, Failure, Stage};
use crate::sysctl::{Namespace, path_of};
use rustix::fs::{OFlags, ResolveFlags};
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

pub(super) fn apply(procfs: &OwnedFd, settings: Option<&HashMap<String, String>>, own: Own) -> Result<(), Failure> {
    // Sorted, so that a failure is the same failure every time.
    for (key, value) in settings.into_iter().flatten().collect::<BTreeMap<_, _>>() {
        let refused = |why: &str| Failure::new(Stage::Sysctl, format!("set {key} to {value:?}: {why}"));
        let held = match Namespace::of(key) {
            Some(Namespace::Network) => own.network,
            Some(Namespace::Ipc) => own.ipc,
            Some(Namespace::Uts) => own.uts,
            None => return Err(refused("it belongs to no namespace, so it would be set for the whole machine")),
        };
        if !held {
            return Err(refused("its namespace is not the container's own, so it would be set for the host"));
        }
        let path = PathBuf::from("sys").join(path_of(key));
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        resolve::open(procfs.as_fd(), &path, OFlags::WRONLY, how)
            .and_then(|file| Ok(rustix::io::write(&file, value.as_bytes())?))
            .at(Stage::Sysctl, || format!("set {key} to {value:?}"))?;
    }
    Ok(())
}
