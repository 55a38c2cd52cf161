//! A container's root, mounted for the engine alone: to fill a volume from it, or to copy files in and out.

use crate::{
    failure::{At, Failure, Stage},
    init,
};
use davit_model::storage::RootMount;
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use std::{
    os::fd::{BorrowedFd, OwnedFd},
    thread,
};

/// Mounts a root made of names of `area` where nobody else sees it; it ends with the descriptor. Nothing else may have
/// the root mounted for writing. Blocks.
///
/// # Errors
/// What the kernel refused.
pub fn root(area: BorrowedFd<'_>, mount: &RootMount) -> Result<OwnedFd, Failure> {
    let failed = |what: &str| Failure::new(Stage::Root, format!("{what} to look at a root"));
    // A thread of its own: what it does to its working directory and mounts ends with it.
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("root".into()).spawn_scoped(scope, || mounted(area, mount));
        let thread = thread.at(Stage::Root, || "start a thread to look at a root")?;
        thread.join().unwrap_or_else(|_| Err(failed("the thread panicked that was")))
    })
}

fn mounted(area: BorrowedFd<'_>, mount: &RootMount) -> Result<OwnedFd, Failure> {
    unshare(CloneFlags::CLONE_FS).at(Stage::Root, || "leave the shared working directory")?;
    // Before the namespace is made: the kernel carries the working directory over into it.
    rustix::process::fchdir(area).at(Stage::Root, || "enter the storage area")?;
    unshare(CloneFlags::CLONE_NEWNS).at(Stage::Namespace, || "make a mount namespace")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .at(Stage::Namespace, || "keep mounts private")?;
    init::root_of(mount)
}
