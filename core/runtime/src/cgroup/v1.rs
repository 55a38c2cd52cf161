//! Limits in the files of v1 (`Documentation/admin-guide/cgroup-v1`), whose values the OCI specification took over.

use super::{CgroupError, file, limits::Limits};
use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory};
use std::{io, os::fd::BorrowedFd};

/// A directory of one v1 hierarchy.
pub(super) struct V1<'a> {
    pub(super) dir: BorrowedFd<'a>,
}

impl V1<'_> {
    fn set(&self, name: &str, value: impl ToString) -> Result<(), CgroupError> {
        file::write(self.dir, name, &value.to_string())
    }

    /// Two values that constrain each other: the order that is right depends on whether they grow or shrink.
    fn pair(&self, first: (&str, i64), second: (&str, i64)) -> Result<(), CgroupError> {
        match self.set(first.0, first.1) {
            Err(CgroupError::Write { source, .. }) if source.kind() == io::ErrorKind::InvalidInput => {
                self.set(second.0, second.1)?;
                self.set(first.0, first.1)
            }
            Err(e) => Err(e),
            Ok(()) => self.set(second.0, second.1),
        }
    }
}

impl Limits for V1<'_> {
    fn memory(&self, memory: &LinuxMemory) -> Result<(), CgroupError> {
        const LIMIT: &str = "memory.limit_in_bytes";
        const SWAP: &str = "memory.memsw.limit_in_bytes";
        let given = |v: Option<i64>| v.filter(|v| *v != 0);
        let counted = file::exists(self.dir, SWAP);
        // Without a limit on memory there is none on memory and swap together.
        let swap = given(memory.swap()).or(given(memory.limit()).filter(|l| *l == -1 && counted));
        // No limit is what a kernel has that does not count swap.
        let swap = swap.filter(|s| *s != -1 || counted);
        if swap.is_some() && !counted {
            return Err(CgroupError::NoController { what: "swap", controller: "memory" });
        }
        match (given(memory.limit()), swap) {
            (Some(limit), Some(swap)) => self.pair((LIMIT, limit), (SWAP, swap))?,
            (Some(limit), None) => self.set(LIMIT, limit)?,
            (None, Some(swap)) => self.set(SWAP, swap)?,
            (None, None) => {}
        }
        if let Some(bytes) = given(memory.reservation()) {
            self.set("memory.soft_limit_in_bytes", bytes)?;
        }
        if let Some(bytes) = given(memory.kernel_tcp()) {
            self.set("memory.kmem.tcp.limit_in_bytes", bytes)?;
        }
        if let Some(percent) = memory.swappiness() {
            self.set("memory.swappiness", percent)?;
        }
        if memory.disable_oom_killer() == Some(true) {
            self.set("memory.oom_control", 1)?;
        }
        Ok(())
    }

    fn cpu(&self, cpu: &LinuxCpu) -> Result<(), CgroupError> {
        if let Some(shares) = cpu.shares().filter(|v| *v != 0) {
            self.set("cpu.shares", shares)?;
            // The kernel clamps without a word.
            let got = file::number(self.dir, "cpu.shares").unwrap_or(shares);
            if got != shares {
                return Err(CgroupError::Invalid(format!(
                    "cpu shares of {shares} are out of range: the kernel took {got}"
                )));
            }
        }
        let period = cpu.period().filter(|v| *v != 0).and_then(|v| i64::try_from(v).ok());
        let quota = cpu.quota().filter(|v| *v != 0);
        match (period, quota) {
            (Some(period), Some(quota)) => self.pair(("cpu.cfs_period_us", period), ("cpu.cfs_quota_us", quota))?,
            (Some(period), None) => self.set("cpu.cfs_period_us", period)?,
            (None, Some(quota)) => self.set("cpu.cfs_quota_us", quota)?,
            (None, None) => {}
        }
        if let Some(burst) = cpu.burst() {
            self.set("cpu.cfs_burst_us", burst)?;
        }
        if let Some(idle) = cpu.idle() {
            self.set("cpu.idle", idle)?;
        }
        Ok(())
    }

    fn pids(&self, limit: Option<u64>) -> Result<(), CgroupError> {
        self.set("pids.max", limit.map_or("max".to_owned(), |l| l.to_string()))
    }

    fn block_io(&self, io: &LinuxBlockIo) -> Result<(), CgroupError> {
        // BFQ's file where that is the scheduler, CFQ's on older kernels.
        let scheduler = ["blkio.bfq.weight", "blkio.weight"].into_iter().find(|f| file::exists(self.dir, f));
        let none = || CgroupError::NoController { what: "the weight of block devices", controller: "blkio" };
        if let Some(weight) = io.weight().filter(|w| *w != 0) {
            self.set(scheduler.ok_or_else(none)?, weight)?;
        }
        for device in io.weight_device().iter().flatten() {
            let weight = device.weight().unwrap_or(0);
            self.set(
                &format!("{}_device", scheduler.ok_or_else(none)?),
                format!("{}:{} {weight}", device.major(), device.minor()),
            )?;
        }
        for (name, devices) in [
            ("blkio.throttle.read_bps_device", io.throttle_read_bps_device()),
            ("blkio.throttle.write_bps_device", io.throttle_write_bps_device()),
            ("blkio.throttle.read_iops_device", io.throttle_read_iops_device()),
            ("blkio.throttle.write_iops_device", io.throttle_write_iops_device()),
        ] {
            for device in devices.iter().flatten() {
                self.set(name, format!("{}:{} {}", device.major(), device.minor(), device.rate()))?;
            }
        }
        Ok(())
    }

    fn huge_pages(&self, size: &str, bytes: u64) -> Result<(), CgroupError> {
        self.set(&format!("hugetlb.{size}.limit_in_bytes"), bytes)
    }
}
