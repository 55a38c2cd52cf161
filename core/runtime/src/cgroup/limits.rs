//! Which limits there are, independent of the generation that takes them.
//!
//! [`apply`] walks an OCI `linux.resources` and hands each part to the controller that serves it in this group. What
//! has no controller is an error: somebody asked for it.

use super::{CgroupError, Group, file};
use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources};
use std::os::fd::AsFd;

/// Writes limits in the files of one generation. Values are those of the OCI specification, which are v1's.
pub trait Limits {
    /// Memory, swap, reservation, swappiness.
    fn memory(&self, memory: &LinuxMemory) -> Result<(), CgroupError>;
    /// Shares, quota, period, burst, idle.
    fn cpu(&self, cpu: &LinuxCpu) -> Result<(), CgroupError>;
    /// The most processes and threads; none: no limit.
    fn pids(&self, limit: Option<u64>) -> Result<(), CgroupError>;
    /// Weight and throttles of block devices.
    fn block_io(&self, io: &LinuxBlockIo) -> Result<(), CgroupError>;
    /// Bytes of huge pages of `size` (`2MB`).
    fn huge_pages(&self, size: &str, bytes: u64) -> Result<(), CgroupError>;
}

pub(super) fn apply(group: &Group, resources: &LinuxResources) -> Result<(), CgroupError> {
    let on = |controller: &'static str, what: &'static str| {
        group.limits(controller).ok_or(CgroupError::NoController { what, controller })
    };
    if let Some(memory) = resources.memory().filter(|m| *m != LinuxMemory::default()) {
        on("memory", "memory")?.memory(&memory)?;
    }
    if let Some(cpu) = resources.cpu() {
        if cpu.shares().is_some()
            || cpu.quota().is_some()
            || cpu.period().is_some()
            || cpu.burst().is_some()
            || cpu.idle().is_some()
        {
            on("cpu", "cpu time")?.cpu(cpu)?;
        }
        if cpu.realtime_runtime().unwrap_or(0) != 0 || cpu.realtime_period().unwrap_or(0) != 0 {
            realtime(group, cpu)?;
        }
        cpuset(group, cpu)?;
    }
    // 0 has no meaning of its own in the specification's older versions; as Docker and runc do, it leaves the limit as it is.
    if let Some(pids) = resources.pids().map(|p| p.limit()).filter(|l| *l != 0) {
        on("pids", "the number of processes")?.pids(u64::try_from(pids).ok())?;
    }
    if let Some(io) = resources.block_io().as_ref().filter(|io| **io != LinuxBlockIo::default()) {
        on("blkio", "block device input and output")?.block_io(io)?;
    }
    for page in resources.hugepage_limits().iter().flatten() {
        let bytes =
            u64::try_from(page.limit()).map_err(|_| CgroupError::Invalid("negative huge page limit".to_owned()))?;
        if page.page_size().is_empty() || !page.page_size().bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(CgroupError::Invalid(format!("huge page size {:?}", page.page_size())));
        }
        on("hugetlb", "huge pages")?.huge_pages(page.page_size(), bytes)?;
    }
    network(group, resources)?;
    rdma(group, resources)?;
    unified(group, resources)
}

/// The cpuset files have one name in both generations.
fn cpuset(group: &Group, cpu: &LinuxCpu) -> Result<(), CgroupError> {
    let set = [("cpuset.cpus", cpu.cpus(), "the set of cpus"), ("cpuset.mems", cpu.mems(), "the set of memory nodes")];
    for (name, value, what) in set {
        let Some(value) = value.as_deref().filter(|v| !v.is_empty()) else { continue };
        let dir = group.v1_dir("cpuset").or(group.v2.as_ref().map(AsFd::as_fd)).filter(|d| file::exists(*d, name));
        file::write(dir.ok_or(CgroupError::NoController { what, controller: "cpuset" })?, name, value)?;
    }
    Ok(())
}

/// v1 only: v2 has no realtime group scheduling.
fn realtime(group: &Group, cpu: &LinuxCpu) -> Result<(), CgroupError> {
    let none = CgroupError::NoController { what: "realtime cpu time", controller: "cpu" };
    let dir = group.v1_dir("cpu").filter(|d| file::exists(*d, "cpu.rt_runtime_us")).ok_or(none)?;
    if let Some(us) = cpu.realtime_period().filter(|v| *v != 0) {
        file::write(dir, "cpu.rt_period_us", &us.to_string())?;
    }
    if let Some(us) = cpu.realtime_runtime().filter(|v| *v != 0) {
        file::write(dir, "cpu.rt_runtime_us", &us.to_string())?;
    }
    Ok(())
}

/// v1 only.
fn network(group: &Group, resources: &LinuxResources) -> Result<(), CgroupError> {
    let Some(network) = resources.network() else { return Ok(()) };
    if let Some(class) = network.class_id().filter(|c| *c != 0) {
        let none = CgroupError::NoController { what: "the class of network packets", controller: "net_cls" };
        file::write(group.v1_dir("net_cls").ok_or(none)?, "net_cls.classid", &class.to_string())?;
    }
    for priority in network.priorities().iter().flatten() {
        let none = CgroupError::NoController { what: "the priority of network packets", controller: "net_prio" };
        let line = format!("{} {}", priority.name(), priority.priority());
        file::write(group.v1_dir("net_prio").ok_or(none)?, "net_prio.ifpriomap", &line)?;
    }
    Ok(())
}

fn rdma(group: &Group, resources: &LinuxResources) -> Result<(), CgroupError> {
    for (device, limit) in resources.rdma().iter().flatten() {
        let none = CgroupError::NoController { what: "remote memory", controller: "rdma" };
        let dir = group.v1_dir("rdma").or(group.v2.as_ref().map(AsFd::as_fd)).filter(|d| file::exists(*d, "rdma.max"));
        let word = |v: Option<u32>| v.map_or("max".to_owned(), |v| v.to_string());
        let line =
            format!("{device} hca_handle={} hca_object={}", word(limit.hca_handles()), word(limit.hca_objects()));
        file::write(dir.ok_or(none)?, "rdma.max", &line)?;
    }
    Ok(())
}

/// Files of the v2 hierarchy by name. Names are single path components with a dot in them, never `cgroup.*`.
fn unified(group: &Group, resources: &LinuxResources) -> Result<(), CgroupError> {
    for (name, value) in resources.unified().iter().flatten() {
        if name.contains('/') || !name.contains('.') || name.starts_with('.') || name.starts_with("cgroup.") {
            return Err(CgroupError::Invalid(format!("unified resource {name:?} is no controller's file")));
        }
        let Some(dir) = group.v2.as_ref().filter(|d| file::exists(d.as_fd(), name)) else {
            return Err(CgroupError::Invalid(format!("unified resource {name:?} does not exist in this cgroup")));
        };
        file::write(dir.as_fd(), name, value)?;
    }
    Ok(())
}
