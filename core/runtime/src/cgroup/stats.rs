//! What a group uses, from whichever generation serves each controller. Absent: no such controller here.

use super::{CgroupError, Group, file};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, BorrowedFd};

/// One reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Memory.
    pub memory: Option<MemoryStats>,
    /// CPU time.
    pub cpu: Option<CpuStats>,
    /// Processes and threads.
    pub pids: Option<PidsStats>,
    /// Block devices; empty where nothing was read or written.
    #[serde(default)]
    pub io: Vec<IoStats>,
}

/// What went through a block device, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoStats {
    /// The device's major number.
    pub major: u64,
    /// The device's minor number.
    pub minor: u64,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

/// Memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStats {
    /// In use, page cache included.
    pub usage: u64,
    /// The most that was ever in use; 0 where the kernel does not say (v2 before 5.19).
    pub peak: u64,
    /// The limit; none: no limit.
    pub limit: Option<u64>,
    /// Page cache that could go at once; clients subtract it from `usage`.
    pub inactive_file: u64,
    /// Swap in use.
    pub swap: u64,
}

/// CPU time, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuStats {
    /// All of it.
    pub total: u64,
    /// In user mode.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
    /// Periods of the quota that have passed.
    pub periods: u64,
    /// Periods in which the group was held back.
    pub throttled_periods: u64,
    /// For how long, summed over CPUs.
    pub throttled_time: u64,
}

/// Processes and threads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PidsStats {
    /// Now.
    pub current: u64,
    /// The limit; none: no limit.
    pub limit: Option<u64>,
}

/// v1 writes "no limit" as the largest whole number of pages.
const V1_NO_LIMIT: u64 = 0x7fff_ffff_ffff_0000;

impl Group {
    /// Reads what is there.
    pub fn stats(&self) -> Result<Stats, CgroupError> {
        Ok(Stats { memory: self.memory()?, cpu: self.cpu()?, pids: self.pids(), io: self.io() })
    }

    /// How many processes of the group, and on v2 of those below it, were killed for want of memory.
    pub fn oom_kills(&self) -> Result<u64, CgroupError> {
        let (dir, name) = match (self.v1_dir("memory"), self.v2_dir("memory.events")) {
            (Some(dir), _) => (dir, "memory.oom_control"),
            (None, Some(dir)) => (dir, "memory.events"),
            (None, None) => return Ok(0),
        };
        Ok(file::keyed(&file::read(dir, name)?, "oom_kill").unwrap_or(0))
    }

    /// Whether any process was killed for want of memory.
    pub fn oom_killed(&self) -> Result<bool, CgroupError> {
        Ok(self.oom_kills()? > 0)
    }

    fn v2_dir(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.v2.as_ref().map(AsFd::as_fd).filter(|d| file::exists(*d, name))
    }

    fn memory(&self) -> Result<Option<MemoryStats>, CgroupError> {
        if let Some(dir) = self.v1_dir("memory") {
            let stat = file::read(dir, "memory.stat")?;
            return Ok(Some(MemoryStats {
                usage: file::number(dir, "memory.usage_in_bytes").unwrap_or(0),
                peak: file::number(dir, "memory.max_usage_in_bytes").unwrap_or(0),
                limit: file::number(dir, "memory.limit_in_bytes").filter(|l| *l < V1_NO_LIMIT),
                inactive_file: file::keyed(&stat, "total_inactive_file").unwrap_or(0),
                swap: file::keyed(&stat, "total_swap").unwrap_or(0),
            }));
        }
        let Some(dir) = self.v2_dir("memory.current") else { return Ok(None) };
        let stat = file::read(dir, "memory.stat")?;
        Ok(Some(MemoryStats {
            usage: file::number(dir, "memory.current").unwrap_or(0),
            peak: file::number(dir, "memory.peak").unwrap_or(0),
            limit: file::number(dir, "memory.max"),
            inactive_file: file::keyed(&stat, "inactive_file").unwrap_or(0),
            swap: file::number(dir, "memory.swap.current").unwrap_or(0),
        }))
    }

