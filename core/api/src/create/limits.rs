//! Limits on memory, CPU and processes. 0 is "not asked" in this API, and -1 "no limit" for some.

use super::{body::HostConfig, leftover};
use crate::failure::ApiError;
use davit_model::container::Limits;

/// Less than this does not hold a process.
const LEAST_MEMORY: u64 = 6 * 1024 * 1024;

/// The limits that are asked for.
pub(crate) fn limits(host: &HostConfig) -> Result<Limits, ApiError> {
    let memory = positive("Memory", host.memory)?;
    if memory.is_some_and(|m| m < LEAST_MEMORY) {
        return Err(ApiError::invalid("Minimum memory limit allowed is 6MB"));
    }
    let memory_swap = host.memory_swap.filter(|s| *s != 0);
    if let Some(swap) = memory_swap.filter(|s| *s != -1) {
        let swap = u64::try_from(swap).map_err(|_| negative("MemorySwap"))?;
        match memory {
            None => {
                let why = "You should always set the Memory limit when using Memoryswap limit, see usage";
                return Err(ApiError::invalid(why));
            }
            Some(memory) if swap < memory => {
                let why = "Minimum memoryswap limit should be larger than memory limit, see usage";
                return Err(ApiError::invalid(why));
            }
            Some(_) => {}
        }
    }
    if host.memory_swappiness.is_some_and(|s| s != -1) {
        return Err(leftover::refused("HostConfig.MemorySwappiness"));
    }
    let nano_cpus = positive("NanoCpus", host.nano_cpus)?;
    let cpu_period = positive("CpuPeriod", host.cpu_period)?;
    let cpu_quota = host.cpu_quota.filter(|q| *q != 0);
    if nano_cpus.is_some() && (cpu_period.is_some() || cpu_quota.is_some()) {
        let why = "Conflicting options: Nano CPUs and CPU Period or CPU Quota cannot both be set";
        return Err(ApiError::invalid(why));
    }
    if cpu_quota.is_some_and(|q| q > 0 && q < 1000) {
        return Err(ApiError::invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)"));
    }
    if cpu_period.is_some_and(|p| !(1000..=1_000_000).contains(&p)) {
        let why = "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)";
        return Err(ApiError::invalid(why));
    }
    Ok(Limits {
        memory,
        memory_swap,
        memory_reservation: positive("MemoryReservation", host.memory_reservation)?,
        nano_cpus,
        cpu_shares: positive("CpuShares", host.cpu_shares)?,
        cpu_quota: cpu_quota.filter(|q| *q > 0),
        cpu_period,
        cpuset_cpus: host.cpuset_cpus.clone().filter(|s| !s.is_empty()),
        cpuset_mems: host.cpuset_mems.clone().filter(|s| !s.is_empty()),
        pids: host.pids_limit.filter(|p| *p > 0),
    })
}

fn positive(name: &str, value: Option<i64>) -> Result<Option<u64>, ApiError> {
    match value {
        None | Some(0) => Ok(None),
        Some(value) => u64::try_from(value).map(Some).map_err(|_| negative(name)),
    }
}

fn negative(name: &str) -> ApiError {
    ApiError::invalid(format!("invalid HostConfig.{name}: it is negative"))
}
