//! Which limits this machine can set: asked of a group of one's own, because the files of a hierarchy's root tell less.

use super::{CgroupError, Group, Hierarchies, file};
use oci_spec::runtime::LinuxResources;
use std::{
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

/// What can be limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Memory.
    pub memory: bool,
    /// Memory and swap together.
    pub swap: bool,
    /// CPU time in each period.
    pub cpu_quota: bool,
    /// CPU time against others.
    pub cpu_shares: bool,
    /// Which CPUs and memory nodes.
    pub cpuset: bool,
    /// Processes and threads.
    pub pids: bool,
}

impl Hierarchies {
    /// Makes the group `path`, looks, and removes it again.
    pub fn abilities(&self, path: &str) -> Result<Abilities, CgroupError> {
        let group = self.create(path, &LinuxResources::default())?;
        let found = group.abilities();
        drop(group);
        self.remove(path, Duration::from_secs(1))?;
        Ok(found)
    }
}

impl Group {
    /// What can be limited in this group.
    fn abilities(&self) -> Abilities {
        let has = |controller, v1_file, v2_file| match self.v1_dir(controller) {
            Some(dir) => file::exists(dir, v1_file),
            None => self.v2.as_ref().map(AsFd::as_fd).is_some_and(|dir: BorrowedFd<'_>| file::exists(dir, v2_file)),
        };
        Abilities {
            memory: has("memory", "memory.limit_in_bytes", "memory.max"),
            swap: has("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"),
            cpu_quota: has("cpu", "cpu.cfs_quota_us", "cpu.max"),
            cpu_shares: has("cpu", "cpu.shares", "cpu.weight"),
            cpuset: has("cpuset", "cpuset.cpus", "cpuset.cpus"),
            pids: has("pids", "pids.max", "pids.max"),
        }
    }
}