    fn cpu(&self) -> Result<Option<CpuStats>, CgroupError> {
        if let Some(dir) = self.v1_dir("cpuacct") {
            let throttle = self.v1_dir("cpu").map(|d| file::read(d, "cpu.stat")).transpose()?.unwrap_or_default();
            let of = |key| file::keyed(&throttle, key).unwrap_or(0);
            return Ok(Some(CpuStats {
                total: file::number(dir, "cpuacct.usage").unwrap_or(0),
                user: file::number(dir, "cpuacct.usage_user").unwrap_or(0),
                system: file::number(dir, "cpuacct.usage_sys").unwrap_or(0),
                periods: of("nr_periods"),
                throttled_periods: of("nr_throttled"),
                throttled_time: of("throttled_time"),
            }));
        }
        let Some(dir) = self.v2_dir("cpu.stat") else { return Ok(None) };
        let stat = file::read(dir, "cpu.stat")?;
        let of = |key| file::keyed(&stat, key).unwrap_or(0);
        let nanos = |key| of(key).saturating_mul(1000);
        Ok(Some(CpuStats {
            total: nanos("usage_usec"),
            user: nanos("user_usec"),
            system: nanos("system_usec"),
            periods: of("nr_periods"),
            throttled_periods: of("nr_throttled"),
            throttled_time: nanos("throttled_usec"),
        }))
    }

    fn io(&self) -> Vec<IoStats> {
        if let Some(dir) = self.v1_dir("blkio") {
            return v1_io(&file::read(dir, "blkio.throttle.io_service_bytes_recursive").unwrap_or_default());
        }
        let text = self.v2_dir("io.stat").and_then(|dir| file::read(dir, "io.stat").ok()).unwrap_or_default();
        text.lines().filter_map(v2_io).collect()
    }

    fn pids(&self) -> Option<PidsStats> {
        let dir = self.v1_dir("pids").or_else(|| self.v2_dir("pids.current"))?;
        Some(PidsStats { current: file::number(dir, "pids.current")?, limit: file::number(dir, "pids.max") })
    }
}

fn device(text: &str) -> Option<IoStats> {
    let (major, minor) = text.split_once(':')?;
    Some(IoStats { major: major.parse().ok()?, minor: minor.parse().ok()?, ..IoStats::default() })
}

/// `8:0 Read 4096`, a line for each device and operation; `Total` lines at the end.
fn v1_io(text: &str) -> Vec<IoStats> {
    let mut all: Vec<IoStats> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(of), Some(what), Some(bytes)) = (words.next().and_then(device), words.next(), words.next()) else {
            continue;
        };
        let known = all.iter().position(|io| (io.major, io.minor) == (of.major, of.minor));
        let place = known.unwrap_or_else(|| {
            all.push(of);
            all.len() - 1
        });
        let Some(io) = all.get_mut(place) else { continue };
        match what {
            "Read" => io.read = bytes.parse().unwrap_or(0),
            "Write" => io.written = bytes.parse().unwrap_or(0),
            _ => {}
        }
    }
    all
}

/// `8:0 rbytes=4096 wbytes=0 …`.
fn v2_io(line: &str) -> Option<IoStats> {
    let mut words = line.split_whitespace();
    let mut io = device(words.next()?)?;
    for (key, bytes) in words.filter_map(|w| w.split_once('=')) {
        match key {
            "rbytes" => io.read = bytes.parse().unwrap_or(0),
            "wbytes" => io.written = bytes.parse().unwrap_or(0),
            _ => {}
        }
    }
    Some(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_tell_what_went_through_a_device() {
        let want = IoStats { major: 8, minor: 16, read: 4096, written: 512 };
        let v1 = "8:16 Read 4096\n8:16 Write 512\n8:16 Sync 512\n8:16 Total 4608\nTotal 4608\n";
        assert_eq!(v1_io(v1), std::slice::from_ref(&want));
        assert_eq!(v2_io("8:16 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=0 dios=0"), Some(want));
    }
}
