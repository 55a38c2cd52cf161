//! Limits in the files of v2 (`Documentation/admin-guide/cgroup-v2.rst`), converted from v1's values.

use super::{CgroupError, file, limits::Limits};
use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory};
use std::os::fd::BorrowedFd;

/// A directory of the v2 hierarchy.
pub(super) struct V2<'a> {
    pub(super) dir: BorrowedFd<'a>,
}

impl V2<'_> {
    fn set(&self, name: &str, value: impl ToString) -> Result<(), CgroupError> {
        file::write(self.dir, name, &value.to_string())
    }
}

fn or_max(bytes: i64) -> String {
    if bytes < 0 { "max".to_owned() } else { bytes.to_string() }
}

/// v1's swap counts memory as well, v2's does not. None: leave it as it is.
pub(super) fn swap_only(limit: Option<i64>, swap: Option<i64>) -> Result<Option<String>, CgroupError> {
    match (limit.filter(|l| *l != 0), swap.filter(|s| *s != 0)) {
        (_, Some(-1)) | (Some(-1), None) => Ok(Some("max".to_owned())),
        (_, None) => Ok(None),
        (None | Some(-1), Some(_)) => Err(CgroupError::Invalid("a limit on swap needs a limit on memory".to_owned())),
        (Some(limit), Some(swap)) if swap >= limit => Ok(Some((swap - limit).to_string())),
        (Some(_), Some(_)) => {
            Err(CgroupError::Invalid("the limit on memory and swap together is below the limit on memory".to_owned()))
        }
    }
}

/// Shares (2 to 262144, ordinary 1024) as a weight (1 to 10000, ordinary 100): the curve through the three points
/// (2, 1), (1024, 100) and (262144, 10000), so that ordinary stays ordinary (the one of crun and newer runc).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=10000 before the cast")]
pub(super) fn weight(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    let l = f64::from(u32::try_from(shares).unwrap_or(262_144)).log2();
    10f64.powf((l * l + 125.0 * l) / 612.0 - 7.0 / 34.0).ceil().clamp(1.0, 10_000.0) as u64
}

/// v1 block weights (10 to 1000) as `io.weight` (1 to 10000).
fn io_weight(weight: u16) -> u32 {
    1 + u32::from(weight.clamp(10, 1000) - 10) * 9999 / 990
}

impl Limits for V2<'_> {
    fn memory(&self, memory: &LinuxMemory) -> Result<(), CgroupError> {
        if let Some(swap) = swap_only(memory.limit(), memory.swap())? {
            if file::exists(self.dir, "memory.swap.max") {
                self.set("memory.swap.max", swap)?;
            } else if !matches!(swap.as_str(), "max" | "0") {
                return Err(CgroupError::NoController { what: "swap", controller: "memory" });
            }
        }
        if let Some(bytes) = memory.limit().filter(|v| *v != 0) {
            self.set("memory.max", or_max(bytes))?;
        }
        if let Some(bytes) = memory.reservation().filter(|v| *v != 0) {
            self.set("memory.low", or_max(bytes))?;
        }
        if memory.swappiness().is_some()
            || memory.disable_oom_killer() == Some(true)
            || memory.kernel_tcp().unwrap_or(0) > 0
        {
            let text = "swappiness, disabling the oom killer and kernel tcp memory do not exist in cgroup v2";
            return Err(CgroupError::Invalid(text.to_owned()));
        }
        Ok(())
    }

    fn cpu(&self, cpu: &LinuxCpu) -> Result<(), CgroupError> {
        if let Some(shares) = cpu.shares().filter(|v| *v != 0) {
            self.set("cpu.weight", weight(shares))?;
        }
        let (quota, period) = (cpu.quota().filter(|v| *v != 0), cpu.period().filter(|v| *v != 0));
        if quota.is_some() || period.is_some() {
            // `max 100000`; what was not asked for stays.
            let now = file::read(self.dir, "cpu.max")?;
            let mut now = now.split_whitespace();
            let (old_quota, old_period) = (now.next().unwrap_or("max"), now.next().unwrap_or("100000"));
            let quota = quota.map_or(old_quota.to_owned(), or_max);
            let period = period.map_or(old_period.to_owned(), |p| p.to_string());
            self.set("cpu.max", format!("{quota} {period}"))?;
        }
        if let Some(burst) = cpu.burst() {
            self.set("cpu.max.burst", burst)?;
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
        // BFQ's own file takes v1's values as they are.
        let bfq = file::exists(self.dir, "io.bfq.weight");
        let name = if bfq { "io.bfq.weight" } else { "io.weight" };
        let none = || CgroupError::NoController { what: "the weight of block devices", controller: "io" };
        let converted = |w: u16| if bfq { u32::from(w) } else { io_weight(w) };
        if let Some(weight) = io.weight().filter(|w| *w != 0) {
            if !file::exists(self.dir, name) {
                return Err(none());
            }
            self.set(name, converted(weight))?;
        }
        for device in io.weight_device().iter().flatten() {
            if !file::exists(self.dir, name) {
                return Err(none());
            }
            self.set(
                name,
                format!("{}:{} {}", device.major(), device.minor(), converted(device.weight().unwrap_or(10))),
            )?;
        }
        for (key, devices) in [
            ("rbps", io.throttle_read_bps_device()),
            ("wbps", io.throttle_write_bps_device()),
            ("riops", io.throttle_read_iops_device()),
            ("wiops", io.throttle_write_iops_device()),
        ] {
            for device in devices.iter().flatten() {
                self.set("io.max", format!("{}:{} {key}={}", device.major(), device.minor(), device.rate()))?;
            }
        }
        Ok(())
    }

    fn huge_pages(&self, size: &str, bytes: u64) -> Result<(), CgroupError> {
        self.set(&format!("hugetlb.{size}.max"), bytes)
    }
}
